//! Ten agents that long-poll one service: the time from a deployment's command until every server has confirmed its entry, and
//! how often a server is reloaded when many entries change.
//!
//! The agents are the real ones. They run in the bench's own process and use HTTP. Their DHCP servers are stand-ins: `true` as
//! the checker and a reload command that counts, because the time that a DHCP server needs is not what this bench measures.

use crate::cluster::Cluster;
use crate::process::Process;
use crate::report::{Report, Row, percentile, rate};
use crate::{bulk, catalogue};
use anyhow::{Context, Result, bail, ensure};
use bootledger_dhcp_agent as dhcp_agent;
use bootledger_dhcp_agent::Kind;
use bootledger_projections::database::pool::Pool;
use futures::future::try_join_all;
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

const AGENTS: usize = 10;
/// How many deployments are measured, one after the other.
const ROUNDS: usize = 100;
/// How many entries change, first over a minute and then all at once.
const ENTRIES: usize = 1_000;
/// Allowed seconds from the command until all servers have confirmed.
const TARGET: f64 = 2.0;
/// Allowed reloads per second: after each reload an agent collects changes for half a second.
const RELOADS: f64 = 2.0;
/// The time over which the commands for these entries are spread.
const MINUTE: Duration = Duration::from_mins(1);
/// How long a step may take before the bench fails.
const PATIENCE: Duration = Duration::from_mins(5);

/// The service with its agents.
struct Fleet {
    service: Process,
    pool: Pool,
    counters: Vec<PathBuf>,
    stop: watch::Sender<bool>,
    agents: JoinSet<Result<()>>,
    /// How many servers have been deployed so far.
    deployed: usize,
}

/// Measures the delay of single deployments and the reloads under many.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let url = cluster.database("agents").await?;
    let service = Process::start(Ipv4Addr::LOCALHOST, url.clone()).await?;
    catalogue::define(&service).await?;
    let database = cluster.open(&url).await?;
    let mut fleet = Fleet::start(service, database.pool.clone(), cluster.folder()).await?;

    report.say(&format!("deploying {ROUNDS} servers, one after the other"));
    let mut seconds = vec![];
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        fleet.deploy(1).await?;
        fleet.confirmed().await?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    let (median, slowest) = (percentile(&mut seconds, 0.5), percentile(&mut seconds, 0.99));
    report.add(Row {
        what: format!("a deployment's command to its DHCP entry confirmed by {AGENTS} agents"),
        measured: format!("median {median:.2} s, 99th percentile {slowest:.2} s"),
        limit: "–".to_owned(),
        target: format!("≤ {TARGET:.0} s"),
        met: Some(slowest <= TARGET),
    });

    for (what, minute) in [("at once", false), ("in one minute", true)] {
        report.say(&format!("{ENTRIES} entries {what}"));
        let before = fleet.reloads()?;
        let begun = Instant::now();
        if minute {
            fleet.deploy_one_by_one(ENTRIES, MINUTE).await?;
        } else {
            fleet.deploy(ENTRIES).await?;
        }
        fleet.confirmed().await?;
        let took = begun.elapsed().as_secs_f64();
        let reloads: Vec<usize> = fleet.reloads()?.iter().zip(before).map(|(now, before)| now - before).collect();
        let most = reloads.iter().copied().max().unwrap_or_default();
        let least = reloads.iter().copied().min().unwrap_or_default();
        report.add(Row {
            what: format!("reloads of an agent for {ENTRIES} entries that change {what}"),
            measured: format!("{least} to {most} in {took:.1} s, {:.2} a second", rate(most, took)),
            limit: "–".to_owned(),
            target: format!("≤ {RELOADS:.0} a second"),
            met: Some(rate(most, took) <= RELOADS),
        });
    }
    fleet.stop().await?;
    database.close().await
}

