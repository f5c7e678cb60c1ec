//! The lock of a device: it must not be installed again, for a reason. An operator can lock a device, and only an administrator
//! can unlock it.
//!
//! The JSON of this type is part of stored events, so it is stored permanently.

use crate::rules::{BrokenRule, Rule};
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The lock of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lock {
    /// Why the device must not be installed again.
    pub reason: Text,
    /// Who locked it, such as `user ada`.
    pub by: Text,
    /// When it was locked.
    pub at: Timestamp,
}

/// Why something cannot be done with a locked device. `what` is possible afterwards, such as `it can be deployed`.
pub fn refusal(lock: &Lock, field: &str, what: &str) -> BrokenRule {
    let Lock { reason, by, at } = lock;
    let message = format!(
        "the device has been locked by {by} since {at}, because: {reason}; {what} after an administrator has unlocked it"
    );
    BrokenRule::new(field, Rule::DeviceLocked, message).about(reason)
}

/// Why a locked device is not installed again.
pub fn installing(lock: &Lock, field: &str) -> BrokenRule {
    refusal(lock, field, "it can be installed again")
}
