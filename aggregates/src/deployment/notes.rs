//! What operators write about a deployment: a note, and the reference of a ticket.

use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What operators write about a deployment. Both texts may be empty. The form is that of the stored event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeploymentNotes)]
pub struct Notes {
    /// The note, for people to read.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub note: Text,
    /// The reference of a ticket in another system, such as `OPS-1234`.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub ticket: Text,
}

impl Notes {
    /// Whether both texts are empty.
    pub fn is_empty(&self) -> bool {
        self.note.is_empty() && self.ticket.is_empty()
    }
}
