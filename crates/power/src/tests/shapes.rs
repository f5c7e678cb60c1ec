//! Tests with randomly generated controllers: how they redirect, name themselves, version, authenticate, respond and lie.
//! However the controller behaves, an order ends in bounded time as done, as failed with nothing done, or as unknown; nothing
//! is switched twice; and password and session are sent nowhere else and appear in no message.
//!
//! The seed is fixed; `PROPTEST_RNG_SEED` sets a different one.

use super::stub::{Bmc, RESET, Reply, Request, Stub};
use super::*;
use serde_json::{Value, json};

const SYSTEM: &str = super::stub::SYSTEM;
const SHAPES: u64 = 160;

/// The Splitmix64 generator (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of the choices; the first one is as frequent as all others together.
    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        let count = u64::try_from(choices.len()).expect("a few");
        let place = (self.next() % (2 * count - 1)).saturating_sub(count - 1);
        choices[usize::try_from(place).expect("a few")]
    }
}

/// The behaviour of a controller.
#[derive(Clone, Debug)]
struct Shape {
    action: PowerAction,
    network_boot: bool,
    power: &'static str,
    /// The status of a redirect of paths without a slash, and its target.
    redirect: (u16, &'static str),
    links: &'static str,
    members: &'static str,
    version: &'static str,
    wants_version: &'static str,
    patch: &'static str,
    patch_does: bool,
    post: &'static str,
    resets: &'static str,
    session: &'static str,
    targets: &'static str,
}

impl Shape {
    fn of(seed: u64) -> Self {
        let mut random = Random(seed);
        let answers = [
            "204",
            "200",
            "success",
            "notified",
            "202",
            "202 failed",
            "202 elsewhere",
            "202 absolute",
            "warning",
            "refused",
            "400",
            "403",
            "409",
            "503",
            "500",
            "303",
            "closed",
            "404",
            "304",
            "echo",
        ];
        Self {
            action: random.of(&[PowerAction::Cycle, PowerAction::On, PowerAction::Off]),
            network_boot: random.of(&[true, false]),
            power: random.of(&["On", "Off", "PoweringOn", "PoweringOff", "Paused", "Oem.Contoso.Half", ""]),
            redirect: random.of(&[
                (0, ""),
                (301, "own"),
                (302, "own"),
                (307, "own"),
                (308, "own"),
                (303, "own"),
                (307, "other"),
                (308, "tls"),
                (301, "loop"),
                (302, "nowhere"),
            ]),
            links: random.of(&["relative", "absolute", "slash", "other", "missing"]),
            members: random.of(&["one", "none", "null", "blades", "one and empty"]),
            version: random.of(&["strong", "weak", "missing", "*", "odd"]),
            wants_version: random.of(&["no", "428", "412", "strong", "only without"]),
            patch: random.of(&answers),
            patch_does: random.of(&[true, true, false]),
            post: random.of(&answers),
            resets: random.of(&[
                "listed",
                "missing",
                "info",
                "info away",
                "null",
                "button",
                "off and on",
                "graceful",
                "no action",
            ]),
            session: random.of(&["basic", "needed", "expires", "full", "basic denied", "elsewhere"]),
            targets: random.of(&["Pxe", "missing", "UefiHttp"]),
        }
    }

