//! The reactor: a reconciler that runs due plugin runs. The feed and a timer wake it in the same way.
//!
//! The reactor leases due plugin runs, runs each with a deadline, and appends its effect and its outcome together. A lease ends
//! with its worker's heartbeat, and a worker that has lost its leases drops its work. If a run is executed twice nevertheless,
//! it writes nothing twice, since the second execution finds the events of the first.
//! was done twice all the same writes nothing twice, since the second finds the first one's events.

mod outcome;

use crate::heartbeat::Worker;
use crate::ledger::Ledger;
use crate::store::leases::{self, Lease};
use bootledger_aggregates::site::SiteSpec;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Entry};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, error, info, info_span};

/// The maximum number of runs in progress.
const WORKERS: usize = 32;

/// The maximum number of leased runs: those in progress, and as many that start when these end. More would wait here while
/// other instances are idle.
const LEASED: usize = 2 * WORKERS;

/// How soon the queue is checked again while fewer than the maximum number of runs are in progress.
const REFILL: Duration = Duration::from_millis(50);

/// How long a run may take; its lease lasts a little longer. After a crash, the lease ends much earlier, with the worker's
/// heartbeat.
const DEADLINE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(25);

/// How soon the queue is checked again without a change.
const POLL: Duration = Duration::from_secs(1);

/// The plugin that connects to management controllers. Its runs wait for controllers that may not respond, and therefore do not
/// count among the runs that others wait for.
const CONTROLLERS: &str = "reboot";

/// How many of its runs are in progress at the same time; further ones are retried a second later.
const AT_CONTROLLERS: usize = 64;

/// Leased runs, and the sites at the time of the lease.
#[derive(Default)]
struct Taken {
    leases: Vec<Lease>,
    sites: Arc<[Entry<SiteSpec>]>,
}

/// Continues with runs while it waits for something else.
async fn while_working<T>(under_way: &mut FuturesUnordered<impl Future<Output = ()>>, other: impl Future<Output = T>) -> T {
    let mut other = pin!(other);
    loop {
        tokio::select! {
            biased;
            output = &mut other => return output,
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
        }
    }
}

/// The reactor of one instance. Cheap to clone.
#[derive(Clone)]
pub struct Reactor {
    ledger: Ledger,
    worker: Worker,
}

impl Reactor {
    /// Creates a reactor whose leases belong to this worker.
    pub fn new(ledger: Ledger, worker: Worker) -> Self {
        Self { ledger, worker }
    }

