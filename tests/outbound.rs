//! Where the service connects to, and with which secrets: the test's own listeners receive nothing that they must not receive.

use crate::support::bmc::{IpmiSim, PASSWORD};
use crate::support::rules::check_rules;
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_mins(2);

/// A listener that keeps everything that it receives and sends this answer to everything.
struct Trap {
    port: u16,
    received: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    async fn start(address: Ipv4Addr, port: u16, answer: &'static str) -> Result<Self> {
        let listener = TcpListener::bind((address, port)).await?;
        let (port, received) = (listener.local_addr()?.port(), Arc::<Mutex<Vec<String>>>::default());
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut bytes = [0; 4096];
                    let count = stream.read(&mut bytes).await.unwrap_or_default();
                    kept.lock().expect("no panic").push(String::from_utf8_lossy(&bytes[..count]).into_owned());
                    drop(stream.write_all(answer.as_bytes()).await);
                });
            }
        });
        Ok(Self { port, received })
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().expect("no panic").clone()
    }
}

/// The answer to a request: its status, and its body without the parts that differ between requests.
async fn request_at(service: &Service, token: &str, method: Method, path: &str, body: &Value) -> Result<(StatusCode, Value)> {
    let request = reqwest::Client::new().request(method.clone(), service.url(path)).bearer_auth(token);
    let answer = if body.is_null() { request } else { request.json(body) }.send().await?;
    let status = answer.status();
    let mut body: Value = serde_json::from_str(&answer.text().await?)?;
    check_rules(&method, path, status.as_u16(), &body);
    if let Some(problem) = body.as_object_mut().filter(|_| !status.is_success()) {
        problem.retain(|key, _| !matches!(key.as_str(), "correlation_id" | "instance"));
    }
    Ok((status, body))
}

async fn token(service: &Service, role: &str) -> Result<String> {
    Ok(service.run(&["token", "create", role, "--role", role]).await?.trim().to_owned())
}

fn rules(answer: &Value) -> Vec<&str> {
    answer["errors"].as_array().into_iter().flatten().filter_map(|error| error["rule"].as_str()).collect()
}

fn device(serial: &str, site: &str, management: &Value) -> Value {
    json!({ "site": site, "serial": serial, "management": management })
}

