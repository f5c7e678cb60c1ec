//! The reactor: a reconciler over what is due. Woken by the feed and by a timer, one way for both.
//!
//! It leases due plugin runs, runs each with a deadline, and appends its effect and its outcome
//! together. A lease ends with its worker's heartbeat, and a worker that has lost its leases drops what it was doing; a run that
//! was done twice all the same writes nothing twice, since the second finds the first one's events.

mod outcome;

use crate::heartbeat::Worker;
use crate::ledger::Ledger;
use crate::store::leases::{self, Lease};
use bootledger_aggregates::site::SiteSpec;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Entry};
use futures::StreamExt;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{Instrument, error, info, info_span};

/// How many runs are under way at once.
const WORKERS: usize = 32;

/// How many runs are leased at once.
const BATCH: i64 = 256;

/// How long a run may take; its lease lasts a little longer. A crash ends it much earlier, with the worker's heartbeat.
const DEADLINE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(25);

/// How soon the queue is looked at again without a change.
const POLL: Duration = Duration::from_secs(1);

/// The reactor of one instance.
pub struct Reactor {
    ledger: Ledger,
    worker: Worker,
}

impl Reactor {
    /// A reactor whose leases are this worker's.
    pub fn new(ledger: Ledger, worker: Worker) -> Self {
        Self { ledger, worker }
    }

    /// Runs until `stopping`; runs under way are finished first.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        let mut projected = self.ledger.feed.projected();
        let mut news = self.worker.news();
        while !*stopping.borrow() {
            projected.mark_unchanged();
            news.mark_unchanged();
            match self.pass().await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => {
                    error!(error = %format!("{error:#}"), "the queue of plugin runs could not be worked on; trying again");
                }
            }
            tokio::select! {
                _ = projected.changed() => {}
                Ok(()) = news.changed() => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
    }

    /// Runs what is due now, once, and marks what is overdue. Returns how many runs there were; none while others may take
    /// this instance for dead.
    pub async fn pass(&self) -> anyhow::Result<usize> {
        let Some(worker) = self.worker.name() else { return Ok(0) };
        let now = (self.ledger.now)().0;
        // Once for all of the pass: there are many more runs than changes of sites.
        let sites = catalogue::sites(&self.ledger.views, At::Now).await?;
        let due = leases::take(&self.ledger.views, worker, now, LEASE, BATCH).await?;
        let count = due.len();
        futures::stream::iter(due).for_each_concurrent(WORKERS, |lease| self.one(lease, &sites)).await;
        if count == 0 {
            self.mark_overdue().await?;
            leases::forget_ended(&self.ledger.views).await?;
        }
        Ok(count)
    }

    async fn one(&self, lease: Lease, sites: &[Entry<SiteSpec>]) {
        let span = info_span!("plugin", deployment.id = %lease.deployment, plugin = %lease.plugin, attempt = lease.attempts + 1);
        async {
            // Of many runs that were leased together, some begin late.
            let lost = self.worker.lost(lease.worker);
            tokio::select! {
                biased;
                () = lost => info!("the lease was lost; the run is left to whoever has it now"),
                () = self.work(&lease, sites) => {}
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
            let rest = Duration::try_from(until.0 - (self.ledger.now)().0).unwrap_or_default();
            if let Err(error) = leases::rest(&self.ledger.views, lease, rest).await {
                error!(%error, "a lease could not be given back; it ends by itself");
            }
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
