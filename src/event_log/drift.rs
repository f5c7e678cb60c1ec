//! The schedule of drift comparisons: when each site is compared, which worker does it, and what is compared.

use super::dns::Key;
use bootledger_aggregates::drift::DriftProblem;
use bootledger_projections::database::pool::Pool;
use std::collections::BTreeSet;
use time::OffsetDateTime;
use uuid::Uuid;

/// A site that is due for a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The code of the site.
    pub site: String,
    /// Whether everything is compared, or only what has a requested repair.
    pub whole: bool,
}

/// The result of a complete comparison.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The position of the views at the start.
    pub position: i64,
    /// How many record sets and servers were compared.
    pub compared: i64,
    /// What could not be compared, and why.
    pub problems: Vec<DriftProblem>,
}

/// Schedules a comparison of every site in use; the first one at `first`, or on request.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn plan(pool: &Pool, first: Option<OffsetDateTime>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO drift_checks (site, next_check)
         SELECT key, $1 FROM catalogue WHERE kind = 'site' AND valid_to IS NULL AND NOT retired ON CONFLICT DO NOTHING",
        first
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Takes a site that is due, or whose worker is lost. No other worker takes it before `until` while this worker lives.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn take(pool: &Pool, worker: Uuid, now: OffsetDateTime, until: OffsetDateTime) -> Result<Option<Due>, sqlx::Error> {
    sqlx::query_as!(
        Due,
        r#"UPDATE drift_checks
              SET busy_until = $2, worker = $3, repair = false, started_at = CASE WHEN next_check <= $1 THEN $1 END
            WHERE site = (SELECT site FROM drift_checks
                           WHERE busy_until IS NULL AND (next_check <= $1 OR repair) OR busy_until <= $1
                              OR busy_until IS NOT NULL AND NOT worker_lives(worker)
                           ORDER BY next_check LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING site, started_at IS NOT NULL AS "whole!""#,
        now,
        until,
        worker
    )
    .fetch_optional(pool)
    .await
}

/// Extends the lease of a comparison. Returns false if another worker has taken it over.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn keep(pool: &Pool, site: &str, worker: Uuid, until: OffsetDateTime) -> Result<bool, sqlx::Error> {
    let kept = sqlx::query!("UPDATE drift_checks SET busy_until = $2 WHERE site = $1 AND worker = $3", site, until, worker);
    Ok(kept.execute(pool).await?.rows_affected() > 0)
}

/// Ends a comparison. The next one starts at `next`, or at once if one was requested since the start. Does nothing if another
/// worker has taken it over.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn done(
    pool: &Pool,
    (site, worker): (&str, Uuid),
    checked: Option<&Checked>,
    now: OffsetDateTime,
    next: Option<OffsetDateTime>,
) -> Result<(), sqlx::Error> {
    let Some(Checked { position, compared, problems }) = checked else {
        let done = sqlx::query!("UPDATE drift_checks SET busy_until = NULL WHERE site = $1 AND worker = $2", site, worker);
        return done.execute(pool).await.map(drop);
    };
    let problems = serde_json::to_value(problems).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query!(
        "UPDATE drift_checks
            SET busy_until = NULL, checked_at = $2::timestamptz, position = $3, compared = $4, problems = $5,
                next_check = CASE WHEN requested_at > started_at THEN $2::timestamptz ELSE $6 END
          WHERE site = $1 AND worker = $7",
        site,
        now,
        position,
        compared,
        problems,
        next,
        worker
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Deletes the schedule of a site that is no longer in use.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn forget(pool: &Pool, site: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM drift_checks WHERE site = $1", site).execute(pool).await.map(drop)
}

/// Requests an immediate comparison of a site. Returns false if there is no such site.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn request(pool: &Pool, site: &str, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("UPDATE drift_checks SET requested_at = $2, next_check = $2 WHERE site = $1", site, now);
    Ok(done.execute(pool).await?.rows_affected() > 0)
}

/// Makes the requested repairs of a site due at once.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn request_repair(pool: &Pool, site: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE drift_checks SET repair = true WHERE site = $1", site).execute(pool).await.map(drop)
}

/// A record set and its values in the views; empty if the records were removed and a primary may still have them.
pub type Wanted = (Key, BTreeSet<String>);

/// Up to `limit` record sets that a primary should have, or that were sent to it, by name and type, after `after`.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn sets(pool: &Pool, primary: &str, after: Option<&Key>, limit: i64) -> Result<Vec<Wanted>, sqlx::Error> {
    let (name, kind) = after.map_or(("", ""), |(name, kind)| (name, kind));
    let rows = sqlx::query!(
        r#"SELECT k.name AS "name!", k.type AS "kind!",
                  ARRAY(SELECT DISTINCT r.value FROM dns_records r
                         WHERE r.name = k.name AND r.type = k.type AND r.valid_to IS NULL) AS "wanted!"
             FROM ((SELECT DISTINCT name, type FROM dns_records WHERE valid_to IS NULL AND (name, type) > ($2, $3)
                     ORDER BY name, type LIMIT $4)
                   UNION
                   (SELECT DISTINCT name, type FROM dns_published WHERE "primary" = $1 AND (name, type) > ($2, $3)
                     ORDER BY name, type LIMIT $4)
                   ORDER BY name, type LIMIT $4) k
            ORDER BY k.name, k.type"#,
        primary,
        name,
        kind,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.name, row.kind), row.wanted.into_iter().collect())).collect())
}

/// The values of these record sets in the views, in their order.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn wanted(pool: &Pool, keys: &[Key]) -> Result<Vec<Wanted>, sqlx::Error> {
    let (names, types): (Vec<String>, Vec<String>) = keys.iter().cloned().unzip();
    let rows = sqlx::query!(
        r#"SELECT k.name AS "name!", k.type AS "kind!",
                  ARRAY(SELECT DISTINCT r.value FROM dns_records r
                         WHERE r.name = k.name AND r.type = k.type AND r.valid_to IS NULL) AS "wanted!"
             FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY AS k (name, type, n) ORDER BY k.n"#,
        &names,
        &types
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.name, row.kind), row.wanted.into_iter().collect())).collect())
}
