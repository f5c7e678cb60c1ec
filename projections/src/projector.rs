//! The projector: moves all views together to a later position of the log.
//!
//! The projector reads a batch of events, loads the rows that they affect with a few statements, applies the events to the rows
//! in memory, and writes the result with a few statements, together with the new checkpoint. The views after N events do not
//! depend on how the log was divided into batches.
//!
//! The projector reads no clock and makes no decisions: an event that does not fit is parked, never corrected.

mod apply;
mod catalogue;
pub mod checkpoint;
mod deployments;
mod devices;
mod holdings;
mod installations;
mod load;
pub mod rebuild;
mod runs;
mod state;
mod tallies;
mod timeline;
mod versions;
mod write;

use crate::database::log::{self, Stored};
use crate::database::pool::Pool;
use crate::error::Result;
use crate::rows::parked::ParkedReason;
use bootledger_aggregates::event::Recorded;
use sqlx::PgConnection;
use std::time::Duration;

/// How many events one transaction applies.
pub const BATCH: i64 = 1000;

/// How long a step may take. A batch usually takes a fraction of a second.
const LIMIT: Duration = Duration::from_secs(30);

/// The result of a step of the projector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another projector holds the lease and does the work.
    Busy,
    /// The views show this position, and the log has nothing later.
    Idle(i64),
    /// The views moved to a later position.
    Advanced {
        /// The position before the step.
        from: i64,
        /// The position after the step.
        to: i64,
        /// How many events the step applied.
        events: usize,
    },
}

/// Parsed events. An event that cannot be parsed has the reason instead.
pub(crate) struct Batch(Vec<(Stored, Result<Recorded, ParkedReason>)>);

impl Batch {
    /// Parses events. This takes some processor time and nothing else.
    pub(crate) fn read(batch: Vec<Stored>) -> Self {
        let read = |stored: Stored| {
            let recorded = read(&stored);
            (stored, recorded)
        };
        Self(batch.into_iter().map(read).collect())
    }

    /// The position of the last event.
    pub(crate) fn last(&self) -> Option<i64> {
        self.0.last().map(|(stored, _)| stored.position)
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Applies events that follow the checkpoint without a gap to every view, and moves the checkpoint. `connection` must be in a
/// transaction that holds the checkpoint's row. Returns the new checkpoint.
///
/// # Errors
/// Returns an error if a statement fails, or if a row that the events change is damaged; the caller then rolls the transaction
/// back. An event that cannot be applied is not an error: it is parked.
pub async fn project(connection: &mut PgConnection, batch: &[Stored]) -> Result<i64> {
    project_read(connection, &Batch::read(batch.to_vec())).await
}

/// The same as [`project`], for events that are already parsed.
pub(crate) async fn project_read(connection: &mut PgConnection, Batch(events): &Batch) -> Result<i64> {
    let Some((last, _)) = events.last() else { return crate::projector::checkpoint::position(&mut *connection).await };
    // The queries on the current rows are written for custom plans; see `At`.
    sqlx::query!("SET LOCAL plan_cache_mode = force_custom_plan").execute(&mut *connection).await?;
    let readable = events.iter().filter_map(|(_, read)| read.as_ref().ok());
    let mut state = load::load(connection, readable).await?;
    for (stored, read) in events {
        apply::apply(&mut state, stored, read);
    }
    write::write(connection, state).await?;
    sqlx::query!("UPDATE checkpoint SET position = $1", last.position).execute(connection).await?;
    Ok(last.position)
}

/// Moves the views by up to [`BATCH`] events in a transaction of its own, unless another projector is working.
///
/// # Errors
/// Returns an error if a statement fails, if a row that the events change is damaged, or if the step exceeds its limit. The
/// views are then unchanged; only after a commit that failed, they may have moved.
pub async fn step(pool: impl Into<Pool>) -> Result<Step> {
    let mut transaction = pool.into().begin().await?;
    let (connection, bound) = transaction.raw()?;
    let step = bound.within(LIMIT, advance(connection)).await?;
    match step {
        Step::Advanced { .. } => transaction.commit().await?,
        // The rollback is awaited. A dropped transaction would hold the lease a moment longer, and the next step would find it
        // busy.
        Step::Idle(_) | Step::Busy => transaction.rollback().await?,
    }
    Ok(step)
}

async fn advance(connection: &mut PgConnection) -> Result<Step> {
    // An instance that stops in the middle, for example in a paused virtual machine, must not block the others: the database
    // ends its transaction after 5 s without a statement.
    let lease = sqlx::query_scalar!(
        "SELECT position FROM checkpoint WHERE set_config('idle_in_transaction_session_timeout', '5s', true) <> ''
            FOR UPDATE SKIP LOCKED"
    );
    let Some(from) = lease.fetch_optional(&mut *connection).await? else { return Ok(Step::Busy) };
    let batch = log::read_after(&mut *connection, from, BATCH, log::Filter::default()).await?;
    if batch.is_empty() {
        return Ok(Step::Idle(from));
    }
    let events = batch.len();
    let to = project_read(connection, &Batch::read(batch)).await?;
    sqlx::query!("SELECT pg_notify('bootledger_projected', $1)", to.to_string()).execute(&mut *connection).await?;
    Ok(Step::Advanced { from, to, events })
}

fn read(stored: &Stored) -> Result<Recorded, ParkedReason> {
    stored.recorded().map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        ParkedReason::Unreadable { detail: format!("{error}{}", source.unwrap_or_default()) }
    })
}
