//! What is still to be told to DNS primaries, and what they have been told.
//!
//! Work is by name and type: all records of both together, as the views show them when the work is done. Changes come in
//! from the views by position, so nothing is told by anybody and nothing is forgotten.

use bootledger_projections::pool::Pool;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use uuid::Uuid;

/// A name and a type, such as `h200.dc1.example` and `A`; names are those of the views.
pub type Key = (String, String);

/// A set of records that may differ between the views and its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Its name and type.
    pub key: Key,
    /// What the views show; none where the records went.
    pub wanted: BTreeSet<String>,
    /// Which change this is about.
    pub generation: i64,
    /// How often it was tried in vain.
    pub attempts: u32,
}

/// How far a set of records is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its name and type.
    pub key: Key,
    /// Why the last try came to nothing.
    pub problem: Option<String>,
    /// Whether that is because the primary has records of somebody else.
    pub conflict: bool,
}

/// Takes in what has changed in the views since the last time. Another instance may be doing it. How many changes.
pub async fn take_in(pool: &Pool, now: OffsetDateTime) -> Result<u64, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // As with the projector: an instance that stands still in the middle must not keep the others from it.
    let from = sqlx::query_scalar!(
        "SELECT position FROM dns_checkpoint WHERE set_config('idle_in_transaction_session_timeout', '5s', true) <> ''
            FOR UPDATE SKIP LOCKED"
    );
    let Some(from) = from.fetch_optional(&mut *transaction).await? else { return Ok(0) };
    // Read first: what the views show of a position they show for ever.
    let to = sqlx::query_scalar!("SELECT position FROM checkpoint").fetch_one(&mut *transaction).await?;
    if to <= from {
        return Ok(0);
    }
    // When a site changes, any record may have another primary than before.
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

/// Takes up to `limit` pieces of work that are due, or whose worker is lost; nobody else takes them before `until` while this
/// worker lives.
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

/// Gives back what this worker has taken, but for what it still works on. A database that failed in the middle leaves work that
/// nobody does until its time is up, and the worker may not even know of it: the answer to its taking was lost.
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

/// What a primary was told of a set of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// All that it was told, whatever became of it.
    pub told: BTreeSet<String>,
    /// What it has answered with since.
    pub answered: BTreeSet<String>,
}

/// What a primary was told of these.
pub async fn published(pool: &Pool, primary: &str, keys: &[Key]) -> Result<BTreeMap<Key, Told>, sqlx::Error> {
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
    let mut published: BTreeMap<Key, Told> = BTreeMap::new();
    for row in rows {
        let of = published.entry((row.name, row.kind)).or_default();
        if row.answered {
            of.answered.insert(row.value.clone());
        }
        of.told.insert(row.value);
    }
    Ok(published)
}

/// Remembers that a primary is about to be told what is wanted: from now on it may hold that.
pub async fn about_to_tell(pool: &Pool, primary: &str, work: &[&Work]) -> Result<(), sqlx::Error> {
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

/// Ends work that is done: the primary, where the records have one, has answered with what was wanted. What has changed
/// again meanwhile is due at once.
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

/// Why a piece of work came to nothing, and when it is tried again.
#[derive(Clone, Debug)]
pub struct Failed<'a> {
    /// The work.
    pub work: &'a Work,
    /// Why.
    pub problem: String,
    /// Whether the primary has records of somebody else.
    pub conflict: bool,
    /// When to try again.
    pub next_try: OffsetDateTime,
}

/// Keeps work that came to nothing. What has changed again meanwhile knows nothing of it, and is due at once.
pub async fn failed(pool: &Pool, failed: &[Failed<'_>], now: OffsetDateTime) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"WITH failed AS (
               SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bool[], $6::timestamptz[])
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
        &failed.iter().map(|failed| failed.problem.clone()).collect::<Vec<_>>(),
        &failed.iter().map(|failed| failed.conflict).collect::<Vec<_>>(),
        &failed.iter().map(|failed| failed.next_try).collect::<Vec<_>>(),
        now
    )
    .execute(pool)
    .await
    .map(drop)
}

/// What is pending of these; `None` before the changes up to `position` were taken in.
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
        Some(Pending { key: (row.name?, row.kind?), problem: row.problem, conflict: row.conflict.unwrap_or_default() })
    });
    Ok(Some(pending.collect()))
}

/// Has work on these tried at once, but for what is being worked on.
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

/// Has the deployments that wait for records under these names look again at once: also one that is being worked on, and
/// may have looked before. Those that have failed only where `failed` says so: they would fail again and again.
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
