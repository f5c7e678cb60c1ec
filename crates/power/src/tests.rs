//! Tests with faulty controllers: silent, slow, refusing, redirecting, or sending nonsense. `tests/power.rs` uses real
//! controllers.

mod ipmi_six;
mod quirks;
mod shapes;
mod stub;

use super::*;
use bootledger_aggregates::device::management::{Access, BootMode, Tls};
use bootledger_outbound::Guard;
use bootledger_secrets::Secrets;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

const PASSWORD: &str = "sesame";

fn controller(protocol: ManagementProtocol, access: Access) -> Controller {
    let management = Management { protocol, ..management("127.0.0.1", access) };
    allowed(&management, &[Ipv4Addr::LOCALHOST.into()])
}

/// The settings of a Redfish controller at this host.
fn management(address: &str, access: Access) -> Management {
    let (address, credentials) = (address.parse().expect("a host"), Some("bmc".parse().expect("a name")));
    Management { address, protocol: ManagementProtocol::Redfish, credentials, access }
}

/// The controller, allowed at these addresses, to which its host has been resolved.
fn allowed(management: &Management, addresses: &[IpAddr]) -> Controller {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bmc"), format!("admin:{PASSWORD}\n")).expect("a file");
    let scope = format!(
        r#"{{"networks": ["127.0.0.0/8", "::1/128"], "protocols": ["ipmi", "redfish"], "sites": ["dc1"], "plain_http": true, "ports": [{}]}}"#,
        management.access.port.expect("a port")
    );
    let scope = serde_json::from_str(&scope).expect("a scope");
    let guard =
        Guard::new(["127.0.0.0/8", "::1/128"].map(|network| network.parse().expect("a network")).into(), "--outbound-allow");
    let site = "dc1".parse().expect("a name");
    let terms = Terms { site: &site, scope: Some(&scope), used_by: &[], guard: &guard, addresses };
    let secrets = Secrets::new(Some(folder.path().to_owned()));
    let credentials = Credentials::for_controller(&secrets, management, terms).expect("credentials");
    Controller::of(management, credentials).expect("a controller")
}

fn redfish(port: u16, tls: Tls) -> Controller {
    controller(ManagementProtocol::Redfish, Access { port: Some(port), tls, ..Access::default() })
}

fn ipmi(port: u16) -> Controller {
    controller(ManagementProtocol::Ipmi, Access { port: Some(port), ..Access::default() })
}

/// The response of a scripted controller to a method and a path: the rest of the status line, headers, and a body; `None`
/// closes the connection.
type Script = fn(&str, &str) -> Option<(&'static str, &'static str, String)>;

/// Starts a scripted controller. Returns its port, and the complete requests that it received.
async fn scripted(script: Script) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let requested = Arc::new(Mutex::new(vec![]));
    let requests = requested.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(serve(stream, script, &requests).await);
        }
    });
    (port, requested)
}

