//! Builds the views anew beside the old ones, and switches to them or compares.
//!
//! The second schema, `views_next`, is filled from the log's first event by the same projector, on
//! a connection of its own whose search path finds it first. The old views serve meanwhile.

mod schema;

use crate::error::{Error, Result};
use crate::log::{self, Filter};
use crate::pool::Pool;
use crate::project::{Batch, project_read};
use serde::Serialize;
use sqlx::{Connection, Executor, PgConnection};
use std::time::{Duration, Instant};

/// How many events one transaction of a rebuild applies: more than a step's, since nobody waits for it.
const BATCH: i64 = 8000;

/// How many events may be left when the switch begins, which holds up the projector.
const NEARLY: i64 = 1000;

/// How long a rebuild waits for one that is ending: its session holds the lease until PostgreSQL has seen it close.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long to wait before the lease is requested again.
const LOOK: Duration = Duration::from_millis(50);

/// What differs between the views and their rebuild, or between claims and holdings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table; `claims` for the claims of the write side against the rebuilt holdings.
    pub table: String,
    /// How many rows only the existing table has.
    pub only_old: i64,
    /// How many rows only the rebuilt one has.
    pub only_new: i64,
    /// One of those rows, as JSON.
    pub sample: Option<String>,
}

/// Builds all views anew and switches to them. `progress` is told how far of how many positions it has come.
/// Gives the position that the new views show.
///
/// # Errors
/// [`Error::RebuildRuns`] where another rebuild is at work; the old views stay in every case of failure.
pub async fn rebuild(pool: impl Into<Pool>, mut progress: impl FnMut(i64, i64) + Send) -> Result<i64> {
    let pool = pool.into();
    let mut connection = beside(&pool).await?;
    schema::create(&mut connection).await?;
    fill(&pool, &mut connection, NEARLY, &mut progress).await?;
    schema::finish(&mut connection).await?;

    let mut transaction = connection.begin().await?;
    // Waits for whoever reads the old views in a transaction that began with their position, and fences the projector.
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

/// Builds all views anew up to the position of the existing ones, and says where they differ: nowhere, if all is well.
///
/// # Errors
/// [`Error::RebuildRuns`] where another rebuild is at work.
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

    // The claims are at the end of the log: one snapshot shows both, and the rest is applied within it.
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

/// A connection that finds the new views first, and holds the lease of rebuilding.
async fn beside(pool: &Pool) -> Result<PgConnection> {
    let mut connection = pool.connect_beside().await?;
    let since = Instant::now();
    while !sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock(7267832001) AS "alone!""#).fetch_one(&mut connection).await? {
        if since.elapsed() > PATIENCE {
            return Err(Error::RebuildRuns);
        }
        tokio::time::sleep(LOOK).await;
    }
    // Nothing is lost with a crash in the middle of a rebuild, so no commit but the last need wait for the disk.
    connection.execute("SET search_path = views_next, public; SET synchronous_commit = off").await?;
    Ok(connection)
}

/// Applies the log until at most `nearly` events are left. The next batch is read while one is applied.
async fn fill(
    pool: &Pool,
    connection: &mut PgConnection,
    nearly: i64,
    progress: &mut (impl FnMut(i64, i64) + Send),
) -> Result<()> {
    let mut last = log::last_position(pool).await?;
    let mut analyzed = 0;
    // A log that is never longer than `nearly` is left to the last, short transaction altogether.
    let mut batch = if last > nearly { read(pool, 0).await? } else { Batch::read(vec![]) };
    while let Some(position) = batch.last() {
        let (applied, next) = tokio::join!(apply(connection, &batch), read(pool, position));
        applied?;
        batch = next?;
        // Without statistics the database would take every table for empty and scan it.
        if position >= analyzed * 8 {
            schema::analyze(connection, &schema::ASKED).await?;
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

/// The next events, read on a thread of their own: the database is busy with the batch before them meanwhile.
async fn read(pool: &Pool, position: i64) -> Result<Batch> {
    let stored = log::read_after(pool, position, BATCH, Filter::default()).await?;
    tokio::task::spawn_blocking(|| Batch::read(stored)).await.map_err(|_| Error::Stopped)
}

async fn apply(connection: &mut PgConnection, batch: &Batch) -> Result<()> {
    let mut transaction = connection.begin().await?;
    project_read(&mut transaction, batch).await?;
    Ok(transaction.commit().await?)
}

/// Applies what is left up to a position, within the caller's transaction.
async fn catch_up(connection: &mut PgConnection, until: i64) -> Result<i64> {
    let mut position = crate::checkpoint::position(&mut *connection).await?;
    while position < until {
        let batch = log::read_after(&mut *connection, position, BATCH.min(until - position), Filter::default()).await?;
        if batch.is_empty() {
            break;
        }
        position = project_read(connection, &Batch::read(batch)).await?;
    }
    Ok(position)
}