    fn bmc(&self, origin: &str) -> Bmc {
        let mut bmc = Bmc { power: self.power.to_owned(), ..Bmc::new() };
        let target = if self.links == "absolute" { format!("{origin}{RESET}") } else { RESET.to_owned() };
        bmc.resets = match self.resets {
            "missing" => json!({ "target": target }),
            "null" => json!({ "target": target, "ResetType@Redfish.AllowableValues": null }),
            "info" | "info away" => json!({ "target": target, "@Redfish.ActionInfo": "/redfish/v1/info" }),
            "button" => json!({ "target": target, "ResetType@Redfish.AllowableValues": ["PushPowerButton"] }),
            "off and on" => json!({ "target": target, "ResetType@Redfish.AllowableValues": ["On", "ForceOff"] }),
            "graceful" => json!({ "target": target, "ResetType@Redfish.AllowableValues": ["GracefulRestart"] }),
            "no action" => Value::Null,
            _ => {
                json!({ "target": target, "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "ForceRestart", "PowerCycle"] })
            }
        };
        match self.targets {
            "Pxe" => bmc.boot["BootSourceOverrideTarget@Redfish.AllowableValues"] = json!(["None", "Pxe", "Hdd"]),
            "UefiHttp" => bmc.boot["BootSourceOverrideTarget@Redfish.AllowableValues"] = json!(["None", "UefiHttp"]),
            _ => {}
        }
        bmc
    }
}

/// A controller with this behaviour, and what it has done.
struct Shaped {
    shape: Shape,
    other: u16,
    sessions: u32,
    used: u32,
    resets: Arc<Mutex<Vec<String>>>,
}

impl Shaped {
    fn origin(request: &Request) -> String {
        format!("http://{}", request.header("host").unwrap_or_default())
    }

    /// Checks that come first: authentication, and redirects.
    fn gate(&mut self, request: &Request) -> Option<Reply> {
        let shape = &self.shape;
        let at_sessions = request.path.contains("/SessionService/Sessions");
        if shape.session != "basic" && at_sessions && request.method == "POST" {
            return Some(match shape.session {
                "full" => Reply::error(503, "IDRAC.2.4.RAC0218", "The maximum number of user sessions is reached."),
                "basic denied" => Reply::empty(401),
                "elsewhere" => Reply::empty(307).with("Location", format!("http://127.0.0.1:{}/", self.other)),
                _ => {
                    self.sessions += 1;
                    self.used = 0;
                    let at = format!("http://bmc.example/redfish/v1/SessionService/Sessions/{}", self.sessions);
                    let body = json!({"@odata.id": format!("/redfish/v1/SessionService/Sessions/{}", self.sessions)});
                    Reply::json(201, &body).with("X-AUTH-TOKEN", format!("t0ken{}", self.sessions)).with("location", at)
                }
            });
        }
        if at_sessions && request.method == "DELETE" {
            return Some(Reply::empty(204));
        }
        let token = request.header("x-auth-token").unwrap_or_default();
        let known = self.sessions > 0 && token == format!("t0ken{}", self.sessions);
        self.used += 1;
        let expired = shape.session == "expires" && self.used > 4;
        if shape.session != "basic" && (!known || expired) {
            return Some(Reply::empty(401));
        }
        let (status, to) = shape.redirect;
        if status != 0 && (to == "loop" || !request.path.ends_with('/')) {
            let to = match to {
                "own" => format!("{}/", request.path),
                "other" => format!("http://127.0.0.1:{}{}", self.other, request.path),
                "tls" => format!("https://127.0.0.1:{}{}", self.other, request.path),
                "loop" => request.path.clone(),
                _ => return Some(Reply::empty(status)),
            };
            return Some(Reply::empty(status).with("Location", to));
        }
        None
    }

    fn answer(&mut self, bmc: &mut Bmc, request: &Request) -> Reply {
        if let Some(reply) = self.gate(request) {
            return reply;
        }
        let origin = Self::origin(request);
        match (request.method.as_str(), request.path.trim_end_matches('/')) {
            ("GET", "/redfish/v1/Systems") => {
                let link = match self.shape.links {
                    "absolute" => json!({"@odata.id": format!("{origin}{SYSTEM}")}),
                    "slash" => json!({"@odata.id": format!("{SYSTEM}/")}),
                    "other" => json!({"@odata.id": format!("http://127.0.0.1:{}{SYSTEM}", self.other)}),
                    "missing" => json!({}),
                    _ => json!({ "@odata.id": SYSTEM }),
                };
                let members = match self.shape.members {
                    "none" => json!([]),
                    "null" => Value::Null,
                    "blades" => json!([link, {"@odata.id": "/redfish/v1/Systems/Blade2"}]),
                    "one and empty" => json!([link, {}]),
                    _ => json!([link]),
                };
                Reply::json(200, &json!({ "Members": members }))
            }
            ("GET", SYSTEM) => {
                let reply = Reply::json(200, &bmc.system());
                match self.shape.version {
                    "strong" => reply.with("ETAG", "\"7\""),
                    "weak" => reply.with("etag", "W/\"7\""),
                    "*" => reply.with("ETag", "*"),
                    "odd" => reply.with("ETag", "7 \"8\t"),
                    _ => reply,
                }
            }
            ("GET", "/redfish/v1/info") if self.shape.resets == "info" => Reply::json(
                200,
                &json!({"Parameters": [{"Name": "ResetType", "AllowableValues": ["On", "ForceOff", "PowerCycle"]}]}),
            ),
            ("GET", "/redfish/v1/Tasks/good") => Reply::json(200, &json!({"TaskState": "Completed"})),
            ("GET", "/redfish/v1/Tasks/bad") => Reply::json(200, &json!({"TaskState": "Exception"})),
            ("PATCH", SYSTEM) => self.patch(bmc, request),
            ("POST", RESET) => self.post(bmc, request),
            _ => Reply::error(404, "Base.1.8.ResourceMissingAtURI", "there is nothing here"),
        }
    }

    fn patch(&mut self, bmc: &mut Bmc, request: &Request) -> Reply {
        let named = request.header("if-match");
        match self.shape.wants_version {
            "428" if named.is_none() => return Reply::empty(428),
            "412" => return Reply::empty(412),
            "strong" if named != Some("\"7\"") => return Reply::empty(412),
            "only without" if named.is_some() => return Reply::empty(412),
            _ => {}
        }
        let (reply, taken) = self.reply(self.shape.patch, request);
        if taken && self.shape.patch_does {
            bmc.set_boot(&request.body);
        }
        reply
    }

    fn post(&mut self, bmc: &mut Bmc, request: &Request) -> Reply {
        let kind = request.body["ResetType"].as_str().unwrap_or_default();
        let (reply, taken) = self.reply(self.shape.post, request);
        if taken {
            self.resets.lock().expect("no panic").push(kind.to_owned());
            bmc.reset(kind);
        }
        reply
    }

    /// A response of this kind, and whether the request is carried out.
    fn reply(&self, kind: &str, request: &Request) -> (Reply, bool) {
        let message = |id: &str, severity: &str| {
            let message = json!({"MessageId": id, "Message": "words", "Severity": severity});
            Reply::json(200, &json!({ "@Message.ExtendedInfo": [message] }))
        };
        let task = |at: String| Reply::empty(202).with("Location", at);
        match kind {
            "200" => (Reply::json(200, &json!({"Id": "1"})), true),
            "success" => (message("Base.1.8.Success", "OK"), true),
            "notified" => (message("SMC.1.0.NotificationSent", "OK"), true),
            "warning" => (message("Contoso.1.0.Odd", "Warning"), true),
            "refused" => (message("Base.1.0.PropertyNotUpdated", "Warning"), false),
            "202" => (task("/redfish/v1/Tasks/good".to_owned()), true),
            "202 absolute" => (task(format!("{}/redfish/v1/Tasks/good", Self::origin(request))), true),
            "202 failed" => (task("/redfish/v1/Tasks/bad".to_owned()), false),
            "202 elsewhere" => (task(format!("http://127.0.0.1:{}/Tasks/1", self.other)), true),
            "400" => (Reply::error(400, "Base.1.8.ActionParameterUnknown", "unknown"), false),
            "403" => (Reply::error(403, "Base.1.8.InsufficientPrivilege", "may not"), false),
            "409" => (Reply::error(409, "Base.1.8.ResourceInUse", "busy"), false),
            "404" => (Reply::empty(404), false),
            "503" => (Reply::error(503, "Base.1.8.ServiceTemporarilyUnavailable", "later").with("Retry-After", "1"), false),
            "500" => (Reply::error(500, "Base.1.8.InternalError", "oops"), true),
            "303" => (Reply::empty(303).with("Location", SYSTEM), true),
            "304" => (Reply::empty(304), false),
            "closed" => (Reply::empty(0), true),
            "echo" => {
                let words = format!("{}{PASSWORD} YWRtaW46c2VzYW1l", "x".repeat(145));
                (Reply::error(400, "Base.1.8.PropertyUnknown", &words), false)
            }
            _ => (Reply::empty(204), true),
        }
    }
}

/// Gives an order to a generated controller, and checks the outcome and what the controller has done.
async fn order(seed: u64) -> Result<(), String> {
    let shape = Shape::of(seed);
    let other = Stub::start(Bmc::new(), |_, _| None).await;
    let resets = Arc::new(Mutex::new(vec![]));
    let mut shaped = Shaped { shape: shape.clone(), other: other.port, sessions: 0, used: 0, resets: resets.clone() };
    let stub = Stub::start(shape.bmc(""), move |bmc, request| Some(shaped.answer(bmc, request))).await;
    if shape.links == "absolute" {
        *stub.bmc.lock().expect("no panic") = shape.bmc(&format!("http://127.0.0.1:{}", stub.port));
    }
    let controller = redfish(stub.port, Tls::Off);
    let limit = Duration::from_secs(100);
    let ended = tokio::time::timeout(limit, controller.carry_out(shape.action, shape.network_boot)).await;
    let done = resets.lock().expect("no panic").clone();
    let wrong = |what: &str| Err(format!("seed {seed}: {what}: {ended:?}, done {done:?}, {shape:?}"));
    let switches = done.iter().map(String::as_str).collect::<Vec<_>>();
    if switches.len() > 1 && switches != ["ForceOff", "On"] {
        return wrong("switched twice");
    }
    if !other.bmc().record_state.is_empty() {
        return wrong("went elsewhere");
    }
    match &ended {
        Err(_) => return wrong("took too long"),
        Ok(Ok(_)) if shape.action == PowerAction::Cycle && done.is_empty() => return wrong("done without a switch"),
        Ok(Ok(_)) => {}
        Ok(Err(trouble)) if !trouble.uncertain && !done.is_empty() => return wrong("failed, and switched"),
        Ok(Err(trouble)) => {
            let said = format!("{} {:?}", trouble.reason, trouble.failure);
            // A part of a password counts as a password.
            if said.contains("sesa") || said.contains("YWRtaW") || said.contains("t0ken") || trouble.reason.is_empty() {
                return wrong("not in these words");
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_to_a_controller_of_any_shape_ends_and_switches_once() {
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(13);
    let orders = (0..SHAPES).map(|shape| tokio::spawn(order(Random(seed).next().wrapping_add(shape * 7919))));
    let mut wrong = vec![];
    for order in orders.collect::<Vec<_>>() {
        wrong.extend(order.await.expect("no panic").err());
    }
    assert!(wrong.is_empty(), "{} of {SHAPES}:\n{}", wrong.len(), wrong.join("\n"));
}

/// A body without an end, sent as a flood and as single bytes.
#[tokio::test]
async fn an_endless_answer_is_abandoned() {
    let (flood, drip) = (endless(true).await, endless(false).await);
    let (flood, drip) = (redfish(flood, Tls::Off), redfish(drip, Tls::Off));
    let (flood, drip) = tokio::join!(flood.state(), drip.carry_out(PowerAction::Cycle, true));
    let (flood, drip) = (flood.expect_err("no end"), drip.expect_err("no end"));
    assert!(flood.reason.contains("more than 1048576 bytes"), "{flood:?}");
    assert!(drip.slow && !drip.uncertain && drip.reason.contains("did not answer by Redfish within"), "{drip:?}");
}

async fn endless(flood: bool) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _read = stream.read(&mut [0; 4096]).await;
                let mut chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                while stream.write_all(&chunk).await.is_ok() {
                    let size = if flood { 16 << 10 } else { 1 };
                    chunk = format!("{size:x}\r\n{}\r\n", " ".repeat(size)).into_bytes();
                    if !flood {
                        sleep(Duration::from_millis(200)).await;
                    }
                }
            });
        }
    });
    port
}
