//! The power of a device: what its management controller says, and orders to it.

use crate::auth::caller::{Operator, Viewer};
use crate::commands::{Command, Power};
use crate::error::Error;
use crate::request::answer::Change;
use crate::request::backend::Backend;
use crate::request::body::Json;
use crate::request::path::Path;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::power_orders::{self, Order, OrderStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/devices/{id}/power").get(show).post(order));
}

/// What is known of the power.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PowerAnswer {
    /// Of which device.
    device: DeviceId,
    /// Whether it is on.
    state: PowerState,
    /// When the controller said so; null where it was never heard of.
    asked_at: Option<Timestamp>,
    /// Whether the controller was asked for this answer; for a viewer it never is.
    live: bool,
}

/// An order to a management controller.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// What is to be done. Off and cycle are at once, without asking the operating system.
    action: PowerAction,
    /// Whether the next boot, and only that, shall be one from the network.
    #[serde(default)]
    network_boot: bool,
    /// The deployment in progress whose installation may be interrupted by this; without it, off and cycle are refused while
    /// there is one.
    #[serde(default)]
    interrupts: Option<DeploymentId>,
}

/// Whether the device is on. For an operator its management controller is asked, now; 502 or 504 where that does not answer,
/// and 503 where too many are asked at once. For a viewer, nothing is sent: the answer is what was heard last.
#[utoipa::path(get, path = "/api/v1/devices/{id}/power", tag = "devices", params(("id" = DeviceId, Path, description = "The device")),
    responses((status = 200, body = PowerAnswer)))]
pub(crate) async fn show(caller: Viewer, Path(device): Path<DeviceId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let at = backend.read().await?.at;
    if at != At::Now {
        return Err(Error::bad_request(
            "at",
            "power_is_now",
            "a management controller knows only how the power is now; leave `at` out",
        ));
    }
    let Power { state, at, live } = backend.power_state(device, caller.context()).await?;
    Ok(backend.read_now().await?.answer(&PowerAnswer { device, state, asked_at: at, live }))
}

/// Switches the device on, off, or off and on. 202 where that takes long: an event will tell. 502 where its controller did
/// not do it, 504 where it is not certain whether it did.
#[utoipa::path(post, path = "/api/v1/devices/{id}/power", tag = "devices", request_body = NewOrder,
    params(("id" = DeviceId, Path, description = "The device")), responses((status = 200, body = Order)))]
pub(crate) async fn order(
    caller: Operator,
    mut backend: Backend,
    Path(device): Path<DeviceId>,
    Json(NewOrder { action, network_boot, interrupts }): Json<NewOrder>,
) -> Result<HttpResponse, Error> {
    let command = Command::OrderPower { device, action, network_boot, interrupts };
    let change = Change::make(&mut backend, &caller, command).await?;
    let id = change.receipt.id.parse().map_err(|error| Error::Internal(anyhow::Error::new(error)))?;
    let order = power_orders::find(backend.read_now().await?.connection(), device, id).await?;
    let order = order.ok_or_else(|| Error::Internal(anyhow::anyhow!("the order {id} of device {device} is not in the log")))?;
    let reason = || order.reason.as_ref().map(ToString::to_string).unwrap_or_default();
    match order.status {
        OrderStatus::Failed => return Err(Error::Controller { message: reason(), slow: false }),
        OrderStatus::Uncertain => {
            let message = format!("{}; it may have been done all the same", reason());
            return Err(Error::Controller { message, slow: true });
        }
        OrderStatus::Ordered | OrderStatus::Confirmed => {}
    }
    match change.shown(&mut backend).await {
        Ok(reading) => {
            let under_way = order.status == OrderStatus::Ordered;
            let mut answer = change.answer(reading, &order);
            if under_way {
                *answer.status_mut() = StatusCode::ACCEPTED;
            }
            Ok(answer)
        }
        Err(accepted) => Ok(accepted),
    }
}
