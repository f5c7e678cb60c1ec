//! The timeline: one line per event, with the event itself and with the names that things had at that time. The web crate turns
//! a line into a sentence.

mod names;
mod states;
mod subjects;

pub use states::{States, state};
pub use subjects::{Named, Subjects, actors, known_actors, named_by, suggestions};

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::holders::HolderNames;
use bootledger_aggregates::event::Event;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::timestamp::Timestamp;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The event's position in the log.
    pub position: i64,
    /// The event's sequence number in its aggregate's stream, from 1.
    pub sequence: i64,
    /// When the event was recorded.
    pub recorded_at: Timestamp,
    /// The type of the event's aggregate.
    pub aggregate_type: String,
    /// The key of the event's aggregate.
    pub aggregate_id: String,
    /// The event's type.
    pub event_type: String,
    /// Who caused the event.
    pub actor: String,
    /// The id shared by a request and all of its results.
    pub correlation_id: String,
    /// The device that the event is about.
    pub device: Option<DeviceId>,
    /// The deployment that the event is about.
    pub deployment: Option<DeploymentId>,
    /// The event; `None` if this version of the program cannot read it.
    pub event: Option<Event>,
    /// The name of the event's subject right after the event, where the aggregate's key is an id: a deployment's host name, a
    /// device's label, a token's name, a session's user.
    pub subject: Option<String>,
    /// The label, right after the event, of the device that the subject was attached to or detached from.
    pub parent: Option<String>,
    /// The names, right after the event, of the devices and deployments that held the values that a failed plugin wanted.
    pub holders: HolderNames,
    /// The states around the event, if it is an edit whose sentence does not say what changed.
    pub states: Option<States>,
}

/// A filter for lines. Fields that are `None` match every line.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only lines about this device.
    pub device: Option<DeviceId>,
    /// Only lines about this deployment.
    pub deployment: Option<DeploymentId>,
    /// Only lines of this type of aggregate.
    pub aggregate_type: Option<String>,
    /// Only lines of the aggregate with this key.
    pub aggregate_id: Option<String>,
    /// Only lines of any of these actors; an empty list matches every line.
    pub actors: Vec<String>,
    /// Only lines of the request with this correlation id.
    pub correlation_id: Option<String>,
    /// Only lines of any of these types of event; an empty list matches every line.
    pub event_types: Vec<String>,
    /// Only lines about any of these things.
    pub subjects: Option<Subjects>,
    /// Only lines after this position.
    pub after: Option<i64>,
    /// Only lines before this position.
    pub before: Option<i64>,
}

/// The order of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

struct Raw {
    position: i64,
    sequence: i64,
    recorded_at: OffsetDateTime,
    aggregate_type: String,
    aggregate_id: String,
    event_type: String,
    event_version: String,
    actor: String,
    correlation_id: String,
    device: Option<Uuid>,
    deployment: Option<Uuid>,
    payload: String,
}

impl From<Raw> for Line {
    fn from(raw: Raw) -> Self {
        Self {
            event: Event::stored(&raw.aggregate_type, &raw.aggregate_id, &raw.event_type, &raw.event_version, &raw.payload).ok(),
            position: raw.position,
            sequence: raw.sequence,
            recorded_at: Timestamp(raw.recorded_at),
            aggregate_type: raw.aggregate_type,
            aggregate_id: raw.aggregate_id,
            event_type: raw.event_type,
            actor: raw.actor,
            correlation_id: raw.correlation_id,
            device: raw.device.map(DeviceId),
            deployment: raw.deployment.map(DeploymentId),
            subject: None,
            parent: None,
            holders: HolderNames::default(),
            states: None,
        }
    }
}

