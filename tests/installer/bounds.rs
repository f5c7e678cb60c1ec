//! Installers that send requests in a loop, send much or slowly, and a service that is killed between a report and its event.

use super::{Installing, SERVER};
use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use reqwest::Method;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How often each status was answered.
async fn answered(calls: impl Iterator<Item = impl Future<Output = Result<u16>>>) -> Result<BTreeMap<u16, usize>> {
    let mut statuses = BTreeMap::new();
    let mut calls = futures::stream::iter(calls).buffer_unordered(16);
    while let Some(status) = calls.next().await {
        *statuses.entry(status?).or_insert(0) += 1;
    }
    Ok(statuses)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_reports_and_large_logs_leave_few_events_and_little_memory() -> Result<()> {
    let installing = Installing::start().await?;
    ensure!(installing.report("stage=early").await? == 200);
    let before = installing.service.memory("VmRSS")?;
    let reports = (0..10_000).map(|n| {
        let installing = &installing;
        async move { installing.report(&format!("stage=s-{n}&text=text+{n}&failed={}", n % 2)).await }
    });
    let statuses = answered(reports).await?;
    let taken = statuses.get(&200).copied().unwrap_or(0);
    ensure!(statuses.keys().all(|status| [200, 429].contains(status)) && taken < 5_000, "{statuses:?}");
    let events = installing.events("InstallerReported").await? + installing.events("InstallerFailed").await?;
    ensure!(events <= 700, "{events} events");
    eprintln!("10,000 reports: {statuses:?}, {events} events");

    let bytes = vec![b'x'; 1024 * 1024];
    let logs = (0..50_u8).map(|n| {
        let (installing, mut body) = (&installing, bytes.clone());
        body.push(n);
        body.drain(..1);
        async move { installing.request(Method::POST, "log", SERVER, body).await }
    });
    let statuses = answered(logs).await?;
    ensure!(statuses.keys().all(|status| [200, 429, 503].contains(status)), "{statuses:?}");
    ensure!(statuses.contains_key(&200) && installing.events("InstallerLogReceived").await? <= 20, "{statuses:?}");
    ensure!(installing.request(Method::POST, "log", SERVER, vec![b'x'; 1024 * 1024 + 1]).await? == 413);
    ensure!(installing.request(Method::POST, "progress", SERVER, vec![b'x'; 16 * 1024 + 1]).await? != 200);
    let after = installing.service.memory("VmRSS")?;
    eprintln!("50 logs of 1 MiB: {statuses:?}; memory {before} kB before, {after} kB after");
    ensure!(after < before + 100_000, "{before} kB before, {after} kB after");
    Ok(())
}

#[tokio::test]
async fn bodies_that_never_arrive_time_out_and_delay_no_other_request() -> Result<()> {
    let installing = Installing::start().await?;
    let address = installing.service.url("").trim_start_matches("http://").to_owned();
    let mut slow = vec![];
    for n in 0..100 {
        let mut stream = TcpStream::connect(&address).await?;
        let path = if n % 2 == 0 { "progress" } else { "log" };
        let head = format!("POST {}/{path} HTTP/1.1\r\nHost: b\r\nContent-Length: 100\r\n\r\nstage", installing.files);
        stream.write_all(head.as_bytes()).await?;
        slow.push(stream);
    }
    // Other requests of this server are answered, or rate-limited because it has sent so many; the pages are not affected.
    ensure!([200, 429].contains(&installing.report("stage=late").await?));
    ensure!(installing.service.get(&installing.deployment).await?["status"] == "in_progress");
    let first = slow.first_mut().context("a stream")?;
    let mut answer = vec![0; 512];
    let length = tokio::time::timeout(Duration::from_mins(2), first.read(&mut answer)).await??;
    let answer = String::from_utf8_lossy(&answer[..length]);
    ensure!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_report_that_was_answered_is_recorded_once_however_often_the_service_is_killed() -> Result<()> {
    let mut installing = Installing::start().await?;
    let mut stages = vec![];
    for round in 0..5 {
        // Some requests are answered, and one is cut off at an arbitrary moment.
        for n in 0..4 {
            stages.push(format!("round-{round}-{n}"));
            let report = format!("stage=round-{round}-{n}");
            if n < 3 {
                ensure!(installing.report(&report).await? == 200);
            } else {
                let cut = tokio::time::timeout(Duration::from_millis(round), installing.report(&report)).await;
                installing.service.kill()?;
                drop(cut);
            }
        }
        installing.service.start_again().await?;
        // As an installer does that got no answer.
        let last = stages.last().context("a stage")?;
        ensure!(installing.report(&format!("stage={last}")).await? == 200);
    }
    let pool = installing.service.database().pool(1).await?;
    let recorded: Vec<String> =
        sqlx::query_scalar("SELECT payload->>'stage' FROM events WHERE event_type = 'InstallerReported' ORDER BY position")
            .fetch_all(&pool)
            .await?;
    ensure!(recorded == stages, "{recorded:?}");
    let differences = installing.service.run(&["verify"]).await;
    ensure!(differences.is_ok(), "{differences:?}");
    Ok(())
}
