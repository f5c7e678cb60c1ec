//! Durable commands per second that reach the log, compared with pgbench's one-row INSERTs at the same concurrency.
//!
//! The command is one that operators send: verify a device. The service reads the device's stream, the device decides, and the
//! store appends its event with hash chain and notice.

use crate::cluster::Cluster;
use crate::log::{Log, device};
use crate::report::{Report, Row, median, rate};
use anyhow::{Result, ensure};
use bootledger::clock;
use bootledger::feed::Feed;
use bootledger::ledger::Ledger;
use bootledger::secrets::Secrets;
use bootledger::store::EventLog;
use bootledger_web::auth::level::Level;
use bootledger_web::commands::{Command, Commands, Context};
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

/// Measures with 1, 16 and 64 concurrent commands.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let url = cluster.database("append").await?;
    let database = cluster.open(&url).await?;
    report.say("registering devices");
    Log::open(database.pool.clone()).await?.register(0..DEVICES).await?;
    let (stopping, stop) = watch::channel(false);
    let feed = Feed::start(database.pool.clone(), stop).await?;
    let log = EventLog::start(database.pool.clone(), database.sessions.clone());
    let ledger = Ledger::new(log, database.pool.clone(), feed, clock::now, Secrets::default());
    let next = Arc::new(AtomicU32::new(0));
    for (at_once, target) in [(1, None), (16, Some(0.6)), (64, Some(1.0))] {
        let (mut commands, mut inserts) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            inserts.push(cluster.pgbench(&url, at_once).await?);
            commands.push(verify(&ledger, at_once, &next).await?);
        }
        let (commands, inserts) = (median(commands), median(inserts));
        let ratio = commands / inserts;
        report.add(Row {
            what: format!("commands appended, {at_once} at once, durable"),
            measured: format!("{commands:.0}/s"),
            limit: format!("{inserts:.0}/s (pgbench, one-row INSERT)"),
            target: target.map_or_else(|| format!("{ratio:.2}"), |target: f64| format!("{ratio:.2}, target {target}")),
            met: target.map(|target| ratio >= target),
        });
    }
    stopping.send_replace(true);
    drop(ledger);
    database.close().await
}

/// Verifies devices for one round, with this many commands at once. Returns commands per second.
async fn verify(ledger: &Ledger, at_once: u32, next: &Arc<AtomicU32>) -> Result<f64> {
    let begun = Instant::now();
    let before = next.load(Ordering::Relaxed);
    let tasks = (0..at_once).map(|_| {
        let (ledger, next) = (ledger.clone(), next.clone());
        tokio::spawn(async move {
            while begun.elapsed() < ROUND {
                let n = next.fetch_add(1, Ordering::Relaxed);
                ensure!(n < DEVICES, "all {DEVICES} devices are verified: this machine is faster than this bench knows");
                let context = Context {
                    actor: "token bench".to_owned(),
                    correlation_id: "01932000-0000-7000-8000-000000000000".to_owned(),
                    causation_id: None,
                    idempotency_key: None,
                    level: Level::Operator,
                };
                ledger.execute(Command::VerifyDevice(device(n)), context).await?;
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
