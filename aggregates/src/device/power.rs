//! Orders to a device's management controller: on, off, cycle, each asked for and then reported.
//!
//! ```text
//!   (nothing) ─RequestPower─► Ordered ─ReportPower─► (nothing)
//! ```
//! An order is an event before it is carried out, so that whoever comes after a crash knows that it may have been. At
//! most one is under way, and a deployment restarts its server once: again only where it is certain that the first
//! restart did not happen, or when an operator asks.

use super::event::DeviceEvent;
use super::{Registered, allowed, is_live};
use crate::rules::{BrokenRule, Refused};
use crate::values::ids::{DeploymentId, OrderId};
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// For how many seconds an order without a report is taken to be under way; it is limited to less.
pub const UNDER_WAY_SECONDS: i64 = 120;

/// What is to be done with the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerAction {
    /// On, where it is off.
    On,
    /// Off at once, without asking the operating system.
    Off,
    /// Off and on again at once, without asking the operating system; only on where it is off.
    Cycle,
}

impl PowerAction {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Cycle => "cycle",
        }
    }
}

/// Whether a server has power, as its controller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// It is on.
    On,
    /// It is off.
    Off,
    /// The controller cannot tell, or it is just changing.
    Unknown,
}

impl PowerState {
    /// As in JSON.
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
    /// Which.
    pub deployment: DeploymentId,
    /// How often an operator had asked for another try before.
    pub turn: u32,
}

/// An order to a management controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerOrder {
    /// Which.
    pub order: OrderId,
    /// What is to be done.
    pub action: PowerAction,
    /// Whether the server shall boot from the network, once.
    pub network_boot: bool,
    /// The deployment that it is for; none where a person asks.
    pub restart: Option<Restart>,
    /// When it was given.
    pub at: Timestamp,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerOutcome {
    /// It was carried out, and the controller says so.
    Confirmed(PowerState),
    /// It was not.
    Failed(Text),
    /// It may have been.
    Uncertain(Text),
}

/// What is known of the last restart for a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRestart {
    /// For which deployment, in which turn.
    pub restart: Restart,
    /// When it was ordered.
    pub at: Timestamp,
    /// How it stands.
    pub standing: Standing,
}

/// How a restart stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Ordered; whoever was at it has not reported.
    Ordered,
    /// The server was restarted.
    Confirmed,
    /// It certainly was not.
    Failed,
    /// It may have been.
    Uncertain,
}

impl LastRestart {
    /// Whether somebody may be at it just now.
    pub fn is_under_way(&self, now: Timestamp) -> bool {
        self.standing == Standing::Ordered && now < self.at.plus_seconds(UNDER_WAY_SECONDS)
    }
}

/// What was looked up for an order.
#[derive(Clone, Copy, Debug, Default)]
pub struct PowerFacts {
    /// The live deployment.
    pub live: Option<DeploymentId>,
    /// Whether it is in progress: its server may be installing.
    pub in_progress: bool,
    /// The deployment that the caller knows to be interrupted.
    pub interrupts: Option<DeploymentId>,
    /// Whether the controller said just now that the server is off.
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

/// A person does not interrupt an installation without saying so.
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

/// A deployment restarts its server once a turn, unless it certainly did not.
fn once(device: &Registered, restart: Restart, found_off: bool) -> Result<(), Refused> {
    let last = device.restart.as_ref().filter(|last| last.restart.deployment == restart.deployment);
    let certain = |last: &LastRestart| match last.standing {
        Standing::Failed => true,
        // What is off now is not booting, whatever became of the order.
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
