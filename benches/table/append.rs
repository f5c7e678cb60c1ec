//! Durable commands per second that reach the log, compared with pgbench's one-row INSERTs at the same concurrency.
//!
//! The command is one that operators send: verify a device. The service reads the device's stream, the device decides, and the
//! store appends its event with hash chain and notice.

use crate::cluster::Cluster;
use crate::log::{Log, device};
use crate::report::{Report, Row, median, rate};
use anyhow::{Result, ensure};
use bootledger::clock;
use bootledger::commands::CommandService;
use bootledger::event_log::EventLog;
use bootledger::event_log::draft::Draft;
use bootledger::event_log::feed::Feed;
use bootledger::event_log::store::{CommandStore, Terms};
use bootledger_aggregates::device::Device;
use bootledger_aggregates::user::Role;
use bootledger_port::{Command, Commands, Context, DeviceAction};
use bootledger_secrets::Secrets;
use cqrs_es::EventStore;
use futures::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many devices are ready to be verified in each round.
const DEVICES: u32 = 500_000;
/// How long a round takes.
const ROUND: Duration = Duration::from_secs(5);
/// How many rounds each median is taken over.
const ROUNDS: u32 = 3;

/// Measures with 1, 16 and 64 concurrent commands, and the reading of their streams alone.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let url = cluster.database("append").await?;
    let database = cluster.open(&url).await?;
    report.say("registering devices");
    Log::open(database.pool.clone()).await?.register(0..DEVICES).await?;
    let (stopping, stop) = watch::channel(false);
    let feed = Feed::start(database.pool.clone(), stop).await?;
    let log = EventLog::start(database.pool.clone(), database.sessions.clone());
    let commands = CommandService::new(log.clone(), database.pool.clone(), feed, clock::now, Secrets::default());
    let next = Arc::new(AtomicU32::new(0));
    for (at_once, target) in [(1, None), (16, Some(0.6)), (64, Some(1.0))] {
        let (mut appended, mut inserts) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            inserts.push(cluster.pgbench(&url, at_once).await?);
            appended.push(verify(&commands, at_once, &next).await?);
        }
        let (appended, inserts) = (median(appended), median(inserts));
        let ratio = appended / inserts;
        report.add(Row {
            what: format!("commands appended, {at_once} at once, durable"),
            measured: format!("{appended:.0}/s"),
            limit: format!("{inserts:.0}/s (pgbench, one-row INSERT)"),
            target: target.map_or_else(|| format!("{ratio:.2}"), |target: f64| format!("{ratio:.2}, target {target}")),
            met: target.map(|target| ratio >= target),
        });
    }
    for at_once in [1, 16, 64] {
        let grouped =
            read(at_once, async |id| Draft::<Device>::load(&log, id).await.map(drop).map_err(anyhow::Error::from)).await?;
        let (store, _) = CommandStore::new(log.clone(), Terms::default(), None);
        let single =
            async |id: String| EventStore::<Device>::load_events(&store, &id).await.map(drop).map_err(anyhow::Error::from);
        let single = read(at_once, single).await?;
        report.add(Row {
            what: format!("streams read for commands, {at_once} at once"),
            measured: format!("{grouped:.0}/s"),
            limit: format!("{single:.0}/s (postgres-es, a query for each)"),
            target: format!("{:.2}", grouped / single),
            met: None,
        });
    }
    stopping.send_replace(true);
    drop((commands, log));
    database.close().await
}

/// Verifies devices for one round, with this many commands at once. Returns commands per second.
async fn verify(commands: &CommandService, at_once: u32, next: &Arc<AtomicU32>) -> Result<f64> {
    let begun = Instant::now();
    let before = next.load(Ordering::Relaxed);
    let tasks = (0..at_once).map(|_| {
        let (commands, next) = (commands.clone(), next.clone());
        tokio::spawn(async move {
            while begun.elapsed() < ROUND {
                let n = next.fetch_add(1, Ordering::Relaxed);
                ensure!(n < DEVICES, "all {DEVICES} devices are verified: this machine is faster than this bench knows");
                let context = Context {
                    actor: "token bench".to_owned(),
                    correlation_id: "01932000-0000-7000-8000-000000000000".to_owned(),
                    causation_id: None,
                    idempotency_key: None,
                    level: Role::Operator,
                };
                commands.execute(Command::Device(DeviceAction::VerifyDevice(device(n))), context).await?;
            }
            anyhow::Ok(())
        })
    });
    for ended in try_join_all(tasks).await? {
        ended?;
    }
    let count = next.load(Ordering::Relaxed) - before;
    Ok(rate(count as usize, begun.elapsed().as_secs_f64()))
}

/// Reads streams of devices for one round, with this many readers at once. Returns streams per second.
async fn read(at_once: u32, stream: impl AsyncFn(String) -> Result<()>) -> Result<f64> {
    let (begun, next) = (Instant::now(), AtomicU32::new(0));
    let (stream, place) = (&stream, &next);
    let readers = (0..at_once).map(|_| async move {
        while begun.elapsed() < ROUND {
            stream(device(place.fetch_add(1, Ordering::Relaxed) % DEVICES).to_string()).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(readers).await?;
    Ok(rate(next.into_inner() as usize, begun.elapsed().as_secs_f64()))
}