const SYSTEM: &str = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{\"PowerState\": \"On\"}";
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_secret_is_sent_only_where_its_scope_allows_and_the_names_of_secrets_stay_hidden() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let controller = Trap::start(Ipv4Addr::LOCALHOST, 0, SYSTEM).await?;
    let port = controller.port;
    let mine = Trap::start(ELSEWHERE, port, SYSTEM).await?;
    let other_port = Trap::start(Ipv4Addr::LOCALHOST, 0, SYSTEM).await?;
    for secret in ["bmc", "unscoped", "boot-root", "broken"] {
        let text = if secret == "broken" { "no colon" } else { "admin:open-sesame" };
        service.write_secret(secret, text)?;
    }
    service.write_secret("tsig", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
    service.write_secret("hook", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
    let updates = json!({ "primary": "127.0.0.1", "key": { "name": "k", "algorithm": "hmac-sha256", "secret": "tsig" } });
    let site = json!({ "domain": "dc1.example", "zones": ["dc1.example"], "dns_updates": updates });
    service.put("/api/v1/sites/dc1", &site).await?;
    service.put("/api/v1/sites/dc2", &json!({ "domain": "dc2.example" })).await?;
    let hook = json!({ "url": "http://127.0.0.1:9/", "events": ["rack.*"], "secret": "hook" });
    service.put("/api/v1/webhooks/chat", &hook).await?;
    let scope =
        json!({ "networks": ["127.0.0.1/32"], "protocols": ["redfish"], "ports": [port], "sites": ["dc1"], "plain_http": true });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    service.put("/api/v1/secrets/broken", &scope).await?;
    service.put("/api/v1/secrets/gone", &scope).await?;
    let (operator, viewer, root) = (token(&service, "operator").await?, token(&service, "viewer").await?, service.token());

    // Operators and viewers may not set or read the scope of any secret.
    for (who, path) in [(&operator, "/api/v1/secrets/unscoped"), (&viewer, "/api/v1/secrets/unscoped")] {
        for (method, body) in [(Method::PUT, &scope), (Method::GET, &Value::Null), (Method::DELETE, &Value::Null)] {
            assert_eq!(request_at(&service, who, method, path, body).await?.0, StatusCode::FORBIDDEN);
        }
        // Nor may they name the secrets of DNS primaries and webhook receivers.
        assert_eq!(request_at(&service, who, Method::PUT, "/api/v1/sites/dc1", &site).await?.0, StatusCode::FORBIDDEN);
        assert_eq!(request_at(&service, who, Method::PUT, "/api/v1/webhooks/chat", &hook).await?.0, StatusCode::FORBIDDEN);
    }
    for (secret, rule) in
        [("boot-root", "secret_for_boot_files"), ("tsig", "secret_used_elsewhere"), ("hook", "secret_used_elsewhere")]
    {
        let (status, refused) = request_at(&service, root, Method::PUT, &format!("/api/v1/secrets/{secret}"), &scope).await?;
        assert_eq!((status, rules(&refused)), (StatusCode::UNPROCESSABLE_ENTITY, vec![rule]), "{secret}: {refused}");
    }
    let twice = json!({ "url": "http://127.0.0.1:9/", "events": ["rack.*"], "secret": "bmc" });
    assert_eq!(rules(&request_at(&service, root, Method::PUT, "/api/v1/webhooks/other", &twice).await?.1), ["secret_missing"]);

    // Every way to leave the scope, as an operator: always the same answer, byte for byte, and nothing is sent.
    let with = |key: &str, value: Value| {
        let mut management = json!({ "address": "127.0.0.1", "protocol": "redfish", "credentials": "bmc", "port": port });
        management[key] = value;
        management
    };
    let mut answers = vec![];
    let tries = [
        ("dc1", with("address", json!("127.0.0.2"))),
        ("dc1", with("port", json!(other_port.port))),
        ("dc1", with("protocol", json!("ipmi"))),
        ("dc2", with("port", json!(port))),
        ("dc1", with("credentials", json!("unscoped"))),
        ("dc1", with("credentials", json!("nothing"))),
        ("dc1", with("credentials", json!("gone"))),
        ("dc1", with("credentials", json!("broken"))),
        ("dc1", with("credentials", json!("boot-root"))),
        ("dc1", with("credentials", json!("tsig"))),
        ("dc1", with("credentials", json!("hook"))),
    ];
    for (n, (site, management)) in tries.iter().enumerate() {
        let wanted = device(&format!("S-{n}"), site, management);
        let (status, answer) = request_at(&service, &operator, Method::POST, "/api/v1/devices", &wanted).await?;
        assert_eq!((status, rules(&answer)), (StatusCode::UNPROCESSABLE_ENTITY, vec!["secret_missing"]), "{wanted}: {answer}");
        answers.push(answer.to_string());
        let (_, exact) = request_at(&service, root, Method::POST, "/api/v1/devices", &wanted).await?;
        ensure!(exact != answer && rules(&exact) == ["secret_missing"], "an administrator learns why: {exact}");
    }
    ensure!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");

    // Without TLS: not allowed for an operator, even within the scope.
    let plain = device("S-plain", "dc1", &with("tls", json!("off")));
    let (_, refused) = request_at(&service, &operator, Method::POST, "/api/v1/devices", &plain).await?;
    assert_eq!(rules(&refused), ["tls_off_not_allowed"], "{refused}");
    let id = service.post("/api/v1/devices", &plain).await?["id"].as_str().context("an id")?.to_owned();
    let (path, power) = (format!("/api/v1/devices/{id}"), format!("/api/v1/devices/{id}/power"));
    let change = json!({ "management": with("tls", json!("off")) });
    assert_eq!(request_at(&service, &operator, Method::PATCH, &path, &change).await?.0, StatusCode::UNPROCESSABLE_ENTITY);

    // A pinned certificate would also give away the password.
    let pinned = format!("sha256:{}", "ab".repeat(32));
    let (_, refused) =
        request_at(&service, &operator, Method::POST, "/api/v1/devices", &device("S-pin", "dc1", &with("tls", json!(pinned))))
            .await?;
    assert_eq!(rules(&refused), ["tls_pin_not_allowed"], "{refused}");
    let change = json!({ "management": with("tls", json!(pinned)) });
    let (_, refused) = request_at(&service, &operator, Method::PATCH, &path, &change).await?;
    assert_eq!(rules(&refused), ["tls_pin_not_allowed"], "{refused}");

    // A viewer's request sends nothing to the controller. An operator's does, and the viewer then sees its result.
    let (status, unknown) = request_at(&service, &viewer, Method::GET, &power, &Value::Null).await?;
    assert_eq!(
        (status, &unknown["state"], &unknown["asked_at"], &unknown["live"]),
        (StatusCode::OK, &json!("unknown"), &Value::Null, &json!(false))
    );
    let page = reqwest::Client::new().get(service.url(&format!("/devices/{id}/power"))).bearer_auth(&viewer).send().await?;
    ensure!(page.text().await?.contains("Power state not queried"), "the page shows that it sent no query");
    for trap in [&controller, &mine, &other_port] {
        assert_eq!(trap.received(), [""; 0], "nothing was sent so far");
    }
    service.patch(&path, &json!({ "management": { "address": "127.0.0.1", "protocol": "redfish", "credentials": "bmc", "port": port, "tls": "off", "system": "1" } })).await?;
    let (_, requested) = request_at(&service, &operator, Method::GET, &power, &Value::Null).await?;
    assert_eq!((&requested["state"], &requested["live"]), (&json!("on"), &json!(true)), "{requested}");
    ensure!(controller.received().concat().contains("Basic YWRtaW46b3Blbi1zZXNhbWU="), "the listener hears what is sent");
    let (_, last) = request_at(&service, &viewer, Method::GET, &power, &Value::Null).await?;
    assert_eq!((&last["state"], &last["asked_at"], &last["live"]), (&json!("on"), &requested["asked_at"], &json!(false)));

    // A narrowed or retired scope takes effect immediately, for existing devices too.
    let before = controller.received().len();
    for narrowed in [
        Some(
            json!({ "networks": ["127.0.0.2/32"], "protocols": ["redfish"], "ports": [port], "sites": ["dc1"], "plain_http": true }),
        ),
        None,
    ] {
        match &narrowed {
            Some(scope) => service.put("/api/v1/secrets/bmc", scope).await?,
            None => service.delete("/api/v1/secrets/bmc").await?,
        };
        for (method, body) in [(Method::GET, Value::Null), (Method::POST, json!({ "action": "cycle" }))] {
            let (status, refused) = request_at(&service, &operator, method, &power, &body).await?;
            assert_eq!(
                (status, &refused["errors"][0]["message"]),
                (StatusCode::UNPROCESSABLE_ENTITY, &serde_json::from_str::<Value>(&answers[0])?["errors"][0]["message"]),
                "{refused}"
            );
        }
    }
    assert_eq!(controller.received().len(), before);
    for trap in [&mine, &other_port] {
        assert_eq!(trap.received(), [""; 0]);
    }
    ensure!(service.run(&["rebuild", "--compare"]).await?.contains("the views match the log"));
    Ok(())
}

#[tokio::test]
async fn a_redirect_receives_no_credentials_and_is_not_shown_to_operators() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let elsewhere = Trap::start(ELSEWHERE, 0, SYSTEM).await?;
    let answer =
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.2:{}/\r\nContent-Length: 0\r\n\r\n", elsewhere.port);
    let controller = Trap::start(Ipv4Addr::LOCALHOST, 0, answer.leak()).await?;
    service.write_secret("bmc", "admin:open-sesame")?;
    service.put("/api/v1/sites/dc1", &json!({ "domain": "dc1.example" })).await?;
    let closed = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let scope = json!({ "networks": ["127.0.0.0/8"], "protocols": ["redfish"], "ports": [controller.port, closed], "sites": ["dc1"], "plain_http": true });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    let (operator, mut message) = (token(&service, "operator").await?, vec![]);
    for (serial, port) in [("S-1", controller.port), ("S-2", closed)] {
        let management = json!({ "address": "127.0.0.1", "protocol": "redfish", "credentials": "bmc", "port": port, "tls": "off", "system": "1" });
        let id = service.post("/api/v1/devices", &device(serial, "dc1", &management)).await?["id"]
            .as_str()
            .context("an id")?
            .to_owned();
        let power = format!("/api/v1/devices/{id}/power");
        message.push(request_at(&service, &operator, Method::GET, &power, &Value::Null).await?);
        let (_, exact) = request_at(&service, service.token(), Method::GET, &power, &Value::Null).await?;
        let words = exact["detail"].as_str().context("words")?;
        ensure!(words.contains("redirect") || words.contains("refused"), "an administrator learns why: {words}");
        let (_, order) = request_at(&service, service.token(), Method::POST, &power, &json!({ "action": "on" })).await?;
        ensure!(order["detail"].as_str().is_some_and(|words| words.contains("did not answer as Redfish")), "{order}");
    }
    assert_eq!(message[0].0, StatusCode::BAD_GATEWAY);
    assert_eq!(message[0], message[1], "a redirect and a closed port are one answer");
    assert_eq!(elsewhere.received(), [""; 0]);
    let (events, log) = (service.get("/api/v1/events?limit=1000").await?.to_string(), service.log()?);
    ensure!(!events.contains("redirect") && !events.contains("onnection refused"), "{events}");
    ensure!(log.contains("redirect") && log.contains("onnection refused") && !log.contains("open-sesame"), "{log}");
    Ok(())
}

/// Loopback, link-local, multicast and metadata addresses in all notations, named by every role.
#[tokio::test]
async fn special_addresses_are_never_connected_to() -> Result<()> {
    let trap = Trap::start(Ipv4Addr::LOCALHOST, 0, SYSTEM).await?;
    // A proxy from the environment would connect to addresses that the service may not connect to.
    let (folder, program) = (tempfile::tempdir()?, env!("CARGO_BIN_EXE_bootledger"));
    let script: PathBuf = folder.path().join("behind-a-proxy");
    let proxy = format!("http://127.0.0.1:{}", trap.port);
    std::fs::write(
        &script,
        format!(
            "#!/bin/sh\nexport http_proxy={proxy} HTTP_PROXY={proxy} ALL_PROXY={proxy} https_proxy={proxy}\nexec {program} \"$@\"\n"
        ),
    )?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    let options = ["--outbound-allow", "198.51.100.0/24"].map(str::to_owned).to_vec();
    let service = Service::start_with(Ipv4Addr::LOCALHOST, script, options).await?;
    service.write_secret("bmc", "admin:open-sesame")?;
    service.write_secret("tsig", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
    service.write_secret("hook", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
    service.put("/api/v1/sites/dc1", &json!({ "domain": "dc1.example" })).await?;
    let networks = ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/8", "255.0.0.0/8", "100.100.100.200/32"];
    let scope = json!({ "networks": networks, "protocols": ["redfish", "ipmi"], "ports": [trap.port], "sites": ["dc1"], "plain_http": true });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    let operator = token(&service, "operator").await?;
    for address in ["127.0.0.1", "127.3.2.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "100.100.100.200"] {
        for (protocol, tls) in [("redfish", "off"), ("redfish", "verify"), ("ipmi", "verify")] {
            for who in [&operator, service.token()] {
                let management =
                    json!({ "address": address, "protocol": protocol, "credentials": "bmc", "port": trap.port, "tls": tls });
                let (status, refused) =
                    request_at(&service, who, Method::POST, "/api/v1/devices", &device("S-1", "dc1", &management)).await?;
                assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{management}: {refused}");
                ensure!(rules(&refused).contains(&"address_not_allowed"), "{management}: {refused}");
            }
        }
    }
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
    ];
    for host in hosts {
        let hook = json!({ "url": format!("http://{host}:{}/", trap.port), "events": ["rack.*"], "secret": "hook" });
        let (status, refused) = request_at(&service, service.token(), Method::PUT, "/api/v1/webhooks/chat", &hook).await?;
        assert_eq!(
            (status, rules(&refused)),
            (StatusCode::UNPROCESSABLE_ENTITY, vec!["address_not_allowed"]),
            "{host}: {refused}"
        );
    }
    // A host name can only be judged once it is resolved.
    let hook = json!({ "url": format!("http://localhost:{}/", trap.port), "events": ["rack.*"], "secret": "hook" });
    service.put("/api/v1/webhooks/chat", &hook).await?;
    let ping = service.post("/api/v1/webhooks/chat/ping", &json!({})).await?;
    ensure!(
        ping["message"].as_str().is_some_and(|words| words.contains("loopback") && words.contains("--outbound-allow")),
        "{ping}"
    );
    service.put("/api/v1/racks/r1", &json!({ "site": "dc1" })).await?;
    let failing = async || {
        let delivery = service.get("/api/v1/webhooks/chat").await.ok()?["delivery"].clone();
        (delivery["failing_aggregates"] == 1).then_some(delivery)
    };
    let exact = wait_for("the delivery fails", PATIENCE, failing).await?;
    ensure!(exact["failing"][0]["problem"].as_str().is_some_and(|words| words.contains("loopback")), "{exact}");
    let (_, hidden) = request_at(&service, &operator, Method::GET, "/api/v1/webhooks/chat", &Value::Null).await?;
    ensure!(
        !hidden.to_string().contains("is a loopback") && hidden.to_string().contains("an administrator sees the reason"),
        "{hidden}"
    );
    for primary in ["127.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.1", "169.254.169.254"] {
        let updates = json!({ "primary": primary, "key": { "name": "k", "algorithm": "hmac-sha256", "secret": "tsig" } });
        let site = json!({ "domain": "dc1.example", "zones": ["dc1.example"], "dns_updates": updates });
        let (_, refused) = request_at(&service, service.token(), Method::PUT, "/api/v1/sites/dc1", &site).await?;
        assert_eq!(rules(&refused), ["address_not_allowed"], "{primary}: {refused}");
    }
    assert_eq!(trap.received(), [""; 0], "neither directly nor as a proxy");
    Ok(())
}

/// Sixty controllers accept connections and never answer.
#[tokio::test]
async fn controllers_that_hang_delay_only_those_who_wait_for_them() -> Result<()> {
    const HANGING: u8 = 60;
    let (service, good) = (Service::start(Ipv4Addr::LOCALHOST).await?, IpmiSim::start().await?);
    let first = std::net::TcpListener::bind((Ipv4Addr::new(127, 0, 7, 1), 0))?;
    let port = first.local_addr()?.port();
    let mut listeners = vec![first];
    for n in 2..=HANGING {
        listeners.push(std::net::TcpListener::bind((Ipv4Addr::new(127, 0, 7, n), port))?);
    }
    service.write_secret("bmc", &format!("admin:{PASSWORD}\n"))?;
    let site = json!({ "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"], "hostname_template": "h<200,299>.dc1.example" });
    service.define(&site, &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
    let scope = json!({ "networks": ["127.0.0.0/16"], "protocols": ["redfish", "ipmi"], "ports": [port, good.port], "sites": ["dc1"], "plain_http": true });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    let register = async |n: u8, management: Value| -> Result<String> {
        let mac = format!("52:54:00:00:00:{n:02x}");
        let device = json!({ "site": "dc1", "macs": [mac], "venture": "shop", "role": "web", "management": management });
        let id = service.post("/api/v1/devices", &device).await?["id"].as_str().context("an id")?.to_owned();
        service.post(&format!("/api/v1/devices/{id}/verify"), &json!({})).await?;
        Ok(id)
    };
    let mut hanging = vec![];
    for n in 1..=HANGING {
        let address = format!("127.0.7.{n}");
        hanging.push(register(n, json!({ "address": address, "protocol": "redfish", "credentials": "bmc", "port": port, "tls": "off", "system": "1" })).await?);
    }
    let well =
        register(99, json!({ "address": "127.0.0.1", "protocol": "ipmi", "credentials": "bmc", "port": good.port })).await?;

    // One operator queries all of them at once; a viewer, a probe and another caller continue to work.
    let (operator, viewer) = (token(&service, "operator").await?, token(&service, "viewer").await?);
    let others = async || -> Result<Duration> {
        let begun = Instant::now();
        for id in hanging.iter().take(15) {
            let power = format!("/api/v1/devices/{id}/power");
            let (status, answer) = request_at(&service, &viewer, Method::GET, &power, &Value::Null).await?;
            assert_eq!((status, &answer["live"]), (StatusCode::OK, &json!(false)));
        }
        service.get("/readyz").await?;
        let (_, requested) =
            request_at(&service, service.token(), Method::GET, &format!("/api/v1/devices/{well}/power"), &Value::Null).await?;
        assert_eq!(requested["state"], "on", "another caller's question is answered: {requested}");
        Ok(begun.elapsed())
    };
    let quiet = others().await?;
    let questions = hanging.iter().map(|id| {
        let (url, operator) = (service.url(&format!("/api/v1/devices/{id}/power")), operator.clone());
        tokio::spawn(async move {
            let answer = reqwest::Client::new().get(url).bearer_auth(operator).send().await?;
            anyhow::Ok((answer.status(), answer.headers().contains_key("retry-after")))
        })
    });
    let questions: Vec<_> = questions.collect();
    let beside = others().await?;
    // Each unresponsive controller has 10 s to answer.
    ensure!(
        beside < 3 * quiet + Duration::from_secs(2),
        "others took {beside:?} beside controllers that hang, {quiet:?} without"
    );
    let mut statuses = vec![];
    for question in questions {
        let (status, retry) = question.await??;
        ensure!(status != StatusCode::SERVICE_UNAVAILABLE || retry, "{status} without Retry-After");
        statuses.push(status);
    }
    // Eight requests of one caller run at once; as they end, the same number of waiting ones begin.
    let requested = statuses.iter().filter(|status| **status == StatusCode::BAD_GATEWAY).count();
    ensure!((8..=16).contains(&requested), "{statuses:?}");

    // Deployments whose restarts wait for unresponsive controllers do not delay one whose controller works.
    let deploy = async |id: &str| -> Result<String> {
        let wanted = json!({ "device": id, "boot_image": "debian", "network": "prod" });
        Ok(service.post("/api/v1/deployments", &wanted).await?["id"].as_str().context("an id")?.to_owned())
    };
    let confirm = async || -> Result<()> {
        let position = service.get("/readyz").await?["views_position"].clone();
        let confirmation = json!({ "revision": "0".repeat(64), "position": position, "ok": true, "message": "" });
        service.put("/dhcp/servers/kea-1/confirmation", &confirmation).await.map(drop)
    };
    let is = async |deployment: &str, plugin: &str, status: &str| -> Option<()> {
        let plugins = service.get(&format!("/api/v1/deployments/{deployment}")).await.ok()?["plugins"].clone();
        plugins.as_array()?.iter().any(|one| one["plugin"] == plugin && one["status"] == status).then_some(())
    };
    let mut last = String::new();
    for id in &hanging {
        last = deploy(id).await?;
    }
    wait_for("the last one waits for DHCP", PATIENCE, async || is(&last, "dhcp", "waiting").await).await?;
    confirm().await?;
    wait_for("the last one waits for its controller", PATIENCE, async || is(&last, "dhcp", "succeeded").await).await?;
    let begun = Instant::now();
    let deployment = deploy(&well).await?;
    wait_for("it waits for DHCP", PATIENCE, async || is(&deployment, "dhcp", "waiting").await).await?;
    confirm().await?;
    wait_for("its server is restarted", PATIENCE, async || is(&deployment, "reboot", "succeeded").await).await?;
    let took = begun.elapsed();
    eprintln!("17 answers: {quiet:?}, {beside:?} beside 60 controllers that hang; a deployment beside them: {took:?}");
    ensure!(took < Duration::from_secs(20), "it took {took:?}\n{}", service.log()?);
    Ok(())
}
