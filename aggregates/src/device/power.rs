//! Power orders to a device's management controller: on, off or cycle.

use super::power_failure::PowerFailure;
use crate::values::ids::{DeploymentId, OrderId};
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
    Failed(PowerFailure),
    /// The order may have been carried out, despite this error.
    Uncertain(PowerFailure),
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
