//! The SQL statements of the group writer.

use super::super::append::NewEvent;
use super::state::{ClaimKey, LogState};
use super::used::Stored;
use bootledger_aggregates::claims::Claim;
use sqlx::Executor;
use sqlx::postgres::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

/// The end of the log: its last position and chain value.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) position: i64,
    pub(super) chain: [u8; 32],
}

pub(super) async fn begin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("BEGIN").await.map(drop)
}

pub(super) async fn commit(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("COMMIT").await.map(drop)
}

pub(super) async fn rollback(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("ROLLBACK").await.map(drop)
}

/// Locks the end of the log, so that no other instance moves it until the transaction ends. The database ends the transaction
/// after 5 s without a statement, so that an instance that is paused, for example in a virtual machine, does not block the
/// others.
pub(super) async fn lock_head(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT position FROM log_head WHERE set_config('idle_in_transaction_session_timeout', '5s', true) <> '' FOR UPDATE"
    )
    .fetch_one(connection)
    .await
    .map(drop)
}

/// The chain value of the event at a position, to determine whether a lost commit was done.
pub(super) async fn chain_at(connection: &mut PgConnection, position: i64) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!("SELECT chain FROM events WHERE position = $1", position).fetch_optional(connection).await
}

/// The end of the log, and the state of these streams, claims and keys at that end, in one snapshot.
pub(super) async fn look_up(
    connection: &mut PgConnection,
    streams: &BTreeSet<(String, String)>,
    claims: &BTreeSet<ClaimKey>,
    holders: &BTreeSet<String>,
    keys: &BTreeSet<String>,
) -> Result<(Head, OffsetDateTime, LogState), sqlx::Error> {
    let (types, ids): (Vec<String>, Vec<String>) = streams.iter().cloned().unzip();
    let (kinds, values): (Vec<String>, Vec<String>) =
        claims.iter().map(|(kind, value)| ((*kind).to_owned(), value.clone())).unzip();
    let holders: Vec<String> = holders.iter().cloned().collect();
    let keys: Vec<String> = keys.iter().cloned().collect();
    let rows = sqlx::query!(
        r#"SELECT 'head' AS "what!", '' AS "one!", '' AS "two!", h.position AS "number!", '' AS "text!", h.chain AS bytes,
                  -- One clock dates the events of all instances, and never before the last event, even if it was set
                  -- back: moments are looked up in the order of positions.
                  greatest(clock_timestamp(), (SELECT e.recorded_at FROM events e WHERE e.position = h.position)) AS now
             FROM log_head h
           UNION ALL
           SELECT 'stream', s.t, s.i,
                  coalesce((SELECT max(e.sequence) FROM events e WHERE e.aggregate_type = s.t AND e.aggregate_id = s.i), 0),
                  '', NULL, NULL
             FROM UNNEST($1::text[], $2::text[]) AS s (t, i)
           UNION ALL
           SELECT 'claim', c.kind, c.value, c.position, c.holder, NULL, NULL
             FROM UNNEST($3::text[], $4::text[]) AS w (kind, value) JOIN claims c ON c.kind = w.kind AND c.value = w.value
           UNION ALL
           SELECT 'claim', c.kind, c.value, c.position, c.holder, NULL, NULL FROM claims c WHERE c.holder = ANY($5)
           UNION ALL
           SELECT 'key', k.key, '', k.position, k.answer::text, k.fingerprint, NULL FROM commands k WHERE k.key = ANY($6)"#,
        &types,
        &ids,
        &kinds,
        &values,
        &holders,
        &keys,
    )
    .fetch_all(connection)
    .await?;
    let (mut head, mut now, mut known) = (Head::default(), None, LogState::default());
    for row in rows {
        match row.what.as_str() {
            "head" => {
                let chain = row.bytes.unwrap_or_default().try_into();
                let chain = chain.map_err(|_| sqlx::Error::Decode("log_head.chain has not 32 bytes".into()))?;
                head = Head { position: row.number, chain };
                now = row.now;
            }
            "stream" => drop(known.sequences.insert((row.one, row.two), row.number)),
            "claim" => drop(known.holders.insert((kind(&row.one)?, row.two), row.text)),
            _ => drop(known.keys.insert(row.one, (row.number, row.bytes.unwrap_or_default(), row.text))),
        }
    }
    Ok((head, now.ok_or(sqlx::Error::RowNotFound)?, known))
}

/// The events after a position that may begin to use an entry of the catalogue.
pub(super) async fn events_after(
    connection: &mut PgConnection,
    after: i64,
    types: &[&str],
    limit: i64,
) -> Result<Vec<Stored>, sqlx::Error> {
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    sqlx::query_as!(
        Stored,
        r#"SELECT position, aggregate_type, aggregate_id, payload::text AS "payload!" FROM events
            WHERE position > $1 AND event_type = ANY($2) ORDER BY position LIMIT $3"#,
        after,
        &types,
        limit
    )
    .fetch_all(connection)
    .await
}

/// The stored kind as the constant that `Claim::parts` returns.
fn kind(stored: &str) -> Result<&'static str, sqlx::Error> {
    Claim::kind_of(stored).ok_or_else(|| sqlx::Error::Decode(format!("claims.kind {stored:?} is unknown").into()))
}

/// The columns of a group's events, borrowed from its batches.
#[derive(Default)]
pub(super) struct Rows<'a> {
    types: Vec<&'a str>,
    ids: Vec<&'a str>,
    sequences: Vec<i64>,
    event_types: Vec<&'a str>,
    versions: Vec<&'a str>,
    payloads: Vec<&'a str>,
    metadata: Vec<&'a str>,
    positions: Vec<i64>,
    chains: Vec<Vec<u8>>,
}