impl Fleet {
    async fn start(service: Process, pool: Pool, folder: &Path) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (mut counters, mut agents) = (vec![], JoinSet::new());
        for n in 1..=AGENTS {
            let name = format!("kea-{n}");
            service.put(&format!("/api/v1/dhcp-servers/{name}"), &json!({ "site": "dc1", "kind": "kea" })).await?;
            let token = service.run(&["token", "create", "bench", "--dhcp-server", &name]).await?;
            let counter = folder.join(format!("{name}.reloads"));
            std::fs::write(&counter, "")?;
            let arguments = dhcp_agent::Arguments {
                server_name: name.parse()?,
                site: "dc1".parse()?,
                kind: Kind::Kea,
                url: service.url("").parse()?,
                token_file: None,
                token: Some(token.trim().parse()?),
                config: folder.join(format!("{name}.json")),
                check_command: Some("true".to_owned()),
                reload_command: Some(format!("echo >>'{}'", counter.display())),
                kea_socket: None,
                kea_hosts: false,
                command_timeout: 60,
                wait: 30,
                once: false,
            };
            agents.spawn(dhcp_agent::run(arguments, stopped.clone()));
            counters.push(counter);
        }
        Ok(Self { service, pool, counters, stop, agents, deployed: 0 })
    }

    /// Sends one command that deploys this many new servers.
    async fn deploy(&mut self, servers: usize) -> Result<()> {
        let csv = bulk::csv(self.deployed..self.deployed + servers);
        self.service.import(csv, &format!("agents-{}", self.deployed)).await?;
        self.deployed += servers;
        Ok(())
    }

    /// Sends this many commands of one deployment each, spread evenly over this time, however long each takes. Address and name
    /// are given, so that commands sent at the same moment do not choose the same ones.
    async fn deploy_one_by_one(&mut self, servers: usize, over: Duration) -> Result<()> {
        let (service, first, begun) = (&self.service, self.deployed, tokio::time::Instant::now());
        let between = over / u32::try_from(servers)?;
        let each = (0..servers).map(async |n| {
            tokio::time::sleep_until(begun + between * u32::try_from(n)?).await;
            let (high, low) = (n >> 8, n & 255);
            let csv = format!(
                "mac;network;venture;role;boot_image;hostname;ip\n\
                 52:54:01:00:{high:02x}:{low:02x};prod;shop;web;debian-12;h{}.dc1.example;10.1.{high}.{low}\n",
                500_000 + n
            );
            service.import(csv, &format!("agents-{}", first + n)).await
        });
        try_join_all(each).await?;
        self.deployed += servers;
        Ok(())
    }

    /// Waits until every entry exists and every server has confirmed it.
    async fn confirmed(&mut self) -> Result<()> {
        let (wanted, begun) = (i64::try_from(self.deployed)?, Instant::now());
        while begun.elapsed() < PATIENCE {
            let (entries, confirming): (i64, i64) = sqlx::query_as(
                "WITH entry AS (SELECT count(*) AS entries, max(position) AS last FROM events WHERE event_type = 'DhcpEntryCreated')
                 SELECT (SELECT entries FROM entry),
                        (SELECT count(DISTINCT aggregate_id) FROM events, entry
                          WHERE event_type = 'ConfigurationConfirmed' AND position > last
                            AND (payload ->> 'position')::bigint >= last)",
            )
            .fetch_one(&self.pool)
            .await?;
            if entries == wanted && confirming == i64::try_from(AGENTS)? {
                return Ok(());
            }
            if let Some(ended) = self.agents.try_join_next() {
                ended?.context("an agent ended")?;
                bail!("an agent ended by itself");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("in {PATIENCE:?} not every server has confirmed {wanted} entries")
    }

    /// How often each server has been reloaded so far.
    fn reloads(&self) -> Result<Vec<usize>> {
        self.counters.iter().map(|counter| Ok(std::fs::read(counter)?.len())).collect()
    }

    async fn stop(mut self) -> Result<()> {
        self.stop.send_replace(true);
        while let Some(ended) = self.agents.join_next().await {
            ended??;
        }
        ensure!(self.reloads()?.iter().all(|reloads| *reloads > 0), "an agent never reloaded its server");
        Ok(())
    }
}
