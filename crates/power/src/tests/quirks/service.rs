//! Tests of the service itself: redirects, links, sessions, encodings, systems and addresses.

use super::*;

// HPE iLO and Lenovo XCC respond to paths without a final slash with a 308 redirect to the path with one (issue 13, B2;
// HewlettPackard/oneview-redfish-toolkit pull request 374 describes the result of a POST whose method is not kept).
#[tokio::test]
async fn a_redirect_to_the_path_with_a_slash_is_followed_with_method_and_body() {
    for status in [301, 302, 307, 308] {
        for absolute in [false, true] {
            let bmc = restarted(Bmc::new(), move |_, request| {
                let host = request.header("host").unwrap_or_default();
                let origin = if absolute { format!("http://{host}") } else { String::new() };
                (!request.path.ends_with('/'))
                    .then(|| Reply::empty(status).with("Location", format!("{origin}{}/", request.path)))
            })
            .await;
            let wanted = [
                (format!("PATCH {SYSTEM}/"), json!({"Boot": network_once()})),
                (format!("POST {}/", super::super::stub::RESET), json!({"ResetType": "ForceRestart"})),
            ];
            let changes: Vec<_> = bmc.changes().into_iter().filter(|(what, _)| what.ends_with('/')).collect();
            assert_eq!(changes, wanted, "{status}");
            assert!(bmc.record_state.iter().all(|request| request.header("authorization").is_some()));
        }
    }
}

// Only the same scheme, host and port belong to the same controller.
#[tokio::test]
async fn a_redirect_that_leads_elsewhere_is_refused_with_where_to() {
    let other = Stub::start(Bmc::new(), |_, _| None).await;
    let port = other.port;
    for (location, words) in [
        ("http://198.51.100.1/redfish/v1/Systems/".to_owned(), "it leads to http://198.51.100.1, which is not this controller"),
        (format!("http://127.0.0.1:{port}/redfish/v1/Systems/"), "which is not this controller"),
        (format!("//localhost:{port}/redfish/v1/Systems/"), "which is not this controller"),
        (format!("/\\127.0.0.1:{port}/redfish/v1/Systems/"), "which is not this controller"),
        ("https://127.0.0.1/redfish/v1/Systems/".to_owned(), "it leads to TLS. Set management.tls to verify"),
        ("ftp://127.0.0.1/".to_owned(), "which is not this controller"),
        ("/login.html".to_owned(), "is not Redfish"),
        (SYSTEMS.to_owned(), "there are more than 3 in a row"),
        (String::new(), "it has no Location"),
        ("http://[".to_owned(), "is not a URL"),
    ] {
        let to = location.clone();
        let stub = Stub::start(Bmc::new(), move |_, request| match request.path.as_str() {
            "/login.html" => Some(Reply { status: 200, headers: vec![], body: b"<html>".to_vec() }),
            _ => Some(Reply::empty(308).with("Location", to.clone())),
        })
        .await;
        let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("a redirect");
        assert!(trouble.reason.contains(words), "{location}: {}", trouble.reason);
        assert!(trouble.to_string().contains("did not answer as Redfish"), "{trouble}");
    }
    assert!(other.bmc().record_state.is_empty(), "the password went elsewhere");
    let credentials = Stub::start(Bmc::new(), |_, request| {
        let host = request.header("host").unwrap_or_default();
        Some(Reply::empty(307).with("Location", format!("http://admin:other@{host}/redfish/v1/Systems/")))
    });
    let trouble = redfish(credentials.await.port, Tls::Off).state().await.expect_err("a redirect");
    assert!(trouble.reason.contains("which is not this controller"), "{}", trouble.reason);
}

// Sessions expire (DSP0266, "Session lifetime"), also during an order: 401 then means that nothing was done.
#[tokio::test]
async fn an_expired_session_is_opened_again() {
    let mut uses = 0;
    let bmc = restarted(Bmc::new(), move |_, request| {
        if request.is("POST", "/redfish/v1/SessionService/Sessions") {
            uses = 0;
            let reply = Reply::json(201, &json!({"@odata.id": "/redfish/v1/SessionService/Sessions/9"}));
            // The controller uses a different name for itself.
            return Some(reply.with("X-Auth-Token", "t0ken").with("Location", "https://bmc.example/redfish/v1/Sessions/9"));
        }
        uses += 1;
        (request.header("x-auth-token") != Some("t0ken") || uses > 3).then(|| Reply::empty(401))
    })
    .await;
    assert_eq!(bmc.kinds().last().map(String::as_str), Some("ForceRestart"));
    assert!(bmc.changes().iter().any(|(what, _)| what == "DELETE /redfish/v1/SessionService/Sessions/9"), "{:?}", bmc.changes());
}

#[tokio::test]
async fn a_controller_without_systems_is_reported() {
    for members in [json!([]), json!(null), json!([{}])] {
        let stub = Stub::start(Bmc::new(), move |_, request| {
            (request.path == SYSTEMS).then(|| Reply::json(200, &json!({ "Members": members })))
        })
        .await;
        let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("none");
        assert!(trouble.reason.ends_with("lists no system"), "{trouble:?}");
    }
}

