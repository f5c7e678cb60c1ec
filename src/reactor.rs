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
use std::time::Duration;
use tokio::sync::watch;
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

/// The reactor of one instance.
pub struct Reactor {
    ledger: Ledger,
    worker: Uuid,
}

impl Reactor {
    /// A reactor with a name of its own for its leases.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger, worker: Uuid::now_v7() }
    }

    /// Runs until `stopping`; runs under way are finished first.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        let mut projected = self.ledger.feed.projected();
        while !*stopping.borrow() {
            projected.mark_unchanged();
            match self.pass().await {
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
    }

    /// Runs what is due now, once, and marks what is overdue. Returns how many runs there were.
    pub async fn pass(&self) -> anyhow::Result<usize> {
        let now = (self.ledger.now)().0;
        // Once for all of the pass: there are many more runs than changes of sites.
        let sites = catalogue::sites(&self.ledger.views, At::Now).await?;
        let due = leases::take(&self.ledger.views, self.worker, now, LEASE, BATCH).await?;
        let count = due.len();
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
            if let Some(until) = until
                && let Err(error) = leases::rest(&self.ledger.views, self.worker, &lease, until.0).await
            {
                error!(%error, "a lease could not be given back; it ends by itself");
            }
        }
        .instrument(span)
        .await;
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
