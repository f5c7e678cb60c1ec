//! Differences between servers and the desired state are found and reported, and repaired only when an operator requests it.

use crate::dns_updates::{PATIENCE, ZONES, service, settled};
use crate::support::dns::{DnsServer, Software};
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

const DRIFT: &str = "/api/v1/sites/dc1/drift";
const HOST: &str = "dc1/dns/h200.dc1.example/A";
const OTHER: &str = "dc1/dns/h201.dc1.example/A";
const POINTER: &str = "dc1/dns/10.0.0.10.in-addr.arpa/PTR";

#[tokio::test]
async fn manual_changes_at_a_primary_are_detected_and_repaired_only_on_request() -> Result<()> {
    let dns = DnsServer::start(Software::Bind, &ZONES).await?;
    let service = service(dns.port(), &ZONES).await?;
    hosts(&service, 3).await?;
    assert_eq!(found(&service).await?, json!([]), "all is as it should be");

    // Two records disappear, as after a zone was restored from a backup; another owner points a name elsewhere and adds a
    // record.
    dns.update("dc1.example", "update delete h200.dc1.example A\nupdate add www.dc1.example 60 A 10.9.9.9")?;
    dns.update("dc1.example", "update delete h201.dc1.example A\nupdate add h201.dc1.example 60 A 10.9.9.9")?;
    dns.update("10.in-addr.arpa", "update delete 10.0.0.10.in-addr.arpa PTR")?;
    let expected = json!([
        [POINTER, "missing", ["h200.dc1.example"], []],
        [HOST, "missing", ["10.0.0.10"], []],
        [OTHER, "foreign", ["10.0.0.11"], ["10.9.9.9"]],
    ]);
    assert_eq!(found(&service).await?, expected);
    assert_eq!(found(&service).await?, expected, "a second look finds the same");
    assert_eq!(service.measured("bootledger_drift_differences{site=\"dc1\"}").await?, 3);
    let events = service.get("/api/v1/events?type=DriftFound").await?;
    assert_eq!(events["items"].as_array().map(Vec::len), Some(3), "and reports nothing twice: {events}");
    assert_eq!(dns.dig(&["h200.dc1.example", "A"])?, "", "nothing is repaired unasked");
    let before = service.get(DRIFT).await?["count"].clone();

    // A missing record comes back; another owner's record stays until an operator names it.
    service.post(&format!("{DRIFT}/repair"), &json!({})).await?;
    drifted(&service, &json!([expected[2]])).await?;
    assert_eq!(dns.dig(&["h200.dc1.example", "A"])?, "10.0.0.10");
    assert_eq!(dns.dig(&["-x", "10.0.0.10"])?, "h200.dc1.example.");
    assert_eq!(dns.dig(&["h201.dc1.example", "A"])?, "10.9.9.9");

    let reported = service.run(&["drift", "dc1"]).await?;
    ensure!(
        reported.contains(OTHER) && reported.contains("has 10.9.9.9, expected 10.0.0.11") && reported.contains("differences: 1;"),
        "{reported}"
    );

    // A repair applies to the difference that the operator saw. A record that has changed since then is not overwritten.
    dns.update("dc1.example", "update delete h201.dc1.example A\nupdate add h201.dc1.example 60 A 10.8.8.8")?;
    service.post(&format!("{DRIFT}/repair"), &json!({ "keys": [OTHER] })).await?;
    drifted(&service, &json!([[OTHER, "foreign", ["10.0.0.11"], ["10.8.8.8"]]])).await?;
    assert_eq!(dns.dig(&["h201.dc1.example", "A"])?, "10.8.8.8");
    service.run(&["drift", "dc1", "--repair", OTHER]).await?;
    drifted(&service, &json!([])).await?;
    assert_eq!(dns.dig(&["h201.dc1.example", "A"])?, "10.0.0.11");
    assert_eq!(dns.dig(&["www.dc1.example", "A"])?, "10.9.9.9", "a name that is not ours is none of our business");
    let reported = service.run(&["drift", "dc1", "--check"]).await?;
    ensure!(reported.starts_with("site dc1: differences: 0; objects compared: 6, at "), "{reported}");

    // The history contains all of it.
    let reported = service.text("/api/v1/events?limit=1000").await?;
    ensure!(reported.contains("DriftRepairOrdered") && reported.contains("DriftEnded"), "{reported}");
    let position = service.get("/api/v1/events?type=DriftRepairOrdered").await?["items"][0]["position"].clone();
    let past = service.get(&format!("{DRIFT}?at={}", position.as_i64().context("a position")? - 1)).await?;
    ensure!(past["count"] == before && past["check"].is_null(), "{past}");
    Ok(())
}

