//! What the views hold of an entry beyond its description: an agent's reports, a venture's roles, where deliveries begin.

use bootledger_aggregates::dhcp_server::DhcpServerSpec;
use bootledger_aggregates::saved_view::SavedViewSpec;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::venture::{RoleSpec, VentureSpec};
use bootledger_aggregates::webhook::WebhookSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A venture with its roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VentureView {
    /// The description of the venture.
    pub spec: VentureSpec,
    /// The venture's roles, by name.
    pub roles: BTreeMap<Name, RoleSpec>,
}

/// A saved view of a list, with its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SavedViewView {
    /// The user or token that saved the view, such as `user ada`.
    pub owner: Text,
    /// The view.
    pub spec: SavedViewSpec,
}

/// A DHCP server, with what its agent last reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DhcpServerView {
    /// The description of the DHCP server.
    pub spec: DhcpServerSpec,
    /// The configuration that the server runs, as last confirmed.
    pub confirmed: Option<Confirmed>,
    /// The configuration that the server has failed to use since its last confirmation.
    pub failing: Option<Failing>,
}

impl DhcpServerView {
    /// When the server's agent last reported, whether it confirmed a configuration or failed to use it.
    pub fn last_report(&self) -> Option<Timestamp> {
        let confirmed = self.confirmed.as_ref().map(|confirmed| confirmed.at);
        confirmed.max(self.failing.as_ref().map(|failing| failing.at))
    }
}

/// The configuration that a DHCP server runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Confirmed {
    /// SHA-256 of the configuration.
    pub revision: Sha256,
    /// The position in the log at which the configuration was rendered.
    pub position: i64,
    /// When the server's agent confirmed the configuration.
    pub at: Timestamp,
}

/// A configuration that a DHCP server could not use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failing {
    /// SHA-256 of the configuration, if it was fetched.
    pub revision: Option<Sha256>,
    /// The error that the server's agent reported.
    pub message: Text,
    /// When the server's agent reported the failure.
    pub at: Timestamp,
}

/// An access token. Its secret is not in the views.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// The token's name; events name it as the actor.
    pub name: Text,
    /// What the token allows.
    pub scope: TokenScope,
    /// When the token expires; `None` if it never does.
    pub expires: Option<Timestamp>,
    /// When the token was created.
    pub created_at: Timestamp,
}

/// A webhook. Its delivery status is in [`crate::progress::webhooks`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// The description of the webhook.
    pub spec: WebhookSpec,
    /// Where in the log deliveries begin.
    pub begins: Beginning,
    /// Since when and why deliveries are paused; `None` if they are not.
    pub paused: Option<Paused>,
}

/// Where in the log a webhook's deliveries begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Beginning {
    /// Deliveries begin after this position.
    pub after: i64,
    /// The position of the event that set the beginning.
    pub set_at: i64,
}

/// A webhook's deliveries are paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Paused {
    /// Since when deliveries are paused.
    pub since: Timestamp,
    /// Why deliveries are paused.
    pub reason: Text,
}