impl<'a> Rows<'a> {
    pub(super) fn push(&mut self, event: &'a NewEvent, position: i64, chain: [u8; 32]) {
        self.types.push(&event.aggregate_type);
        self.ids.push(&event.aggregate_id);
        self.sequences.push(event.sequence);
        self.event_types.push(&event.event_type);
        self.versions.push(&event.event_version);
        self.payloads.push(&event.payload);
        self.metadata.push(&event.metadata);
        self.positions.push(position);
        self.chains.push(chain.to_vec());
    }

    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }
}

/// A query whose parameters `$1` to `$10` are the columns of the events and their time.
macro_rules! with_rows {
    ($sql:literal, $rows:expr, $now:expr $(, $argument:expr)* $(,)?) => {
        sqlx::query!(
            $sql,
            &$rows.types as &[&str],
            &$rows.ids as &[&str],
            &$rows.sequences,
            &$rows.event_types as &[&str],
            &$rows.versions as &[&str],
            &$rows.payloads as &[&str],
            &$rows.metadata as &[&str],
            &$rows.positions,
            &$rows.chains,
            $now
            $(, $argument)*
        )
    };
}

/// Writes only events, within the transaction that holds the head's lock: those of a large group, before `write` adds the last
/// of them with the rest.
pub(super) async fn write_part(connection: &mut PgConnection, rows: &Rows<'_>, now: OffsetDateTime) -> Result<(), sqlx::Error> {
    with_rows!(
        r#"INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at, chain)
           SELECT t, i, s, e, v, p::json, m::json, n, $10, c
             FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bytea[])
                  AS r (t, i, s, e, v, p, m, n, c)"#,
        rows,
        now,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Writes events, claims, keys, the head and the notification in one statement. Writes nothing, and returns `false`, if the log
/// no longer ends at `expected`, or if a stream that was not read does not end as `assumed`. Everything depends on moving the
/// head first: the session that moves it has exclusive access to the log until its commit.
pub(super) async fn write(
    connection: &mut PgConnection,
    rows: &Rows<'_>,
    known: &LogState,
    assumed: &BTreeMap<(&str, &str), i64>,
    expected: i64,
    head: &Head,
    now: OffsetDateTime,
) -> Result<bool, sqlx::Error> {
    let mut released: (Vec<String>, Vec<String>) = Default::default();
    let mut taken: (Vec<String>, Vec<String>, Vec<String>, Vec<i64>) = Default::default();
    for (key, changed_at) in &known.changed {
        if let Some(holder) = known.holders.get(key) {
            taken.0.push(key.0.to_owned());
            taken.1.push(key.1.clone());
            taken.2.push(holder.clone());
            taken.3.push(*changed_at);
        } else {
            released.0.push(key.0.to_owned());
            released.1.push(key.1.clone());
        }
    }
    let mut answers: (Vec<String>, Vec<Vec<u8>>, Vec<i64>, Vec<String>) = Default::default();
    for key in &known.answered {
        if let Some((position, fingerprint, answer)) = known.keys.get(key) {
            answers.0.push(key.clone());
            answers.1.push(fingerprint.clone());
            answers.2.push(*position);
            answers.3.push(answer.clone());
        }
    }
    with_rows!(
        r#"WITH moved AS (
               UPDATE log_head SET position = $21, chain = $22
                WHERE position = $23
                  AND NOT EXISTS (
                      SELECT FROM UNNEST($24::text[], $25::text[], $26::bigint[]) AS s (t, i, n)
                       WHERE EXISTS (SELECT FROM events e WHERE e.aggregate_type = s.t AND e.aggregate_id = s.i AND e.sequence = s.n + 1)
                          OR s.n > 0 AND NOT EXISTS (
                             SELECT FROM events e WHERE e.aggregate_type = s.t AND e.aggregate_id = s.i AND e.sequence = s.n))
               RETURNING position
           ), appended AS (
               INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at, chain)
               SELECT t, i, s, e, v, p::json, m::json, n, $10, c
                 FROM moved, UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bytea[])
                      AS r (t, i, s, e, v, p, m, n, c)
           ), released AS (
               DELETE FROM claims USING moved, UNNEST($11::text[], $12::text[]) AS r (kind, value)
                WHERE claims.kind = r.kind AND claims.value = r.value
           ), taken AS (
               INSERT INTO claims (kind, value, holder, position)
               SELECT k, v, h, p FROM moved, UNNEST($13::text[], $14::text[], $15::text[], $16::bigint[]) AS r (k, v, h, p)
               ON CONFLICT (kind, value) DO UPDATE SET holder = excluded.holder, position = excluded.position
           ), answered AS (
               INSERT INTO commands (key, fingerprint, position, answer)
               SELECT k, f, p, a::json FROM moved, UNNEST($17::text[], $18::bytea[], $19::bigint[], $20::text[]) AS r (k, f, p, a)
           )
           SELECT pg_notify('bootledger_appended', moved.position::text)::text AS notified FROM moved"#,
        rows,
        now,
        &released.0,
        &released.1,
        &taken.0,
        &taken.1,
        &taken.2,
        &taken.3,
        &answers.0,
        &answers.1,
        &answers.2,
        &answers.3,
        head.position,
        &head.chain[..],
        expected,
        &assumed.keys().map(|(kind, _)| (*kind).to_owned()).collect::<Vec<_>>(),
        &assumed.keys().map(|(_, id)| (*id).to_owned()).collect::<Vec<_>>(),
        &assumed.values().copied().collect::<Vec<_>>(),
    )
    .fetch_optional(connection)
    .await
    .map(|moved| moved.is_some())
}