#[tokio::test]
async fn an_unreachable_primary_is_reported_and_the_known_differences_stay() -> Result<()> {
    let mut dns = DnsServer::start(Software::Bind, &ZONES).await?;
    let service = service(dns.port(), &ZONES).await?;
    hosts(&service, 2).await?;
    dns.update("dc1.example", "update delete h200.dc1.example A\nupdate add h200.dc1.example 60 CNAME www.example.")?;
    let alias = json!([[HOST, "alias", ["10.0.0.10"], []]]);
    assert_eq!(found(&service).await?, alias);
    let refused = service.post(&format!("{DRIFT}/repair"), &json!({ "keys": [HOST] })).await.expect_err("an alias");
    ensure!(refused.to_string().contains("drift_alias"), "{refused}");
    let unknown = service.post(&format!("{DRIFT}/repair"), &json!({ "keys": [OTHER] })).await.expect_err("no difference");
    ensure!(unknown.to_string().contains("404 Not Found") && unknown.to_string().contains(OTHER), "{unknown}");
    let elsewhere = service.post(&format!("{DRIFT}/repair"), &json!({ "keys": ["dc2/dhcp/kea"] })).await.expect_err("dc2");
    ensure!(elsewhere.to_string().contains("drift_site"), "{elsewhere}");
    let nowhere = service.post("/api/v1/sites/dc9/drift/check", &json!({})).await.expect_err("no site");
    ensure!(nowhere.to_string().contains("404 Not Found") && nowhere.to_string().contains("site dc9"), "{nowhere}");

    dns.update("dc1.example", "update delete h200.dc1.example CNAME")?;
    let missing = json!([[HOST, "missing", ["10.0.0.10"], []]]);
    assert_eq!(found(&service).await?, missing);
    dns.stop()?;
    assert_eq!(found(&service).await?, missing, "what cannot be seen is as it was");
    let check = service.get(DRIFT).await?["check"].clone();
    let no_answer = json!({ "code": "no_answer", "primary": format!("127.0.0.1:{}", dns.port()) });
    ensure!(check["causes"][0] == no_answer && check["problems"][0].is_string(), "{check}");
    service.post(&format!("{DRIFT}/repair"), &json!({})).await?;
    wait_for("the repair fails", PATIENCE, async || {
        let item = service.get(DRIFT).await.ok()?["items"][0].clone();
        (item["ordered"].is_null() && item["cause"] == no_answer && item["problem"].is_string()).then_some(())
    })
    .await?;
    // A requested repair is carried out even if the service is killed.
    service.post(&format!("{DRIFT}/repair"), &json!({})).await?;
    let mut service = service;
    service.kill()?;
    dns.resume().await?;
    service.start_again().await?;
    wait_for("the order is over", 2 * PATIENCE, async || {
        let answer = service.get(DRIFT).await.ok()?;
        answer["items"].as_array()?.iter().all(|item| item["ordered"].is_null()).then_some(())
    })
    .await?;
    if service.get(DRIFT).await?["count"] != 0 {
        // The repair had already failed before the service was killed.
        service.post(&format!("{DRIFT}/repair"), &json!({})).await?;
    }
    drifted(&service, &json!([])).await?;
    assert_eq!(dns.dig(&["h200.dc1.example", "A"])?, "10.0.0.10");
    Ok(())
}

