//! How far each webhook is: up to where the log was read for it, and which aggregates it was not told all of until there.
//!
//! The worker that delivers to a webhook holds its row for some seconds at a time, while its worker lives, and writes nothing when another
//! worker has taken it.

use bootledger_projections::catalogue::Beginning;
use bootledger_projections::pool::Pool;
use std::collections::HashSet;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The type and key of an aggregate.
pub type Key = (String, String);

/// An aggregate that a webhook was not told all of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The aggregate.
    pub key: Key,
    /// From this place in the log on nothing of it was taken.
    pub position: i64,
    /// The same as a place in its stream.
    pub sequence: i64,
    /// How often the event there was tried in vain.
    pub attempts: u32,
    /// Since when it is tried.
    pub since: OffsetDateTime,
    /// When it is tried next.
    pub next_try: OffsetDateTime,
    /// Why the last try came to nothing.
    pub problem: Option<String>,
}

/// How far a webhook is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Up to where the log was read for it.
    pub position: i64,
    /// What it was not told until there.
    pub undelivered: Vec<Undelivered>,
    /// The positions that it is not to be told of.
    pub skipped: HashSet<i64>,
}

/// Who tells a webhook.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The webhook's name.
    pub webhook: &'a str,
    /// The worker.
    pub worker: Uuid,
    /// How long others leave it alone, from each time that it is saved.
    pub lease: Duration,
}

/// Becomes the one who tells a webhook, from where it was or, where its beginning was set since, from there. `None` while
/// somebody else tells it, or knows of a later beginning.
pub async fn take(pool: &Pool, holder: Holder<'_>, begins: Beginning) -> Result<Option<Progress>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let position = sqlx::query_scalar!(
        r#"INSERT INTO webhook_progress AS p (webhook, begun, position, worker, until)
           VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
           ON CONFLICT (webhook) DO UPDATE
              SET worker = excluded.worker, until = excluded.until, begun = excluded.begun, problem = NULL,
                  position = CASE WHEN p.begun = excluded.begun THEN p.position ELSE excluded.position END
            WHERE (p.until <= clock_timestamp() OR NOT worker_lives(p.worker)) AND p.begun <= excluded.begun
           RETURNING position"#,
        holder.webhook,
        begins.set_at,
        begins.after,
        holder.worker,
        holder.lease.as_secs_f64()
    );
    let Some(position) = position.fetch_optional(&mut *transaction).await? else { return Ok(None) };
    sqlx::query!("DELETE FROM webhook_lanes WHERE webhook = $1 AND begun <> $2", holder.webhook, begins.set_at)
        .execute(&mut *transaction)
        .await?;
    let lanes = sqlx::query!(
        "SELECT aggregate_type, aggregate_id, position, sequence, attempts, since, next_try, problem
           FROM webhook_lanes WHERE webhook = $1",
        holder.webhook
    );
    let undelivered = lanes.fetch_all(&mut *transaction).await?.into_iter().map(|row| Undelivered {
        key: (row.aggregate_type, row.aggregate_id),
        position: row.position,
        sequence: row.sequence,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        since: row.since,
        next_try: row.next_try,
        problem: row.problem,
    });
    let undelivered = undelivered.collect();
    let skipped = sqlx::query_scalar!(
        r#"SELECT (payload ->> 'position')::bigint AS "position!" FROM events
            WHERE aggregate_type = 'webhook' AND aggregate_id = $1 AND event_type = 'WebhookEventSkipped' AND position > $2"#,
        holder.webhook,
        begins.set_at
    );
    let skipped = skipped.fetch_all(&mut *transaction).await?.into_iter().collect();
    transaction.commit().await?;
    Ok(Some(Progress { position, undelivered, skipped }))
}

/// What has changed since the last time.
#[derive(Clone, Copy, Debug)]
pub struct Changes<'a> {
    /// Up to where the log was read.
    pub position: i64,
    /// Aggregates that it was not told all of.
    pub kept: &'a [&'a Undelivered],
    /// Aggregates that it was told all of.
    pub ended: &'a [&'a Key],
    /// When it last took something, if it has.
    pub taken_at: Option<OffsetDateTime>,
    /// What keeps it from being told anything at all.
    pub problem: Option<&'a str>,
}

