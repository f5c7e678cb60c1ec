//! Leases of plugin runs, so that any number of workers share the queue and a lost worker's run is taken over by another.
//!
//! A lease is valid while its worker lives (see [`workers`](super::workers)), and at most until its end, by the database's
//! clock.

use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::database::pool::Pool;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// A plugin run that this worker may execute until the lease ends.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The worker that holds the lease.
    pub worker: Uuid,
    /// The deployment of the run.
    pub deployment: DeploymentId,
    /// The plugin's name.
    pub plugin: Name,
    /// How many attempts have failed.
    pub attempts: u32,
}

/// Takes up to `limit` runs that are due and not leased, oldest first. `now` is compared with the times of events, which come
/// from the clocks of instances.
///
/// A resting lease (the run had nothing new to report) ends early if an event has made the run due after the lease was taken,
/// or if the run was woken.
///
/// # Errors
/// Returns an error if the statement fails, or if the name of a plugin cannot be parsed. The runs may then stay leased until
/// the leases expire.
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
                WHERE l.woken_at >= l.taken_at AND l.until <= statement_timestamp() AND r.retry_at > $2
                LIMIT $4
                  FOR UPDATE OF l SKIP LOCKED
           ), due AS (
               SELECT r.deployment, r.plugin, r.attempts
                 FROM plugin_runs r
                 LEFT JOIN leases l ON l.deployment = r.deployment AND l.plugin = r.plugin
                WHERE r.retry_at <= $2
                  AND (l.deployment IS NULL OR l.until <= statement_timestamp() OR (l.resting AND r.retry_at > l.taken_at)
                       OR (NOT l.resting AND l.worker <> ALL ((SELECT live_workers())::uuid[])))
                ORDER BY r.retry_at, r.deployment, r.place
                LIMIT $4
                  FOR UPDATE OF r SKIP LOCKED
           ), taken AS (
               INSERT INTO leases (deployment, plugin, worker, taken_at, until, resting)
               SELECT deployment, plugin, $1, $2, statement_timestamp() + make_interval(secs => $3), false
                 FROM (TABLE due UNION ALL TABLE woken) AS r
               ON CONFLICT (deployment, plugin) DO UPDATE
                  SET worker = excluded.worker, until = excluded.until, resting = false,
                      -- Whoever woke it may have had a clock that is ahead: it would seem to be woken again and again.
                      taken_at = greatest(excluded.taken_at, leases.woken_at + interval '1 microsecond')
                WHERE leases.until <= statement_timestamp() OR leases.resting OR NOT worker_lives(leases.worker)
               RETURNING deployment, plugin
           )
           SELECT r.deployment AS "deployment!", r.plugin AS "plugin!", r.attempts AS "attempts!"
             FROM (TABLE due UNION ALL TABLE woken) AS r JOIN taken USING (deployment, plugin)"#,
        worker,
        now,
        duration.as_secs_f64(),
        limit,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let plugin = row.plugin.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Lease {
                worker,
                deployment: DeploymentId(row.deployment),
                plugin,
                attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            })
        })
        .collect()
}

/// Makes a run rest for a while, or until an event makes it due; not at all if it was woken since it was taken. Does nothing if
/// another worker has taken the run over.
///
/// The commit does not wait for the disk: if it is lost with the database server, the lease simply lasts until its end.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn rest(pool: &Pool, lease: &Lease, rest: Duration) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leases SET resting = true,
                until = CASE WHEN woken_at >= taken_at THEN statement_timestamp()
                             ELSE statement_timestamp() + make_interval(secs => $4) END
          WHERE deployment = $1 AND plugin = $2 AND worker = $3 RETURNING set_config('synchronous_commit', 'off', true)",
        lease.deployment.0,
        lease.plugin.as_str(),
        lease.worker,
        rest.as_secs_f64()
    )
    .fetch_optional(pool)
    .await
    .map(drop)
}

/// Deletes the leases of runs that have ended.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn forget_ended(pool: &Pool) -> Result<u64, sqlx::Error> {
    sqlx::query!(
        "DELETE FROM leases l USING plugin_runs r
          WHERE r.deployment = l.deployment AND r.plugin = l.plugin AND r.retry_at IS NULL
            AND (l.until <= statement_timestamp() OR l.worker <> ALL ((SELECT live_workers())::uuid[]))"
    )
    .execute(pool)
    .await
    .map(|done| done.rows_affected())
}
