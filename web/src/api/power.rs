//! Routes for the power of a device: its state, as the management controller reports it, and power orders.

use crate::http::auth::caller::{Operator, Viewer};
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::device::power_failure::PowerFailure;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{Command, Power};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::power_orders::{self, Order, OrderStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/devices/{id}/power").get(show).post(order));
}

/// The known power state of a device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PowerAnswer {
    /// The ID of the device.
    device: DeviceId,
    /// Whether the server has power: the last reported state.
    state: PowerState,
    /// When the controller reported the state; null if it never has.
    #[serde(rename = "asked_at")]
    queried_at: Option<Timestamp>,
    /// Whether the controller was queried for this response. It never is for a viewer.
    live: bool,
}

/// A power order to a management controller.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// The action. `off` and `cycle` take effect immediately, without a shutdown of the operating system.
    action: PowerAction,
    /// Whether the server boots from the network at its next boot, and only at that one.
    #[serde(default)]
    network_boot: bool,
    /// The deployment in progress whose installation the order may interrupt. Without it, `off`, `cycle` and each order with
    /// `network_boot` are refused while the device has a deployment in progress.
    #[serde(default)]
    interrupts: Option<DeploymentId>,
}

/// A power order and its result.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderAnswer {
    #[serde(flatten)]
    order: Order,
    /// Why the order was not carried out, as a sentence. The sentence may change between versions.
    reason: Option<String>,
    /// Why the order was not carried out, as a code with its values.
    failure: Option<PowerFailure>,
}

impl From<Order> for OrderAnswer {
    fn from(order: Order) -> Self {
        let reason = order.failure.as_ref().map(ToString::to_string);
        Self { reason, failure: order.failure.clone(), order }
    }
}

/// Returns the power state of a device. For an operator, this queries the management controller now; the response is 502 or 504
/// if the controller does not respond, and 503 if too many controllers are being queried. For a viewer, it sends nothing and
/// returns the last reported state.
#[utoipa::path(get, path = "/api/v1/devices/{id}/power", tag = "devices", params(("id" = DeviceId, Path, description = "The device")),
    responses((status = 200, body = PowerAnswer)))]
pub(crate) async fn show(caller: Viewer, Path(device): Path<DeviceId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let at = backend.read().await?.at;
    if at != At::Now {
        return Err(Error::bad_request("at", Rule::PowerIsNow, "the power state is available only for the present; remove `at`"));
    }
    let Power { state, at, live } = backend.power_state(device, caller.context()).await?;
    Ok(backend.read_now().await?.answer(&PowerAnswer { device, state, queried_at: at, live }))
}

/// Switches a device on, off, or off and on again. The response is 202 if this takes long; an event then records the result. It
/// is 502 if the controller did not carry out the order, and 504 if the result is not known.
#[utoipa::path(post, path = "/api/v1/devices/{id}/power", tag = "devices", request_body = NewOrder,
    params(("id" = DeviceId, Path, description = "The device")), responses((status = 200, body = OrderAnswer)))]
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
    let order = OrderAnswer::from(order);
    let reason = || order.reason.clone().unwrap_or_default();
    match order.order.status {
        OrderStatus::Failed => return Err(Error::Controller { message: reason(), slow: false }),
        OrderStatus::Uncertain => {
            let message = format!("{}; the request may still have taken effect", reason());
            return Err(Error::Controller { message, slow: true });
        }
        OrderStatus::Ordered | OrderStatus::Confirmed => {}
    }
    match change.shown(&mut backend).await {
        Shown::Now(snapshot) => {
            let under_way = order.order.status == OrderStatus::Ordered;
            let mut answer = change.answer(snapshot, &order);
            if under_way {
                *answer.status_mut() = StatusCode::ACCEPTED;
            }
            Ok(answer)
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}
