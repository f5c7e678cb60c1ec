//! Many servers from one CSV file: the import compared with one COPY of the same rows, and the reactor's work until all servers
//! are in progress.
//!
//! The service runs as a process of its own. The bench's DHCP agent fetches the configuration as the real one does and confirms
//! it, without a DHCP server behind it.

use crate::catalogue;
use crate::cluster::Cluster;
use crate::process::Process;
use crate::report::{Report, Row, rate};
use anyhow::{Context, Result, ensure};
use bootledger_projections::database::pool::Pool;
use serde_json::json;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Seconds that 10,000 rows may take, and the factor by which a row may take longer in a file of 100,000.
const TARGET: f64 = 10.0;
/// Memory that the service may use while it imports the smaller file, in MB.
const MEMORY: u64 = 200;
/// Deployments per second that the reactor must reach.
const REACTOR: f64 = 300.0;

/// A CSV file with new servers of these numbers.
pub(crate) fn csv(numbers: std::ops::Range<usize>) -> String {
    numbers.fold(String::from("mac;network;venture;role;boot_image\n"), |mut csv, n| {
        let _ = writeln!(csv, "52:54:00:{:02x}:{:02x}:{:02x};prod;shop;web;debian-12", n >> 16, n >> 8 & 255, n & 255);
        csv
    })
}

/// Measures import and reactor.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report, rows: usize) -> Result<()> {
    let url = cluster.database(&format!("bulk_{rows}")).await?;
    let service = Process::start(Ipv4Addr::LOCALHOST, url.clone()).await?;
    catalogue::define(&service).await?;
    let database = cluster.open(&url).await?;
    let text = csv(0..rows);
    let copied = copy(&database.pool, &text).await?;
    let rest = service.memory("VmRSS")?;

    report.say(&format!("importing {rows} rows"));
    let begun = Instant::now();
    let answer = service.import(text, "bench").await?;
    let imported = begun.elapsed().as_secs_f64();
    let memory = service.memory("VmHWM")? / 1024;
    ensure!(answer["rows"].as_array().is_some_and(|answered| answered.len() == rows), "not all rows were started");
    let allowed = TARGET * rate(rows, 10_000.0);
    // The larger file exists to measure how the cost of a row grows.
    let larger = rows > 10_000;
    report.add(Row {
        what: format!("CSV of {rows} rows: validated, filled in, started"),
        measured: format!(
            "{imported:.1} s, {:.2} ms a row; memory {memory} MB at most, {} MB before",
            imported * 1e3 / rate(rows, 1.0),
            rest / 1024
        ),
        limit: format!("{copied:.2} s (one COPY of the rows)"),
        target: if larger { format!("≤ {allowed:.0} s") } else { format!("≤ {allowed:.0} s, ≤ {MEMORY} MB") },
        met: Some(imported <= allowed && (larger || memory <= MEMORY)),
    });

    if larger {
        return database.close().await;
    }
    let took = confirm_until_in_progress(&service, &database.pool, rows, report).await?;
    let reached = rate(rows, took);
    report.add(Row {
        what: format!("reactor: {rows} deployments open to in progress"),
        measured: format!("{reached:.0}/s ({took:.0} s); memory {} MB at most", service.memory("VmHWM")? / 1024),
        limit: format!("{:.0} events/s appended in the meantime", events(&database.pool).await? / took),
        target: format!("≥ {REACTOR:.0}/s, nothing twice"),
        met: Some(reached >= REACTOR && nothing_twice(&database.pool, rows).await?),
    });
    database.close().await
}

/// Writes the rows unchanged into a table of text columns, with one COPY.
async fn copy(pool: &Pool, text: &str) -> Result<f64> {
    sqlx::query("CREATE TABLE public.bench_copy (mac text, network text, venture text, role text, boot_image text)")
        .execute(pool)
        .await?;
    let begun = Instant::now();
    let mut connection = pool.acquire().await?;
    let (connection, _) = connection.raw()?;
    let mut copy = connection.copy_in_raw("COPY public.bench_copy FROM STDIN WITH (FORMAT csv, DELIMITER ';', HEADER)").await?;
    copy.send(text.as_bytes()).await?;
    copy.finish().await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Fetches the configuration whenever it changes and confirms it. Returns the seconds until all servers are in progress.
async fn confirm_until_in_progress(service: &Process, pool: &Pool, rows: usize, report: &Report) -> Result<f64> {
    let begun = Instant::now();
    let client = reqwest::Client::new();
    let (mut tag, mut confirmed, mut message) = (String::new(), 0_i64, Instant::now());
    loop {
        let url = service.url(&format!("/dhcp/dc1/kea.json?wait=1&confirmed={confirmed}"));
        let answer = client.get(url).header("If-None-Match", &tag).send().await?.error_for_status()?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let revision = header("etag").context("no ETag")?;
        let position: i64 = header("bootledger-position").context("no position")?.parse()?;
        let changed: i64 = header("bootledger-changed-position").context("no position of the last change")?.parse()?;
        answer.bytes().await?;
        if changed > confirmed {
            let hash = revision.trim_matches(|c: char| !c.is_ascii_hexdigit());
            let report = json!({ "revision": hash, "position": position, "ok": true, "message": "" });
            service.put("/dhcp/servers/kea-1/confirmation", &report).await?;
            confirmed = position;
        }
        tag = revision;
        let ready: i64 =
            sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'DeploymentInProgress'").fetch_one(pool).await?;
        if usize::try_from(ready)? >= rows {
            return Ok(begun.elapsed().as_secs_f64());
        }
        if message.elapsed() > Duration::from_secs(15) {
            report.say(&format!("{ready} of {rows} in progress after {:.0} s", begun.elapsed().as_secs_f64()));
            message = Instant::now();
        }
        // A real agent waits for changes to settle, checks the file and reloads.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
async fn events(pool: &Pool) -> Result<f64> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type LIKE 'Plugin%' OR event_type IN ('AddressAssigned', 'DnsEntryCreated', 'DhcpEntryCreated', 'DeploymentInProgress')").fetch_one(pool).await?;
    Ok(count as f64)
}

/// Whether every plugin did its work exactly once for every server and each address and name was assigned only once.
async fn nothing_twice(pool: &Pool, rows: usize) -> Result<bool> {
    let rows = i64::try_from(rows)?;
    for (event, of_each) in [
        ("PluginSucceeded", 4),
        ("DnsEntryCreated", 1),
        ("DhcpEntryCreated", 1),
        ("DeploymentInProgress", 1),
        ("AddressAssigned", 1),
    ] {
        let found: i64 =
            sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = $1").bind(event).fetch_one(pool).await?;
        if found != rows * of_each {
            eprintln!("    {found} events {event} for {rows} servers");
            return Ok(false);
        }
    }
    let held: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT value) FROM claims WHERE kind IN ('ip', 'hostname')").fetch_one(pool).await?;
    Ok(held == 2 * rows)
}
