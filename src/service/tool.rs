//! The parts that a command needs which runs once: the database, the command service, and up-to-date views. A service may be
//! running or not.

use crate::clock;
use crate::commands::CommandService;
use crate::config::StoreArguments;
use crate::database::Database;
use crate::event_log::EventLog;
use crate::event_log::catch_up::catch_up;
use crate::event_log::feed::Feed;
use anyhow::Result;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long closing may take.
const CLOSE: Duration = Duration::from_mins(1);

/// Opens the database for a command, does its work, updates the views with what it did, and closes the database.
///
/// # Errors
/// Returns the error of the work; otherwise that of a step before or after it.
pub async fn with<T>(arguments: &StoreArguments, work: impl AsyncFnOnce(&Tool) -> Result<T>) -> Result<T> {
    let tool = Tool::open(arguments).await?;
    let done = work(&tool).await;
    // What was done is already in the log. A running service updates its views from the log by itself.
    let caught_up = tool.catch_up().await;
    let closed = tool.close().await;
    let value = done?;
    caught_up.and(closed)?;
    Ok(value)
}

/// The database and the command service of a command.
pub struct Tool {
    /// The open database.
    pub database: Database,
    /// The command service.
    pub commands: CommandService,
    stopping: watch::Sender<bool>,
}

impl Tool {
    /// Opens the database, which is shared with a running service if there is one.
    ///
    /// # Errors
    /// Returns an error if the database cannot be opened, or if the views cannot be updated.
    pub async fn open(arguments: &StoreArguments) -> Result<Self> {
        let database = Database::open(arguments, true).await?;
        let (stopping, stop) = watch::channel(false);
        let feed = Feed::start(database.pool.clone(), stop).await?;
        let log = EventLog::start(database.pool.clone(), database.sessions.clone());
        log.condition().begin(database.read_only.clone());
        let commands = CommandService::new(log, database.pool.clone(), feed, clock::now, arguments.secrets());
        let commands = commands.with_outbound(arguments.outbound()).with_checkers(arguments.checkers());
        let tool = Self { database, commands, stopping };
        tool.catch_up().await?;
        Ok(tool)
    }

    /// Updates the views to the end of the log. In a database that accepts no writes, they remain as they are.
    ///
    /// # Errors
    /// Returns an error if a step of the projector fails, or if the end of the log cannot be read.
    pub async fn catch_up(&self) -> Result<()> {
        if self.database.read_only.is_some() {
            return Ok(());
        }
        catch_up(&self.database.pool, &self.commands.feed).await.map(drop)
    }

    /// Waits for power orders in progress, then closes the database.
    ///
    /// # Errors
    /// Returns an error if the embedded server did not end properly.
    pub async fn close(self) -> Result<()> {
        // Power orders in progress are finished and recorded.
        self.commands.orders_ended().await;
        self.stopping.send_replace(true);
        drop(self.commands);
        // An embedded server may take the time that it needs to write everything, since no caller needs a quick end.
        self.database.close_by(Instant::now() + CLOSE).await
    }
}
