//! Ends expired sessions, so that lists of sessions are correct, and deletes secrets that are no longer valid. Access control
//! does not depend on it: each request checks its session itself.

use super::{BackgroundWork, Next};
use crate::commands::CommandService;
use crate::commands::administrator::by;
use crate::event_log::accounts as secrets;
use anyhow::Result;
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::session::{EndReason, IDLE_SECONDS};
use bootledger_port::{AccountAction, Command, Commands};
use bootledger_projections::rows::accounts;
use std::time::Duration;

/// The maximum number of sessions that are ended at a time.
const BATCH: i64 = 100;

/// The worker that ends expired sessions.
pub struct Sweeper {
    commands: CommandService,
}

impl Sweeper {
    /// Creates a worker that sends its commands to this service.
    pub fn new(commands: CommandService) -> Self {
        Self { commands }
    }
}

impl BackgroundWork for Sweeper {
    const NAME: &'static str = "session_expiry";
    const PERIOD: Duration = Duration::from_mins(5);

    async fn pass(&mut self) -> Result<Next> {
        let now = (self.commands.now)();
        let over = accounts::over(&self.commands.views, now.plus_seconds(-IDLE_SECONDS), now, BATCH).await?;
        for session in &over {
            let command = Command::Account(AccountAction::EndSession { session: *session, reason: EndReason::Expired });
            self.commands.execute(command, by(SystemActor::Service)).await?;
        }
        secrets::forget_sessions(&self.commands.views, now).await?;
        secrets::forget_passwords(&self.commands.views).await?;
        Ok(Next::Later)
    }
}
