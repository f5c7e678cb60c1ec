//! Reads the event log itself, in the order of positions.
//!
//! Positions have no gaps and are committed in order, so a reader that has read up to a position has missed nothing.

use crate::error::Result;
use bootledger_aggregates::actor;
use bootledger_aggregates::event::{Event, Recorded, UnreadableEvent};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::webhook::EventPattern;
use serde::Deserialize;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// An event as it is stored, before its payload is parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The event's position in the log, from 1, without gaps.
    pub position: i64,
    /// The event's sequence number in its aggregate's stream, from 1.
    pub sequence: i64,
    /// The type of the event's aggregate.
    pub aggregate_type: String,
    /// The key of the event's aggregate.
    pub aggregate_id: String,
    /// The event's type.
    pub event_type: String,
    /// The version of the payload's form.
    pub event_version: String,
    /// The payload, exactly the JSON text that is stored.
    pub payload: String,
    /// The metadata (actor and correlation), exactly the JSON text that is stored.
    pub metadata: String,
    /// When the event was appended.
    pub recorded_at: OffsetDateTime,
    /// SHA-256 of the previous event's chain and this event's canonical bytes.
    pub chain: Vec<u8>,
}

/// A filter for events. Fields that are `None` match every event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only events of this type of aggregate.
    pub aggregate_type: Option<&'a str>,
    /// Only events of the aggregate with this key.
    pub aggregate_id: Option<&'a str>,
    /// Only events of this type.
    pub event_type: Option<&'a str>,
}

/// The events that match a list of patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    all: bool,
    aggregate_types: Vec<String>,
    event_types: Vec<String>,
}

impl Wanted {
    /// The events that any of these patterns matches.
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

/// Who acted, and what the event is related to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Who acted, such as `token ops`, `plugin dns` or `command_line`.
    pub actor: String,
    /// The id shared by a request and all of its results.
    pub correlation_id: String,
    /// The position of the event that caused this one, if any.
    pub causation_id: Option<String>,
}

impl Stored {
    /// Parses the metadata; missing fields are empty texts, and the actor is a code of today.
    pub fn read_metadata(&self) -> Metadata {
        let metadata: Metadata = serde_json::from_str(&self.metadata).unwrap_or_default();
        Metadata { actor: actor::upcast(metadata.actor), ..metadata }
    }

    /// Parses the event into the domain's type.
    ///
    /// # Errors
    /// Returns an error if the type of the aggregate is unknown, or if its key or the payload cannot be parsed.
    pub fn recorded(&self) -> std::result::Result<Recorded, UnreadableEvent> {
        let event =
            Event::stored(&self.aggregate_type, &self.aggregate_id, &self.event_type, &self.event_version, &self.payload)?;
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

/// The query for the events that fulfil a condition.
macro_rules! stored {
    ($condition:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Stored,
            r#"SELECT position, sequence, aggregate_type, aggregate_id, event_type, event_version,
                    payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, chain
             FROM events WHERE "# + $condition
            $(, $argument)*
        )
    };
}

/// Up to `limit` events after a position, in order.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn read_after(executor: impl PgExecutor<'_>, position: i64, limit: i64, filter: Filter<'_>) -> Result<Vec<Stored>> {
    let events = stored!(
        "position > $1
             AND ($3::text IS NULL OR aggregate_type = $3)
             AND ($4::text IS NULL OR aggregate_id = $4)
             AND ($5::text IS NULL OR event_type = $5)
           ORDER BY position LIMIT $2",
        position,
        limit,
        filter.aggregate_type,
        filter.aggregate_id,
        filter.event_type
    );
    Ok(events.fetch_all(executor).await?)
}

/// Up to `limit` matching events after `after` and up to `last`, in order.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn read_wanted(
    executor: impl PgExecutor<'_>,
    wanted: &Wanted,
    after: i64,
    last: i64,
    limit: i64,
) -> Result<Vec<Stored>> {
    let events = stored!(
        "position > $1 AND position <= $2 AND ($4 OR aggregate_type = ANY($5) OR event_type = ANY($6))
           ORDER BY position LIMIT $3",
        after,
        last,
        limit,
        wanted.all,
        &wanted.aggregate_types,
        &wanted.event_types
    );
    Ok(events.fetch_all(executor).await?)
}

/// The events at these positions, in order.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn read_at(executor: impl PgExecutor<'_>, positions: &[i64]) -> Result<Vec<Stored>> {
    Ok(stored!("position = ANY($1) ORDER BY position", positions).fetch_all(executor).await?)
}

/// Up to `limit` matching events of an aggregate, starting at a sequence number and up to the position `last`, in order.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn read_stream(
    executor: impl PgExecutor<'_>,
    wanted: &Wanted,
    (aggregate_type, aggregate_id): (&str, &str),
    sequence: i64,
    last: i64,
    limit: i64,
) -> Result<Vec<Stored>> {
    let events = stored!(
        "aggregate_type = $1 AND aggregate_id = $2 AND sequence >= $3 AND position <= $4
             AND ($6 OR aggregate_type = ANY($7) OR event_type = ANY($8))
           ORDER BY sequence LIMIT $5",
        aggregate_type,
        aggregate_id,
        sequence,
        last,
        limit,
        wanted.all,
        &wanted.aggregate_types,
        &wanted.event_types
    );
    Ok(events.fetch_all(executor).await?)
}

/// When the event at a position was appended; `None` if there is no such event.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn recorded_at(executor: impl PgExecutor<'_>, position: i64) -> Result<Option<Timestamp>> {
    let at = sqlx::query_scalar!("SELECT recorded_at FROM events WHERE position = $1", position);
    Ok(at.fetch_optional(executor).await?.map(Timestamp))
}

/// The position of the log's last event; 0 if the log is empty.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn last_position(executor: impl PgExecutor<'_>) -> Result<i64> {
    Ok(sqlx::query_scalar!("SELECT position FROM log_head").fetch_one(executor).await?)
}

/// The position of the last event recorded at or before a moment; 0 if there is none.
///
/// Times never decrease along the log, so a binary search of some twenty steps replaces a scan.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
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

#[cfg(test)]
mod tests {
    use super::Stored;
    use time::OffsetDateTime;

    #[test]
    fn the_actor_of_an_older_version_is_read_as_a_code() {
        let stored = |metadata: &str| Stored {
            position: 1,
            sequence: 1,
            aggregate_type: "device".to_owned(),
            aggregate_id: "01920000-0000-7000-8000-000000000001".to_owned(),
            event_type: "DeviceVerified".to_owned(),
            event_version: "1".to_owned(),
            payload: r#"{"type":"DeviceVerified"}"#.to_owned(),
            metadata: metadata.to_owned(),
            recorded_at: OffsetDateTime::UNIX_EPOCH,
            chain: vec![],
        };
        let old = stored(r#"{"actor":"catalogue file","correlation_id":"c-1"}"#);
        assert_eq!(old.recorded().expect("an event").actor, "catalogue_file");
        assert_eq!((old.read_metadata().actor.as_str(), old.read_metadata().correlation_id.as_str()), ("catalogue_file", "c-1"));
        assert_eq!(stored(r#"{"actor":"user ada"}"#).read_metadata().actor, "user ada");
        assert_eq!(stored("{}").read_metadata().actor, "");
    }
}
