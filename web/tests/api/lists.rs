//! Lists: pagination, filters, and free addresses and names.

use crate::support::{TestSite, device_registered, network_defined, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::device::event::{DeviceEvent, DnsEntry};
use bootledger_aggregates::device::facts::FactsRecorded;
use bootledger_aggregates::token::TokenScope;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use uuid::Uuid;

#[actix_web::test]
async fn a_list_is_read_page_by_page_without_gap_or_repetition() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    site.append("site", "dc1", site_defined()).await;
    let mut all = vec![];
    for number in 0..5 {
        let id = Uuid::now_v7().to_string();
        site.append_unseen("device", &id, device_registered(&format!("52:54:00:00:00:0{number}"), None)).await;
        all.push(id);
    }
    site.show().await;
    let (mut seen, mut after) = (vec![], String::new());
    loop {
        let page = site.request_as(&viewer, TestRequest::get().uri(&format!("/api/v1/devices?limit=2{after}"))).await.json();
        let items = page["items"].as_array().expect("items");
        seen.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    let one = site.request_as(&viewer, TestRequest::get().uri("/api/v1/devices?mac=525400000003")).await.json();
    assert_eq!((&one["items"][0]["id"], one["items"].as_array().map(Vec::len)), (&json!(all[3]), Some(1)));
}

#[actix_web::test]
async fn free_addresses_leave_out_margins_gateway_holders_and_controllers() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    site.append("site", "dc1", site_defined()).await;
    site.append("network", "prod", network_defined()).await;
    let device = Uuid::now_v7().to_string();
    site.append("device", &device, device_registered("52:54:00:00:00:01", Some("10.0.0.14"))).await;
    let (ip, hostname) = (Ipv4Addr::new(10, 0, 0, 11), "h200.dc1.example".parse().expect("a name"));
    let recorded =
        FactsRecorded { addresses_added: vec![ip], dns_added: vec![DnsEntry { hostname, ip }], ..FactsRecorded::default() };
    let facts = serde_json::to_value(DeviceEvent::FactsRecorded(Box::new(recorded))).expect("JSON");
    site.append("device", &device, facts).await;
    let request = async |path: &str| -> Value { site.request_as(&viewer, TestRequest::get().uri(path)).await.json() };
    let addresses = request("/api/v1/networks/prod/addresses?free=3").await;
    assert_eq!(addresses, json!({"network": "prod", "free": ["10.0.0.13", "10.0.0.15", "10.0.0.16"], "held": 1}));
    let names = request("/api/v1/sites/dc1/hostnames?free=2").await;
    assert_eq!(names, json!({"site": "dc1", "free": ["h201.dc1.example", "h202.dc1.example"]}));
    assert_eq!(request("/api/v1/networks/test/addresses").await["status"], 404);
}

#[actix_web::test]
async fn events_are_listed_in_order_and_by_aggregate_and_never_ahead_of_the_views() {
    let site = TestSite::create().await;
    let viewer = site.bearer(TokenScope::Viewer).await;
    let first = site.append("site", "dc1", site_defined()).await;
    let second = site.append("network", "prod", network_defined()).await;
    site.append_unseen("site", "dc1", json!({"type": "SiteRetired"})).await;
    let request = async |query: String| -> Vec<i64> {
        let page = site.request_as(&viewer, TestRequest::get().uri(&format!("/api/v1/events?{query}"))).await.json();
        page["items"].as_array().expect("items").iter().map(|event| event["position"].as_i64().expect("a position")).collect()
    };
    assert_eq!(request(format!("after={}", first - 1)).await, [first, second]);
    assert_eq!(request("aggregate=site/dc1".to_owned()).await, [first]);
    assert_eq!(request("type=NetworkDefined".to_owned()).await, [second]);
    assert_eq!(request(format!("aggregate=network&at={first}")).await, [0_i64; 0]);
    let event =
        site.request_as(&viewer, TestRequest::get().uri("/api/v1/events?aggregate=site/dc1")).await.json()["items"][0].clone();
    assert_eq!(
        (&event["type"], &event["actor"], &event["payload"]["spec"]["domain"]),
        (&json!("SiteDefined"), &json!("token test"), &json!("dc1.example"))
    );
}
