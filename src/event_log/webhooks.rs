//! The progress of webhooks: the position up to which the log was read for each, and the aggregates with undelivered events
//! before it.
//!
//! The worker that delivers to a webhook holds its row for some seconds at a time, while the worker lives, and writes nothing
//! once another worker has taken it.

use bootledger_projections::database::pool::Pool;
use bootledger_projections::progress::delivery_problem::DeliveryProblem;
use bootledger_projections::rows::catalogue::Beginning;
use std::collections::HashSet;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The type and key of an aggregate.
pub type Key = (String, String);

/// An aggregate with undelivered events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The type and key of the aggregate.
    pub key: Key,
    /// The position of its first undelivered event.
    pub position: i64,
    /// The sequence number of that event in its stream.
    pub sequence: i64,
    /// How many attempts to deliver that event have failed.
    pub attempts: u32,
    /// Since when delivery of that event is attempted.
    pub since: OffsetDateTime,
    /// When the next attempt starts.
    pub next_try: OffsetDateTime,
    /// Why the last attempt failed.
    pub problem: Option<DeliveryProblem>,
}

/// The progress of a webhook.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The position up to which the log was read.
    pub position: i64,
    /// The aggregates with undelivered events up to that position.
    pub undelivered: Vec<Undelivered>,
    /// The positions of events that are skipped.
    pub skipped: HashSet<i64>,
}

/// The worker that delivers to a webhook.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The webhook's name.
    pub webhook: &'a str,
    /// The worker's id.
    pub worker: Uuid,
    /// How long other workers leave the webhook alone after each save.
    pub lease: Duration,
}

/// Takes a webhook for delivery, from its last progress or, if its beginning was set since, from there. `None` while another
/// worker delivers to it, or if the database has a later beginning.
///
/// # Errors
/// Returns an error if a statement or the commit fails.
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
        // A problem that another version stored is replaced by the next attempt.
        problem: row.problem.and_then(|problem| serde_json::from_value(problem).ok()),
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

/// The changes since the last save.
#[derive(Clone, Copy, Debug)]
pub struct Changes<'a> {
    /// The position up to which the log was read.
    pub position: i64,
    /// The aggregates with undelivered events.
    pub kept: &'a [&'a Undelivered],
    /// The aggregates whose events were all delivered.
    pub ended: &'a [&'a Key],
    /// When the receiver last accepted an event, if it has.
    pub taken_at: Option<OffsetDateTime>,
    /// The problem that prevents all deliveries.
    pub problem: Option<&'a DeliveryProblem>,
}

/// Stores changes and extends the lease. Returns `false` without a change if another worker delivers to the webhook now.
///
/// The commit does not wait for the disk, and makes no other transaction wait for it: events whose progress is lost in a crash
/// of the database are delivered again.
///
/// # Errors
/// Returns an error if a problem cannot be written as JSON, or if the statement fails.
pub async fn save(pool: &Pool, holder: Holder<'_>, changes: Changes<'_>) -> Result<bool, sqlx::Error> {
    let Changes { position, kept, ended, taken_at, problem } = changes;
    let json = |problem: &DeliveryProblem| serde_json::to_value(problem).map_err(|error| sqlx::Error::Encode(error.into()));
    let problem = problem.map(json).transpose()?;
    let problems = kept.iter().map(|lane| lane.problem.as_ref().map(json).transpose()).collect::<Result<Vec<_>, _>>()?;
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
                                   $15::timestamptz[], $16::jsonb[]) AS k
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
        &problems as _
    );
    saved.fetch_one(pool).await
}

/// Releases the webhook, so that another worker can deliver to it at once.
///
/// # Errors
/// Returns an error if the statement fails.
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

/// Whether delivery of the event at this position is failing.
///
/// # Errors
/// Returns an error if the query fails.
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

/// Deletes the progress of retired webhooks.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn forget_retired(pool: &Pool) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query!(
        "DELETE FROM webhook_progress p USING catalogue c
          WHERE c.kind = 'webhook' AND c.key = p.webhook AND c.valid_to IS NULL AND c.retired AND p.until <= clock_timestamp()"
    );
    forgotten.execute(pool).await.map(|done| done.rows_affected())
}
