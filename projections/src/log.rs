//! Reading the event log itself, in the order of its positions.
//!
//! Positions have no gaps and are committed in order, so whoever has read up to a position misses nothing.

use crate::error::Result;
use bootledger_aggregates::event::{Event, Recorded, UnreadableEvent};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::webhook::EventPattern;
use serde::Deserialize;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// An event as it is stored, read or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its place in the log, from 1, without gaps.
    pub position: i64,
    /// Its place in its aggregate's stream, from 1.
    pub sequence: i64,
    /// The type of its aggregate.
    pub aggregate_type: String,
    /// The key of its aggregate.
    pub aggregate_id: String,
    /// Its type.
    pub event_type: String,
    /// The version of its form.
    pub event_version: String,
    /// Its JSON, to the letter.
    pub payload: String,
    /// The JSON object of who and why, to the letter.
    pub metadata: String,
    /// When it was appended.
    pub recorded_at: OffsetDateTime,
    /// SHA-256 of the previous event's chain and this event's canonical bytes.
    pub chain: Vec<u8>,
}

/// Which events; what is left out does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Of this type of aggregate.
    pub aggregate_type: Option<&'a str>,
    /// Of this aggregate.
    pub aggregate_id: Option<&'a str>,
    /// Of this type.
    pub event_type: Option<&'a str>,
}

/// The events that a list of patterns names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    all: bool,
    aggregate_types: Vec<String>,
    event_types: Vec<String>,
}

impl Wanted {
    /// What any of these names.
    pub fn of(patterns: &[EventPattern]) -> Self {
        let mut wanted = Self::default();
        for pattern in patterns {
            match pattern {
                EventPattern::All => wanted.all = true,
                EventPattern::Aggregate(aggregate_type) => wanted.aggregate_types.push(aggregate_type.clone()),
                EventPattern::Type(event_type) => wanted.event_types.push(event_type.clone()),
            }
        }
        wanted
    }
}

/// Who acted, and in which connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Such as `token ops` or `plugin dns`.
    pub actor: String,
    /// What ties a request to everything that it led to.
    pub correlation_id: String,
    /// The position of the event that led to this one, where one did.
    pub causation_id: Option<String>,
}

impl Stored {
    /// The metadata; empty texts where it has none.
    pub fn read_metadata(&self) -> Metadata {
        serde_json::from_str(&self.metadata).unwrap_or_default()
    }

    /// The event as the domain knows it.
    pub fn recorded(&self) -> std::result::Result<Recorded, UnreadableEvent> {
        let event = Event::read(&self.aggregate_type, &self.aggregate_id, &self.payload)?;
        let metadata = self.read_metadata();
        Ok(Recorded {
            position: self.position,
            sequence: self.sequence,
            recorded_at: Timestamp(self.recorded_at),
            actor: metadata.actor,
            correlation_id: metadata.correlation_id,
            event,
        })
    }
}

/// Up to `limit` events after a position, in order.
pub async fn read_after(executor: impl PgExecutor<'_>, position: i64, limit: i64, filter: Filter<'_>) -> Result<Vec<Stored>> {
    Ok(sqlx::query_as!(
        Stored,
        r#"SELECT position, sequence, aggregate_type, aggregate_id, event_type, event_version,
                  payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, chain
           FROM events
           WHERE position > $1
             AND ($3::text IS NULL OR aggregate_type = $3)
             AND ($4::text IS NULL OR aggregate_id = $4)
             AND ($5::text IS NULL OR event_type = $5)
           ORDER BY position LIMIT $2"#,
        position,
        limit,
        filter.aggregate_type,
        filter.aggregate_id,
        filter.event_type
    )
    .fetch_all(executor)
    .await?)
}

/// Up to `limit` wanted events behind `after` and not behind `last`, in order.
pub async fn read_wanted(
    executor: impl PgExecutor<'_>,
    wanted: &Wanted,
    after: i64,
    last: i64,
    limit: i64,
) -> Result<Vec<Stored>> {
    Ok(sqlx::query_as!(
        Stored,
        r#"SELECT position, sequence, aggregate_type, aggregate_id, event_type, event_version,
                  payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, chain
           FROM events
           WHERE position > $1 AND position <= $2 AND ($4 OR aggregate_type = ANY($5) OR event_type = ANY($6))
           ORDER BY position LIMIT $3"#,
        after,
        last,
        limit,
        wanted.all,
        &wanted.aggregate_types,
        &wanted.event_types
    )
    .fetch_all(executor)
    .await?)
}

/// Up to `limit` wanted events of an aggregate, type and key, from a sequence on and not behind the position `last`, in order.
pub async fn read_stream(
    executor: impl PgExecutor<'_>,
    wanted: &Wanted,
    (aggregate_type, aggregate_id): (&str, &str),
    sequence: i64,
    last: i64,
    limit: i64,
) -> Result<Vec<Stored>> {
    Ok(sqlx::query_as!(
        Stored,
        r#"SELECT position, sequence, aggregate_type, aggregate_id, event_type, event_version,
                  payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, chain
           FROM events
           WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence >= $3 AND position <= $4
             AND ($6 OR aggregate_type = ANY($7) OR event_type = ANY($8))
           ORDER BY sequence LIMIT $5"#,
        aggregate_type,
        aggregate_id,
        sequence,
        last,
        limit,
        wanted.all,
        &wanted.aggregate_types,
        &wanted.event_types
    )
    .fetch_all(executor)
    .await?)
}

/// When the event at a position was appended; `None` where there is none.
pub async fn recorded_at(executor: impl PgExecutor<'_>, position: i64) -> Result<Option<Timestamp>> {
    let at = sqlx::query_scalar!("SELECT recorded_at FROM events WHERE position = $1", position);
    Ok(at.fetch_optional(executor).await?.map(Timestamp))
}

/// The position of the log's last event; 0 while it is empty.
pub async fn last_position(executor: impl PgExecutor<'_>) -> Result<i64> {
    Ok(sqlx::query_scalar!("SELECT position FROM log_head").fetch_one(executor).await?)
}

/// The position of the last event recorded at or before a moment; 0 where there is none.
///
/// Times never go back along the log, so this halves the log some twenty times instead of scanning it.
pub async fn position_at(executor: impl PgExecutor<'_>, moment: Timestamp) -> Result<i64> {
    let position = sqlx::query_scalar!(
        r#"WITH RECURSIVE search (low, high) AS (
               SELECT 0::bigint, position FROM log_head
               UNION ALL
               SELECT CASE WHEN recorded_at <= $1 THEN position ELSE low END,
                      CASE WHEN recorded_at <= $1 THEN high ELSE position - 1 END
               FROM search JOIN events ON position = (low + high + 1) / 2 WHERE low < high
           )
           SELECT low AS "low!" FROM search WHERE low >= high"#,
        moment.0
    );
    Ok(position.fetch_optional(executor).await?.unwrap_or(0))
}
