//! Orders to management controllers, read from the log itself: a device has few, and each is asked for by its own id.

use crate::error::Result;
use crate::log::Stored;
use bootledger_aggregates::device::event::DeviceEvent;
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::event::Event;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, OrderId};
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Serialize;
use sqlx::PgExecutor;
use utoipa::ToSchema;

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// It is being carried out, or whoever was at it ended before it could say what became of it.
    Ordered,
    /// It was carried out.
    Confirmed,
    /// It was not.
    Failed,
    /// It may have been.
    Uncertain,
}

/// An order, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Order {
    /// Which.
    pub order: OrderId,
    /// Of which device.
    pub device: DeviceId,
    /// What was to be done.
    pub action: PowerAction,
    /// Whether the next boot was to be one from the network.
    pub network_boot: bool,
    /// The deployment that the server was restarted for.
    pub deployment: Option<DeploymentId>,
    /// Who gave it.
    pub ordered_by: String,
    /// When it was given.
    pub ordered_at: Timestamp,
    /// How it stands.
    pub status: OrderStatus,
    /// The power afterwards, where it was carried out.
    pub state: Option<PowerState>,
    /// Why it was not, in words.
    pub reason: Option<Text>,
}

/// The power that a device's controller last confirmed to have brought about, and when, as the log has it now.
pub async fn last_confirmed(executor: impl PgExecutor<'_>, device: DeviceId) -> Result<Option<(PowerState, Timestamp)>> {
    let stored = sqlx::query_as!(
        Stored,
        r#"SELECT position, sequence, aggregate_type, aggregate_id, event_type, event_version,
                  payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, chain
           FROM events
           WHERE aggregate_type = 'device' AND aggregate_id = $1 AND event_type = 'PowerConfirmed'
           ORDER BY sequence DESC LIMIT 1"#,
        device.to_string()
    )
    .fetch_optional(executor)
    .await?;
    let recorded = stored.and_then(|stored| stored.recorded().ok());
    Ok(recorded.and_then(|recorded| match recorded.event {
        Event::Device(_, DeviceEvent::PowerConfirmed { state, .. }) => Some((state, recorded.recorded_at)),
        _ => None,
    }))
}

/// The order of this id, as the log has it now.
pub async fn find(executor: impl PgExecutor<'_>, device: DeviceId, order: OrderId) -> Result<Option<Order>> {
    let events = sqlx::query_as!(
        Stored,
        r#"SELECT position, sequence, aggregate_type, aggregate_id, event_type, event_version,
                  payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, chain
           FROM events
           WHERE aggregate_type = 'device' AND aggregate_id = $1
             AND event_type IN ('PowerRequested', 'PowerConfirmed', 'PowerFailed') AND payload ->> 'order' = $2
           ORDER BY sequence"#,
        device.to_string(),
        order.to_string()
    )
    .fetch_all(executor)
    .await?;
    let mut found = None;
    for recorded in events.iter().filter_map(|stored| stored.recorded().ok()) {
        let Event::Device(_, event) = recorded.event else { continue };
        match (event, &mut found) {
            (DeviceEvent::PowerRequested(given), _) => {
                found = Some(Order {
                    order,
                    device,
                    action: given.action,
                    network_boot: given.network_boot,
                    deployment: given.restart.map(|restart| restart.deployment),
                    ordered_by: recorded.actor,
                    ordered_at: given.at,
                    status: OrderStatus::Ordered,
                    state: None,
                    reason: None,
                });
            }
            (DeviceEvent::PowerConfirmed { state, .. }, Some(found)) => {
                (found.status, found.state) = (OrderStatus::Confirmed, Some(state));
            }
            (DeviceEvent::PowerFailed { reason, uncertain, .. }, Some(found)) => {
                found.status = if uncertain { OrderStatus::Uncertain } else { OrderStatus::Failed };
                found.reason = Some(reason);
            }
            _ => {}
        }
    }
    Ok(found)
}
