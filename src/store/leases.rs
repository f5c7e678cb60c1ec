//! Who works on which plugin run until when, so that any number of workers share the queue and a
//! lost worker's run is taken up by another.

use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::pool::Pool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A plugin run that this worker may run until its lease ends.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// Which plugin.
    pub plugin: Name,
    /// How many failures it has had.
    pub attempts: u32,
}

/// Takes up to `limit` runs that are due and that nobody works on, oldest first.
///
/// A resting lease (the run found nothing new to say) gives way before its end when an event has
/// made the run due after the lease was taken, or when it was woken.
pub async fn take(
    pool: &Pool,
    worker: Uuid,
    now: OffsetDateTime,
    duration: Duration,
    limit: i64,
) -> Result<Vec<Lease>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"WITH woken AS (
               SELECT r.deployment, r.plugin, r.attempts
                 FROM leases l JOIN plugin_runs r ON r.deployment = l.deployment AND r.plugin = l.plugin
                WHERE l.woken_at >= l.taken_at AND l.until <= $2 AND r.retry_at > $2
                LIMIT $4
                  FOR UPDATE OF l SKIP LOCKED
           ), due AS (
               SELECT r.deployment, r.plugin, r.attempts
                 FROM plugin_runs r
                 LEFT JOIN leases l ON l.deployment = r.deployment AND l.plugin = r.plugin
                WHERE r.retry_at <= $2
                  AND (l.deployment IS NULL OR l.until <= $2 OR (l.resting AND r.retry_at > l.taken_at))
                ORDER BY r.retry_at, r.deployment, r.place
                LIMIT $4
                  FOR UPDATE OF r SKIP LOCKED
           ), taken AS (
               INSERT INTO leases (deployment, plugin, worker, taken_at, until, resting)
               SELECT deployment, plugin, $1, $2, $3, false FROM (TABLE due UNION ALL TABLE woken) AS r
               ON CONFLICT (deployment, plugin) DO UPDATE
                  SET worker = excluded.worker, taken_at = excluded.taken_at, until = excluded.until, resting = false
                WHERE leases.until <= $2 OR leases.resting
               RETURNING deployment, plugin
           )
           SELECT r.deployment AS "deployment!", r.plugin AS "plugin!", r.attempts AS "attempts!"
             FROM (TABLE due UNION ALL TABLE woken) AS r JOIN taken USING (deployment, plugin)"#,
        worker,
        now,
        now + duration,
        limit,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let plugin = row.plugin.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Lease {
                deployment: DeploymentId(row.deployment),
                plugin,
                attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            })
        })
        .collect()
}

/// Lets a run rest until a time, or until an event makes it due; not at all where it was woken since it was taken.
///
/// It does not wait for the disk: where it is lost with the database's server, the lease ends when it would have ended anyway.
pub async fn rest(pool: &Pool, worker: Uuid, lease: &Lease, until: OffsetDateTime) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leases SET until = CASE WHEN woken_at >= taken_at THEN taken_at ELSE $4 END, resting = true
          WHERE deployment = $1 AND plugin = $2 AND worker = $3 RETURNING set_config('synchronous_commit', 'off', true)",
        lease.deployment.0,
        lease.plugin.as_str(),
        worker,
        until
    )
    .fetch_optional(pool)
    .await
    .map(drop)
}

/// Forgets the leases of runs that are over.
pub async fn forget_ended(pool: &Pool, now: OffsetDateTime) -> Result<u64, sqlx::Error> {
    sqlx::query!(
        "DELETE FROM leases l USING plugin_runs r
          WHERE r.deployment = l.deployment AND r.plugin = l.plugin AND r.retry_at IS NULL AND l.until <= $1",
        now
    )
    .execute(pool)
    .await
    .map(|done| done.rows_affected())
}
