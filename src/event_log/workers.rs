//! The live workers: each writes a row once a second, and a lease is valid only while the row of its worker is recent.
//!
//! All times here are the database's, so that the clocks of the instances do not matter. The function `worker_lives` of the
//! schema defines how long a worker may be silent.

use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// The result of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Whether the worker still counted as live. Otherwise others may have taken over its work, and its name must not be used
    /// again.
    pub kept: bool,
    /// How many other workers were found dead and removed.
    pub lost: i64,
    /// When the next of the other workers will count as dead, if it stays silent.
    pub next: Option<Duration>,
}

/// Registers a worker. Earlier workers of the same instance count as dead: their work is free at once.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn register(connection: &mut PgConnection, worker: Uuid, instance: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH earlier AS (DELETE FROM workers WHERE instance = $2 AND worker <> $1)
         INSERT INTO workers (worker, instance, beat_at) VALUES ($1, $2, clock_timestamp())
         ON CONFLICT (worker) DO UPDATE SET beat_at = excluded.beat_at",
        worker,
        instance
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Records that a worker lives, and removes dead workers.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn beat(connection: &mut PgConnection, worker: Uuid) -> Result<Beat, sqlx::Error> {
    let row = sqlx::query!(
        r#"WITH kept AS (
               UPDATE workers SET beat_at = clock_timestamp() WHERE worker = $1 AND worker_lives(worker) RETURNING worker
           ), lost AS (
               DELETE FROM workers WHERE worker <> $1 AND NOT worker_lives(worker) RETURNING worker
           )
           SELECT EXISTS (SELECT FROM kept) AS "kept!", (SELECT count(*) FROM lost) AS "lost!",
                  (SELECT extract(epoch FROM min(beat_at) + interval '4 seconds' - clock_timestamp())::float8
                     FROM workers WHERE worker <> $1 AND worker_lives(worker)) AS next"#,
        worker
    )
    .fetch_one(connection)
    .await?;
    let next = row.next.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok(Beat { kept: row.kept, lost: row.lost, next })
}

/// Removes a worker, whose work is free at once.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn leave(connection: &mut PgConnection, worker: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM workers WHERE worker = $1", worker).execute(connection).await.map(drop)
}
