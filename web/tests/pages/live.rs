//! Live pages: which messages an event causes, and which it does not.

use crate::elements::texts;
use crate::support::{TestSite, device_registered, network_defined, site_defined};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::Service;
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use serde_json::json;
use std::pin::Pin;
use std::time::Duration;

/// A browser with a live page.
struct Browser(Pin<Box<BoxBody>>);

impl Browser {
    async fn open(site: &TestSite, bearer: &str, path: &str, seen: Option<i64>) -> Self {
        let service = site.start().await;
        let mut request = TestRequest::get().uri(path).insert_header(("authorization", format!("Bearer {bearer}")));
        if let Some(seen) = seen {
            request = request.insert_header(("last-event-id", seen.to_string()));
        }
        let request =
            request.insert_header(("accept", "text/event-stream")).insert_header(("accept-encoding", "gzip")).to_request();
        let response = service.call(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get("content-type").expect("a type").as_bytes(), b"text/event-stream");
        Self(Box::pin(response.into_body()))
    }

    /// The next part that is not a heartbeat; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            let part = std::future::poll_fn(|context| self.0.as_mut().poll_next(context));
            let part = tokio::time::timeout(Duration::from_secs(20), part).await.expect("something comes")?;
            let text = String::from_utf8(part.expect("bytes").to_vec()).expect("UTF-8, and not compressed");
            if !text.starts_with("event: beat") {
                return Some(text);
            }
        }
    }
}

async fn something(site: &TestSite, network: &str) -> i64 {
    site.append("network", network, network_defined()).await
}

#[actix_web::test]
async fn a_page_gets_its_changed_parts_with_the_position() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    site.append("site", "dc1", site_defined()).await;
    let position = something(&site, "prod").await;
    let mut browser = Browser::open(&site, &bearer, &format!("/timeline/live/{position}"), None).await;
    let later = something(&site, "lab").await;
    let message = browser.next().await.expect("a message");
    assert!(message.starts_with(&format!("id: {later}\ndata: <hx-partial id=\"news\" hx-swap=\"outerMorph\">")), "{message}");
    assert!(message.contains("<span>1 "), "{message}");
}

#[actix_web::test]
async fn a_reconnecting_page_gets_what_it_missed() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let since = site.append("site", "dc1", site_defined()).await;
    let seen = something(&site, "prod").await;
    something(&site, "lab").await;
    let mut browser = Browser::open(&site, &bearer, &format!("/timeline/live/{since}"), Some(seen)).await;
    let message = browser.next().await.expect("a message");
    assert!(message.contains("<span>2 "), "{message}");
}

#[actix_web::test]
async fn a_page_gets_no_message_about_anything_else() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let position = site.append("site", "dc1", site_defined()).await;
    let mut browser = Browser::open(&site, &bearer, &format!("/deployments/live/{position}/0"), None).await;
    something(&site, "prod").await;
    site.stopping.send_replace(true);
    assert_eq!(browser.next().await, None, "a list of deployments got a message about a network");
}

#[actix_web::test]
async fn the_page_of_a_network_gets_an_address_that_a_device_took() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    site.append("site", "dc1", site_defined()).await;
    let position = something(&site, "prod").await;
    let mut browser = Browser::open(&site, &bearer, &format!("/networks/prod/live/{position}"), None).await;
    let id = uuid::Uuid::now_v7().to_string();
    site.append_unseen("device", &id, device_registered("52:54:00:00:00:01", None)).await;
    let assigned = json!({"type": "AddressAssigned", "deployment": uuid::Uuid::now_v7(), "ip": "10.0.0.20"});
    site.append("device", &id, assigned).await;
    let message = browser.next().await.expect("a message");
    let cell = format!("<a class=\"used\" href=\"/devices/{id}/addresses\" title=\"10.0.0.20: ");
    assert!(message.contains("<hx-partial id=\"map\"") && message.contains(&cell), "{message}");
    assert!(message.contains("<hx-partial id=\"use\"") && message.contains("max=\"243\" value=\"1\""), "{message}");
}

#[actix_web::test]
async fn open_pages_get_the_failure_of_a_dhcp_server() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    site.append("site", "dc1", site_defined()).await;
    let defined = json!({"type": "DhcpServerDefined", "spec": {"site": "dc1", "address": null, "kind": "kea"}});
    let position = site.append("dhcp_server", "kea-1", defined).await;
    let mut list = Browser::open(&site, &bearer, &format!("/dhcp-servers/_list/live/{position}"), None).await;
    let mut one = Browser::open(&site, &bearer, &format!("/dhcp-servers/kea-1/live/{position}"), None).await;
    let failed = json!({"type": "ConfigurationFailed", "site": "dc1", "revision": null, "message": "no such <interface>"});
    site.append("dhcp_server", "kea-1", failed).await;
    for browser in [&mut list, &mut one] {
        let message = browser.next().await.expect("a message");
        assert!(message.contains("badge bad") && message.contains("no such &lt;interface&gt;"), "{message}");
    }
}

#[actix_web::test]
async fn a_live_page_ends_when_its_reader_may_no_longer_read() {
    let site = TestSite::create().await;
    let (id, bearer) = site.token(TokenScope::Viewer, None).await;
    let refused = site.request(TestRequest::get().uri("/timeline/live/0")).await;
    assert_eq!(refused.status, 401, "a live page was served without credentials");
    site.append("token", &id.to_string(), json!({"type": "TokenRevoked"})).await;
    let revoked = site.request_as(&bearer, TestRequest::get().uri("/timeline/live/0")).await;
    assert_eq!(revoked.status, 401);
}

#[actix_web::test]
async fn the_wall_board_is_live_for_a_viewer_has_no_menu_and_is_loaded_again_without_a_script() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let position = site.append("site", "dc1", site_defined()).await;
    let page = site.request_as(&bearer, TestRequest::get().uri("/wall")).await;
    assert_eq!((page.status.as_u16(), texts(&page, "nav, form").len()), (200, 0), "{}", page.text);
    assert!(page.text.contains("<noscript><meta http-equiv=\"refresh\""), "{}", page.text);
    let mut browser = Browser::open(&site, &bearer, &format!("/wall/live/{position}"), None).await;
    site.append("network", "prod", network_defined()).await;
    let message = browser.next().await.expect("a message");
    assert!(message.contains("<hx-partial id=\"attention\""), "{message}");
    assert_eq!(site.request_as(&bearer, TestRequest::get().uri("/wall?at=1")).await.status, 422);
}
