//! The pages with 100,000 devices and deployments: how long the server takes for each page, how many bytes it sends, how soon a
//! live page shows an event, and what 500 live pages at once cost.

use crate::catalogue;
use crate::cluster::Cluster;
use crate::log::device;
use crate::process::{Process, wait_for};
use crate::report::{Report, Row, median, percentile};
use anyhow::{Context, Result, ensure};
use bootledger_aggregates::values::ids::DeploymentId;
use futures::TryStreamExt;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How many devices there are, each with a live deployment.
const SERVERS: u32 = 100_000;
/// How often each page is requested.
const TIMES: u32 = 200;
/// How many pages are open at once.
const OPEN: usize = 500;
/// How many events occur while the pages are open.
const HAPPENINGS: u32 = 40;

const LIMIT: Duration = Duration::from_mins(10);

/// Measures each of these.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<()> {
    report.say(&format!("writing a log with {SERVERS} servers in progress"));
    let (mut service, database) = catalogue::with_servers(cluster, "pages", SERVERS).await?;
    service.start_again().await?;
    wait_for("the views show everything", LIMIT, async || (service.get("/readyz").await.ok()?["lag"] == 0).then_some(())).await?;
    report.say("waiting until the records for DNS are determined");
    let message = async || {
        let (left, behind) = sqlx::query_as::<_, (i64, bool)>(
            "SELECT (SELECT count(*) FROM dns_work), (SELECT position FROM dns_checkpoint) < (SELECT position FROM checkpoint)",
        )
        .fetch_one(&database.pool)
        .await
        .ok()?;
        (left == 0 && !behind).then_some(())
    };
    wait_for("DNS is updated", LIMIT, message).await?;
    // Autovacuum would do this within a minute.
    sqlx::query("VACUUM ANALYZE dns_work").execute(&database.pool).await?;
    database.close().await?;
    for (name, path) in paths() {
        page(&service, &name, &path, report).await?;
    }
    first_page(&service, report).await?;
    open_pages(&service, report).await
}

fn deployment(n: u32) -> DeploymentId {
    DeploymentId(Uuid::from_u128((1 << 64) + u128::from(n)))
}

/// The name in the table and the path of every page that is measured.
fn paths() -> Vec<(String, String)> {
    let (device, deployment) = (device(5_000), deployment(5_000));
    let lists = [
        "/",
        "/deployments",
        "/deployments?q=h77777",
        "/deployments?status=done",
        "/deployments?sort=hostname",
        "/deployments?sort=since",
        "/devices",
        "/devices?q=SN77777",
        "/devices?sort=name",
        "/racks",
        "/networks",
        "/networks/prod",
        "/zones",
        "/zones/dc1.example",
        "/dhcp-servers",
        "/dhcp-servers/kea-1",
        "/boot-images",
        "/boot-images/debian-12",
        "/ventures",
        "/ventures/shop",
        "/ventures/shop/roles/web",
        "/sites",
        "/sites/dc1",
        "/timeline",
        "/search?q=h77777",
        "/settings",
        "/settings/users",
        "/settings/tokens",
        "/settings/sessions",
    ];
    let mut paths: Vec<(String, String)> = lists.iter().map(|path| ((*path).to_owned(), (*path).to_owned())).collect();
    paths.push(("/deployments/ID".to_owned(), format!("/deployments/{deployment}")));
    for tab in ["", "/components", "/addresses", "/history", "/deploy"] {
        paths.push((format!("/devices/ID{tab}"), format!("/devices/{device}{tab}")));
    }
    paths
}

