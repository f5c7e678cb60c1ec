//! The queue of boot images to add from the library. One is processed at a time.

use bootledger_projections::database::pool::Pool;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The maximum number of downloads that may wait.
const MOST_LIVE: i64 = 20;

/// For how long ended downloads are kept, in days.
const KEPT_DAYS: i32 = 90;

/// A download as it is stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the migration says what the columns are")]
pub struct Row {
    pub id: Uuid,
    pub recipe: String,
    pub image: String,
    pub mirror: Option<String>,
    pub is_update: bool,
    pub replaces: bool,
    pub actor: String,
    pub correlation_id: String,
    pub status: String,
    pub progress: Option<serde_json::Value>,
    pub result: Option<serde_json::Value>,
    pub created_at: OffsetDateTime,
    pub changed_at: OffsetDateTime,
}

/// A download to add to the queue.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the migration says what the columns are")]
pub struct New<'a> {
    pub id: Uuid,
    pub recipe: &'a str,
    pub image: &'a str,
    pub mirror: Option<&'a str>,
    pub is_update: bool,
    pub replaces: bool,
    pub actor: &'a str,
    pub correlation_id: &'a str,
}

/// Adds a download to the queue. Returns false if the queue is full, or the image is already in it.
///
/// # Errors
/// Returns an error if a statement fails.
pub async fn insert(pool: &Pool, new: New<'_>, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
    sqlx::query!(
        "DELETE FROM image_downloads WHERE status NOT IN ('queued', 'running') AND changed_at < $1::timestamptz - make_interval(days => $2)",
        now,
        KEPT_DAYS
    )
    .execute(pool)
    .await?;
    let inserted = sqlx::query!(
        "INSERT INTO image_downloads (id, recipe, image, mirror, is_update, replaces, actor, correlation_id, status, created_at, changed_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $9
          WHERE (SELECT count(*) FROM image_downloads WHERE status IN ('queued', 'running')) < $10
            AND NOT EXISTS (SELECT 1 FROM image_downloads WHERE status IN ('queued', 'running') AND image = $3)",
        new.id,
        new.recipe,
        new.image,
        new.mirror,
        new.is_update,
        new.replaces,
        new.actor,
        new.correlation_id,
        now,
        MOST_LIVE
    )
    .execute(pool)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// The latest downloads, newest first.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn list(pool: &Pool) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "SELECT id, recipe, image, mirror, is_update, replaces, actor, correlation_id, status, progress, result, created_at, changed_at
           FROM image_downloads ORDER BY created_at DESC LIMIT 100"
    )
    .fetch_all(pool)
    .await
}

/// The download with this id.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn find(pool: &Pool, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "SELECT id, recipe, image, mirror, is_update, replaces, actor, correlation_id, status, progress, result, created_at, changed_at
           FROM image_downloads WHERE id = $1",
        id
    )
    .fetch_optional(pool)
    .await
}

/// Marks downloads of lost instances as interrupted.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn interrupt_lost(pool: &Pool, now: OffsetDateTime) -> Result<u64, sqlx::Error> {
    let lost = sqlx::query!(
        "UPDATE image_downloads SET status = 'interrupted', changed_at = $1
          WHERE status = 'running' AND (alive_until < statement_timestamp() OR NOT worker_lives(worker))",
        now
    );
    Ok(lost.execute(pool).await?.rows_affected())
}

/// Takes the download that has waited longest, unless another one is in progress. If its worker is silent, it counts as lost
/// after `lease`.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn take(pool: &Pool, worker: Uuid, now: OffsetDateTime, lease: Duration) -> Result<Option<Row>, sqlx::Error> {
    let taken = sqlx::query_as!(
        Row,
        "UPDATE image_downloads SET status = 'running', changed_at = $1, worker = $3, result = NULL, progress = NULL,
                alive_until = statement_timestamp() + make_interval(secs => $2)
          WHERE id = (SELECT id FROM image_downloads WHERE status = 'queued' ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
            AND NOT EXISTS (SELECT 1 FROM image_downloads WHERE status = 'running')
      RETURNING id, recipe, image, mirror, is_update, replaces, actor, correlation_id, status, progress, result, created_at, changed_at",
        now,
        lease.as_secs_f64(),
        worker
    )
    .fetch_optional(pool)
    .await;
    match taken {
        // Another instance took a download at the same moment.
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(None),
        other => other,
    }
}

/// Stores the progress, and records that the worker lives, possibly under a new name. Returns false if the download was
/// cancelled or another worker has it.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn keep(
    pool: &Pool,
    id: Uuid,
    (was, is): (Uuid, Uuid),
    progress: &serde_json::Value,
    now: OffsetDateTime,
    lease: Duration,
) -> Result<bool, sqlx::Error> {
    let kept = sqlx::query!(
        "UPDATE image_downloads SET progress = $2, changed_at = $3, worker = $6,
                alive_until = statement_timestamp() + make_interval(secs => $4)
          WHERE id = $1 AND status = 'running' AND worker = $5",
        id,
        progress,
        now,
        lease.as_secs_f64(),
        was,
        is
    );
    Ok(kept.execute(pool).await?.rows_affected() == 1)
}

/// Ends a download of this worker. A download that was cancelled at the last moment still counts as done if its image was
/// created.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn end(
    pool: &Pool,
    (id, worker): (Uuid, Uuid),
    status: &str,
    result: Option<serde_json::Value>,
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE image_downloads SET status = $2, result = $3, changed_at = $4
          WHERE id = $1 AND (status = 'running' AND worker = $5 OR $2 = 'done')",
        id,
        status,
        result,
        now,
        worker
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Cancels a download that has not ended.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn cancel(pool: &Pool, id: Uuid, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
    let cancelled = sqlx::query!(
        "UPDATE image_downloads SET status = 'cancelled', changed_at = $2
          WHERE id = $1 AND status IN ('queued', 'running', 'interrupted')",
        id,
        now
    );
    Ok(cancelled.execute(pool).await?.rows_affected() == 1)
}

/// Returns a download to the queue that has ended without its image.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn resume(pool: &Pool, id: Uuid, actor: &str, correlation_id: &str, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
    let resumed = sqlx::query!(
        "UPDATE image_downloads SET status = 'queued', actor = $2, correlation_id = $3, changed_at = $4, result = NULL
          WHERE id = $1 AND status IN ('interrupted', 'failed', 'cancelled')
            AND NOT EXISTS (SELECT 1 FROM image_downloads AS other
                             WHERE other.status IN ('queued', 'running') AND other.image = image_downloads.image)",
        id,
        actor,
        correlation_id,
        now
    );
    Ok(resumed.execute(pool).await?.rows_affected() == 1)
}
