//! Rebuilds the views in a second schema, then switches to them or compares them with the current views.
//!
//! The same projector fills the second schema, `views_next`, from the log's first event, on a connection of its own whose
//! search path finds that schema first. The current views remain in use during the rebuild.

mod schema;

use crate::database::log::{self, Filter};
use crate::database::pool::Pool;
use crate::error::{Error, Result};
use crate::projector::{Batch, project_read};
use serde::Serialize;
use sqlx::{Connection, Executor, PgConnection};
use std::time::{Duration, Instant};

/// How many events one transaction of a rebuild applies: more than a step of the projector, since no reader waits for it.
const BATCH: i64 = 8000;

/// How many events may be left when the switch begins. The switch blocks the projector.
const NEARLY: i64 = 1000;

/// How long a rebuild waits for one that is ending: its session holds the lease until PostgreSQL has seen it close.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long to wait before the lease is requested again.
const LOOK: Duration = Duration::from_millis(50);

/// A difference between the views and their rebuild, or between claims and holdings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table's name; `claims` for the claims of the write side compared with the rebuilt holdings.
    pub table: String,
    /// How many rows exist only in the current table.
    pub only_old: i64,
    /// How many rows exist only in the rebuilt table.
    pub only_new: i64,
    /// One of those rows, as JSON.
    pub sample: Option<String>,
}

/// Rebuilds all views and switches to them. Calls `progress` with the current position and the last one. Returns the position
/// that the new views show.
///
/// # Errors
/// Returns [`Error::RebuildRuns`] if another rebuild is in progress. The current views remain unchanged after any failure.
pub async fn rebuild(pool: impl Into<Pool>, mut progress: impl FnMut(i64, i64) + Send) -> Result<i64> {
    let pool = pool.into();
    let mut connection = beside(&pool).await?;
    schema::create(&mut connection).await?;
    fill(&pool, &mut connection, NEARLY, &mut progress).await?;
    schema::finish(&mut connection).await?;

    let mut transaction = connection.begin().await?;
    // Waits for transactions that read the old views since before the switch, and blocks the projector.
    transaction.execute("SET LOCAL synchronous_commit = on; LOCK TABLE views.checkpoint IN ACCESS EXCLUSIVE MODE").await?;
    let last = log::last_position(&mut *transaction).await?;
    let position = catch_up(&mut transaction, last).await?;
    schema::switch(&mut transaction).await?;
    sqlx::query!("SELECT pg_notify('bootledger_projected', $1)", position.to_string()).execute(&mut *transaction).await?;
    transaction.commit().await?;
    progress(position, position);
    schema::drop_old(&mut connection).await?;
    connection.close().await?;
    Ok(position)
}

/// Rebuilds all views up to the position of the current ones, and returns the differences; empty if there are none.
///
/// # Errors
/// Returns [`Error::RebuildRuns`] if another rebuild is in progress.
pub async fn compare(pool: impl Into<Pool>, mut progress: impl FnMut(i64, i64) + Send) -> Result<Vec<Difference>> {
    let pool = pool.into();
    let mut connection = beside(&pool).await?;
    schema::create(&mut connection).await?;
    fill(&pool, &mut connection, NEARLY, &mut progress).await?;

    let mut transaction = connection.begin().await?;
    let position = sqlx::query_scalar::<_, i64>("SELECT position FROM views.checkpoint FOR UPDATE");
    let position = position.fetch_one(&mut *transaction).await?;
    catch_up(&mut transaction, position).await?;
    let mut differences = schema::differences(&mut transaction).await?;
    transaction.commit().await?;

    // The claims are those at the end of the log. One snapshot shows claims and log, and the remaining events are applied
    // within it.
    let mut transaction = connection.begin().await?;
    transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    let last = log::last_position(&mut *transaction).await?;
    catch_up(&mut transaction, last).await?;
    differences.extend(schema::claims(&mut transaction).await?);
    transaction.commit().await?;
    schema::drop_next(&mut connection).await?;
    connection.close().await?;
    Ok(differences)
}

/// Opens a connection that finds the new views first and holds the lease of rebuilds.
async fn beside(pool: &Pool) -> Result<PgConnection> {
    let mut connection = pool.connect_beside().await?;
    let since = Instant::now();
    while !sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock(7267832001) AS "alone!""#).fetch_one(&mut connection).await? {
        if since.elapsed() > PATIENCE {
            return Err(Error::RebuildRuns);
        }
        tokio::time::sleep(LOOK).await;
    }
    // A crash during a rebuild loses nothing, so only the last commit has to wait for the disk.
    connection.execute("SET search_path = views_next, public; SET synchronous_commit = off").await?;
    Ok(connection)
}

/// Applies the log until at most `nearly` events are left. The next batch is read while the current one is applied.
async fn fill(
    pool: &Pool,
    connection: &mut PgConnection,
    nearly: i64,
    progress: &mut (impl FnMut(i64, i64) + Send),
) -> Result<()> {
    let mut last = log::last_position(pool).await?;
    let mut analyzed = 0;
    // A log that is never longer than `nearly` is left entirely to the last, short transaction.
    let mut batch = if last > nearly { read(pool, 0).await? } else { Batch::read(vec![]) };
    while let Some(position) = batch.last() {
        let (applied, next) = tokio::join!(apply(connection, &batch), read(pool, position));
        applied?;
        batch = next?;
        // Without statistics, the database would assume that every table is empty and scan it.
        if position >= analyzed * 8 {
            schema::analyze(connection, &schema::ANALYZED).await?;
            analyzed = position;
        }
        last = last.max(batch.last().unwrap_or(position));
        progress(position, last);
        if batch.len() < usize::try_from(nearly).unwrap_or(usize::MAX) {
            last = log::last_position(pool).await?;
            if last - position <= nearly {
                break;
            }
            batch = read(pool, position).await?;
        }
    }
    Ok(())
}

/// Reads the next events on a separate thread, while the database processes the batch before them.
async fn read(pool: &Pool, position: i64) -> Result<Batch> {
    let stored = log::read_after(pool, position, BATCH, Filter::default()).await?;
    tokio::task::spawn_blocking(|| Batch::read(stored)).await.map_err(|_| Error::Stopped)
}

async fn apply(connection: &mut PgConnection, batch: &Batch) -> Result<()> {
    let mut transaction = connection.begin().await?;
    project_read(&mut transaction, batch).await?;
    Ok(transaction.commit().await?)
}

/// Applies the remaining events up to a position, within the caller's transaction.
async fn catch_up(connection: &mut PgConnection, until: i64) -> Result<i64> {
    let mut position = crate::projector::checkpoint::position(&mut *connection).await?;
    while position < until {
        let batch = log::read_after(&mut *connection, position, BATCH.min(until - position), Filter::default()).await?;
        if batch.is_empty() {
            break;
        }
        position = project_read(connection, &Batch::read(batch)).await?;
    }
    Ok(position)
}
