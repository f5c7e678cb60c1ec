//! The pending updates of DNS primaries, and the values that were sent to them.
//!
//! Work is by name and type: all records of both together, as the views show them when the work is done. Changes are read from
//! the views by position, so no other code has to announce a change, and none is lost.

use bootledger_aggregates::problem::PublishProblem;
use bootledger_projections::database::pool::Pool;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use uuid::Uuid;

/// A name and a type, such as `h200.dc1.example` and `A`. Names are those of the views.
pub type Key = (String, String);

/// A record set that may differ between the views and its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The name and type of the record set.
    pub key: Key,
    /// The values in the views; empty if the records were removed.
    pub wanted: BTreeSet<String>,
    /// The number of the change that this work belongs to.
    pub generation: i64,
    /// How many attempts have failed.
    pub attempts: u32,
}

/// The progress of a record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The name and type of the record set.
    pub key: Key,
    /// Why the last attempt failed.
    pub problem: Option<PublishProblem>,
    /// Whether it failed because the primary has records that others created.
    pub conflict: bool,
}

/// Records what has changed in the views since the last time, unless another instance is doing that. Returns the number of
/// changes.
///
/// # Errors
/// Returns an error if a statement or the commit fails.
pub async fn take_in(pool: &Pool, now: OffsetDateTime) -> Result<u64, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // As with the projector, an instance that stops in the middle must not block the others.
    let from = sqlx::query_scalar!(
        "SELECT position FROM dns_checkpoint WHERE set_config('idle_in_transaction_session_timeout', '5s', true) <> ''
            FOR UPDATE SKIP LOCKED"
    );
    let Some(from) = from.fetch_optional(&mut *transaction).await? else { return Ok(0) };
    // The position is read first: what the views show of a position never changes.
    let to = sqlx::query_scalar!("SELECT position FROM checkpoint").fetch_one(&mut *transaction).await?;
    if to <= from {
        return Ok(0);
    }
    // When a site changes, any record may have a different primary than before.
    let done = sqlx::query!(
        r#"WITH sites AS (
               SELECT FROM catalogue WHERE kind = 'site' AND (valid_from > $1 AND valid_from <= $2 OR valid_to > $1 AND valid_to <= $2) LIMIT 1
           ), changed AS (
               SELECT name, type FROM dns_records WHERE valid_from > $1 AND valid_from <= $2
               UNION SELECT name, type FROM dns_records WHERE valid_to > $1 AND valid_to <= $2
               UNION SELECT name, type FROM dns_records WHERE valid_to IS NULL AND EXISTS (SELECT FROM sites)
               UNION SELECT name, type FROM dns_published WHERE EXISTS (SELECT FROM sites)
           )
           INSERT INTO dns_work (name, type, since, next_try) SELECT name, type, $3, $3 FROM changed
           ON CONFLICT (name, type) DO UPDATE
              SET generation = dns_work.generation + 1, since = excluded.since, attempts = 0,
                  -- What is being worked on is due again when that has ended, since two at once would undo each other.
                  next_try = CASE WHEN dns_work.worker IS NULL THEN excluded.next_try ELSE dns_work.next_try END,
                  problem = NULL, conflict = false"#,
        from,
        to,
        now
    );
    let changes = done.execute(&mut *transaction).await?.rows_affected();
    sqlx::query!("UPDATE dns_checkpoint SET position = $1", to).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(changes)
}

/// Takes up to `limit` record sets that are due, or whose worker is lost. No other worker takes them before `until` while this
/// worker lives.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn take(
    pool: &Pool,
    worker: Uuid,
    now: OffsetDateTime,
    until: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Work>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"WITH due AS (
               SELECT name, type FROM dns_work
                WHERE next_try <= $1 OR (worker IS NOT NULL AND worker <> ALL ((SELECT live_workers())::uuid[]))
                ORDER BY next_try, name, type LIMIT $3 FOR UPDATE SKIP LOCKED
           ), taken AS (
               UPDATE dns_work w SET next_try = $2, worker = $4 FROM due WHERE w.name = due.name AND w.type = due.type
               RETURNING w.name, w.type, w.generation, w.attempts
           )
           SELECT t.name AS "name!", t.type AS "kind!", t.generation AS "generation!", t.attempts AS "attempts!",
                  ARRAY(SELECT DISTINCT r.value FROM dns_records r
                         WHERE r.name = t.name AND r.type = t.type AND r.valid_to IS NULL) AS "wanted!"
             FROM taken t ORDER BY t.name, t.type"#,
        now,
        until,
        limit,
        worker
    )
    .fetch_all(pool)
    .await?;
    let work = rows.into_iter().map(|row| Work {
        key: (row.name, row.kind),
        wanted: row.wanted.into_iter().collect(),
        generation: row.generation,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
    });
    Ok(work.collect())
}

