//! Which position an answer shows, and how a client waits for one or reads a past one.

use crate::support::{TestSite, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use serde_json::json;

#[actix_web::test]
async fn every_answer_names_its_position() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let position = site.append("site", "dc1", site_defined()).await.to_string();
    for path in ["/api/v1/sites", "/api/v1/sites/dc1", "/api/v1/sites/dc9", "/api/v1/events", "/healthz", "/nowhere"] {
        let answer = site.request_as(&viewer, TestRequest::get().uri(path)).await;
        assert_eq!(answer.header("bootledger-position"), position, "{path}");
        assert!(!answer.header("bootledger-correlation-id").is_empty(), "{path}");
    }
}

#[actix_web::test]
async fn the_past_is_shown_as_it_was() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let before = crate::support::now();
    let first = site.append("site", "dc1", site_defined()).await;
    let mut renamed = site_defined();
    renamed["spec"]["name"] = json!("Second");
    let second = site.append("site", "dc1", renamed).await;
    let request =
        async |at: String| site.request_as(&viewer, TestRequest::get().uri(&format!("/api/v1/sites/dc1?at={at}"))).await;
    let old = request(first.to_string()).await;
    assert_eq!((&old.json()["spec"]["name"], old.header("bootledger-position")), (&json!("First"), first.to_string().as_str()));
    assert_eq!(request(second.to_string()).await.json()["spec"]["name"], "Second");
    assert_eq!(request((first - 1).to_string()).await.status, 404);
    assert_eq!(request(before.to_string()).await.status, 404);
    assert_eq!(request(crate::support::now().to_string()).await.json()["spec"]["name"], "Second");
    for (at, status) in [
        ("yesterday".to_owned(), 400),
        ("-1".to_owned(), 422),
        ((second + 1).to_string(), 422),
        (crate::support::now().plus_seconds(60).to_string(), 422),
    ] {
        let (message, problem) = request(at.clone()).await.problem();
        assert_eq!((message, problem["errors"][0]["field"].as_str()), (status, Some("at")), "{at}: {problem}");
    }
}

#[actix_web::test]
async fn a_request_waits_until_the_views_show_its_position() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let position = site.append_unseen("site", "dc1", site_defined()).await;
    let request = TestRequest::get().uri("/api/v1/sites/dc1").insert_header(("Bootledger-Min-Position", position));
    let requested = site.request_as(&viewer, request);
    let (answer, ()) = tokio::join!(requested, site.show());
    assert_eq!((answer.status.as_u16(), answer.json()["key"].as_str()), (200, Some("dc1")));
}

#[actix_web::test]
async fn a_request_for_an_unreached_position_gets_retry_after() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    site.stopping.send_replace(true);
    let request = TestRequest::get().uri("/api/v1/sites").insert_header(("Bootledger-Min-Position", "999"));
    let answer = site.request_as(&viewer, request).await;
    assert_eq!((answer.problem().0, answer.header("retry-after")), (503, "1"));
}