    /// Runs until `stopping` holds true. Runs in progress are finished first, except for those that wait for management
    /// controllers: an order that was given continues by itself. A run that takes long does not delay others.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        let mut projected = self.ledger.feed.projected();
        let mut news = self.worker.news();
        let permits = Semaphore::new(WORKERS);
        let mut under_way = FuturesUnordered::new();
        let mut at_controllers = JoinSet::new();
        while !*stopping.borrow() {
            projected.mark_unchanged();
            news.mark_unchanged();
            while at_controllers.try_join_next().is_some() {}
            let looked = Instant::now();
            let room = LEASED - under_way.len();
            let taken = if room < WORKERS { Ok(Taken::default()) } else { while_working(&mut under_way, self.take(room)).await };
            let full = match taken {
                Ok(Taken { leases, sites }) => {
                    let count = leases.len();
                    let apart = self.set_apart(&mut at_controllers, leases, &sites);
                    let leases = while_working(&mut under_way, apart).await;
                    under_way.extend(leases.into_iter().map(|lease| self.one(lease, Arc::clone(&sites), &permits)));
                    if under_way.is_empty()
                        && let Err(error) = self.tidy().await
                    {
                        error!(error = %format!("{error:#}"), "what is overdue could not be marked; trying again");
                    }
                    room < WORKERS || count >= room
                }
                Err(error) => {
                    error!(error = %format!("{error:#}"), "the queue of plugin runs could not be worked on; trying again");
                    false
                }
            };
            // If more runs are due than fit, the next ones are leased as soon as half of the current ones have ended.
            let (enough, idle) = (if full { WORKERS } else { 0 }, under_way.is_empty());
            let ended = async {
                while under_way.len() > enough {
                    under_way.next().await;
                }
                if idle {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = ended => {}
                _ = projected.changed() => {}
                Ok(()) = news.changed() => {}
                () = sleep(POLL) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
            if !full {
                let ended = async { while under_way.next().await.is_some() {} };
                tokio::select! {
                    () = ended => {}
                    () = sleep(REFILL.saturating_sub(looked.elapsed())) => {}
                }
            }
        }
        while under_way.next().await.is_some() {}
        at_controllers.shutdown().await;
    }

    /// Executes the runs that are due now, once, and marks overdue deployments. Returns the number of runs; 0 while other
    /// instances may consider this one dead.
    pub async fn pass(&self) -> anyhow::Result<usize> {
        let Taken { leases, sites } = self.take(LEASED).await?;
        let (count, permits) = (leases.len(), Semaphore::new(WORKERS));
        let mut at_controllers = JoinSet::new();
        let leases = self.set_apart(&mut at_controllers, leases, &sites).await;
        join_all(leases.into_iter().map(|lease| self.one(lease, Arc::clone(&sites), &permits))).await;
        while at_controllers.join_next().await.is_some() {}
        if count == 0 {
            self.tidy().await?;
        }
        Ok(count)
    }

    /// Leases due runs.
    async fn take(&self, limit: usize) -> anyhow::Result<Taken> {
        let Some(worker) = self.worker.name() else { return Ok(Taken::default()) };
        let limit = i64::try_from(limit)?;
        let leases = leases::take(&self.ledger.views, worker, (self.ledger.now)().0, LEASE, limit).await?;
        if leases.is_empty() {
            return Ok(Taken::default());
        }
        // The sites are read once for all runs: runs are much more frequent than changes of sites.
        Ok(Taken { leases, sites: catalogue::sites(&self.ledger.views, At::Now).await?.into() })
    }

    /// Starts the runs that connect to management controllers, each in a task of its own. Returns the others.
    async fn set_apart(&self, tasks: &mut JoinSet<()>, leases: Vec<Lease>, sites: &Arc<[Entry<SiteSpec>]>) -> Vec<Lease> {
        let (apart, others): (Vec<_>, Vec<_>) = leases.into_iter().partition(|lease| lease.plugin.as_str() == CONTROLLERS);
        let mut later = vec![];
        for lease in apart {
            if tasks.len() < AT_CONTROLLERS {
                let (reactor, sites) = (self.clone(), Arc::clone(sites));
                tasks.spawn(async move { reactor.one(lease, sites, &Semaphore::new(1)).await });
            } else {
                later.push(lease);
            }
        }
        join_all(later.into_iter().map(|lease| async move { self.rest(&lease, Duration::from_secs(1)).await })).await;
        others
    }

    /// The housekeeping that is done when nothing is due.
    async fn tidy(&self) -> anyhow::Result<()> {
        self.mark_overdue().await?;
        leases::forget_ended(&self.ledger.views).await?;
        Ok(())
    }

    async fn one(&self, lease: Lease, sites: Arc<[Entry<SiteSpec>]>, permits: &Semaphore) {
        let span = info_span!("plugin", deployment.id = %lease.deployment, plugin = %lease.plugin, attempt = lease.attempts + 1);
        async {
            // Of many runs that were leased together, some start late.
            let lost = self.worker.lost(lease.worker);
            let work = async {
                // The semaphore is never closed.
                let _permit = permits.acquire().await;
                self.work(&lease, &sites).await;
            };
            tokio::select! {
                biased;
                () = lost => info!("the lease was lost; another instance may do the run"),
                () = work => {}
            }
        }
        .instrument(span)
        .await;
    }

    async fn work(&self, lease: &Lease, sites: &[Entry<SiteSpec>]) {
        let tried = tokio::time::timeout(DEADLINE, outcome::reach(&self.ledger, lease, sites)).await;
        let until = match tried {
            Ok(Ok(until)) => until,
            Ok(Err(error)) => {
                error!(error = %format!("{error:#}"), "the outcome of a plugin could not be recorded; it will be run again");
                Some(outcome::later(&self.ledger, lease.attempts))
            }
            Err(_) => {
                let reason = format!("it did not end within {} s", DEADLINE.as_secs());
                outcome::fail(&self.ledger, lease, &reason).await
            }
        };
        if let Some(until) = until {
            self.rest(lease, Duration::try_from(until.0 - (self.ledger.now)().0).unwrap_or_default()).await;
        }
    }

    /// Makes a lease rest for this time.
    async fn rest(&self, lease: &Lease, rest: Duration) {
        if let Err(error) = leases::rest(&self.ledger.views, lease, rest).await {
            error!(%error, "a lease could not be given back; it ends by itself");
        }
    }

    /// Marks the live deployments whose stage takes longer than their boot image allows.
    async fn mark_overdue(&self) -> anyhow::Result<()> {
        let now = (self.ledger.now)();
        for deployment in bootledger_projections::deployments::due_overdue(&self.ledger.views, now).await? {
            outcome::mark_overdue(&self.ledger, &deployment, now).await?;
        }
        Ok(())
    }
}
