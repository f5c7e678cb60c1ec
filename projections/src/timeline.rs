//! The timeline: one readable sentence per event.

use crate::error::Result;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Serialize;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Line {
    /// The event's position in the log.
    pub position: i64,
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
    /// The sentence that describes the event.
    pub sentence: String,
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
    /// Only lines of this actor.
    pub actor: Option<String>,
    /// Only lines of the request with this correlation id.
    pub correlation_id: Option<String>,
    /// Only lines of this type of event.
    pub event_type: Option<String>,
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
    recorded_at: OffsetDateTime,
    aggregate_type: String,
    aggregate_id: String,
    event_type: String,
    actor: String,
    correlation_id: String,
    device: Option<Uuid>,
    deployment: Option<Uuid>,
    sentence: String,
}

impl From<Raw> for Line {
    fn from(raw: Raw) -> Self {
        Self {
            position: raw.position,
            recorded_at: Timestamp(raw.recorded_at),
            aggregate_type: raw.aggregate_type,
            aggregate_id: raw.aggregate_id,
            event_type: raw.event_type,
            actor: raw.actor,
            correlation_id: raw.correlation_id,
            device: raw.device.map(DeviceId),
            deployment: raw.deployment.map(DeploymentId),
            sentence: raw.sentence,
        }
    }
}

macro_rules! lines {
    ($executor:expr, $filter:expr, $limit:expr, $order:literal) => {
        sqlx::query_as!(
            Raw,
            "SELECT position, recorded_at, aggregate_type, aggregate_id, event_type, actor, correlation_id, device,
                    deployment, sentence
             FROM timeline
             WHERE ($1::uuid IS NULL OR device = $1) AND ($2::uuid IS NULL OR deployment = $2)
               AND ($3::text IS NULL OR aggregate_type = $3) AND ($4::text IS NULL OR aggregate_id = $4)
               AND ($5::text IS NULL OR actor = $5) AND ($6::text IS NULL OR correlation_id = $6)
               AND ($7::text IS NULL OR event_type = $7)
               AND ($8::bigint IS NULL OR position > $8) AND ($9::bigint IS NULL OR position < $9) "
                + $order,
            $filter.device.map(|id| id.0),
            $filter.deployment.map(|id| id.0),
            $filter.aggregate_type.as_deref(),
            $filter.aggregate_id.as_deref(),
            $filter.actor.as_deref(),
            $filter.correlation_id.as_deref(),
            $filter.event_type.as_deref(),
            $filter.after,
            $filter.before,
            $limit
        )
        .fetch_all($executor)
        .await?
    };
}

/// Up to `limit` lines.
pub async fn list(executor: impl PgExecutor<'_>, filter: &Filter, order: Order, limit: i64) -> Result<Vec<Line>> {
    let rows = match order {
        Order::NewestFirst => lines!(executor, filter, limit, "ORDER BY position DESC LIMIT $10"),
        Order::OldestFirst => lines!(executor, filter, limit, "ORDER BY position LIMIT $10"),
    };
    Ok(rows.into_iter().map(Line::from).collect())
}

/// The device and deployment that an event is about, without a sentence.
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
