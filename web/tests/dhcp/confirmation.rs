//! `PUT /dhcp/servers/{name}/confirmation`: who may send it, and which command the domain receives.

use crate::data_centre::data_centre;
use crate::support::{Answer, TestSite, sending};
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use bootledger_port::{Command, DhcpServerAction, Receipt};
use serde_json::{Value, json};

const PATH: &str = "/dhcp/servers/isc-1/confirmation";

fn report(ok: bool, message: &str) -> Value {
    json!({"revision": "ab".repeat(32), "position": 7, "ok": ok, "message": message})
}

async fn put(site: &TestSite, bearer: &str, body: &Value) -> Answer {
    site.answer(Ok(Receipt { position: 9, id: "isc-1".to_owned(), repeated: false }));
    site.request_as(bearer, sending(TestRequest::put().uri(PATH), body)).await
}

fn requested(site: &TestSite) -> Vec<String> {
    site.domain
        .requested
        .lock()
        .expect("no panic")
        .drain(..)
        .map(|(command, context)| format!("{}: {command:?}", context.actor))
        .collect()
}

#[actix_web::test]
async fn a_server_confirms_with_its_own_token() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::DhcpServer("isc-1".parse().expect("a name"))).await;
    let answer = put(&site, &bearer, &report(true, "")).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"position": 9, "id": "isc-1"})));
    let revision = "ab".repeat(32);
    assert_eq!(
        requested(&site),
        [format!("token ops: DhcpServer(ConfirmConfiguration {{ server: \"isc-1\", revision: {revision}, position: 7 }})")]
    );
}

#[actix_web::test]
async fn a_failure_is_reported_with_the_checkers_message() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::DhcpServer("isc-1".parse().expect("a name"))).await;
    for (said, kept) in [("line 3:\tsemicolon\nexpected", "line 3: semicolon expected"), ("", "the server gave no reason")] {
        assert_eq!(put(&site, &bearer, &report(false, said)).await.status, 200);
        let commands = site.domain.requested.lock().expect("no panic").drain(..).map(|(command, _)| command).collect::<Vec<_>>();
        let [Command::DhcpServer(DhcpServerAction::ReportConfigurationFailure { server, revision: Some(_), message })] =
            &commands[..]
        else {
            panic!("{commands:?}")
        };
        assert_eq!((server.as_str(), message.as_str()), ("isc-1", kept));
    }
    let long = put(&site, &bearer, &report(false, &"x".repeat(100_000))).await;
    assert_eq!(long.status, 200);
}

#[actix_web::test]
async fn that_there_is_nothing_to_run_is_a_failure_without_a_revision() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::DhcpServer("isc-1".parse().expect("a name"))).await;
    for report in
        [json!({"ok": false, "message": "no"}), json!({"ok": false, "message": "no", "revision": null, "position": null})]
    {
        assert_eq!(put(&site, &bearer, &report).await.status, 200);
        assert_eq!(
            requested(&site),
            ["token ops: DhcpServer(ReportConfigurationFailure { server: \"isc-1\", revision: None, message: \"no\" })"]
        );
    }
    // A confirmation must name what it confirms.
    for (report, missing) in [
        (json!({"ok": true, "position": 7}), "revision"),
        (json!({"ok": true, "revision": "ab".repeat(32)}), "position"),
        (json!({"ok": true}), "revision"),
    ] {
        let (status, problem) = put(&site, &bearer, &report).await.problem();
        assert_eq!((status, problem["errors"][0]["field"].as_str()), (422, Some(missing)), "{problem}");
        assert_eq!(requested(&site), Vec::<String>::new());
    }
}

#[actix_web::test]
async fn other_callers_may_not_confirm() {
    let site = data_centre().await;
    let request = || sending(TestRequest::put().uri(PATH), &report(true, ""));
    assert_eq!(site.request(request()).await.problem().0, 401);
    for scope in [TokenScope::Viewer, TokenScope::Operator, TokenScope::DhcpServer("isc-2".parse().expect("a name"))] {
        let bearer = site.bearer(scope.clone()).await;
        assert_eq!(site.request_as(&bearer, request()).await.problem().0, 403, "{scope:?}");
    }
    assert_eq!(requested(&site), Vec::<String>::new());
    let administrator = site.bearer(TokenScope::Administrator).await;
    assert_eq!(put(&site, &administrator, &report(true, "")).await.status, 200);
}

#[actix_web::test]
async fn the_caller_is_authenticated_before_the_body_is_checked() {
    let site = data_centre().await;
    let malformed = || TestRequest::put().uri(PATH).insert_header(("content-type", "application/json")).set_payload("{");
    let no_json = || TestRequest::put().uri(PATH).insert_header(("content-type", "text/plain")).set_payload("hello");
    let large = || {
        let body = vec![b' '; 1024 * 1024 + 1];
        TestRequest::put().uri(PATH).insert_header(("content-type", "application/json")).set_payload(body)
    };
    let other = site.bearer(TokenScope::DhcpServer("isc-2".parse().expect("a name"))).await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let own = site.bearer(TokenScope::DhcpServer("isc-1".parse().expect("a name"))).await;
    for (body, status) in [(malformed as fn() -> TestRequest, 400), (no_json, 415), (large, 413)] {
        assert_eq!(site.request(body()).await.problem().0, 401);
        assert_eq!(site.request_as("bootledger_nobody", body()).await.problem().0, 401);
        for bearer in [&other, &viewer] {
            assert_eq!(site.request_as(bearer, body()).await.problem().0, 403);
        }
        assert_eq!(site.request_as(&own, body()).await.problem().0, status);
    }
    assert_eq!(requested(&site), Vec::<String>::new());
}

#[actix_web::test]
async fn a_report_that_cannot_be_parsed_is_refused_with_the_field() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    for (body, field) in [
        (json!({"revision": "x", "position": 7, "ok": true}), "revision"),
        (json!({"revision": "ab".repeat(32), "position": "7", "ok": true}), "position"),
        (json!({"revision": "ab".repeat(32), "position": 7}), "ok"),
    ] {
        let (status, problem) = site.request_as(&bearer, sending(TestRequest::put().uri(PATH), &body)).await.problem();
        assert!((400..500).contains(&status) && problem.to_string().contains(field), "{problem}");
    }
    assert_eq!(requested(&site), Vec::<String>::new());
}
