//! Power orders to a device's management controller: on, off or cycle. Each order is recorded, then carried out and reported.
//!
//! ```text
//!   (nothing) ─RequestPower─► Ordered ─ReportPower─► (nothing)
//! ```
//! An order is recorded as an event before it is carried out, so that after a crash the service knows that the order may have
//! been carried out. At most one order is under way. A deployment restarts its server once; again only if it is certain that
//! the first restart did not happen, or when an operator requests it.

use super::event::DeviceEvent;
use super::{Registered, allowed, is_live};
use crate::rules::{BrokenRule, Refused};
use crate::values::ids::{DeploymentId, OrderId};
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An order without a report counts as under way for this many seconds. Carrying out an order has a shorter time limit.
pub const UNDER_WAY_SECONDS: i64 = 120;

/// The action of a power order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerAction {
    /// Switches the server on, if it is off.
    On,
    /// Switches the server off at once, without shutting down the operating system.
    Off,
    /// Switches the server off and on again at once, without shutting down the operating system. If it is off, only switches it
    /// on.
    Cycle,
}

impl PowerAction {
    /// The action as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Cycle => "cycle",
        }
    }
}

/// The power state of a server, as its management controller reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// The server is on.
    On,
    /// The server is off.
    Off,
    /// The controller cannot determine the state, or the state is changing.
    Unknown,
}

impl PowerState {
    /// The state as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Unknown => "unknown",
        }
    }
}

/// The deployment that a server is restarted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Restart {
    /// The deployment's id.
    pub deployment: DeploymentId,
    /// The number of retries that an operator had requested before this restart.
    pub turn: u32,
}

/// A power order to a management controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerOrder {
    /// The id of the order.
    pub order: OrderId,
    /// The requested action.
    pub action: PowerAction,
    /// Whether the server boots from the network, for the next boot only.
    pub network_boot: bool,
    /// The deployment that orders the restart; none for an operator's order.
    pub restart: Option<Restart>,
    /// When the order was given.
    pub at: Timestamp,
}

/// The result of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerOutcome {
    /// The controller confirmed the order and reported this power state.
    Confirmed(PowerState),
    /// The order was certainly not carried out, for this reason.
    Failed(Text),
    /// The order may have been carried out, despite this error.
    Uncertain(Text),
}

/// The last restart that a deployment ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRestart {
    /// The deployment and the number of retries before the restart.
    pub restart: Restart,
    /// When the restart was ordered.
    pub at: Timestamp,
    /// The status of the restart.
    pub standing: Standing,
}

/// The status of a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// The restart was ordered; its result was not reported yet.
    Ordered,
    /// The server was restarted.
    Confirmed,
    /// The server was certainly not restarted.
    Failed,
    /// The server may have been restarted.
    Uncertain,
}

impl LastRestart {
    /// Whether the order may still be under way at `now`.
    pub fn is_under_way(&self, now: Timestamp) -> bool {
        self.standing == Standing::Ordered && now < self.at.plus_seconds(UNDER_WAY_SECONDS)
    }
}

/// The facts that were looked up for an order.
#[derive(Clone, Copy, Debug, Default)]
pub struct PowerFacts {
    /// The device's live deployment.
    pub live: Option<DeploymentId>,
    /// Whether the live deployment is in progress: its server may be installing.
    pub in_progress: bool,
    /// The deployment that the caller accepts to interrupt.
    pub interrupts: Option<DeploymentId>,
    /// Whether the controller has just reported that the server is off.
    pub found_off: bool,
}