#[tokio::test]
async fn a_dhcp_server_with_the_wrong_configuration_is_reported_until_it_has_the_right_one() -> Result<()> {
    let dns = DnsServer::start(Software::Bind, &ZONES).await?;
    let service = service(dns.port(), &ZONES).await?;
    service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
    let reported = async |kind: &Value| -> Result<()> {
        let found = found(&service).await?;
        ensure!(found[0][0] == "dc1/dhcp/kea-1" && found[0][1] == kind["code"], "{found}");
        let item = service.get(DRIFT).await?["items"][0].clone();
        ensure!(item["kind"] == *kind && item["message"] != "", "{item}");
        Ok(())
    };
    reported(&json!({ "code": "unconfirmed" })).await?;

    let (revision, position) = configuration(&service).await?;
    confirm(&service, &json!({ "revision": revision, "position": position, "ok": true })).await?;
    assert_eq!(found(&service).await?, json!([]));
    let wrong = "0".repeat(64);
    let position = configuration(&service).await?.1;
    confirm(&service, &json!({ "revision": wrong, "position": position, "ok": true })).await?;
    reported(&json!({ "code": "other_revision", "position": position })).await?;
    ensure!(service.get(DRIFT).await?["items"][0]["expected"] == json!([revision]), "the expected revision is {revision}");
    confirm(&service, &json!({ "revision": wrong, "position": position, "ok": false, "message": "no such subnet" })).await?;
    reported(&json!({ "code": "failing", "error": "no such subnet" })).await?;

    // The request makes the agent confirm again, which ends a long poll.
    let (_, confirmed) = configuration(&service).await?;
    service.post(&format!("{DRIFT}/repair"), &json!({})).await?;
    ensure!(configuration(&service).await?.1 > confirmed, "the agent does not confirm again");
    let (revision, position) = configuration(&service).await?;
    confirm(&service, &json!({ "revision": revision, "position": position, "ok": true })).await?;
    drifted(&service, &json!([])).await?;
    let ended = service.text("/api/v1/events?type=DriftEnded").await?;
    ensure!(ended.contains("\"repaired\":true"), "{ended}");
    Ok(())
}

/// Creates a device with this many names, from h200 and 10.0.0.10 on, and waits until the primary has them.
async fn hosts(service: &Service, count: u8) -> Result<()> {
    let device = json!({ "site": "dc1", "macs": ["52:54:00:00:00:01"], "venture": "shop", "role": "web" });
    let device = service.create("/api/v1/devices", &device).await?;
    let entry = |n| json!({ "hostname": format!("h{}.dc1.example", 200 + u32::from(n)), "ip": format!("10.0.0.{}", 10 + n) });
    let entries: Vec<Value> = (0..count).map(entry).collect();
    service.put(&format!("/api/v1/devices/{device}/facts"), &json!({ "dns_entries": entries })).await?;
    settled(service, 2 * u32::from(count), "published").await
}

/// Requests a check of the site, waits until it ends and returns what it found.
async fn found(service: &Service) -> Result<Value> {
    let before = service.post(&format!("{DRIFT}/check"), &json!({})).await?["check"].clone();
    wait_for("it is checked", PATIENCE, async || {
        let check = service.get(DRIFT).await.ok()?["check"].clone();
        // Both times have the same format and time zone, so that they compare as text.
        (check["checked_at"].as_str()? >= before["requested_at"].as_str()? && check["under_way_since"].is_null()).then_some(())
    })
    .await?;
    differences(service).await
}

/// Waits until the differences are these.
async fn drifted(service: &Service, expected: &Value) -> Result<()> {
    let waited =
        wait_for("there are these differences", PATIENCE, async || (differences(service).await.ok()? == *expected).then_some(()))
            .await;
    match waited {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(service.get(DRIFT).await?.to_string())),
    }
}

async fn differences(service: &Service) -> Result<Value> {
    let answer = service.get(DRIFT).await?;
    let items = answer["items"].as_array().context("items")?;
    Ok(items.iter().map(|item| json!([item["key"], item["nature"], item["expected"], item["found"]])).collect())
}

/// The hash of what Kea should run, and the position up to which it is current.
async fn configuration(service: &Service) -> Result<(String, i64)> {
    let answer = reqwest::get(service.url("/dhcp/dc1/kea.json")).await?.error_for_status()?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let position = header("Bootledger-Position").context("a position")?.parse()?;
    Ok((header("ETag").context("a revision")?.trim_matches('"').to_owned(), position))
}

async fn confirm(service: &Service, report: &Value) -> Result<()> {
    service.put("/dhcp/servers/kea-1/confirmation", report).await.map(drop)
}
