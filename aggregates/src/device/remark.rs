//! A remark about a device, as a code with its values. The web crate writes the sentence when it shows the remark.
//!
//! The JSON of this type is part of stored events, so it is stored permanently.

use crate::values::name::Name;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A remark about a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum Remark {
    /// The clean plugin removed the old role. This remark separates the remarks of that role from those of the next one.
    OldRole {
        /// The venture that owned the device.
        venture: Name,
        /// The role that the device had in the venture.
        role: Name,
        /// When the role was removed.
        until: Timestamp,
    },
    /// What an operator wrote, or a remark in an event that was stored before remarks had codes.
    Text {
        /// The remark.
        text: Text,
    },
}