/// Returns the work that this worker has taken, except for what it still processes. If the database fails during a take, that
/// work would otherwise remain untouched until its time is up. The worker may not even know of it, because the response was
/// lost.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn give_back(pool: &Pool, worker: Uuid, still: &[Key], now: OffsetDateTime) -> Result<u64, sqlx::Error> {
    let (names, types) = columns(still);
    sqlx::query!(
        "UPDATE dns_work w SET next_try = least(w.next_try, $4), worker = NULL
          WHERE w.worker = $1 AND (w.name, w.type) NOT IN (SELECT * FROM UNNEST($2::text[], $3::text[]))",
        worker,
        &names,
        &types,
        now
    )
    .execute(pool)
    .await
    .map(|done| done.rows_affected())
}

/// The values of a record set that were sent to a primary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedSet {
    /// All values that were sent, regardless of the result.
    pub sent: BTreeSet<String>,
    /// The values in the primary's responses since then.
    pub answered: BTreeSet<String>,
}

/// The values of these record sets that were sent to a primary.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn published(pool: &Pool, primary: &str, keys: &[Key]) -> Result<BTreeMap<Key, PublishedSet>, sqlx::Error> {
    let (names, types) = columns(keys);
    let rows = sqlx::query!(
        r#"SELECT p.name, p.type AS "kind", p.value, p.answered
             FROM UNNEST($2::text[], $3::text[]) AS w (name, type)
             JOIN dns_published p ON p."primary" = $1 AND p.name = w.name AND p.type = w.type"#,
        primary,
        &names,
        &types
    )
    .fetch_all(pool)
    .await?;
    let mut published: BTreeMap<Key, PublishedSet> = BTreeMap::new();
    for row in rows {
        let of = published.entry((row.name, row.kind)).or_default();
        if row.answered {
            of.answered.insert(row.value.clone());
        }
        of.sent.insert(row.value);
    }
    Ok(published)
}

/// Stores the values that are about to be sent to a primary. From now on, the primary may hold them.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn record_before_publishing(pool: &Pool, primary: &str, work: &[&Work]) -> Result<(), sqlx::Error> {
    let wanted = || work.iter().flat_map(|work| work.wanted.iter().map(|value| (&work.key, value)));
    sqlx::query!(
        r#"INSERT INTO dns_published ("primary", name, type, value, answered)
           SELECT $1, n, t, v, false FROM UNNEST($2::text[], $3::text[], $4::text[]) AS w (n, t, v) ON CONFLICT DO NOTHING"#,
        primary,
        &wanted().map(|(key, _)| key.0.clone()).collect::<Vec<_>>(),
        &wanted().map(|(key, _)| key.1.clone()).collect::<Vec<_>>(),
        &wanted().map(|(_, value)| value.clone()).collect::<Vec<_>>()
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Ends work that is done: the primary, if the records have one, has returned the expected values. A set that has changed again
/// in the meantime is due at once.
///
/// # Errors
/// Returns an error if a statement or the commit fails.
pub async fn done(pool: &Pool, primary: Option<&str>, work: &[&Work], now: OffsetDateTime) -> Result<(), sqlx::Error> {
    let keys: Vec<Key> = work.iter().map(|work| work.key.clone()).collect();
    let (names, types) = columns(&keys);
    let generations: Vec<i64> = work.iter().map(|work| work.generation).collect();
    let mut transaction = pool.begin().await?;
    if let Some(primary) = primary {
        sqlx::query!(
            r#"DELETE FROM dns_published p USING UNNEST($2::text[], $3::text[]) AS w (name, type)
                WHERE p."primary" = $1 AND p.name = w.name AND p.type = w.type"#,
            primary,
            &names,
            &types
        )
        .execute(&mut *transaction)
        .await?;
        let wanted = || work.iter().flat_map(|work| work.wanted.iter().map(|value| (&work.key, value)));
        sqlx::query!(
            r#"INSERT INTO dns_published ("primary", name, type, value, answered)
               SELECT $1, n, t, v, true FROM UNNEST($2::text[], $3::text[], $4::text[]) AS w (n, t, v)
               ON CONFLICT ("primary", name, type, value) DO UPDATE SET answered = true"#,
            primary,
            &wanted().map(|(key, _)| key.0.clone()).collect::<Vec<_>>(),
            &wanted().map(|(key, _)| key.1.clone()).collect::<Vec<_>>(),
            &wanted().map(|(_, value)| value.clone()).collect::<Vec<_>>()
        )
        .execute(&mut *transaction)
        .await?;
    }
    sqlx::query!(
        r#"WITH ended AS (
               DELETE FROM dns_work w USING UNNEST($1::text[], $2::text[], $3::bigint[]) AS d (name, type, generation)
                WHERE w.name = d.name AND w.type = d.type AND w.generation = d.generation
           )
           UPDATE dns_work w SET next_try = $4, worker = NULL FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS d (name, type, generation)
            WHERE w.name = d.name AND w.type = d.type AND w.generation <> d.generation"#,
        &names,
        &types,
        &generations,
        now
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Why the update of a record set failed, and when it is retried.
#[derive(Clone, Debug)]
pub struct Failed<'a> {
    /// The record set.
    pub work: &'a Work,
    /// Why the update failed.
    pub problem: PublishProblem,
    /// Whether the primary has records that others created.
    pub conflict: bool,
    /// When to retry.
    pub next_try: OffsetDateTime,
}

/// Keeps work that has failed. A set that has changed again in the meantime is not affected by the failure, and is due at once.
///
/// # Errors
/// Returns an error if a problem cannot be written as JSON, or if the statement fails.
pub async fn failed(pool: &Pool, failed: &[Failed<'_>], now: OffsetDateTime) -> Result<(), sqlx::Error> {
    let json = |failed: &Failed<'_>| serde_json::to_value(&failed.problem).map_err(|error| sqlx::Error::Encode(error.into()));
    let problems = failed.iter().map(json).collect::<Result<Vec<_>, _>>()?;
    sqlx::query!(
        r#"WITH failed AS (
               SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::jsonb[], $5::bool[], $6::timestamptz[])
                   AS f (name, type, generation, problem, conflict, next_try)
           ), changed AS (
               UPDATE dns_work w SET next_try = $7, worker = NULL FROM failed f
                WHERE w.name = f.name AND w.type = f.type AND w.generation <> f.generation
           )
           UPDATE dns_work w SET attempts = w.attempts + 1, problem = f.problem, conflict = f.conflict, next_try = f.next_try, worker = NULL
             FROM failed f WHERE w.name = f.name AND w.type = f.type AND w.generation = f.generation"#,
        &failed.iter().map(|failed| failed.work.key.0.clone()).collect::<Vec<_>>(),
        &failed.iter().map(|failed| failed.work.key.1.clone()).collect::<Vec<_>>(),
        &failed.iter().map(|failed| failed.work.generation).collect::<Vec<_>>(),
        &problems,
        &failed.iter().map(|failed| failed.conflict).collect::<Vec<_>>(),
        &failed.iter().map(|failed| failed.next_try).collect::<Vec<_>>(),
        now
    )
    .execute(pool)
    .await
    .map(drop)
}

