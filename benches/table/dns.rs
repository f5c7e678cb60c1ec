//! Records published to BIND by signed updates, compared with what BIND has, and removed again. The same records sent by
//! `nsupdate` are the reference.

use crate::catalogue;
use crate::cluster::Cluster;
use crate::dns_server::{DnsServer, KEY, Software};
use crate::process::{Process, wait_for};
use crate::report::{Report, Row, rate};
use anyhow::{Context, Result, ensure};
use bootledger_aggregates::values::hostname::reverse_name;
use bootledger_projections::database::pool::Pool;
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How many hosts there are, each with an A and a PTR record.
const HOSTS: u32 = 5_000;
const RECORDS: usize = 2 * HOSTS as usize;
/// How many records `nsupdate` sends in one message.
const TOGETHER: usize = 200;
const PATIENCE: Duration = Duration::from_mins(5);

/// Measures the DNS publisher and the drift check.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let zones = ["dc1.example", "10.in-addr.arpa"];
    let limit = by_nsupdate(&DnsServer::start(Software::Bind, &zones).await?)?;
    let dns = DnsServer::start(Software::Bind, &zones).await?;
    let url = cluster.database("dns").await?;
    let service = Process::start(Ipv4Addr::LOCALHOST, url.clone()).await?;
    catalogue::define(&service).await?;
    service.write_secret("tsig-dc1", KEY.1)?;
    let mut site = service.get("/api/v1/sites/dc1").await?["spec"].clone();
    let key = json!({ "name": KEY.0, "algorithm": "hmac-sha256", "secret": "tsig-dc1" });
    site["dns_updates"] = json!({ "primary": "127.0.0.1", "port": dns.port(), "key": key });
    service.put("/api/v1/sites/dc1", &site).await?;
    let database = cluster.open(&url).await?;
    let device = json!({ "site": "dc1", "macs": ["52:54:00:00:00:01"], "venture": "shop", "role": "web" });
    let device = service.post("/api/v1/devices", &device).await?["id"].as_str().context("an id")?.to_owned();
    let facts = format!("/api/v1/devices/{device}/facts");

    let entries: Vec<Value> = hosts().map(|(hostname, ip)| json!({ "hostname": hostname, "ip": ip })).collect();
    service.put(&facts, &json!({ "dns_entries": entries })).await?;
    let message = settled(&database.pool, RECORDS).await?;
    let limit = format!("{:.0}/s (nsupdate, {TOGETHER} per message, without queries)", rate(RECORDS, limit));
    report.add(row("sent to BIND by signed updates, each verified by a query", message, limit));

    let begun = Instant::now();
    let requested = service.post("/api/v1/sites/dc1/drift/check", &json!({})).await?["check"]["requested_at"].clone();
    let check = wait_for("the site is compared", PATIENCE, async || {
        let check = service.get("/api/v1/sites/dc1/drift").await.ok()?["check"].clone();
        (check["checked_at"].as_str()? >= requested.as_str()?).then_some(check)
    })
    .await?;
    let compared = begun.elapsed().as_secs_f64();
    // Each set of records counts once, and so does the DHCP server.
    ensure!(check["compared"] == RECORDS + 1, "{check}");
    report.add(row("compared with what BIND has (drift)", compared, "–".to_owned()));

    service.put(&facts, &json!({ "dns_entries": [] })).await?;
    report.add(row("taken back", settled(&database.pool, 0).await?, "–".to_owned()));
    ensure!(dns.zone(zones[0])?.is_empty() && dns.zone(zones[1])?.is_empty(), "something is left in the zones");
    database.close().await
}

fn row(what: &str, seconds: f64, limit: String) -> Row {
    let measured = format!("{:.1} s, {:.0}/s", seconds, rate(RECORDS, seconds));
    Row { what: format!("DNS: {RECORDS} records {what}"), measured, limit, target: "–".to_owned(), met: None }
}

fn hosts() -> impl Iterator<Item = (String, Ipv4Addr)> {
    (0..HOSTS).map(|n| (format!("host-{n}.dc1.example"), Ipv4Addr::from(0x0a00_0100 + n)))
}

/// Seconds that BIND's own client, `nsupdate`, takes to send the same records.
fn by_nsupdate(dns: &DnsServer) -> Result<f64> {
    let forward = hosts().map(|(hostname, ip)| format!("update add {hostname} 300 A {ip}\n"));
    let reverse = hosts().map(|(hostname, ip)| format!("update add {} 300 PTR {hostname}.\n", reverse_name(ip)));
    let begun = Instant::now();
    for (zone, lines) in [("dc1.example", forward.collect::<Vec<_>>()), ("10.in-addr.arpa", reverse.collect())] {
        let mut text = String::new();
        for some in lines.chunks(TOGETHER) {
            let _ = write!(text, "{}send\nzone {zone}\n", some.concat());
        }
        dns.update(zone, &text)?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// Seconds until nothing is left to publish and the primary has this many of our records.
async fn settled(pool: &Pool, records: usize) -> Result<f64> {
    let (begun, records) = (Instant::now(), i64::try_from(records)?);
    wait_for("the records are published", PATIENCE, async || {
        let (published, work): (i64, i64) =
            sqlx::query_as("SELECT (SELECT count(*) FROM dns_published WHERE answered), (SELECT count(*) FROM dns_work)")
                .fetch_one(pool)
                .await
                .ok()?;
        (published == records && work == 0).then_some(())
    })
    .await?;
    Ok(begun.elapsed().as_secs_f64())
}
