//! The error answers that a client gets.

use crate::support::{Answer, TestSite, listed, sending};
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use anyhow::anyhow;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::token::TokenScope;
use bootledger_port::{CommandError, Imported, RowError};
use serde_json::json;
use uuid::Uuid;

fn start() -> TestRequest {
    sending(TestRequest::post().uri("/api/v1/deployments"), &json!({"device": Uuid::nil()}))
        .insert_header(("x-request-id", "request-7"))
}

async fn refused(error: CommandError) -> Answer {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    site.answer(Err(error));
    site.request_as(&operator, start()).await
}

#[actix_web::test]
async fn a_refusal_lists_every_broken_rule_and_names_the_request() {
    let answer = refused(CommandError::Refused(vec![
        BrokenRule::new("ip", Rule::IpClaimed, "10.0.0.11 is held by device 7; choose another").held_by("device 7"),
        BrokenRule::new("role", Rule::RoleUnknown, "the venture has no role web"),
    ]))
    .await;
    insta::assert_json_snapshot!(answer.problem().1, @r#"
    {
      "correlation_id": "request-7",
      "detail": "10.0.0.11 is held by device 7; choose another; the venture has no role web",
      "errors": [
        {
          "field": "ip",
          "holder": "device 7",
          "message": "10.0.0.11 is held by device 7; choose another",
          "rule": "ip_claimed"
        },
        {
          "field": "role",
          "message": "the venture has no role web",
          "rule": "role_unknown"
        }
      ],
      "instance": "/api/v1/deployments",
      "status": 422,
      "title": "Validation failed",
      "type": "/api/docs#problem-rejected"
    }
    "#);
}

#[actix_web::test]
async fn every_failure_of_a_command_has_its_status() {
    for (error, status, kind) in [
        (CommandError::NotFound("there is no device 7".to_owned()), 404, "not-found"),
        (CommandError::Conflict("others were faster; retry".to_owned()), 409, "conflict"),
        (CommandError::KeyReused, 422, "key-reused"),
        (CommandError::Unavailable(anyhow!("connection refused at /secret/socket")), 503, "unavailable"),
        (CommandError::Unavailable(std::io::Error::from_raw_os_error(28).into()), 507, "storage-full"),
        (CommandError::Internal(anyhow!("password=hunter2")), 500, "internal"),
    ] {
        let answer = refused(error).await;
        let (message, problem) = answer.problem();
        assert_eq!((message, problem["type"].as_str()), (status, Some(format!("/api/docs#problem-{kind}").as_str())));
        assert!(!answer.text.contains("secret") && !answer.text.contains("hunter2"), "{answer:?}");
        assert_eq!(answer.header("retry-after").is_empty(), ![503, 507].contains(&status));
    }
}

#[actix_web::test]
async fn a_value_that_cannot_be_parsed_is_reported_with_its_path() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let post = |body: &'static str| {
        TestRequest::post().uri("/api/v1/deployments").insert_header(("content-type", "application/json")).set_payload(body)
    };
    let get = |uri: &str| TestRequest::get().uri(uri);
    for (request, status, field) in [
        (post("{"), 400, ""),
        (post(r#"{"device": "x"}"#), 422, "device"),
        (post(r#"{"device": "0192f0c0-0000-7000-8000-000000000001", "hostname": "a b.example"}"#), 422, "hostname"),
        (get("/api/v1/deployments?stauts=open"), 400, "stauts"),
        (get("/api/v1/deployments?status=closed"), 400, "status"),
        (get("/api/v1/deployments?limit=0"), 422, "limit"),
        (get("/api/v1/deployments?limit=1001"), 422, "limit"),
        (get("/api/v1/deployments/7"), 400, "id"),
        (get("/api/v1/networks/dc1/addresses?free=0"), 422, "free"),
        (get("/api/v1/dns-records?after=nowhere"), 400, "after"),
        (get("/api/v1/devices").insert_header(("bootledger-min-position", "soon")), 400, "Bootledger-Min-Position"),
    ] {
        let (message, problem) = site.request_as(&operator, request).await.problem();
        assert_eq!((message, problem["errors"][0]["field"].as_str()), (status, Some(field)), "{problem}");
    }
    assert!(site.domain.requested.lock().expect("no panic").is_empty());
}

#[actix_web::test]
async fn a_body_that_is_too_large_or_of_another_type_is_refused() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let large = TestRequest::post().uri("/api/v1/devices").insert_header(("content-type", "application/json"));
    let large = site.request_as(&operator, large.set_payload(vec![b' '; 1024 * 1024 + 1])).await;
    assert_eq!(large.problem().0, 413);
    let form = TestRequest::post().uri("/api/v1/devices").insert_header(("content-type", "text/plain")).set_payload("{}");
    assert_eq!(site.request_as(&operator, form).await.problem().0, 415);
    let json = sending(TestRequest::post().uri("/api/v1/imports"), &json!({}));
    assert_eq!(site.request_as(&operator, json).await.problem().0, 415);
}

#[actix_web::test]
async fn an_unknown_path_and_an_unsupported_method_are_problems_too() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    let missing = site.request_as(&administrator, TestRequest::get().uri("/api/v1/servers")).await;
    assert_eq!(missing.problem().0, 404);
    let delete = site.request_as(&administrator, TestRequest::delete().uri("/api/v1/devices")).await;
    assert_eq!((delete.problem().0, delete.header("allow")), (405, "GET, POST"));
    assert_eq!(site.request_as(&administrator, TestRequest::get().uri("/nowhere")).await.problem().0, 404);
    assert_eq!(
        site.request(TestRequest::get().uri("/nowhere")).await.problem().0,
        401,
        "routes without a decision are closed to everyone"
    );
}

#[actix_web::test]
async fn an_import_reports_every_error_with_row_and_column() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    let row = |row| RowError { row, column: "ip".to_owned(), broken: BrokenRule::new("ip", Rule::IpClaimed, "it is held") };
    site.domain.imports.lock().expect("no panic").push_back(Ok(Imported::Refused((1..=10_001).map(row).collect())));
    let csv = TestRequest::post().uri("/api/v1/imports").insert_header(("content-type", "text/csv")).set_payload("x");
    let (status, problem) = site.request_as(&operator, csv).await.problem();
    assert_eq!((status, problem["errors"].as_array().map(Vec::len), &problem["errors_omitted"]), (422, Some(10_000), &json!(1)));
    assert_eq!((&problem["errors"][6]["row"], &problem["errors"][6]["column"]), (&json!(7), &json!("ip")));
}

#[test]
#[should_panic(expected = "ip_claimed")]
fn a_rule_that_the_description_does_not_list_fails_the_test_that_gets_it() {
    let problem = json!({"errors": [{"field": "", "rule": "ip_claimed", "message": ""}]});
    listed("/api/v1/sites/{key}", "put", StatusCode::UNPROCESSABLE_ENTITY, &problem.to_string());
}
