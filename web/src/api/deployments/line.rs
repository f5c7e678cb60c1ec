//! A line of a deployment's history as the API returns it. The sentence is written when the line is read; it is not stored.

use crate::wording::timeline::sentence;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::timeline;
use serde::Serialize;
use utoipa::ToSchema;

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Line {
    /// The event's position in the log.
    pub(crate) position: i64,
    /// When the event was recorded.
    pub(crate) recorded_at: Timestamp,
    /// The type of the event's aggregate.
    pub(crate) aggregate_type: String,
    /// The key of the event's aggregate.
    pub(crate) aggregate_id: String,
    /// The event's type.
    pub(crate) event_type: String,
    /// Who caused the event.
    pub(crate) actor: String,
    /// The id shared by a request and all of its results.
    pub(crate) correlation_id: String,
    /// The device that the event is about.
    pub(crate) device: Option<DeviceId>,
    /// The deployment that the event is about.
    pub(crate) deployment: Option<DeploymentId>,
    /// The sentence that describes the event.
    pub(crate) sentence: String,
}

impl From<timeline::Line> for Line {
    fn from(line: timeline::Line) -> Self {
        Self {
            sentence: sentence(&line),
            position: line.position,
            recorded_at: line.recorded_at,
            aggregate_type: line.aggregate_type,
            aggregate_id: line.aggregate_id,
            event_type: line.event_type,
            actor: line.actor,
            correlation_id: line.correlation_id,
            device: line.device,
            deployment: line.deployment,
        }
    }
}