// iLO 5 from 2.30 on compresses some resources, and refuses clients that do not accept that (DMTF/Redfish-Mockup-Creator issues
// 56 and 58); other responses begin with a byte order mark, end in zeros, or have a different content type.
#[tokio::test]
async fn answers_are_read_with_or_without_compression_and_surrounding_data() {
    for form in ["gzip", "mark", "zeros", "type"] {
        let bmc = restarted(Bmc::new(), move |bmc, request| {
            if request.header("accept-encoding").is_none_or(|accepted| !accepted.contains("gzip")) {
                return Some(Reply::empty(406));
            }
            let mut reply = bmc.answer(request);
            match form {
                "gzip" if request.method == "GET" => reply = reply.compressed(),
                "mark" => reply.body.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
                "zeros" if request.method == "GET" => reply.body.extend([0, 0]),
                "type" => reply = reply.with("Content-Type", "text/html"),
                _ => {}
            }
            Some(reply)
        })
        .await;
        assert_eq!(bmc.kinds(), ["ForceRestart"], "{form}");
    }
    let bomb =
        Stub::start(Bmc::new(), |_, _| Some(Reply { status: 200, headers: vec![], body: vec![b' '; 64 << 20] }.compressed()))
            .await;
    let trouble = redfish(bomb.port, Tls::Off).state().await.expect_err("too large");
    assert!(trouble.reason.contains("more than 1048576 bytes"), "{}", trouble.reason);
}

// A starting iDRAC responds with 503 (ironcore-dev/metal-operator issue 170) or 400 (quadsproject/badfish issue 129), and says
// when to retry.
#[tokio::test]
async fn a_starting_controller_is_queried_again_and_an_order_is_sent_once() {
    for (status, id) in [(503, "IDRAC.2.8.SYS518"), (400, "IDRAC.1.6.SWC0700")] {
        let mut first = true;
        let bmc = restarted(Bmc::new(), move |_, _| {
            std::mem::take(&mut first).then(|| Reply::error(status, id, "not ready").with("Retry-After", "1"))
        })
        .await;
        assert_eq!(bmc.kinds(), ["ForceRestart"]);
    }
    let stub = Stub::start(Bmc::new(), |_, request| {
        (request.method == "POST")
            .then(|| Reply::error(503, "Base.1.12.ServiceTemporarilyUnavailable", "later").with("Retry-After", "1"))
    })
    .await;
    let trouble = redfish(stub.port, Tls::Off).carry_out(PowerAction::Cycle, false).await.expect_err("not ready");
    assert!(trouble.uncertain && stub.bmc().kinds().len() == 1, "{trouble:?}");
}

// If Basic authentication is disabled, as OpenBMC and others allow, a session is opened, used and closed, because controllers
// allow only a few (theforeman/smart-proxy pull requests 895 and 896).
#[tokio::test]
async fn a_session_is_opened_where_basic_is_not_offered_and_closed_again() {
    let bmc = restarted(Bmc::new(), |_, request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/redfish/v1/SessionService/Sessions") => {
            assert_eq!(request.body, json!({"UserName": "admin", "Password": PASSWORD}));
            assert!(request.header("authorization").is_none());
            let reply = Reply::json(201, &json!({"@odata.id": "/redfish/v1/SessionService/Sessions/9"}));
            Some(reply.with("x-auth-token", "t0ken").with("LOCATION", "/redfish/v1/SessionService/Sessions/9"))
        }
        _ if request.header("x-auth-token") != Some("t0ken") => Some(Reply::empty(401)),
        ("DELETE", "/redfish/v1/SessionService/Sessions/9") => Some(Reply::empty(204)),
        _ => None,
    })
    .await;
    let changes: Vec<String> = bmc.changes().into_iter().map(|(what, _)| what).collect();
    assert_eq!(changes.first().map(String::as_str), Some("POST /redfish/v1/SessionService/Sessions"));
    assert_eq!(changes.last().map(String::as_str), Some("DELETE /redfish/v1/SessionService/Sessions/9"));
    assert_eq!(changes.iter().filter(|change| change.ends_with("/Sessions")).count(), 1, "{changes:?}");
    // The credentials are wrong both for a session and for Basic authentication. If Basic is offered, they are not sent a
    // second time.
    for (basic, posts) in [(true, 0), (false, 1)] {
        let stub = Stub::start(Bmc::new(), move |_, _| {
            let reply = Reply::empty(401);
            Some(if basic { reply.with("WWW-Authenticate", "Basic realm=\"RedfishService\"") } else { reply })
        })
        .await;
        let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("wrong");
        assert!(trouble.reason.contains("wrong name or password"), "{}", trouble.reason);
        assert_eq!(stub.bmc().changes().len(), posts);
    }
}

