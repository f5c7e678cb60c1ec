//! The reactor: a reconciler that runs due plugin runs. The feed and a timer wake it in the same way.
//!
//! The reactor leases due plugin runs, runs each with a deadline, and appends its effect and its outcome together. A lease ends
//! with its worker's heartbeat, and a worker that has lost its leases drops its work. If a run is executed twice nevertheless,
//! it writes nothing twice, since the second execution finds the events of the first.

mod outcome;
pub mod steps;

use crate::commands::CommandService;
use crate::event_log::leases::{self, Lease};
use crate::workers::heartbeat::Worker;
use crate::workers::{BackgroundWork, Next};
use anyhow::Context as _;
use bootledger_aggregates::deployment::reason::PluginFailure;
use bootledger_aggregates::site::SiteSpec;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use futures::future::{BoxFuture, join_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
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
    commands: CommandService,
    worker: Worker,
}

impl Reactor {
    /// Creates a reactor whose leases belong to this worker.
    pub fn new(commands: CommandService, worker: Worker) -> Self {
        Self { commands, worker }
    }

    /// The worker that executes due runs until the service stops.
    pub fn worker(self) -> ReactorWorker {
        ReactorWorker {
            projected: self.commands.feed.projected(),
            news: self.worker.news(),
            reactor: self,
            permits: Arc::new(Semaphore::new(WORKERS)),
            under_way: FuturesUnordered::new(),
            at_controllers: JoinSet::new(),
            looked: Instant::now(),
            full: false,
        }
    }

    /// Executes the runs that are due now, once, and marks overdue deployments. Returns the number of runs; 0 while other
    /// instances may consider this one dead.
    ///
    /// # Errors
    /// Returns an error if runs cannot be leased, or if overdue deployments cannot be marked. A plugin that fails is not an
    /// error: its outcome is recorded.
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
        let leases = leases::take(&self.commands.views, worker, (self.commands.now)().0, LEASE, limit).await?;
        if leases.is_empty() {
            return Ok(Taken::default());
        }
        // The sites are read once for all runs: runs are much more frequent than changes of sites.
        Ok(Taken { leases, sites: catalogue::sites(&self.commands.views, At::Now).await?.into() })
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
        leases::forget_ended(&self.commands.views).await?;
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
                () = lost => info!("the lease was lost; another instance may execute the run"),
                () = work => {}
            }
        }
        .instrument(span)
        .await;
    }

    async fn work(&self, lease: &Lease, sites: &[Entry<SiteSpec>]) {
        let tried = tokio::time::timeout(DEADLINE, outcome::reach(&self.commands, lease, sites)).await;
        let until = match tried {
            Ok(Ok(until)) => until,
            Ok(Err(error)) => {
                error!(error = %format!("{error:#}"), "the outcome of a plugin could not be recorded; the plugin runs again");
                Some(outcome::later(&self.commands, lease.attempts))
            }
            Err(_) => {
                let reason = PluginFailure::Deadline { seconds: DEADLINE.as_secs() };
                outcome::fail(&self.commands, lease, reason).await
            }
        };
        if let Some(until) = until {
            self.rest(lease, Duration::try_from(until.0 - (self.commands.now)().0).unwrap_or_default()).await;
        }
    }

    /// Makes a lease rest for this time.
    async fn rest(&self, lease: &Lease, rest: Duration) {
        if let Err(error) = leases::rest(&self.commands.views, lease, rest).await {
            error!(%error, "cannot release a lease; it expires without action");
        }
    }

    /// Marks the live deployments whose stage takes longer than their boot image allows.
    async fn mark_overdue(&self) -> anyhow::Result<()> {
        let now = (self.commands.now)();
        for deployment in bootledger_projections::rows::deployments::due_overdue(&self.commands.views, now).await? {
            outcome::mark_overdue(&self.commands, &deployment, now).await?;
        }
        Ok(())
    }
}

/// The reactor with the runs in progress. A run that takes long does not delay others.
pub struct ReactorWorker {
    reactor: Reactor,
    projected: watch::Receiver<i64>,
    news: watch::Receiver<u64>,
    permits: Arc<Semaphore>,
    under_way: FuturesUnordered<BoxFuture<'static, ()>>,
    at_controllers: JoinSet<()>,
    /// When the queue was last checked.
    looked: Instant,
    /// Whether more runs may be due than fit.
    full: bool,
}

impl BackgroundWork for ReactorWorker {
    const NAME: &'static str = "reactor";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn pass(&mut self) -> anyhow::Result<Next> {
        self.projected.mark_unchanged();
        self.news.mark_unchanged();
        while self.at_controllers.try_join_next().is_some() {}
        self.looked = Instant::now();
        let room = LEASED - self.under_way.len();
        self.full = room < WORKERS;
        if self.full {
            return Ok(Next::Later);
        }
        let taken = while_working(&mut self.under_way, self.reactor.take(room)).await;
        let Taken { leases, sites } = taken.context("the queue of plugin runs cannot be read")?;
        self.full = leases.len() >= room;
        let apart = self.reactor.set_apart(&mut self.at_controllers, leases, &sites);
        let leases = while_working(&mut self.under_way, apart).await;
        self.under_way.extend(leases.into_iter().map(|lease| {
            let (reactor, sites, permits) = (self.reactor.clone(), Arc::clone(&sites), Arc::clone(&self.permits));
            async move { reactor.one(lease, sites, &permits).await }.boxed()
        }));
        if self.under_way.is_empty() {
            self.reactor.tidy().await.context("overdue deployments cannot be marked")?;
        }
        Ok(Next::Later)
    }

    async fn wake(&mut self) {
        // If more runs are due than fit, the next ones are leased as soon as half of the current ones have ended.
        let (enough, idle) = (if self.full { WORKERS } else { 0 }, self.under_way.is_empty());
        let ended = async {
            while self.under_way.len() > enough {
                self.under_way.next().await;
            }
            if idle {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = ended => {}
            _ = self.projected.changed() => {}
            Ok(()) = self.news.changed() => {}
        }
        if !self.full {
            let ended = async { while self.under_way.next().await.is_some() {} };
            tokio::select! {
                () = ended => {}
                () = sleep(REFILL.saturating_sub(self.looked.elapsed())) => {}
            }
        }
    }

    /// Runs in progress are finished, except for those that wait for management controllers: an order that was given continues
    /// by itself.
    async fn stop(mut self) {
        while self.under_way.next().await.is_some() {}
        self.at_controllers.shutdown().await;
    }
}