pub(super) fn request(device: &Registered, order: PowerOrder, facts: &PowerFacts) -> Result<Vec<DeviceEvent>, Refused> {
    let mut broken = vec![];
    broken.extend(allowed::switching(device.management.as_ref()));
    if order.network_boot && order.action == PowerAction::Off {
        let message = "a server that is switched off does not boot; ask for a network boot when it is switched on";
        broken.push(BrokenRule::new("network_boot", "network_boot_without_start", message));
    }
    if let Some(under_way) = device.ordered.as_ref().filter(|last| order.at < last.at.plus_seconds(UNDER_WAY_SECONDS)) {
        let message = format!(
            "an order to its management controller ({}) is under way since {}; wait for it",
            under_way.action.as_str(),
            under_way.at
        );
        broken.push(BrokenRule::new("", "power_busy", message).held_by(format!("order {}", under_way.order)));
    }
    broken.extend(interrupted(&order, facts));
    Refused::unless_empty(broken)?;
    if let Some(restart) = order.restart {
        is_live(restart.deployment, facts.live.filter(|_| facts.in_progress))?;
        once(device, restart, facts.found_off)?;
    }
    Ok(vec![DeviceEvent::PowerRequested(order)])
}

/// An operator can interrupt an installation only by naming its deployment.
fn interrupted(order: &PowerOrder, facts: &PowerFacts) -> Option<BrokenRule> {
    if order.restart.is_some() || order.action == PowerAction::On {
        return None;
    }
    let live = facts.live.filter(|_| facts.in_progress);
    match (facts.interrupts, live) {
        (None, None) => None,
        (Some(named), Some(live)) if named == live => None,
        (Some(named), _) => Some(BrokenRule::new(
            "interrupts",
            "deployment_not_in_progress",
            format!("deployment {named} is not in progress on this device; leave it out, or name the one that is"),
        )),
        (None, Some(live)) => Some(
            BrokenRule::new(
                "interrupts",
                "already_deploying",
                "the device is being deployed, and this would interrupt its installation; name the deployment here if it shall",
            )
            .held_by(format!("deployment {live}")),
        ),
    }
}

/// A deployment restarts its server once, and again after each retry that an operator requests; also if the last restart
/// certainly did not happen.
fn once(device: &Registered, restart: Restart, found_off: bool) -> Result<(), Refused> {
    let last = device.restart.as_ref().filter(|last| last.restart.deployment == restart.deployment);
    let certain = |last: &LastRestart| match last.standing {
        Standing::Failed => true,
        // A server that is off now is not booting, regardless of the order's result.
        Standing::Ordered | Standing::Uncertain => found_off,
        Standing::Confirmed => false,
    };
    match last {
        Some(last) if last.restart.turn >= restart.turn && !certain(last) => {
            let message = format!("the server was ordered to restart at {}; only an operator may have it done again", last.at);
            Err(Refused::because("", "restart_ordered", message))
        }
        _ => Ok(()),
    }
}

pub(super) fn report(device: &Registered, order: &PowerOrder, outcome: PowerOutcome) -> Result<Vec<DeviceEvent>, Refused> {
    if device.ordered.as_ref().is_none_or(|under_way| under_way.order != order.order) {
        return Err(Refused::because("", "order_not_under_way", format!("the order {} is not under way", order.order)));
    }
    let PowerOrder { order, action, network_boot, restart, .. } = *order;
    Ok(vec![match outcome {
        PowerOutcome::Confirmed(state) => DeviceEvent::PowerConfirmed { order, action, network_boot, restart, state },
        PowerOutcome::Failed(reason) => {
            DeviceEvent::PowerFailed { order, action, network_boot, restart, reason, uncertain: false }
        }
        PowerOutcome::Uncertain(reason) => {
            DeviceEvent::PowerFailed { order, action, network_boot, restart, reason, uncertain: true }
        }
    }])
}

pub(super) fn requested(device: &mut Registered, order: PowerOrder) {
    if let Some(restart) = order.restart {
        device.restart = Some(LastRestart { restart, at: order.at, standing: Standing::Ordered });
    }
    device.ordered = Some(order);
}

pub(super) fn reported(device: &mut Registered, restart: Option<Restart>, standing: Standing) {
    device.ordered = None;
    if let Some(last) = device.restart.as_mut().filter(|last| Some(last.restart) == restart) {
        last.standing = standing;
    }
}
