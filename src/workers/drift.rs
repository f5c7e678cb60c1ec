//! Compares the servers of each site with the expected state, at intervals and on request.
//!
//! A difference is recorded as an event and is not changed, because an operator may have had a reason for it. If an operator
//! requests the repair, the difference is repaired, but only if it still is as it was found.

mod dhcp;
mod memory;
mod site;

use super::{BackgroundWork, Next};
use crate::commands::CommandService;
use crate::event_log::drift::{self, Due};
use crate::workers::heartbeat::Worker;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::drift as view;
use bootledger_web::http::application::Application;
use memory::Remembered;
use prometheus::{IntGaugeVec, Opts};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;

/// How long other instances do not touch a site. The lease is extended while the comparison runs.
const LEASE: time::Duration = time::Duration::seconds(120);

/// Compares servers with the expected state. Any number of instances may run.
pub struct Checker {
    commands: CommandService,
    worker: Worker,
    application: Application,
    /// The interval between two comparisons of a site; without one, sites are compared only on request.
    every: Option<Duration>,
    /// By the name of the DHCP server.
    memory: Mutex<HashMap<Name, Remembered>>,
    /// The number of differences of each site, for Prometheus.
    differences: IntGaugeVec,
    stopping: watch::Receiver<bool>,
}

impl Checker {
    /// Creates a checker that compares each site at the interval `every`, or without it only on request.
    ///
    /// # Errors
    /// Returns an error if the registry already contains the metric.
    pub fn new(
        commands: CommandService,
        worker: Worker,
        application: Application,
        every: Option<Duration>,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let what = "Differences between a site's servers and the expected state, at this instance's last check";
        let differences = IntGaugeVec::new(Opts::new("bootledger_drift_differences", what), &["site"])?;
        application.metrics.register(Box::new(differences.clone()))?;
        Ok(Self { commands, worker, application, every, memory: Mutex::default(), differences, stopping })
    }

    /// Compares one site that is due. Returns false if there is none, or if the result of a requested repair has to be awaited.
    async fn compare(&self) -> anyhow::Result<bool> {
        let views = &self.commands.views;
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
        (self.commands.now)().0
    }
}

impl BackgroundWork for Checker {
    const NAME: &'static str = "drift_checks";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn pass(&mut self) -> anyhow::Result<Next> {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            compared = self.compare() => Ok(if compared? { Next::Now } else { Next::Later }),
            // Differences that were found and not yet recorded will be found again.
            _ = stopping.wait_for(|stopping| *stopping) => Ok(Next::Later),
        }
    }
}