/// Lines that match a condition. The limit applies before the events are read, so that a query reads only the events of its
/// lines.
macro_rules! lines {
    ($executor:expr, $rest:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_as!(
            Raw,
            r#"SELECT t.position, e.sequence, t.recorded_at, t.aggregate_type, t.aggregate_id, t.event_type, e.event_version,
                      t.actor,
                      t.correlation_id, t.device, t.deployment, e.payload::text AS "payload!"
               FROM (SELECT * FROM timeline WHERE "# + $rest $(+ $more)*
            $(, $argument)*
        )
        .fetch_all(&mut *$executor)
        .await?
    };
}

/// Runs a query whose text is `before`, the condition of a filter, and `after`.
macro_rules! matching {
    ($query:ident, [$($row:ident)?], $before:literal, $after:literal, $filter:expr, $limit:expr) => {
        sqlx::$query!(
            $($row,)?
            $before
                + "($1::uuid IS NULL OR device = $1) AND ($2::uuid IS NULL OR deployment = $2)
               AND ($3::text IS NULL OR aggregate_type = $3) AND ($4::text IS NULL OR aggregate_id = $4)
               AND (cardinality($5::text[]) = 0 OR actor = ANY($5)) AND ($6::text IS NULL OR correlation_id = $6)
               AND (cardinality($7::text[]) = 0 OR event_type = ANY($7))
               AND ($8::bigint IS NULL OR position > $8) AND ($9::bigint IS NULL OR position < $9)
               AND ($11::uuid[] IS NULL OR device = ANY($11) OR deployment = ANY($12::uuid[])
                    OR (aggregate_type, aggregate_id) IN (SELECT * FROM UNNEST($13::text[], $14::text[])))"
                + $after,
            $filter.device.map(|id| id.0),
            $filter.deployment.map(|id| id.0),
            $filter.aggregate_type.as_deref(),
            $filter.aggregate_id.as_deref(),
            &$filter.actors,
            $filter.correlation_id.as_deref(),
            &$filter.event_types,
            $filter.after,
            $filter.before,
            $limit,
            $filter.subjects.as_ref().map(Subjects::device_ids) as Option<Vec<Uuid>>,
            $filter.subjects.as_ref().map(Subjects::deployment_ids) as Option<Vec<Uuid>>,
            $filter.subjects.as_ref().map(Subjects::kinds) as Option<Vec<String>>,
            $filter.subjects.as_ref().map(Subjects::keys) as Option<Vec<String>>
        )
    };
}

macro_rules! filtered {
    ($executor:expr, $filter:expr, $limit:expr, $before:literal, $after:literal) => {
        matching!(query_as, [Raw], $before, $after, $filter, $limit).fetch_all(&mut *$executor).await?
    };
}

async fn raw(connection: &mut Connection, filter: &Filter, order: Order, limit: i64) -> Result<Vec<Raw>> {
    Ok(match order {
        Order::NewestFirst => filtered!(
            connection,
            filter,
            limit,
            r#"SELECT t.position, e.sequence, t.recorded_at, t.aggregate_type, t.aggregate_id, t.event_type, e.event_version,
                      t.actor, t.correlation_id, t.device, t.deployment, e.payload::text AS "payload!"
               FROM (SELECT * FROM timeline WHERE "#,
            " ORDER BY position DESC LIMIT $10) AS t JOIN events e USING (position) ORDER BY position DESC"
        ),
        Order::OldestFirst => filtered!(
            connection,
            filter,
            limit,
            r#"SELECT t.position, e.sequence, t.recorded_at, t.aggregate_type, t.aggregate_id, t.event_type, e.event_version,
                      t.actor, t.correlation_id, t.device, t.deployment, e.payload::text AS "payload!"
               FROM (SELECT * FROM timeline WHERE "#,
            " ORDER BY position LIMIT $10) AS t JOIN events e USING (position) ORDER BY position"
        ),
    })
}

/// Up to `limit` lines, with three queries.
///
/// # Errors
/// Returns `Error::Database` if a query fails.
pub async fn list(connection: &mut Connection, filter: &Filter, order: Order, limit: i64) -> Result<Vec<Line>> {
    let rows = raw(connection, filter, order, limit).await?;
    named(connection, rows).await
}

/// Up to `limit` lines, each with the JSON text of its event's payload.
///
/// # Errors
/// Returns `Error::Database` if a query fails.
pub async fn list_with_payloads(
    connection: &mut Connection,
    filter: &Filter,
    order: Order,
    limit: i64,
) -> Result<Vec<(Line, String)>> {
    let mut rows = raw(connection, filter, order, limit).await?;
    let payloads: Vec<String> = rows.iter().map(|row| row.payload.clone()).collect();
    let lines = named(connection, std::mem::take(&mut rows)).await?;
    Ok(lines.into_iter().zip(payloads).collect())
}

/// The positions of up to `limit` events that match a filter, the oldest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn positions(connection: &mut Connection, filter: &Filter, limit: i64) -> Result<Vec<i64>> {
    let found =
        matching!(query_scalar, [], "SELECT position FROM timeline WHERE ", " ORDER BY position LIMIT $10", filter, limit);
    Ok(found.fetch_all(&mut *connection).await?)
}

/// How many lines match a filter; the count ends at `most`, so that it stays fast on a large log.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn count(connection: &mut Connection, filter: &Filter, most: i64) -> Result<i64> {
    let found = matching!(
        query_scalar,
        [],
        r#"SELECT count(*) AS "count!" FROM (SELECT FROM timeline WHERE "#,
        " LIMIT $10) AS t",
        filter,
        most
    );
    Ok(found.fetch_one(&mut *connection).await?)
}

/// The lines of the events at these positions, the oldest first.
///
/// # Errors
/// Returns `Error::Database` if a query fails.
pub async fn at(connection: &mut Connection, positions: &[i64]) -> Result<Vec<Line>> {
    let rows = lines!(connection, "position = ANY($1)) AS t JOIN events e USING (position) ORDER BY position", positions);
    named(connection, rows).await
}

async fn named(connection: &mut Connection, rows: Vec<Raw>) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = rows.into_iter().map(Line::from).collect();
    names::add(connection, &mut lines).await?;
    states::add(connection, &mut lines).await?;
    Ok(lines)
}