async fn serve(mut stream: TcpStream, script: Script, requests: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    let complete = |text: &str| {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        (body.len() >= length.unwrap_or(0)).then_some(())
    };
    while complete(&text).is_none() {
        match stream.read(&mut bytes).await? {
            0 => return Ok(()),
            // A TLS handshake, which a controller without TLS does not understand.
            _ if text.is_empty() && bytes[0] == 0x16 => return Ok(()),
            count => text.push_str(&String::from_utf8_lossy(&bytes[..count])),
        }
    }
    let mut words = text.split(' ');
    let answer = script(words.next().unwrap_or_default(), words.next().unwrap_or_default());
    requests.lock().expect("no panic").push(text);
    let Some((status, headers, body)) = answer else { return Ok(()) };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// A system that is on, has accepted the override, and can be reset.
const SYSTEM: &str = r##"{"PowerState": "On", "Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"},
    "Actions": {"#ComputerSystem.Reset": {"target": "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
    "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "ForceRestart"]}}}"##;

#[expect(clippy::unnecessary_wraps, reason = "it is a script, and others close the connection")]
fn well_behaved(method: &str, path: &str) -> Option<(&'static str, &'static str, String)> {
    Some(match (method, path) {
        (_, "/redfish/v1/Systems") => ("200 OK", "", r#"{"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}"#.to_owned()),
        ("GET", _) => ("200 OK", "ETag: \"7\"\r\n", SYSTEM.to_owned()),
        _ => ("204 No Content", "", String::new()),
    })
}

async fn state_of(script: Script) -> Trouble {
    let (port, _) = scripted(script).await;
    let trouble = redfish(port, Tls::Off).state().await.expect_err("no state");
    assert!(!trouble.reason.contains(PASSWORD) && !trouble.reason.contains("YWRtaW46"), "{trouble}");
    trouble
}

async fn cycle_of(script: Script) -> Trouble {
    let (port, _) = scripted(script).await;
    redfish(port, Tls::Off).carry_out(PowerAction::Cycle, false).await.expect_err("no cycle")
}

#[tokio::test]
async fn a_network_boot_is_set_before_the_one_restart() {
    let (port, requested) = scripted(well_behaved).await;
    assert_eq!(redfish(port, Tls::Off).carry_out(PowerAction::Cycle, true).await, Ok(PowerState::On));
    let requested = requested.lock().expect("no panic").clone();
    let changes: Vec<&String> = requested.iter().filter(|request| !request.starts_with("GET")).collect();
    let [patch, reset] = &changes[..] else { panic!("{changes:?}") };
    assert!(patch.starts_with("PATCH /redfish/v1/Systems/1 ") && patch.contains("if-match: \"7\""), "{patch}");
    assert!(patch.ends_with(r#"{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"Pxe"}}"#), "{patch}");
    assert!(reset.starts_with("POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset "), "{reset}");
    assert!(reset.ends_with(r#"{"ResetType":"ForceRestart"}"#), "{reset}");
    assert!(requested.iter().all(|request| request.contains("authorization: Basic YWRtaW46c2VzYW1l")), "{requested:?}");
}

#[tokio::test]
async fn a_controller_in_the_desired_state_receives_no_order() {
    let (port, requested) = scripted(well_behaved).await;
    assert_eq!(redfish(port, Tls::Off).carry_out(PowerAction::On, false).await, Ok(PowerState::On));
    assert!(requested.lock().expect("no panic").iter().all(|request| request.starts_with("GET")));
}

#[tokio::test]
async fn malformed_answers_are_reported() {
    let html = state_of(|_, _| Some(("200 OK", "", "<html>welcome</html>".to_owned()))).await;
    assert!(html.reason.contains("127.0.0.1 is not Redfish"), "{html}");
    let large = state_of(|_, _| Some(("200 OK", "", "x".repeat(2 << 20)))).await;
    assert!(large.reason.contains("more than 1048576 bytes"), "{large}");
    let several = state_of(|_, _| {
        Some(("200 OK", "", r#"{"Members": [{"@odata.id": "/redfish/v1/Systems/a"}, {"@odata.id": "/b/c"}]}"#.to_owned()))
    });
    assert!(several.await.reason.contains("has 2 systems (a, c); set management.system to the system of this server"));
    let closed = state_of(|_, _| None).await;
    assert!(closed.reason.contains("cannot be reached by Redfish at http://127.0.0.1:"), "{closed}");
}

#[tokio::test]
async fn the_password_is_sent_nowhere_else() {
    let redirect = state_of(|_, _| Some(("301 Moved", "Location: http://198.51.100.1/\r\n", String::new()))).await;
    assert!(redirect.reason.contains("redirect") && redirect.reason.contains("not followed"), "{redirect}");
    for elsewhere in ["http://198.51.100.1/", "//198.51.100.1/x", "@198.51.100.1/"] {
        let (port, requested) = scripted(match elsewhere {
            "http://198.51.100.1/" => {
                |_, _| Some(("200 OK", "", r#"{"Members": [{"@odata.id": "http://198.51.100.1/"}]}"#.to_owned()))
            }
            "//198.51.100.1/x" => |_, _| Some(("200 OK", "", r#"{"Members": [{"@odata.id": "//198.51.100.1/x"}]}"#.to_owned())),
            _ => |_, _| Some(("200 OK", "", r#"{"Members": [{"@odata.id": "@198.51.100.1/"}]}"#.to_owned())),
        })
        .await;
        let trouble = redfish(port, Tls::Off).state().await.expect_err(elsewhere);
        assert!(trouble.reason.contains("not its own"), "{trouble}");
        assert_eq!(requested.lock().expect("no panic").len(), 1);
    }
}

#[tokio::test]
async fn refusals_are_reported_in_words_and_never_repeat_the_password() {
    let wrong = state_of(|_, _| Some(("401 Unauthorized", "", "sesame is wrong".to_owned()))).await;
    assert_eq!(wrong.reason, "the management controller 127.0.0.1 refused user admin: wrong name or password");
    let words = state_of(|_, _| {
        let body = r#"{"error": {"@Message.ExtendedInfo": [{"Message": "YWRtaW46c2VzYW1l, or sesame, may not"}]}}"#;
        Some(("403 Forbidden", "", body.to_owned()))
    });
    assert!(words.await.reason.ends_with("does not let user admin do this: …, or …, may not"));
    // A text that is cut in the middle of the password must not contain a part of it either.
    let cut = state_of(|_, _| {
        let message = format!("{}sesame", "x".repeat(146));
        Some(("403 Forbidden", "", format!(r#"{{"error": {{"@Message.ExtendedInfo": [{{"Message": "{message}"}}]}}}}"#)))
    })
    .await;
    assert!(cut.reason.ends_with("xx…") && !cut.reason.contains("ses"), "{cut}");
}

#[tokio::test]
async fn it_is_known_whether_a_failed_order_may_have_been_carried_out() {
    let refused = cycle_of(|method, path| match method {
        "POST" => Some(("400 Bad Request", "", r#"{"error": {"message": "busy"}}"#.to_owned())),
        _ => well_behaved(method, path),
    });
    let refused = refused.await;
    assert!(!refused.uncertain && refused.reason.ends_with("400 Bad Request: busy"), "{refused:?}");
    for script in [
        |method: &str, path: &str| if method == "POST" { None } else { well_behaved(method, path) },
        |method: &str, path: &str| match method {
            "POST" => Some(("502 Bad Gateway", "", String::new())),
            _ => well_behaved(method, path),
        },
    ] {
        let lost = cycle_of(script).await;
        assert!(lost.uncertain, "{lost:?}");
    }
    let none = cycle_of(|method, path| {
        let (status, headers, body) = well_behaved(method, path)?;
        Some((status, headers, body.replace("ForceRestart", "GracefulRestart").replace("ForceOff", "GracefulShutdown")))
    });
    let none = none.await;
    assert!(
        !none.uncertain && none.reason.contains("none of ForceRestart, PowerCycle for the server, only On, GracefulShutdown"),
        "{none:?}"
    );
}

#[tokio::test]
async fn a_server_is_not_restarted_where_its_controller_does_not_take_the_network_boot() {
    let (port, requested) = scripted(|method, path| {
        let (status, headers, body) = well_behaved(method, path)?;
        Some((status, headers, body.replace("Once", "Disabled").replace("Pxe", "None")))
    })
    .await;
    let trouble = redfish(port, Tls::Off).carry_out(PowerAction::Cycle, true).await.expect_err("no network boot");
    assert!(!trouble.uncertain && trouble.reason.ends_with("its override is Disabled for None"), "{trouble:?}");
    assert!(!requested.lock().expect("no panic").iter().any(|request| request.starts_with("POST")));
}

#[tokio::test]
async fn a_controller_without_tls_receives_nothing_where_tls_is_required() {
    let (port, requested) = scripted(well_behaved).await;
    for tls in [Tls::Verify, format!("sha256:{}", "ab".repeat(32)).parse().expect("a fingerprint")] {
        let trouble = redfish(port, tls).state().await.expect_err("no TLS");
        assert!(trouble.reason.contains("cannot be reached by Redfish at https://"), "{trouble}");
    }
    assert!(requested.lock().expect("no panic").iter().all(|request| !request.contains("uthorization")));
}

#[tokio::test]
async fn silence_is_waited_for_only_so_long() {
    // One controller accepts connections and sends nothing, and one accepts packets.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let by_http = redfish(listener.local_addr().expect("an address").port(), Tls::Off);
    let by_ipmi = ipmi(socket.local_addr().expect("an address").port());
    let (http, ipmi) = tokio::join!(by_http.state(), by_ipmi.state());
    let (http, ipmi) = (http.expect_err("silence"), ipmi.expect_err("silence"));
    assert!(http.slow && http.reason.contains("127.0.0.1 did not answer by Redfish within 10 s"), "{http:?}");
    assert!(ipmi.reason.contains("127.0.0.1 d") && ipmi.reason.contains("answer by IPMI (UDP port"), "{ipmi:?}");
}

#[tokio::test]
async fn an_unreachable_controller_is_reported_immediately() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let trouble = redfish(port, Tls::Off).carry_out(PowerAction::Cycle, true).await.expect_err("no controller listens");
    assert!(!trouble.uncertain && trouble.reason.contains("cannot be reached by Redfish"), "{trouble:?}");
    let trouble = ipmi(port).carry_out(PowerAction::Off, false).await.expect_err("no controller listens");
    assert!(!trouble.uncertain && trouble.reason.contains("answer by IPMI"), "{trouble:?}");
}

/// The message that operators see when nothing responds like a controller is the same for every cause.
#[tokio::test]
async fn operators_do_not_learn_what_answers_at_an_address() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let (silent_port, closed_port) =
        (silent.local_addr().expect("an address").port(), closed.local_addr().expect("an address").port());
    drop(closed);
    let (silence, refused) = (redfish(silent_port, Tls::Off), redfish(closed_port, Tls::Off));
    let (silence, refused, html, banner, redirect, missing, large) = tokio::join!(
        async { silence.state().await.expect_err("silence") },
        async { refused.state().await.expect_err("no controller listens") },
        state_of(|_, _| Some(("200 OK", "", "<html>welcome</html>".to_owned()))),
        state_of(|_, _| None),
        state_of(|_, _| Some(("301 Moved", "Location: http://198.51.100.1/\r\n", String::new()))),
        state_of(|_, _| Some(("404 Not Found", "", "nginx".to_owned()))),
        state_of(|_, _| Some(("200 OK", "", "x".repeat(2 << 20)))),
    );
    for trouble in [&silence, &html, &banner, &redirect, &missing, &large] {
        assert_eq!(trouble.to_string(), refused.to_string(), "{}", trouble.reason);
        assert_ne!(trouble.reason, refused.reason, "administrators learn what it is");
    }
    assert!(refused.to_string().starts_with("the management controller 127.0.0.1 did not answer as Redfish"), "{refused}");
}

/// A hundred callers with the same query cause one request; a different query waits for it; and each caller has a limit.
#[tokio::test]
async fn queries_to_one_controller_are_one_at_a_time_and_each_caller_has_a_limit() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let queries = Queries::default();
    let management = |system: &str| Management {
        address: Ipv4Addr::LOCALHOST.into(),
        protocol: ManagementProtocol::Redfish,
        credentials: Some("bmc".parse().expect("a name")),
        access: Access { port: Some(port), tls: Tls::Off, system: Some(system.parse().expect("a text")), ..Access::default() },
    };
    let query = |caller: String| {
        let (queries, management) = (queries.clone(), management("1"));
        tokio::spawn(async move { queries.query(&caller, &management, redfish(port, Tls::Off)).await })
    };
    let requested: Vec<_> = (0..100).map(|n| query(format!("user {n}"))).collect();
    let (mut stream, _) = silent.accept().await.expect("one connection");
    let same: Vec<_> = (0..20).map(|_| query("user ada".to_owned())).collect();
    let mut busy = 0;
    for one in same {
        if one.is_finished()
            || tokio::time::timeout(Duration::from_millis(50), one)
                .await
                .is_ok_and(|ended| matches!(ended, Ok(Err(Unanswered::Busy(_)))))
        {
            busy += 1;
        }
    }
    assert_eq!(busy, 12, "eight of one caller are under way");
    let second = management("2");
    let other = queries.query("user bob", &second, redfish(port, Tls::Off));
    assert!(tokio::time::timeout(Duration::from_millis(100), other).await.is_err(), "it waits for its turn");
    let (mut bytes, body) = ([0; 4096], SYSTEM.replace("\"On\",", "\"Off\","));
    // Both requests, for the list of systems and for the system, use one connection.
    for body in [r#"{"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}"#, &body] {
        let _read = stream.read(&mut bytes).await.expect("a request");
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.expect("an answer");
    }
    for one in requested {
        assert!(matches!(one.await.expect("no panic"), Ok(PowerState::Off)));
    }
    assert!(tokio::time::timeout(Duration::from_millis(50), silent.accept()).await.is_err(), "there was one connection");
}
