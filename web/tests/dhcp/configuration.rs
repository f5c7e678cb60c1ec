//! `GET /dhcp/{site}/…`: its content, its position, and when a client gets a 304.

use crate::data_centre::{cancel, data_centre, deployment, elsewhere, entry, get, get_unless};
use crate::support::{network_defined, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::values::sha256::Sha256;
use serde_json::json;
use sha2::Digest;

#[actix_web::test]
async fn the_etag_is_the_hash_of_the_bytes_and_headers_have_the_positions() {
    let site = data_centre().await;
    let changed = entry(&site, "10.0.0.20").await;
    let now = elsewhere(&site).await;
    let plain = "text/plain; charset=utf-8";
    for (file, kind) in [("isc.conf", plain), ("kea.json", "application/json"), ("dnsmasq.conf", plain)] {
        let answer = get(&site, &format!("/dhcp/dc1/{file}")).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, kind));
        let hash = Sha256::new(sha2::Sha256::digest(answer.text.as_bytes()).into());
        assert_eq!(answer.header("etag"), format!("\"{hash}\""));
        assert_eq!(answer.header("bootledger-position"), now.to_string());
        assert_eq!(answer.header("bootledger-changed-position"), changed.to_string());
        assert!(answer.text.contains("10.0.0.20") && answer.text.contains("h200.dc1.example"), "{}", answer.text);
        assert_eq!(answer.text, get(&site, &format!("/dhcp/dc1/{file}")).await.text);
    }
}

#[actix_web::test]
async fn an_entry_has_a_boot_file_while_its_deployment_is_live() {
    let site = data_centre().await;
    entry(&site, "10.0.0.20").await;
    let path = "/dhcp/dc1/isc.conf";
    let before = get(&site, path).await;
    assert!(!before.text.contains("next-server"), "{}", before.text);
    let started = deployment(&site, "10.0.0.20").await;
    let live = get(&site, path).await;
    assert!(
        live.text.contains("next-server 10.0.0.2;") && live.text.contains("filename \"http://127.0.0.1:8080/pxe/\";"),
        "{}",
        live.text
    );
    assert_eq!(live.header("bootledger-changed-position"), started.to_string());
    let cancelled = cancel(&site).await;
    let after = get(&site, path).await;
    assert_eq!((after.text.as_str(), after.header("etag")), (before.text.as_str(), before.header("etag")));
    assert_eq!(after.header("bootledger-changed-position"), cancelled.to_string(), "the same bytes are to be confirmed again");
}

#[actix_web::test]
async fn a_client_that_has_it_gets_no_bytes_but_the_newer_position() {
    let site = data_centre().await;
    entry(&site, "10.0.0.20").await;
    let first = get(&site, "/dhcp/dc1/kea.json").await;
    let now = elsewhere(&site).await;
    let again = get_unless(&site, "/dhcp/dc1/kea.json", first.header("etag")).await;
    assert_eq!((again.status.as_u16(), again.text.as_str(), again.header("etag")), (304, "", first.header("etag")));
    assert_eq!(again.header("bootledger-position"), now.to_string());
    assert_eq!(again.header("bootledger-changed-position"), first.header("bootledger-changed-position"));
    // The other format is another file.
    assert_eq!(get_unless(&site, "/dhcp/dc1/isc.conf", first.header("etag")).await.status, 200);
}

#[actix_web::test]
async fn while_the_views_do_not_change_the_database_is_not_queried() {
    let site = data_centre().await;
    let first = get(&site, "/dhcp/dc1/kea.json").await;
    site.close_database().await;
    let again = get_unless(&site, "/dhcp/dc1/kea.json", first.header("etag")).await;
    assert_eq!(again.status, 304);
    site.shown.send_modify(|shown| *shown += 1);
    assert_eq!(get(&site, "/dhcp/dc1/kea.json").await.status, 503);
}

