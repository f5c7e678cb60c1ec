//! The reactor: a reconciler over what is due. Woken by the feed and by a timer, one way for both.
//!
//! It leases due plugin runs, runs each with a deadline, and appends its effect and its outcome
//! together. A lost worker's lease ends by itself; a run that was done twice writes nothing twice,
//! since the second finds the first one's events.

mod outcome;

use crate::ledger::Ledger;
use crate::store::leases::{self, Lease};
use bootledger_aggregates::site::SiteSpec;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Entry};
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{Instrument, error, info_span};
use uuid::Uuid;

/// How many runs are under way at once.
const WORKERS: usize = 32;

/// How many runs are leased at once.
const BATCH: i64 = 256;

/// How long a run may take; its lease lasts a little longer. What a lost worker held is taken up
/// again when its lease ends, so this is also how long a crash may hold a deployment up.
const DEADLINE: Duration = Duration::from_secs(20);
const LEASE: time::Duration = time::Duration::seconds(25);

/// How soon the queue is looked at again without a change.
const POLL: Duration = Duration::from_secs(1);

/// The plugin that talks to management controllers. Its runs wait for controllers that may not answer, and are therefore
/// never part of a pass that others wait for.
const CONTROLLERS: &str = "reboot";

/// How many of its runs are under way at once; further ones are tried again a second later.
const AT_CONTROLLERS: usize = 64;

/// The reactor of one instance. Cheap to clone.
#[derive(Clone)]
pub struct Reactor {
    ledger: Ledger,
    worker: Uuid,
    controllers: Arc<Semaphore>,
}

impl Reactor {
    /// A reactor with a name of its own for its leases.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger, worker: Uuid::now_v7(), controllers: Arc::new(Semaphore::new(AT_CONTROLLERS)) }
    }

    /// Runs until `stopping`; runs under way are finished first, but for those that wait for management controllers: an
    /// order that was given goes on by itself.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        let mut projected = self.ledger.feed.projected();
        let mut apart = JoinSet::new();
        while !*stopping.borrow() {
            projected.mark_unchanged();
            while apart.try_join_next().is_some() {}
            match self.step(&mut apart).await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => {
                    error!(error = %format!("{error:#}"), "the queue of plugin runs could not be worked on; trying again");
                }
            }
            tokio::select! {
                _ = projected.changed() => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
        apart.shutdown().await;
    }

    /// Runs what is due now, once, and marks what is overdue. Returns how many runs there were.
    pub async fn pass(&self) -> anyhow::Result<usize> {
        let mut apart = JoinSet::new();
        let count = self.step(&mut apart).await;
        while apart.join_next().await.is_some() {}
        count
    }

    /// The same, with the runs that wait for management controllers in tasks of their own.
    async fn step(&self, apart: &mut JoinSet<()>) -> anyhow::Result<usize> {
        let now = (self.ledger.now)().0;
        // Once for all of the pass: there are many more runs than changes of sites.
        let sites: Arc<[Entry<SiteSpec>]> = catalogue::sites(&self.ledger.views, At::Now).await?.into();
        let due = leases::take(&self.ledger.views, self.worker, now, LEASE, BATCH).await?;
        let count = due.len();
        let (at_controllers, due): (Vec<_>, Vec<_>) = due.into_iter().partition(|lease| lease.plugin.as_str() == CONTROLLERS);
        for lease in at_controllers {
            match Arc::clone(&self.controllers).try_acquire_owned() {
                Ok(permit) => {
                    let (reactor, sites) = (self.clone(), Arc::clone(&sites));
                    apart.spawn(async move {
                        reactor.one(lease, &sites).await;
                        drop(permit);
                    });
                }
                Err(_) => self.rest(&lease, now + time::Duration::SECOND).await,
            }
        }
        futures::stream::iter(due).for_each_concurrent(WORKERS, |lease| self.one(lease, &sites)).await;
        if count == 0 {
            self.mark_overdue().await?;
            leases::forget_ended(&self.ledger.views, now).await?;
        }
        Ok(count)
    }

    async fn one(&self, lease: Lease, sites: &[Entry<SiteSpec>]) {
        let span = info_span!("plugin", deployment.id = %lease.deployment, plugin = %lease.plugin, attempt = lease.attempts + 1);
        async {
            let tried = tokio::time::timeout(DEADLINE, outcome::reach(&self.ledger, &lease, sites)).await;
            let until = match tried {
                Ok(Ok(until)) => until,
                Ok(Err(error)) => {
                    error!(error = %format!("{error:#}"), "the outcome of a plugin could not be recorded; it will be run again");
                    Some(outcome::later(&self.ledger, lease.attempts))
                }
                Err(_) => {
                    let reason = format!("it did not end within {} s", DEADLINE.as_secs());
                    outcome::fail(&self.ledger, &lease, &reason).await
                }
            };
            if let Some(until) = until {
                self.rest(&lease, until.0).await;
            }
        }
        .instrument(span)
        .await;
    }

    /// Gives a lease back until then.
    async fn rest(&self, lease: &Lease, until: OffsetDateTime) {
        if let Err(error) = leases::rest(&self.ledger.views, self.worker, lease, until).await {
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
