//! Power orders to management controllers, read from the log itself: a device has few, and each is looked up by its own id.

use crate::database::log::Stored;
use crate::error::Result;
use bootledger_aggregates::device::event::DeviceEvent;
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::device::power_failure::PowerFailure;
use bootledger_aggregates::event::Event;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, OrderId};
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Serialize;
use sqlx::PgExecutor;
use utoipa::ToSchema;

/// The status of a power order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// The order is being carried out, or the process that carried it out ended before it could record the result.
    Ordered,
    /// The order was carried out.
    Confirmed,
    /// The order was not carried out.
    Failed,
    /// It is unknown whether the order was carried out.
    Uncertain,
}

/// A power order and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Order {
    /// The order's id.
    pub order: OrderId,
    /// The device that the order is for.
    pub device: DeviceId,
    /// What to do with the device's power.
    pub action: PowerAction,
    /// Whether the next boot is to be from the network.
    pub network_boot: bool,
    /// The deployment that the device was restarted for.
    pub deployment: Option<DeploymentId>,
    /// Who gave the order.
    pub ordered_by: String,
    /// When the order was given.
    pub ordered_at: Timestamp,
    /// The status of the order.
    pub status: OrderStatus,
    /// The power state afterwards, if the order was carried out.
    pub state: Option<PowerState>,
    /// Why the order was not carried out.
    #[serde(skip)]
    pub failure: Option<PowerFailure>,
}

/// The power state that a device's controller last confirmed after an order, and when, from the current log.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
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

/// The order with this id, from the current log.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
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
                    failure: None,
                });
            }
            (DeviceEvent::PowerConfirmed { state, .. }, Some(found)) => {
                (found.status, found.state) = (OrderStatus::Confirmed, Some(state));
            }
            (DeviceEvent::PowerFailed { reason, uncertain, .. }, Some(found)) => {
                found.status = if uncertain { OrderStatus::Uncertain } else { OrderStatus::Failed };
                found.failure = Some(reason);
            }
            _ => {}
        }
    }
    Ok(found)
}
