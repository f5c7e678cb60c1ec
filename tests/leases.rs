//! Several instances over one database: when an instance is killed or stopped, another one takes over its work within seconds.

use crate::support::process::Process;
use crate::support::service::{Service, wait_for};
use anyhow::{Result, ensure};
use serde_json::json;
use sqlx::PgPool;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use uuid::Uuid;

const ROWS: i64 = 300;

/// How long a step may take on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long the work of a lost instance may wait for another one: four seconds of silence, and the work itself.
const TAKEN_OVER: Duration = Duration::from_secs(6);

/// An instance whose plugins are working on many deployments, and what else the tests look at.
struct Story {
    first: Service,
    /// Without the shared key, two instances over one database would not be one service.
    key: tempfile::TempDir,
    pool: PgPool,
    worker: Uuid,
}

impl Story {
    async fn begins() -> Result<Self> {
        let key = tempfile::tempdir()?;
        std::fs::write(key.path().join("key"), "0123456789abcdef0123456789abcdef")?;
        let first = Service::start_with(Ipv4Addr::LOCALHOST, program(), options(&key)).await?;
        let pool = first.database().pool(2).await?;
        let site = json!({
            "next_server": "10.0.0.2", "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"],
            "hostname_template": "h<200,699>.dc1.example",
        });
        first.define(&site, &json!({ "cidr": "10.0.0.0/20", "site": "dc1", "gateway": "10.0.0.1" })).await?;
        first.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
        let worker = sqlx::query_scalar("SELECT worker FROM workers").fetch_one(&pool).await?;
        Ok(Self { first, key, pool, worker })
    }

    async fn second(&self) -> Result<Process> {
        let url = self.first.database().url();
        Process::start_with(Ipv4Addr::LOCALHOST, url, program(), options(&self.key)).await
    }

    async fn count(&self, sql: &str) -> Result<i64> {
        Ok(sqlx::query_scalar(sql).fetch_one(&self.pool).await?)
    }

    async fn import(&self) -> Result<()> {
        let csv = (0..ROWS).fold(String::from("mac;network;venture;role;boot_image\n"), |mut csv, n| {
            let _ = writeln!(csv, "52:54:00:00:{:02x}:{:02x};prod;shop;web;debian", n / 256, n % 256);
            csv
        });
        self.first.import(csv, "many").await.map(drop)
    }

    /// Waits until the first instance is in the middle of plugin runs.
    async fn busy(&self) -> Result<()> {
        let sql = "SELECT count(*) FROM leases WHERE NOT resting AND worker = $1";
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let held: i64 = sqlx::query_scalar(sql).bind(self.worker).fetch_one(&self.pool).await?;
            if held >= 10 {
                return Ok(());
            }
        }
        anyhow::bail!("the first instance never had ten leases at once");
    }

    /// How many runs the first instance had begun that no other instance has finished since.
    async fn left(&self) -> Result<i64> {
        let sql = "SELECT count(*) FROM leases l JOIN plugin_runs r USING (deployment, plugin)
                    WHERE l.worker = $1 AND NOT l.resting AND r.retry_at <= now()";
        Ok(sqlx::query_scalar(sql).bind(self.worker).fetch_one(&self.pool).await?)
    }

    /// Waits until each deployment waits for its DHCP server, which is as far as they get, and checks that no event is recorded
    /// twice.
    async fn everything_is_done_once(&self) -> Result<()> {
        wait_for("every plugin has done its work", PATIENCE, async || {
            let waiting = "SELECT count(*) FROM plugin_runs WHERE plugin = 'dhcp' AND status = 'waiting'";
            (self.count(waiting).await.ok()? == ROWS).then_some(())
        })
        .await?;
        for (event, of_each) in [("DeploymentStarted", 1), ("DhcpEntryCreated", 1), ("PluginWaiting", 1), ("PluginFailed", 0)] {
            let found = self.count(&format!("SELECT count(*) FROM events WHERE event_type = '{event}'")).await?;
            ensure!(found == ROWS * of_each, "{found} events {event}, not {}", ROWS * of_each);
        }
        let twice = "SELECT count(*) FROM (SELECT FROM events WHERE event_type = 'PluginSucceeded'
                      GROUP BY aggregate_id, payload ->> 'plugin' HAVING count(*) > 1) AS twice";
        ensure!(self.count(twice).await? == 0, "plugins have succeeded twice");
        Ok(())
    }
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_bootledger"))
}

fn options(key: &tempfile::TempDir) -> Vec<String> {
    vec!["--key-file".to_owned(), key.path().join("key").display().to_string()]
}

#[tokio::test]
async fn work_of_a_killed_instance_is_taken_over_within_seconds() -> Result<()> {
    let mut story = Story::begins().await?;
    let _second = story.second().await?;
    story.import().await?;
    story.busy().await?;
    story.first.kill()?;
    let (killed, left) = (Instant::now(), story.left().await?);
    ensure!(left > 0, "the instance was in the middle of nothing");
    wait_for("the killed instance's runs are done", PATIENCE, async || (story.left().await.ok()? == 0).then_some(())).await?;
    let took = killed.elapsed();
    println!("{left} runs of a killed instance were taken over within {took:?}");
    ensure!(took < TAKEN_OVER, "{left} runs waited for {took:?}");
    story.everything_is_done_once().await
}

#[tokio::test]
async fn a_restarted_instance_resumes_its_work_immediately() -> Result<()> {
    let mut story = Story::begins().await?;
    story.import().await?;
    story.busy().await?;
    story.first.kill()?;
    let left = story.left().await?;
    ensure!(left > 0, "the instance was in the middle of nothing");
    story.first.start_again().await?;
    let ready = Instant::now();
    wait_for("its runs are done", PATIENCE, async || (story.left().await.ok()? == 0).then_some(())).await?;
    let took = ready.elapsed();
    println!("{left} runs of a restarted instance were done {took:?} after it was ready");
    ensure!(took < Duration::from_secs(3), "{left} runs waited for {took:?} after the instance was ready");
    story.everything_is_done_once().await
}

#[tokio::test]
async fn an_instance_that_stood_still_does_nothing_that_another_has_done() -> Result<()> {
    let story = Story::begins().await?;
    let mut second = story.second().await?;
    story.import().await?;
    story.busy().await?;
    story.first.signal("STOP")?;
    ensure!(story.left().await? > 0, "the instance was in the middle of nothing");
    wait_for("the second does what the first was doing", PATIENCE, async || {
        let others: i64 = sqlx::query_scalar("SELECT count(*) FROM workers WHERE worker = $1")
            .bind(story.worker)
            .fetch_one(&story.pool)
            .await
            .ok()?;
        (others == 0 && story.left().await.ok()? == 0).then_some(())
    })
    .await?;
    story.first.signal("CONT")?;
    wait_for("the first knows that it was late", PATIENCE, async || {
        story.first.log().ok()?.contains("heartbeat of this instance was late").then_some(())
    })
    .await?;
    story.everything_is_done_once().await?;

    // The first instance is usable again: alone, it takes a deployment as far as possible.
    second.kill()?;
    let csv = "mac;network;venture;role;boot_image\n52:54:00:00:ff:ff;prod;shop;web;debian\n".to_owned();
    story.first.import(csv, "one-more").await?;
    wait_for("the first works again", PATIENCE, async || {
        let waiting = "SELECT count(*) FROM plugin_runs WHERE plugin = 'dhcp' AND status = 'waiting'";
        (story.count(waiting).await.ok()? == ROWS + 1).then_some(())
    })
    .await
}