// iDRAC responds with 503 and RAC0218 if no session is free (stmcginnis/gofish issue 75, bb-Ricardo/check_redfish issue 89).
#[tokio::test]
async fn a_controller_without_a_free_session_is_reported() {
    let stub = Stub::start(Bmc::new(), |_, request| {
        Some(if request.method == "POST" {
            Reply::error(503, "IDRAC.2.4.RAC0218", "The maximum number of user sessions is reached.")
        } else {
            Reply::empty(401)
        })
    })
    .await;
    let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("no session");
    assert!(
        trouble.reason.contains("maximum number of user sessions") && trouble.reason.contains("Close unused sessions"),
        "{trouble:?}"
    );
}

// Collections are paged (DSP0266, "Pagination") and may have a different path (sushy reads the service root), and operators
// enter ids in various forms.
#[tokio::test]
async fn the_system_is_found_wherever_it_is_and_however_its_id_is_written() {
    let paged = |_: &mut Bmc, request: &Request| match request.path.as_str() {
        SYSTEMS => Some(Reply::json(
            200,
            &json!({"Members": [{"@odata.id": "/redfish/v1/Systems/HGX_Baseboard_0"}],
            "Members@odata.nextLink": "/redfish/v1/Systems?$skip=1"}),
        )),
        "/redfish/v1/Systems?$skip=1" => {
            Some(Reply::json(200, &json!({"Members": [{"@odata.id": "/redfish/v1/Systems/System.Embedded.1/"}]})))
        }
        "/redfish/v1/Systems/System.Embedded.1" | "/redfish/v1/Systems/System.Embedded.1/" => {
            Some(Reply::json(200, &json!({"PowerState": "On"})))
        }
        _ => None,
    };
    let stub = Stub::start(Bmc::new(), paged).await;
    for system in ["System.Embedded.1", "system.embedded.1", "/redfish/v1/Systems/System.Embedded.1", "System.Embedded.1/"] {
        let access = Access { system: Some(system.parse().expect("a text")), ..access(stub.port) };
        assert_eq!(controller(ManagementProtocol::Redfish, access).state().await, Ok(PowerState::On), "{system}");
    }
    let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("which?");
    assert!(trouble.reason.contains("has 2 systems (HGX_Baseboard_0, System.Embedded.1)"), "{}", trouble.reason);
    let elsewhere = Stub::start(Bmc::new(), |bmc, request| match request.path.as_str() {
        SYSTEMS => Some(Reply::empty(404)),
        "/redfish/v1/" => Some(Reply::json(200, &json!({"Systems": {"@odata.id": "/redfish/v1/ComputerSystems"}}))),
        "/redfish/v1/ComputerSystems" => Some(Reply::json(200, &json!({"Members": [{"@odata.id": "/redfish/v1/node"}, {}]}))),
        "/redfish/v1/node" => Some(Reply::json(200, &bmc.system())),
        _ => None,
    })
    .await;
    assert_eq!(redfish(elsewhere.port, Tls::Off).state().await, Ok(PowerState::On));
}

// IPv6 addresses, host names, and gateways that serve several controllers below a path.
#[tokio::test]
async fn a_controller_is_reached_by_ipv6_by_name_and_below_a_path() {
    let stub = Stub::at(IpAddr::V6(Ipv6Addr::LOCALHOST), Bmc::new(), |_, _| None).await;
    for address in ["::1", "[0:0::1]"] {
        let management = management(address, access(stub.port));
        let by_address = allowed(&management, &[Ipv6Addr::LOCALHOST.into()]);
        assert_eq!(by_address.carry_out(PowerAction::Cycle, true).await, Ok(PowerState::On), "{address}");
    }
    assert_eq!(stub.bmc().record_state[0].header("host"), Some(format!("[::1]:{}", stub.port).as_str()));

    let stub = Stub::start(Bmc::new(), |_, _| None).await;
    let named = management("bmc1.example", access(stub.port));
    let by_name = allowed(&named, &[Ipv4Addr::LOCALHOST.into()]);
    assert_eq!(by_name.carry_out(PowerAction::Cycle, true).await, Ok(PowerState::On), "the address that was checked is used");
    assert_eq!(stub.bmc().record_state[0].header("host"), Some(format!("bmc1.example:{}", stub.port).as_str()));

    // One gateway passes on the links of the controller unchanged; the other one rewrites them.
    for rewrites in [false, true] {
        let stub = Stub::start(Bmc::new(), move |bmc, request| {
            let Some(path) = request.path.strip_prefix("/rack1/node7") else { return Some(Reply::empty(404)) };
            let inner = Request { path: path.to_owned(), ..request.clone() };
            let mut reply = bmc.answer(&inner);
            if rewrites {
                let text = String::from_utf8_lossy(&reply.body).replace("\"/redfish", "\"/rack1/node7/redfish");
                reply.body = text.into_bytes();
            }
            Some(reply)
        })
        .await;
        let access = Access { path: Some("/rack1/node7".parse().expect("a path")), ..access(stub.port) };
        let gateway = controller(ManagementProtocol::Redfish, access);
        assert_eq!(gateway.carry_out(PowerAction::Cycle, true).await, Ok(PowerState::On), "{rewrites}");
        assert_eq!(stub.bmc().kinds(), ["ForceRestart"]);
    }
}
