//! Real DNS servers receive records by signed updates. The records are removed again, and records of other owners are not
//! touched.

use crate::support::dns::{Between, DnsServer, KEY, Software};
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use bootledger_aggregates::values::hostname::reverse_name;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// How long a step may take on a machine that is busy with other work.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) const ZONES: [&str; 2] = ["dc1.example", "10.in-addr.arpa"];

#[tokio::test]
async fn bind_has_the_records_of_a_deployment_and_loses_them_with_it() -> Result<()> {
    published_and_withdrawn(Software::Bind).await
}

#[tokio::test]
async fn knot_has_the_records_of_a_deployment_and_loses_them_with_it() -> Result<()> {
    published_and_withdrawn(Software::Knot).await
}

#[tokio::test]
async fn power_dns_has_the_records_of_a_deployment_and_loses_them_with_it() -> Result<()> {
    published_and_withdrawn(Software::PowerDns).await
}

async fn published_and_withdrawn(software: Software) -> Result<()> {
    let dns = DnsServer::start(software, &ZONES).await?;
    let service = service(dns.port(), &ZONES).await?;
    // Records of another owner beside ours.
    dns.update("dc1.example", "update add www.dc1.example 60 A 10.0.0.9\nupdate add www.dc1.example 60 TXT hello")?;
    let before = dns.serial("dc1.example")?;

    let deployment = deploy(&service, "52:54:00:00:00:01", &json!({})).await?;
    dns_succeeds(&service, &deployment).await?;
    assert_eq!(dns.dig(&["h200.dc1.example", "A"])?, "10.0.0.10");
    assert_eq!(dns.dig(&["-x", "10.0.0.10"])?, "h200.dc1.example.");
    ensure!(dns.serial("dc1.example")? > before, "the serial number did not move");

    // A name with another owner's record is left alone, and the deployment reports the conflicting record.
    dns.update("dc1.example", "update add h201.dc1.example 60 A 10.9.9.9")?;
    let refused = deploy(&service, "52:54:00:00:00:02", &json!({})).await?;
    let failed = wait_for("the conflict is reported", PATIENCE, async || {
        let plugin = plugin(&service, &refused, "dns").await.ok()?;
        (plugin["failure"]["code"] == "dns" && plugin["failure"]["problem"]["code"] == "foreign").then_some(plugin)
    })
    .await?;
    let problem = &failed["failure"]["problem"];
    let foreign = (&problem["type"], &problem["values"], &problem["zone"]);
    assert_eq!(foreign, (&json!("A"), &json!(["10.9.9.9"]), &json!("dc1.example")), "{failed}");
    ensure!(failed["reason"].to_string().contains("h201.dc1.example A 10.9.9.9"), "{failed}");
    assert_eq!(dns.dig(&["h201.dc1.example", "A"])?, "10.9.9.9");
    dns.update("dc1.example", "update delete h201.dc1.example A")?;
    retry(&service, &refused).await?;
    dns_succeeds(&service, &refused).await?;
    assert_eq!(dns.dig(&["h201.dc1.example", "A"])?, "10.0.0.11");

    // Our record is removed, and a second address that another owner added beside it stays.
    dns.update("dc1.example", "update add h200.dc1.example 60 A 10.8.8.8")?;
    for deployment in [&deployment, &refused] {
        service.post(&format!("/api/v1/deployments/{deployment}/cancel"), &json!({ "reason": "a test" })).await?;
    }
    wait_for("our records are gone", PATIENCE, async || {
        let zone = dns.zone("dc1.example").ok()?;
        (zone == ["h200.dc1.example. A 10.8.8.8", "www.dc1.example. A 10.0.0.9"]).then_some(())
    })
    .await?;
    wait_for("the reverse zone is empty", PATIENCE, async || dns.zone("10.in-addr.arpa").ok()?.is_empty().then_some(())).await?;
    assert_eq!(dns.dig(&["www.dc1.example", "TXT"])?, "\"hello\"");
    Ok(())
}

