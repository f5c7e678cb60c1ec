//! When the servers of which site are compared with the views, and who is at it; and what is to be compared.

use super::dns::Key;
use bootledger_projections::pool::Pool;
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// A site that is to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its code.
    pub site: String,
    /// Whether all of it, or only what was ordered to be repaired.
    pub whole: bool,
}

/// What a whole comparison came to.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The position of the views that it began with.
    pub position: i64,
    /// How many things it compared.
    pub compared: i64,
    /// What kept it from comparing others.
    pub problems: Vec<String>,
}

/// Makes sure that every site in use is compared some time; the first time at `first`, or when it is asked for.
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

/// Takes a site that is due, or whose taker is lost; nobody else takes it before `until`.
pub async fn take(pool: &Pool, now: OffsetDateTime, until: OffsetDateTime) -> Result<Option<Due>, sqlx::Error> {
    sqlx::query_as!(
        Due,
        r#"UPDATE drift_checks
              SET busy_until = $2, repair = false, started_at = CASE WHEN next_check <= $1 THEN $1 END
            WHERE site = (SELECT site FROM drift_checks
                           WHERE busy_until IS NULL AND (next_check <= $1 OR repair) OR busy_until <= $1
                           ORDER BY next_check LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING site, started_at IS NOT NULL AS "whole!""#,
        now,
        until
    )
    .fetch_optional(pool)
    .await
}

/// Says that it is still being compared.
pub async fn keep(pool: &Pool, site: &str, until: OffsetDateTime) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE drift_checks SET busy_until = $2 WHERE site = $1", site, until).execute(pool).await.map(drop)
}

/// Ends a comparison, the next one being at `next`, or at once where it was asked for meanwhile.
pub async fn done(
    pool: &Pool,
    site: &str,
    checked: Option<&Checked>,
    now: OffsetDateTime,
    next: Option<OffsetDateTime>,
) -> Result<(), sqlx::Error> {
    let Some(Checked { position, compared, problems }) = checked else {
        return sqlx::query!("UPDATE drift_checks SET busy_until = NULL WHERE site = $1", site).execute(pool).await.map(drop);
    };
    sqlx::query!(
        "UPDATE drift_checks
            SET busy_until = NULL, checked_at = $2::timestamptz, position = $3, compared = $4, problems = $5,
                next_check = CASE WHEN requested_at > started_at THEN $2::timestamptz ELSE $6 END
          WHERE site = $1",
        site,
        now,
        position,
        compared,
        problems,
        next
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Forgets a site that is no longer in use.
pub async fn forget(pool: &Pool, site: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM drift_checks WHERE site = $1", site).execute(pool).await.map(drop)
}

/// Has a site compared at once; false where there is no such site.
pub async fn request(pool: &Pool, site: &str, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("UPDATE drift_checks SET requested_at = $2, next_check = $2 WHERE site = $1", site, now);
    Ok(done.execute(pool).await?.rows_affected() > 0)
}

/// Has what was ordered to be repaired looked at, at once.
pub async fn request_repair(pool: &Pool, site: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE drift_checks SET repair = true WHERE site = $1", site).execute(pool).await.map(drop)
}

/// A set of records, and what the views show of it; nothing where it went and a primary may still have it.
pub type Wanted = (Key, BTreeSet<String>);

/// Up to `limit` sets that a primary should have, or was told, by name and type, behind `after`.
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

/// What the views show of these sets, in their order.
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