/// What is pending of these record sets; `None` until the changes up to `position` have been recorded.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn pending(pool: &Pool, keys: &[Key], position: i64) -> Result<Option<Vec<Pending>>, sqlx::Error> {
    let (names, types) = columns(keys);
    let rows = sqlx::query!(
        r#"SELECT c.position, w.name AS "name?", w.type AS "kind?", w.problem, w.conflict AS "conflict?"
             FROM dns_checkpoint c
             LEFT JOIN (dns_work w JOIN UNNEST($1::text[], $2::text[]) AS k (name, type) ON w.name = k.name AND w.type = k.type) ON true"#,
        &names,
        &types
    )
    .fetch_all(pool)
    .await?;
    if rows.first().is_none_or(|row| row.position < position) {
        return Ok(None);
    }
    let pending = rows.into_iter().filter_map(|row| {
        // A problem that another version stored is replaced by the next attempt.
        let problem = row.problem.and_then(|problem| serde_json::from_value(problem).ok());
        Some(Pending { key: (row.name?, row.kind?), problem, conflict: row.conflict.unwrap_or_default() })
    });
    Ok(Some(pending.collect()))
}

/// Makes these record sets due at once, except for those that are being processed.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn hurry(pool: &Pool, keys: &[Key], now: OffsetDateTime) -> Result<u64, sqlx::Error> {
    let (names, types) = columns(keys);
    sqlx::query!(
        "UPDATE dns_work w SET next_try = least(w.next_try, $3) FROM UNNEST($1::text[], $2::text[]) AS k (name, type)
          WHERE w.name = k.name AND w.type = k.type AND w.worker IS NULL",
        &names,
        &types,
        now
    )
    .execute(pool)
    .await
    .map(|done| done.rows_affected())
}

/// Wakes the deployments that wait for records with these names, including those that are being processed and may have checked
/// earlier. Deployments whose plugin failed are woken only if `failed` is true, because they would fail repeatedly.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn wake(pool: &Pool, names: &[String], failed: bool, now: OffsetDateTime) -> Result<u64, sqlx::Error> {
    sqlx::query!(
        "UPDATE leases l SET woken_at = greatest($2, l.taken_at),
                until = CASE WHEN l.resting THEN least(l.until, statement_timestamp()) ELSE l.until END
           FROM deployments d JOIN plugin_runs r ON r.deployment = d.id AND r.plugin = 'dns'
          WHERE d.valid_to IS NULL AND d.status = 'open' AND d.hostname = ANY($1) AND ($3 OR r.status <> 'failed')
            AND l.deployment = d.id AND l.plugin = 'dns'",
        names,
        now,
        failed
    )
    .execute(pool)
    .await
    .map(|done| done.rows_affected())
}

fn columns(keys: &[Key]) -> (Vec<String>, Vec<String>) {
    keys.iter().cloned().unzip()
}