/// A deployment waits for a primary that is down, silent or refusing, and names it. It continues by itself when the primary is
/// back.
#[tokio::test]
async fn a_deployment_waits_for_its_primary_and_continues_by_itself() -> Result<()> {
    let mut dns = DnsServer::start(Software::Bind, &ZONES).await?;
    dns.stop()?;
    let service = service(dns.port(), &ZONES).await?;
    let deployment = deploy(&service, "52:54:00:00:00:01", &json!({})).await?;
    waits(&service, &deployment, dns.port(), "no_answer").await?;
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, dns.port()))?;
    waits(&service, &deployment, dns.port(), "no_answer").await?;
    drop(silent);
    service.write_secret("tsig-dc1", "bm90IHRoZSBrZXkgdGhhdCB0aGUgc2VydmVyIGhhcyE=")?;
    dns.resume().await?;
    waits(&service, &deployment, dns.port(), "key_differs").await?;
    assert_eq!(dns.dig(&["h200.dc1.example", "A"])?, "", "nothing is taken from an unknown key");
    service.write_secret("tsig-dc1", KEY.1)?;
    dns_succeeds(&service, &deployment).await?;
    assert_eq!(dns.dig(&["h200.dc1.example", "A"])?, "10.0.0.10");
    let waited = plugin(&service, &deployment, "dns").await?;
    assert_eq!(waited["attempts"], 0, "waiting is not failing: {waited}");

    // The service may be down in between: it removes the records after its restart.
    dns.stop()?;
    service.post(&format!("/api/v1/deployments/{deployment}/cancel"), &json!({ "reason": "a test" })).await?;
    let mut service = service;
    service.kill_and_restart().await?;
    dns.resume().await?;
    wait_for("the records are gone", PATIENCE, async || dns.zone("dc1.example").ok()?.is_empty().then_some(())).await
}

/// The primary may apply an update whose answer is lost; the service still removes it.
#[tokio::test]
async fn an_update_whose_answer_was_lost_is_reverted() -> Result<()> {
    let dns = DnsServer::start(Software::Bind, &ZONES).await?;
    let between = Between::start(dns.port()).await?;
    let service = service(between.port, &ZONES).await?;
    between.answers.send_replace(false);
    let deployment = deploy(&service, "52:54:00:00:00:01", &json!({})).await?;
    wait_for("the primary has both records", PATIENCE, async || {
        (!dns.dig(&["h200.dc1.example", "A"]).ok()?.is_empty() && !dns.dig(&["-x", "10.0.0.10"]).ok()?.is_empty()).then_some(())
    })
    .await?;
    waits(&service, &deployment, between.port, "no_answer").await?;
    service.post(&format!("/api/v1/deployments/{deployment}/cancel"), &json!({ "reason": "a test" })).await?;
    between.answers.send_replace(true);
    wait_for("the records are gone", PATIENCE, async || {
        (dns.zone("dc1.example").ok()?.is_empty() && dns.zone("10.in-addr.arpa").ok()?.is_empty()).then_some(())
    })
    .await
}

/// RFC 2317: the zone for a part of a network, to which the provider's zone refers.
#[tokio::test]
async fn the_reverse_zone_of_a_part_of_a_network_has_its_own_names() -> Result<()> {
    let part = "0/25.0.0.10.in-addr.arpa";
    let dns = DnsServer::start(Software::Bind, &["dc1.example", part, "0.0.10.in-addr.arpa"]).await?;
    dns.update("0.0.10.in-addr.arpa", &format!("update add 10.0.0.10.in-addr.arpa 60 CNAME 10.{part}."))?;
    let service = service(dns.port(), &["dc1.example", part]).await?;
    let deployment = deploy(&service, "52:54:00:00:00:01", &json!({})).await?;
    dns_succeeds(&service, &deployment).await?;
    assert_eq!(dns.zone(part)?, [format!("10.{part}. PTR h200.dc1.example.")]);
    assert_eq!(dns.dig(&["-x", "10.0.0.10"])?, format!("10.{part}."), "which is what a resolver queries next");
    let file = service.text(&format!("/dns/zones/{part}")).await?;
    ensure!(file.contains(&format!("10.{part}. IN PTR h200.dc1.example.")), "{file}");
    Ok(())
}

/// A service whose site dc1 has its zones on the primary at this port.
pub(crate) async fn service(port: u16, zones: &[&str]) -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let key = json!({ "name": KEY.0, "algorithm": "hmac-sha256", "secret": "tsig-dc1" });
    let site = json!({
        "next_server": "10.0.0.2", "domain": "dc1.example", "zones": zones, "hostname_template": "h<200,699>.dc1.example|h<1000,9999>.dc1.example",
        "dns_updates": { "primary": "127.0.0.1", "port": port, "key": key },
    });
    let refused = service.put("/api/v1/sites/dc1", &site).await.expect_err("an unknown key");
    ensure!(refused.to_string().contains("secret_missing") && refused.to_string().contains("tsig-dc1"), "{refused}");
    service.write_secret("tsig-dc1", KEY.1)?;
    service.define(&site, &json!({ "cidr": "10.0.0.0/18", "site": "dc1", "margin_bottom": 9 })).await?;
    Ok(service)
}

/// Starts a deployment of a new server and returns its id.
async fn deploy(service: &Service, mac: &str, more: &Value) -> Result<String> {
    let device = json!({ "site": "dc1", "macs": [mac], "venture": "shop", "role": "web" });
    let device = service.register(&device).await?;
    let mut wanted = json!({ "device": device, "boot_image": "debian", "network": "prod" });
    for (key, value) in more.as_object().into_iter().flatten() {
        wanted[key] = value.clone();
    }
    service.create("/api/v1/deployments", &wanted).await
}

