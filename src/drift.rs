//! Compares what the servers of each site have with what the views say: every now and then, and when it is asked for.
//!
//! What differs becomes an event and stays as it is, since a person may have had a reason; what a person has ordered to
//! be repaired is repaired, from what was found then and from nothing else.

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

/// How soon it is looked whether something is due.
const POLL: Duration = Duration::from_secs(1);
/// How long others leave a site alone; it is prolonged while the comparison goes on.
const LEASE: time::Duration = time::Duration::seconds(120);

/// Compares servers with the views; any number of instances may run.
pub struct Checker {
    ledger: Ledger,
    worker: Worker,
    application: Application,
    /// Between two comparisons of a site; none by themselves where `None`.
    every: Option<Duration>,
    memory: Mutex<HashMap<dhcp::Server, dhcp::Remembered>>,
    /// How many differences each site has, as Prometheus is told.
    differences: IntGaugeVec,
}

impl Checker {
    /// One that compares each site `every` so often; without it, only when that is asked for. Fails where its measurement
    /// is registered already.
    pub fn new(ledger: Ledger, worker: Worker, application: Application, every: Option<Duration>) -> anyhow::Result<Self> {
        let what = "What servers of a site have otherwise than they should, as this instance last found";
        let differences = IntGaugeVec::new(Opts::new("bootledger_drift_differences", what), &["site"])?;
        application.metrics.register(Box::new(differences.clone()))?;
        Ok(Self { ledger, worker, application, every, memory: Mutex::default(), differences })
    }

    /// Runs until `stopping`.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            let pass = self.pass().instrument(info_span!("drift"));
            tokio::select! {
                passed = pass => match passed {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => error!(error = %format!("{error:#}"), "servers could not be compared with the views; trying again"),
                },
                // Whatever was found and not yet told is found again.
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
    }

    /// Compares one site that is due; false where there is none, or where what was ordered has to be waited for.
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
            // The instance that has the site now finds what was found here and not recorded yet.
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