#[actix_web::test]
async fn a_past_configuration_is_served_as_it_was() {
    let site = data_centre().await;
    let first = entry(&site, "10.0.0.20").await;
    let before = get(&site, "/dhcp/dc1/kea.json").await;
    deployment(&site, "10.0.0.20").await;
    assert_ne!(get(&site, "/dhcp/dc1/kea.json").await.text, before.text);
    let path = format!("/dhcp/dc1/kea.json?at={first}");
    let past = get(&site, &path).await;
    assert_eq!((past.text.as_str(), past.header("etag")), (before.text.as_str(), before.header("etag")));
    assert_eq!(past.header("bootledger-position"), first.to_string());
    assert_eq!(get_unless(&site, &path, past.header("etag")).await.status, 304);
    assert!(!get(&site, &format!("/dhcp/dc1/kea.json?at={}", first - 1)).await.text.contains("10.0.0.20"));
    assert_eq!(get(&site, "/dhcp/dc1/kea.json?at=0").await.status, 404);
}

#[actix_web::test]
async fn a_missing_site_file_or_zone_is_a_404_that_names_it() {
    let site = data_centre().await;
    for (path, words) in [
        ("/dhcp/dc9/isc.conf", "no site dc9"),
        ("/dhcp/dc1/dhcpd.conf", "isc.conf"),
        ("/dhcp/dc9/dnsmasq.conf", "no site dc9"),
        ("/dns/zones/example", "no site manages the zone example"),
    ] {
        let (status, problem) = get(&site, path).await.problem();
        assert_eq!(status, 404, "{path}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{problem}");
    }
    site.append("site", "dc2", site_defined()).await;
    assert_eq!(get(&site, "/dhcp/dc2/isc.conf").await.status, 200);
    site.append("site", "dc2", json!({"type": "SiteRetired"})).await;
    assert_eq!(get(&site, "/dhcp/dc2/isc.conf").await.status, 404);
    assert_eq!(get(&site, "/dhcp/dc1/isc.conf?wiat=3").await.status, 400);
    assert_eq!(get(&site, "/dhcp/d%20c/isc.conf").await.status, 400);
}

#[actix_web::test]
async fn an_invalid_option_is_reported_in_every_format_until_it_is_changed() {
    let site = data_centre().await;
    entry(&site, "10.0.0.20").await;
    let files = ["isc.conf", "kea.json", "dnsmasq.conf"].map(|file| format!("/dhcp/dc1/{file}"));
    let mut before = vec![];
    for path in &files {
        before.push(get(&site, path).await);
    }
    let mut network = network_defined();
    network["spec"]["dhcp_options"] = json!([{"name": "rooters", "value": {"addresses": ["10.0.0.1"]}}]);
    let broken = site.append("network", "servers", network).await;
    for (path, before) in files.iter().zip(&before) {
        let (status, problem) = get_unless(&site, &format!("{path}?wait=30"), before.header("etag")).await.problem();
        assert_eq!((status, problem["errors"][0]["rule"].as_str()), (422, Some("dhcp_option_unwritable")), "{problem}");
        let message = problem["errors"][0]["message"].as_str().expect("a message");
        assert!(message.contains("rooters of network servers") && message.contains("did you mean routers?"), "{message}");
        assert_eq!(get(&site, &format!("{path}?at={broken}")).await.status, 422, "so it was then, too");
    }
    site.append("network", "servers", network_defined()).await;
    for (path, before) in files.iter().zip(&before) {
        assert_eq!(get(&site, path).await.text, before.text);
    }
}

#[actix_web::test]
async fn a_head_request_is_answered_like_a_get() {
    let site = data_centre().await;
    let head = site.request(TestRequest::default().method(actix_web::http::Method::HEAD).uri("/dhcp/dc1/isc.conf")).await;
    assert_eq!((head.status.as_u16(), head.header("etag")), (200, get(&site, "/dhcp/dc1/isc.conf").await.header("etag")));
}