/// Measures one page: median and 99th percentile of the time until the whole page has arrived, and its compressed size in
/// bytes.
async fn page(service: &Process, name: &str, path: &str, report: &mut Report) -> Result<()> {
    let client = reqwest::Client::new();
    let mut figures = vec![];
    let mut bytes = 0;
    for _ in 0..TIMES {
        let begun = Instant::now();
        let request = client
            .get(service.url(path))
            .bearer_auth(service.token())
            .header("Accept-Encoding", "gzip")
            .header("Accept", "text/html");
        let answer = request.send().await?.error_for_status().with_context(|| path.to_owned())?;
        bytes = answer.bytes().await?.len();
        figures.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let middle = median(figures.clone());
    let most = percentile(&mut figures, 0.99);
    report.add(Row {
        what: format!("page {name}"),
        measured: format!("{middle:.1} ms, 99 % {most:.1} ms, {:.1} kB", kilo(bytes)),
        limit: "–".to_owned(),
        target: "≤ 20 ms".to_owned(),
        met: Some(middle <= 20.0 && most <= 20.0),
    });
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size is shown with one digit")]
fn kilo(bytes: usize) -> f64 {
    bytes as f64 / 1e3
}

/// The bytes that a browser loads for the first page: the page itself and every file that it refers to.
async fn first_page(service: &Process, report: &mut Report) -> Result<()> {
    let client = reqwest::Client::new();
    let get = async |path: &str| -> Result<bytes::Bytes> {
        let request = client.get(service.url(path)).bearer_auth(service.token()).header("Accept-Encoding", "gzip");
        Ok(request.send().await?.error_for_status()?.bytes().await?)
    };
    let mut bytes = get("/deployments").await?.len();
    let text = service.text("/deployments").await?;
    let mut assets: Vec<&str> =
        text.split('"').filter(|part| part.starts_with("/assets/")).map(|part| part.split('#').next().unwrap_or(part)).collect();
    assets.sort_unstable();
    assets.dedup();
    for asset in &assets {
        bytes += get(asset).await?.len();
    }
    report.add(Row {
        what: format!("the first page (/deployments, 100 rows) with its {} files, compressed", assets.len()),
        measured: format!("{:.1} kB", kilo(bytes)),
        limit: "–".to_owned(),
        target: "< 100 kB".to_owned(),
        met: Some(bytes < 100_000),
    });
    Ok(())
}

/// Opens pages and makes events occur. Reports how soon each live page receives the message about an event, and what the open
/// pages cost.
async fn open_pages(service: &Process, report: &mut Report) -> Result<()> {
    let before = service.memory("VmRSS")?;
    let position = service.get("/readyz").await?["views_position"].as_i64().context("the views show no position")?;
    let (sender, mut received) = mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    let client = reqwest::Client::new();
    for n in 0..OPEN {
        let path = match n % 5 {
            0 => format!("/dashboard/live/{position}"),
            1 => format!("/deployments/live/{position}/0"),
            _ => format!("/deployments/{}/live/{position}", deployment(u32::try_from(n)? % HAPPENINGS)),
        };
        let request = client.get(service.url(&path)).bearer_auth(service.token()).header("Accept", "text/event-stream");
        let answer = request.send().await?.error_for_status()?;
        let sender = sender.clone();
        tasks.spawn(async move {
            let mut parts = answer.bytes_stream();
            while let Ok(Some(part)) = parts.try_next().await {
                for line in String::from_utf8_lossy(&part).lines() {
                    if let Some(Ok(position)) = line.strip_prefix("id: ").map(str::parse::<i64>) {
                        let _ = sender.send((n, position, Instant::now()));
                    }
                }
            }
        });
    }
    let mut delays = vec![];
    for n in 0..HAPPENINGS {
        let deployment = deployment(n);
        let (path, reason) = (format!("/api/v1/deployments/{deployment}/cancel"), json!({"reason": "a measurement"}));
        let begun = Instant::now();
        let answered = service.post(&path, &reason).await?;
        ensure!(answered["status"] == "cancelled", "{answered}");
        // Each page about this deployment must receive a message, and so must each dashboard and list.
        let concerned = |page: usize| page % 5 < 2 || u32::try_from(page).unwrap_or(0) % HAPPENINGS == n;
        let mut missing: std::collections::HashSet<usize> = (0..OPEN).filter(|page| concerned(*page)).collect();
        while !missing.is_empty() {
            let message =
                tokio::time::timeout(Duration::from_secs(20), received.recv()).await.context("a live page got no message")?;
            let (page, _, at) = message.context("all live pages ended")?;
            if at > begun && missing.remove(&page) {
                delays.push((at - begun).as_secs_f64() * 1e3);
            }
        }
        // Later effects, such as records that are removed, arrive in one message; after that no messages arrive.
        while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(700), received.recv()).await {}
    }
    let during = service.memory("VmRSS")?;
    let middle = median(delays.clone());
    let most = percentile(&mut delays, 0.99);
    report.add(Row {
        what: format!("{OPEN} live pages: from the request that cancels a deployment to the message"),
        measured: format!("{middle:.0} ms, 99 % {most:.0} ms; memory {} MB, {} MB before", during / 1024, before / 1024),
        limit: "–".to_owned(),
        target: "≤ 300 ms".to_owned(),
        met: Some(middle <= 300.0 && most <= 300.0),
    });
    tasks.shutdown().await;
    Ok(())
}
