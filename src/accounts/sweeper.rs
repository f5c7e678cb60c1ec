//! Ends expired sessions, so that lists of sessions are correct, and deletes secrets that are no longer valid. Access control
//! does not depend on it: each request checks its session itself.

use crate::administrator::by;
use crate::ledger::Ledger;
use crate::store::accounts as secrets;
use anyhow::Result;
use bootledger_aggregates::session::{EndReason, IDLE_SECONDS};
use bootledger_projections::accounts;
use bootledger_web::commands::{Command, Commands};
use std::time::Duration;
use tokio::sync::watch;

/// How often the worker runs.
const EVERY: Duration = Duration::from_mins(5);
/// The maximum number of sessions that are ended at a time.
const BATCH: i64 = 100;

/// The worker that ends expired sessions.
pub struct Sweeper {
    ledger: Ledger,
}

impl Sweeper {
    /// Creates a worker that sends its commands to this ledger.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Runs until the service stops.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            if let Err(error) = self.step().await {
                tracing::warn!("sessions that are over cannot be ended now: {error:#}");
            }
        }
    }

    /// Runs once. Returns how many sessions were ended.
    pub async fn step(&self) -> Result<usize> {
        let now = (self.ledger.now)();
        let over = accounts::over(&self.ledger.views, now.plus_seconds(-IDLE_SECONDS), now, BATCH).await?;
        for session in &over {
            let command = Command::EndSession { session: *session, reason: EndReason::Expired };
            self.ledger.execute(command, by("service")).await?;
        }
        secrets::forget_sessions(&self.ledger.views, now).await?;
        secrets::forget_passwords(&self.ledger.views).await?;
        Ok(over.len())
    }
}
