//! Several agents of one site: a deployment waits for all of them, and entries that arrive together are loaded together.

use crate::support::agent;
use crate::support::service::{Service, wait_for};
use anyhow::{Result, ensure};
use serde_json::json;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Instant;

const AGENTS: usize = 3;
const ROWS: usize = 200;

#[tokio::test]
async fn three_agents_load_two_hundred_entries_with_a_few_reloads_before_any_server_may_boot() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let site = json!({
        "next_server": "10.0.0.2", "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"],
        "hostname_template": "h<200,699>.dc1.example",
    });
    service.define(&site, &json!({ "cidr": "10.0.0.0/20", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    let folder = tempfile::tempdir()?;
    let mut agents = vec![];
    for n in 1..=AGENTS {
        let name = format!("kea-{n}");
        service.put(&format!("/api/v1/dhcp-servers/{name}"), &json!({ "site": "dc1", "kind": "kea" })).await?;
        let reload = format!("echo >>'{}'", folder.path().join(&name).display());
        let options = ["--check-command", "true", "--reload-command", &reload];
        let configuration = folder.path().join(format!("{name}.json"));
        agents.push(agent::start(&service, (&name, "dc1", "kea"), &configuration, &options).await?);
    }
    for n in 1..=AGENTS {
        agent::confirms(&service, &format!("kea-{n}"), "/dhcp/dc1/kea.json").await?;
    }
    let reloads = |n: usize| std::fs::read(folder.path().join(format!("kea-{n}"))).map_or(0, |lines| lines.len());
    let before: Vec<usize> = (1..=AGENTS).map(reloads).collect();

    let begun = Instant::now();
    let csv = (0..ROWS).fold(String::from("mac;network;venture;role;boot_image\n"), |mut csv, n| {
        let _ = writeln!(csv, "52:54:00:00:{:02x}:{:02x};prod;shop;web;debian", n / 256, n % 256);
        csv
    });
    service.import(csv, "together").await?;
    let pool = service.database().pool(1).await?;
    wait_for("every deployment is in progress", agent::PATIENCE, async || {
        let sql = "SELECT count(*) FROM events WHERE event_type = 'DeploymentInProgress'";
        let ready: i64 = sqlx::query_scalar(sql).fetch_one(&pool).await.ok()?;
        (usize::try_from(ready).ok()? == ROWS).then_some(())
    })
    .await?;
    let took = begun.elapsed();

    // After a reload, an agent collects changes for half a second.
    let most = usize::try_from(took.as_millis() / 500)? + 2;
    for (n, before) in (1..=AGENTS).zip(before) {
        let made = reloads(n) - before;
        ensure!((1..=most.min(ROWS / 4)).contains(&made), "kea-{n} was reloaded {made} times in {took:?}");
    }

    // Check the log itself: no deployment is in progress before each server has confirmed a configuration that contains its
    // entry.
    let early: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events AS entry
           JOIN events AS ready ON ready.event_type = 'DeploymentInProgress'
                               AND ready.aggregate_id = entry.payload ->> 'deployment'
          WHERE entry.event_type = 'DhcpEntryCreated'
            AND $1 <> (SELECT count(DISTINCT confirmed.aggregate_id) FROM events AS confirmed
                        WHERE confirmed.event_type = 'ConfigurationConfirmed' AND confirmed.position < ready.position
                          AND (confirmed.payload ->> 'position')::bigint >= entry.position)",
    )
    .bind(i64::try_from(AGENTS)?)
    .fetch_one(&pool)
    .await?;
    ensure!(early == 0, "{early} deployments went on before all servers had their entry");
    let of_all: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events AS entry JOIN events AS ready ON ready.event_type = 'DeploymentInProgress'
            AND ready.aggregate_id = entry.payload ->> 'deployment' WHERE entry.event_type = 'DhcpEntryCreated'",
    )
    .fetch_one(&pool)
    .await?;
    ensure!(of_all == i64::try_from(ROWS)?, "{of_all} deployments were looked at");
    Ok(())
}
