//! The views of a log of over a million events: a rebuild, queries about the past, and the DHCP configuration.

use crate::cluster::Cluster;
use crate::process::Process;
use crate::report::{Report, Row, median, rate};
use anyhow::{Context, Result, ensure};
use bootledger_projections::database::log::{self, Filter};
use bootledger_projections::database::pool::Pool;
use bootledger_projections::projector::rebuild;
use std::io::Write;
use std::time::Instant;

/// How often each query is sent.
const TIMES: u32 = 41;

/// Measures a rebuild of all views, compared with reading the same events and discarding them.
pub(crate) async fn rebuilt(pool: &Pool, events: i64, report: &mut Report) -> Result<()> {
    let count = usize::try_from(events)?;
    report.say(&format!("rebuilding the views from {events} events"));
    let begun = Instant::now();
    let mut position = 0;
    while let Some(last) = log::read_after(pool, position, 4000, Filter::default()).await?.last() {
        position = last.position;
    }
    let read = rate(count, begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    rebuild::rebuild(pool, |_, _| {}).await?;
    let rebuilt = rate(count, begun.elapsed().as_secs_f64());
    report.add(Row {
        what: format!("rebuild of all views from {events} events"),
        measured: format!("{rebuilt:.0} events/s"),
        limit: format!("{read:.0} events/s (read and discarded)"),
        target: format!("{:.2}, target ≥ 20,000/s", rebuilt / read),
        met: Some(rebuilt >= 20_000.0),
    });
    Ok(())
}

/// Measures the DHCP configuration, complete and unchanged, and queries about the past.
pub(crate) async fn served(cluster: &Cluster, service: &Process, events: i64, report: &mut Report) -> Result<()> {
    let client = reqwest::Client::new();
    let url = service.url("/dhcp/dc1/kea.json");
    let begun = Instant::now();
    let answer = client.get(&url).send().await?.error_for_status()?;
    let tag = answer.headers().get("etag").context("no ETag")?.clone();
    let bytes = answer.bytes().await?;
    let rendered = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let mut file = std::fs::File::create(cluster.folder().join("kea.json"))?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    let written = begun.elapsed().as_secs_f64();
    report.add(Row {
        what: "Kea configuration of 100,000 hosts".to_owned(),
        measured: format!("{rendered:.2} s, {} MB", bytes.len() >> 20),
        limit: format!("{written:.2} s (the bytes written to a file)"),
        target: "≤ 1 s".to_owned(),
        met: Some(rendered <= 1.0),
    });
    let unchanged = async || {
        let begun = Instant::now();
        let answer = client.get(&url).header("If-None-Match", &tag).send().await?;
        ensure!(answer.status() == 304, "the configuration changed in the meantime");
        Ok(begun.elapsed().as_secs_f64())
    };
    let unchanged = times(unchanged).await? * 1e3;
    let healthy = times(async || get(&client, service, "/healthz").await).await? * 1e3;
    report.add(Row {
        what: "the same, unchanged".to_owned(),
        measured: format!("{unchanged:.2} ms"),
        limit: format!("{healthy:.2} ms (/healthz)"),
        target: "304 in ≤ 1 ms".to_owned(),
        met: Some(unchanged <= 1.0),
    });
    let device = crate::log::device(5_000).0;
    for question in
        [format!("/api/v1/devices/{device}?"), "/api/v1/devices?limit=100".to_owned(), "/api/v1/deployments?limit=100".to_owned()]
    {
        let now = times(async || get(&client, service, &question).await).await? * 1e3;
        let past = format!("{question}&at={}", events / 2);
        let past = times(async || get(&client, service, &past).await).await? * 1e3;
        report.add(Row {
            what: format!("as of half-way: {}", question.replace(&device.to_string(), "ID").trim_end_matches('?')),
            measured: format!("{past:.1} ms"),
            limit: format!("{now:.1} ms (now)"),
            target: format!("{:.1}, target ≤ 2 times", past / now),
            met: Some(past <= 2.0 * now),
        });
    }
    Ok(())
}

async fn get(client: &reqwest::Client, service: &Process, path: &str) -> Result<f64> {
    let begun = Instant::now();
    let answer = client.get(service.url(path)).bearer_auth(service.token()).send().await?.error_for_status()?;
    answer.bytes().await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// The median time of a query in seconds. The first query is a warm-up and does not count.
async fn times(question: impl AsyncFn() -> Result<f64>) -> Result<f64> {
    question().await?;
    let mut figures = vec![];
    for _ in 0..TIMES {
        figures.push(question().await?);
    }
    Ok(median(figures))
}
