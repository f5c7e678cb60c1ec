//! Tests of the live stream of events.

use crate::support::{TestSite, network_defined, site_defined};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::Service;
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use serde_json::json;
use std::pin::Pin;
use std::time::Duration;

/// A client of a stream.
struct Client(Pin<Box<BoxBody>>);

impl Client {
    async fn connect(site: &TestSite, bearer: &str, request: TestRequest) -> Self {
        let service = site.start().await;
        let request = request
            .insert_header(("authorization", format!("Bearer {bearer}")))
            .insert_header(("accept", "text/event-stream"))
            .to_request();
        let response = service.call(request).await.expect("an answer");
        assert_eq!(
            (response.status().as_u16(), response.headers().get("content-type").expect("a type").as_bytes()),
            (200, &b"text/event-stream"[..])
        );
        let mut client = Self(Box::pin(response.into_body()));
        assert!(client.next().await.expect("a greeting").starts_with(':'));
        client
    }

    /// The next part; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        let part = std::future::poll_fn(|context| self.0.as_mut().poll_next(context));
        let part = tokio::time::timeout(Duration::from_secs(20), part).await.expect("something comes")?;
        Some(String::from_utf8(part.expect("bytes").to_vec()).expect("UTF-8"))
    }
}

fn positions(part: &str) -> Vec<i64> {
    part.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().expect("a position")).collect()
}

#[actix_web::test]
async fn a_stream_resumes_after_the_last_event_that_was_received() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let first = site.append("site", "dc1", site_defined()).await;
    let second = site.append("network", "prod", network_defined()).await;
    let from_first = TestRequest::get().uri(&format!("/api/v1/events?after={}", first - 1));
    let mut client = Client::connect(&site, &viewer, from_first).await;
    assert_eq!(positions(&client.next().await.expect("events")), [first, second]);
    drop(client);

    let again = TestRequest::get().uri(&format!("/api/v1/events?after={}", first - 1)).insert_header(("last-event-id", second));
    let mut client = Client::connect(&site, &viewer, again).await;
    let third = site.append_unseen("site", "dc1", json!({"type": "SiteRetired"})).await;
    let (part, ()) = tokio::join!(client.next(), site.show());
    let part = part.expect("an event");
    assert_eq!(positions(&part), [third]);
    let data = part.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let event: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!((&event["type"], &event["aggregate_id"]), (&json!("SiteRetired"), &json!("dc1")));
}

#[actix_web::test]
async fn a_viewers_stream_contains_no_event_of_an_account() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let wanted = site.append("site", "dc1", site_defined()).await;
    site.user("ada", Role::Viewer).await;
    site.session("ada").await;
    let last = site.append("network", "prod", network_defined()).await;
    let mut client = Client::connect(&site, &viewer, TestRequest::get().uri("/api/v1/events")).await;
    assert_eq!(positions(&client.next().await.expect("events")), [wanted, last]);
}

#[actix_web::test]
async fn a_stream_of_one_aggregate_contains_no_other() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let mut client = Client::connect(&site, &viewer, TestRequest::get().uri("/api/v1/events?aggregate=site/dc1")).await;
    site.append("network", "prod", network_defined()).await;
    let wanted = site.append("site", "dc1", site_defined()).await;
    assert_eq!(positions(&client.next().await.expect("events")), [wanted]);
}

#[actix_web::test]
async fn a_long_log_is_streamed_in_parts() {
    let site = TestSite::create().await;
    let auditor = site.bearer(TokenScope::Auditor).await;
    site.append("site", "dc1", site_defined()).await;
    for number in 0..150 {
        let mut renamed = site_defined();
        renamed["spec"]["name"] = json!(number.to_string());
        site.append_unseen("site", "dc1", renamed).await;
    }
    site.show().await;
    let mut client = Client::connect(&site, &auditor, TestRequest::get().uri("/api/v1/events")).await;
    let (first, rest) = (client.next().await.expect("events"), client.next().await.expect("events"));
    assert_eq!((positions(&first).len(), positions(&rest).len()), (100, 52));
    assert_eq!([positions(&first), positions(&rest)].concat(), (1..=152).collect::<Vec<i64>>());
}

#[actix_web::test]
async fn a_stream_ends_when_the_service_stops() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let mut client = Client::connect(&site, &viewer, TestRequest::get().uri("/api/v1/events?after=999")).await;
    let (end, _) = tokio::join!(client.next(), async { site.stopping.send_replace(true) });
    assert_eq!(end, None);
}
