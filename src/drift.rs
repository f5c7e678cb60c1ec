//! Compares the servers of each site with the expected state, at intervals and on request.
//!
//! A difference is recorded as an event and is not changed, because an operator may have had a reason for it. If an operator
//! requests the repair, the difference is repaired, but only if it still is as it was found.

pub mod command;
mod dhcp;
mod site;

use crate::heartbeat::Worker;
use crate::ledger::Ledger;
use crate::store::drift::{self, Due};
use bootledger_projections::at::At;
use bootledger_projections::drift as view;
use bootledger_web::application::Application;
use prometheus::{IntGaugeVec, Opts};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;
use tracing::{Instrument, error, info_span};

/// How often the worker checks whether a comparison is due.
const POLL: Duration = Duration::from_secs(1);
/// How long other instances do not touch a site. The lease is extended while the comparison runs.
const LEASE: time::Duration = time::Duration::seconds(120);

/// Compares servers with the expected state. Any number of instances may run.
pub struct Checker {
    ledger: Ledger,
    worker: Worker,
    application: Application,
    /// The interval between two comparisons of a site; without one, sites are compared only on request.
    every: Option<Duration>,
    memory: Mutex<HashMap<dhcp::Server, dhcp::Remembered>>,
    /// The number of differences of each site, for Prometheus.
    differences: IntGaugeVec,
}

impl Checker {
    /// Creates a checker that compares each site at the interval `every`, or without it only on request. Fails if its metric is
    /// already registered.
    pub fn new(ledger: Ledger, worker: Worker, application: Application, every: Option<Duration>) -> anyhow::Result<Self> {
        let what = "What servers of a site have otherwise than they should, as this instance last found";
        let differences = IntGaugeVec::new(Opts::new("bootledger_drift_differences", what), &["site"])?;
        application.metrics.register(Box::new(differences.clone()))?;
        Ok(Self { ledger, worker, application, every, memory: Mutex::default(), differences })
    }

    /// Runs until `stopping` holds true.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            let pass = self.pass().instrument(info_span!("drift"));
            tokio::select! {
                passed = pass => match passed {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => error!(error = %format!("{error:#}"), "servers could not be compared with the views; trying again"),
                },
                // Differences that were found and not yet recorded will be found again.
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
    }

    /// Compares one site that is due. Returns false if there is none, or if the result of a requested repair has to be awaited.
    pub async fn pass(&self) -> anyhow::Result<bool> {
        let views = &self.ledger.views;
        drift::plan(views, self.every.map(|every| self.now() + every)).await?;
        let Some(worker) = self.worker.name() else { return Ok(false) };
        let Some(Due { site, whole }) = drift::take(views, worker, self.now(), self.now() + LEASE).await? else {
            return Ok(false);
        };
        let name = site.parse()?;
        let looked = tokio::select! {
            biased;
            // The instance that holds the lease now will find the differences that were found here and not yet recorded.
            () = self.worker.lost(worker) => return Ok(false),
            looked = self.site(&name, whole, worker) => looked?,
        };
        let Some((checked, again)) = looked else {
            drift::forget(views, &site).await?;
            drop(self.differences.remove_label_values(&[&site]));
            return Ok(true);
        };
        let count = view::count(views, &name, At::Now).await?;
        self.differences.with_label_values(&[&site]).set(count);
        let next = self.every.map(|every| self.now() + every);
        drift::done(views, (&site, worker), whole.then_some(&checked), self.now(), next).await?;
        if again {
            drift::request_repair(views, &site).await?;
        }
        Ok(!again)
    }

    fn now(&self) -> OffsetDateTime {
        (self.ledger.now)().0
    }
}