/// Remembers changes and holds the webhook for longer; `false`, and nothing is changed, when somebody else tells it now.
///
/// It does not wait for the disk, and has nobody else wait for it: what a crash of the database forgets is told again.
pub async fn save(pool: &Pool, holder: Holder<'_>, changes: Changes<'_>) -> Result<bool, sqlx::Error> {
    let Changes { position, kept, ended, taken_at, problem } = changes;
    let saved = sqlx::query_scalar!(
        r#"WITH held AS (
               UPDATE webhook_progress SET position = $3, until = clock_timestamp() + make_interval(secs => $4),
                      taken_at = coalesce($5, taken_at), problem = $6
                WHERE webhook = $1 AND worker = $2 RETURNING begun, set_config('synchronous_commit', 'off', true)
           ), ended AS (
               DELETE FROM webhook_lanes l USING held, UNNEST($7::text[], $8::text[]) AS e (aggregate_type, aggregate_id)
                WHERE l.webhook = $1 AND l.aggregate_type = e.aggregate_type AND l.aggregate_id = e.aggregate_id
           ), kept AS (
               INSERT INTO webhook_lanes
                      (webhook, begun, aggregate_type, aggregate_id, position, sequence, attempts, since, next_try, problem)
               SELECT $1, held.begun, k.*
                 FROM held, UNNEST($9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::integer[], $14::timestamptz[],
                                   $15::timestamptz[], $16::text[]) AS k
               ON CONFLICT (webhook, aggregate_type, aggregate_id) DO UPDATE
                  SET begun = excluded.begun, position = excluded.position, sequence = excluded.sequence,
                      attempts = excluded.attempts, since = excluded.since, next_try = excluded.next_try,
                      problem = excluded.problem
           )
           SELECT EXISTS (SELECT FROM held) AS "held!""#,
        holder.webhook,
        holder.worker,
        position,
        holder.lease.as_secs_f64(),
        taken_at,
        problem,
        &ended.iter().map(|key| key.0.clone()).collect::<Vec<_>>(),
        &ended.iter().map(|key| key.1.clone()).collect::<Vec<_>>(),
        &kept.iter().map(|lane| lane.key.0.clone()).collect::<Vec<_>>(),
        &kept.iter().map(|lane| lane.key.1.clone()).collect::<Vec<_>>(),
        &kept.iter().map(|lane| lane.position).collect::<Vec<_>>(),
        &kept.iter().map(|lane| lane.sequence).collect::<Vec<_>>(),
        &kept.iter().map(|lane| i32::try_from(lane.attempts).unwrap_or(i32::MAX)).collect::<Vec<_>>(),
        &kept.iter().map(|lane| lane.since).collect::<Vec<_>>(),
        &kept.iter().map(|lane| lane.next_try).collect::<Vec<_>>(),
        &kept.iter().map(|lane| lane.problem.clone()).collect::<Vec<_>>() as &[Option<String>]
    );
    saved.fetch_one(pool).await
}

/// Lets others tell the webhook at once.
pub async fn give_back(pool: &Pool, holder: Holder<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE webhook_progress SET until = '-infinity' WHERE webhook = $1 AND worker = $2",
        holder.webhook,
        holder.worker
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Whether a webhook fails to take the event at this position.
pub async fn is_failing(pool: &Pool, webhook: &str, begun: i64, position: i64) -> Result<bool, sqlx::Error> {
    let failing = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM webhook_lanes
                           WHERE webhook = $1 AND begun = $2 AND position = $3 AND attempts > 0) AS "failing!""#,
        webhook,
        begun,
        position
    );
    failing.fetch_one(pool).await
}

/// Forgets how far webhooks were that are out of use.
pub async fn forget_retired(pool: &Pool) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query!(
        "DELETE FROM webhook_progress p USING catalogue c
          WHERE c.kind = 'webhook' AND c.key = p.webhook AND c.valid_to IS NULL AND c.retired AND p.until <= clock_timestamp()"
    );
    forgotten.execute(pool).await.map(|done| done.rows_affected())
}