async fn plugin(service: &Service, deployment: &str, name: &str) -> Result<Value> {
    let deployment = service.get(&format!("/api/v1/deployments/{deployment}")).await?;
    let plugins = deployment["plugins"].as_array().context("plugins")?;
    plugins.iter().find(|plugin| plugin["plugin"] == name).cloned().context("no such plugin")
}

async fn dns_succeeds(service: &Service, deployment: &str) -> Result<()> {
    let succeeded = async || (plugin(service, deployment, "dns").await.ok()?["status"] == "succeeded").then_some(());
    let waited = wait_for("the primary has the records", PATIENCE, succeeded).await;
    match waited {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(plugin(service, deployment, "dns").await?.to_string())),
    }
}

/// Waits until the deployment reports that it waits for the primary at this port, because of a problem with this code.
async fn waits(service: &Service, deployment: &str, port: u16, code: &str) -> Result<()> {
    let primary = format!("127.0.0.1:{port}");
    let waits = async || {
        let plugin = plugin(service, deployment, "dns").await.ok()?;
        let problems = plugin["waiting_for"]["problems"].as_array()?;
        let named = |problem: &Value| problem["problem"]["code"] == code && problem["problem"]["primary"] == primary.as_str();
        let found = problems.iter().any(named) && plugin["reason"].as_str()?.contains(&primary);
        (plugin["status"] == "waiting" && found).then_some(())
    };
    let waited = wait_for(&format!("it waits because of {code}"), PATIENCE, waits).await;
    match waited {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(plugin(service, deployment, "dns").await?.to_string())),
    }
}

async fn retry(service: &Service, deployment: &str) -> Result<()> {
    service.post(&format!("/api/v1/deployments/{deployment}/plugins/dns/retry"), &json!({})).await.map(drop)
}

/// `cargo nextest run --no-capture ten_thousand` prints how long each step took.
#[tokio::test]
async fn ten_thousand_records_are_published_and_withdrawn_exactly() -> Result<()> {
    const HOSTS: u32 = 5_000;
    let dns = DnsServer::start(Software::Bind, &ZONES).await?;
    let service = service(dns.port(), &ZONES).await?;
    let device = json!({ "site": "dc1", "macs": ["52:54:00:00:00:01"], "venture": "shop", "role": "web" });
    let device = service.create("/api/v1/devices", &device).await?;
    let facts = format!("/api/v1/devices/{device}/facts");
    let hosts = (0..HOSTS).map(|n| (format!("host-{n}.dc1.example"), Ipv4Addr::from(0x0a00_0100 + n)));
    let entries: Vec<Value> = hosts.clone().map(|(hostname, ip)| json!({ "hostname": hostname, "ip": ip })).collect();
    service.put(&facts, &json!({ "dns_entries": entries })).await?;
    settled(&service, 2 * HOSTS, "published").await?;
    let mut forward: Vec<String> = hosts.clone().map(|(hostname, ip)| format!("{hostname}. A {ip}")).collect();
    let mut reverse: Vec<String> = hosts.map(|(hostname, ip)| format!("{}. PTR {hostname}.", reverse_name(ip))).collect();
    forward.sort();
    reverse.sort();
    ensure!(
        dns.zone("dc1.example")? == forward && dns.zone("10.in-addr.arpa")? == reverse,
        "the zones differ from the published records"
    );

    // Every second record is removed.
    let kept: Vec<&Value> = entries.iter().step_by(2).collect();
    service.put(&facts, &json!({ "dns_entries": kept })).await?;
    settled(&service, HOSTS, "left").await?;
    assert_eq!(dns.zone("dc1.example")?.len() + dns.zone("10.in-addr.arpa")?.len(), usize::try_from(HOSTS)?);
    service.put(&facts, &json!({ "dns_entries": [] })).await?;
    settled(&service, 0, "left").await?;
    ensure!(dns.zone("dc1.example")?.is_empty() && dns.zone("10.in-addr.arpa")?.is_empty(), "the zones are not empty");
    Ok(())
}

/// Waits until nothing is left to publish to the primary and it has this many records.
pub(crate) async fn settled(service: &Service, records: u32, how: &str) -> Result<()> {
    let pool = service.database().pool(1).await?;
    let (begun, records) = (Instant::now(), i64::from(records));
    wait_for(&format!("{records} records are {how}"), 2 * PATIENCE, async || {
        let (published, work): (i64, i64) =
            sqlx::query_as("SELECT (SELECT count(*) FROM dns_published), (SELECT count(*) FROM dns_work)")
                .fetch_one(&pool)
                .await
                .ok()?;
        (published == records && work == 0).then_some(())
    })
    .await?;
    eprintln!("{how}: {records} records, {:.1} s after the last request", begun.elapsed().as_secs_f64());
    Ok(())
}