/// The positions of an aggregate's last event before the position `before`, and of its first event after the position `after`.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn around(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    before: i64,
    after: i64,
) -> Result<(Option<i64>, Option<i64>)> {
    let row = sqlx::query!(
        "SELECT (SELECT max(position) FROM timeline WHERE aggregate_type = $1 AND aggregate_id = $2 AND position < $3) AS previous,
                (SELECT min(position) FROM timeline WHERE aggregate_type = $1 AND aggregate_id = $2 AND position > $4) AS next",
        aggregate_type,
        aggregate_id,
        before,
        after
    );
    let row = row.fetch_one(executor).await?;
    Ok((row.previous, row.next))
}

/// The device and deployment that an event is about, without the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The event's position in the log.
    pub position: i64,
    /// The type of the event's aggregate.
    pub aggregate_type: String,
    /// The key of the event's aggregate.
    pub aggregate_id: String,
    /// The device that the event is about.
    pub device: Option<DeviceId>,
    /// The deployment that the event is about.
    pub deployment: Option<DeploymentId>,
}

/// What events after `after` and up to `last` are about, the oldest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn touched(executor: impl PgExecutor<'_>, after: i64, last: i64) -> Result<Vec<Touch>> {
    let rows = sqlx::query!(
        "SELECT position, aggregate_type, aggregate_id, device, deployment FROM timeline
         WHERE position > $1 AND position <= $2 ORDER BY position",
        after,
        last
    );
    let rows = rows.fetch_all(executor).await?;
    Ok(rows
        .into_iter()
        .map(|row| Touch {
            position: row.position,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            device: row.device.map(DeviceId),
            deployment: row.deployment.map(DeploymentId),
        })
        .collect())
}
