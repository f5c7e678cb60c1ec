//! The parts that a command needs which runs once: the database, the command service, and up-to-date views. A service may be
//! running or not.

use crate::clock;
use crate::config::StoreArguments;
use crate::database::Database;
use crate::feed::Feed;
use crate::ledger::Ledger;
use crate::projector;
use crate::store::EventLog;
use anyhow::Result;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long closing may take.
const CLOSE: Duration = Duration::from_mins(1);

/// The database and the command service of a command.
pub struct Tool {
    /// The open database.
    pub database: Database,
    /// The command service.
    pub ledger: Ledger,
    stopping: watch::Sender<bool>,
}

impl Tool {
    /// Opens the database, which is shared with a running service if there is one.
    pub async fn open(arguments: &StoreArguments) -> Result<Self> {
        let database = Database::open(arguments, true).await?;
        let (stopping, stop) = watch::channel(false);
        let feed = Feed::start(database.pool.clone(), stop).await?;
        let log = EventLog::start(database.pool.clone(), database.sessions.clone());
        log.condition().begin(database.read_only.clone());
        let ledger = Ledger::new(log, database.pool.clone(), feed, clock::now, arguments.secrets());
        let ledger = ledger.with_outbound(arguments.outbound()).with_checkers(arguments.checkers());
        let tool = Self { database, ledger, stopping };
        tool.catch_up().await?;
        Ok(tool)
    }

    /// Updates the views to the end of the log. In a database that accepts no writes, they remain as they are.
    pub async fn catch_up(&self) -> Result<()> {
        if self.database.read_only.is_some() {
            return Ok(());
        }
        projector::catch_up(&self.database.pool, &self.ledger.feed).await.map(drop)
    }

    /// Waits for power orders in progress, then closes the database.
    pub async fn close(self) -> Result<()> {
        // Power orders in progress are finished and recorded.
        self.ledger.orders_ended().await;
        self.stopping.send_replace(true);
        drop(self.ledger);
        // An embedded server may take the time that it needs to write everything, since no caller needs a quick end.
        self.database.close_by(Instant::now() + CLOSE).await
    }
}
