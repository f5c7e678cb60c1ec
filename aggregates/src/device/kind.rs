//! The kind of a device. Its JSON is part of stored events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A stand-alone physical server.
    #[default]
    Physical,
    /// A server in a blade chassis.
    Blade,
    /// A virtual server.
    Virtual,
}
