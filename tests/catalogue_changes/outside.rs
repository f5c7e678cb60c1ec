//! From outside: an installed server keeps its lease, and a log of an earlier version is served and its problems are reported.

use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use bootledger::event_log::EventLog;
use bootledger::event_log::append::{Batch, NewEvent};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(1);
const MAC: &str = "52:54:00:00:0a:01";
const FILES: [&str; 3] = ["isc.conf", "kea.json", "dnsmasq.conf"];

fn network(cidr: &str) -> Value {
    json!({"cidr": cidr, "site": "dc1", "racks": ["r1"], "gateway": "10.20.0.1"})
}

/// A data centre in which `R640 no. 1` is installed at 10.20.1.50.
async fn with_a_server() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let site = json!({"domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"], "next_server": "10.20.0.2"});
    service.put("/api/v1/sites/dc1", &site).await?;
    service.put("/api/v1/racks/r1", &json!({"site": "dc1"})).await?;
    service.define(&site, &network("10.20.0.0/23")).await?;
    service.put("/api/v1/ventures/shop", &json!({"default_boot_image": "debian"})).await?;
    service.put("/api/v1/dhcp-servers/dhcp-1", &json!({"site": "dc1", "kind": "kea"})).await?;
    let device = json!({"site": "dc1", "rack": "r1", "name": "R640 no. 1", "macs": [MAC], "venture": "shop", "role": "web"});
    let id = service.register(&device).await?;
    let folder = tempfile::tempdir()?;
    let agent = service.dhcp_agent("dc1", "kea", &folder.path().join("kea.json")).await?;
    let mut child = agent.keep("true", "true")?;
    let wanted = json!({"device": id, "ip": "10.20.1.50", "hostname": "h1.dc1.example"});
    let path = service.start_deployment(&wanted).await?;
    service.reaches(&path, "in_progress", PATIENCE).await?;
    service.post(&format!("{path}/done"), &json!({})).await?;
    child.kill().await?;
    Ok(service)
}

async fn served(service: &Service) -> Result<bool> {
    let mut everywhere = true;
    for file in FILES {
        everywhere &= service.text(&format!("/dhcp/dc1/{file}")).await?.contains("10.20.1.50");
    }
    Ok(everywhere)
}

#[tokio::test]
async fn a_server_that_is_done_keeps_its_lease_and_an_old_log_is_served_and_reported() -> Result<()> {
    let mut service = with_a_server().await?;
    ensure!(served(&service).await?);
    for path in ["/api/v1/networks/prod", "/api/v1/networks/prod?dry_run=true"] {
        let refused = service.put(path, &network("10.20.0.0/24")).await.expect_err("10.20.1.50 is held").to_string();
        let facts = ["address_held", "10.20.1.50", "R640 no. 1"];
        ensure!(facts.iter().all(|fact| refused.contains(fact)), "{refused}");
    }
    let before = service.get("/api/v1/networks/prod").await?;
    let preview = service.put("/api/v1/networks/prod?dry_run=true", &network("10.20.0.0/22")).await?;
    ensure!(preview == json!({"moves": [], "moved": 0}), "{preview}");
    ensure!(service.get("/api/v1/networks/prod").await? == before, "a dry run changed something");
    let refused = service.put("/api/v1/webhooks/w?dry_run=true", &json!({})).await.expect_err("no dry run");
    ensure!(!refused.to_string().is_empty());
    ensure!(served(&service).await?);
    ensure!(service.measured("bootledger_dhcp_entries_without_network{site=\"dc1\"}").await? == 0);

    // An earlier version allowed this: the network is narrowed so that the server's address is outside.
    let pool = service.database().pool(2).await?;
    let sequence = before["sequence"].as_i64().context("a sequence")?;
    let narrowed = json!({"type": "NetworkDefined", "spec": {
        "cidr": "10.20.0.0/24", "site": "dc1", "racks": ["r1"], "gateway": "10.20.0.1", "vlan": null, "dns_servers": [], "domain": null,
        "margin_bottom": 10, "margin_top": 0, "dhcp": true, "dhcp_options": [], "ip_only_done": true,
    }});
    let event = NewEvent {
        aggregate_type: "network".to_owned(),
        aggregate_id: "prod".to_owned(),
        sequence: sequence + 1,
        event_type: "NetworkDefined".to_owned(),
        event_version: "1".to_owned(),
        payload: narrowed.to_string(),
        metadata: json!({"actor": "user ada", "correlation_id": "c-1"}).to_string(),
        claims: vec![],
    };
    let log = EventLog::start(pool.clone(), service.database().connect_options());
    log.append(Batch { events: vec![event], ..Batch::default() }).await?;
    wait_for("the views show it", PATIENCE, async || {
        let network = service.get("/api/v1/networks/prod").await.ok()?;
        (network["spec"]["cidr"] == "10.20.0.0/24").then_some(())
    })
    .await?;
    reported(&service).await?;
    service.kill()?;
    service.start_again().await?;
    reported(&service).await?;

    // The fix that the report names.
    service.put("/api/v1/networks/prod", &network("10.20.0.0/23")).await?;
    wait_for("nothing is left to report", PATIENCE, async || {
        let ready: Value = serde_json::from_str(&service.text("/readyz").await.ok()?).ok()?;
        (ready["dhcp_strays"] == json!([])).then_some(())
    })
    .await?;
    ensure!(served(&service).await?);
    Ok(())
}

/// The service serves the last good files and reports by name what is wrong.
async fn reported(service: &Service) -> Result<()> {
    ensure!(served(service).await?, "the reservation is gone");
    // The answer may be cached for half a second.
    let ready = wait_for("readiness reports it", PATIENCE, async || {
        let ready: Value = serde_json::from_str(&service.text("/readyz").await.ok()?).ok()?;
        (ready["dhcp_strays"][0]["ip"] == "10.20.1.50").then_some(ready)
    })
    .await?;
    ensure!(ready["ready"] == true, "{ready}");
    ensure!(ready["degraded"].to_string().contains("10.20.1.50 of R640 no. 1"), "{ready}");
    ensure!(ready["dhcp_strays"][0]["cause"]["code"] == "address_outside", "{ready}");
    ensure!(service.measured("bootledger_dhcp_entries_without_network{site=\"dc1\"}").await? == 1);
    service.post("/api/v1/sites/dc1/drift/check", &json!({})).await?;
    wait_for("the comparison reports it", PATIENCE, async || {
        let drift = service.get("/api/v1/sites/dc1/drift").await.ok()?;
        let of_server = drift["items"].as_array()?.iter().find(|item| item["key"] == "dc1/dhcp/dhcp-1")?;
        let entry = &of_server["kind"]["held_back"]["entries"][0];
        (of_server["nature"] == "held_back" && entry["ip"] == "10.20.1.50" && entry["device"] == "R640 no. 1").then_some(())
    })
    .await
}
