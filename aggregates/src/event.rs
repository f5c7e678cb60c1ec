//! Any event of any aggregate, as readers of the whole log meet it.

#[cfg(test)]
pub(crate) mod sampled;
#[cfg(test)]
mod tests;

use crate::boot_image::BootImageEvent;
use crate::claims::ClaimChange;
use crate::deployment::event::DeploymentEvent;
use crate::device::event::DeviceEvent;
use crate::dhcp_server::DhcpServerEvent;
use crate::drift::{DriftEvent, DriftKey};
use crate::network::NetworkEvent;
use crate::rack::RackEvent;
use crate::secret::SecretEvent;
use crate::session::SessionEvent;
use crate::site::SiteEvent;
use crate::token::TokenEvent;
use crate::user::UserEvent;
use crate::values::ids::{DeploymentId, DeviceId, SessionId, TokenId};
use crate::values::name::Name;
use crate::values::timestamp::Timestamp;
use crate::values::user_name::UserName;
use crate::venture::VentureEvent;
use crate::webhook::WebhookEvent;
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// The types of aggregates, each with the types of its events.
pub const KINDS: [(&str, &[&str]); 14] = [
    ("deployment", DeploymentEvent::TYPES),
    ("device", DeviceEvent::TYPES),
    ("site", SiteEvent::TYPES),
    ("rack", RackEvent::TYPES),
    ("network", NetworkEvent::TYPES),
    ("dhcp_server", DhcpServerEvent::TYPES),
    ("venture", VentureEvent::TYPES),
    ("boot_image", BootImageEvent::TYPES),
    ("token", TokenEvent::TYPES),
    ("user", UserEvent::TYPES),
    ("session", SessionEvent::TYPES),
    ("webhook", WebhookEvent::TYPES),
    ("secret", SecretEvent::TYPES),
    ("drift", DriftEvent::TYPES),
];

/// An event with the key of its aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Of a deployment.
    Deployment(DeploymentId, DeploymentEvent),
    /// Of a device.
    Device(DeviceId, DeviceEvent),
    /// Of a site.
    Site(Name, SiteEvent),
    /// Of a rack.
    Rack(Name, RackEvent),
    /// Of a network.
    Network(Name, NetworkEvent),
    /// Of a DHCP server.
    DhcpServer(Name, DhcpServerEvent),
    /// Of a venture.
    Venture(Name, VentureEvent),
    /// Of a boot image.
    BootImage(Name, BootImageEvent),
    /// Of an access token.
    Token(TokenId, TokenEvent),
    /// Of a person who signs in.
    User(UserName, UserEvent),
    /// Of a person's session.
    Session(SessionId, SessionEvent),
    /// Of a difference between a server and the views.
    Drift(DriftKey, DriftEvent),
    /// Of a webhook.
    Webhook(Name, WebhookEvent),
    /// Of the scope of a secret.
    Secret(Name, SecretEvent),
}

/// Why a stored event cannot be read: this version of the program does not know it, or it is damaged.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvent {
    /// The aggregate's type is unknown.
    #[error("there is no aggregate type {0:?}")]
    AggregateType(String),
    /// The aggregate's key has the wrong form.
    #[error("the aggregate's key is wrong")]
    Key(#[source] crate::values::ParseError),
    /// The payload has the wrong form.
    #[error("the event's payload is wrong")]
    Payload(#[source] serde_json::Error),
}

/// An event as the log holds it: with its place in it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in the log, from 1, without gaps.
    pub position: i64,
    /// Its place in its aggregate's stream, from 1.
    pub sequence: i64,
    /// When it was appended.
    pub recorded_at: Timestamp,
    /// Who did it, such as `user ada`, `token ops` or `plugin dns`.
    pub actor: String,
    /// What it belongs to, for following a request through everything that it led to.
    pub correlation_id: String,
    /// The event.
    pub event: Event,
}

impl Event {
    /// Reads a stored event. `payload` is the JSON text.
    pub fn read(aggregate_type: &str, aggregate_id: &str, payload: &str) -> Result<Self, UnreadableEvent> {
        fn both<K: FromStr<Err = crate::values::ParseError>, E: DeserializeOwned>(
            id: &str,
            payload: &str,
        ) -> Result<(K, E), UnreadableEvent> {
            Ok((id.parse().map_err(UnreadableEvent::Key)?, serde_json::from_str(payload).map_err(UnreadableEvent::Payload)?))
        }
        let id = aggregate_id;
        Ok(match aggregate_type {
            "deployment" => both(id, payload).map(|(key, event)| Self::Deployment(key, event))?,
            "device" => both(id, payload).map(|(key, event)| Self::Device(key, event))?,
            "site" => both(id, payload).map(|(key, event)| Self::Site(key, event))?,
            "rack" => both(id, payload).map(|(key, event)| Self::Rack(key, event))?,
            "network" => both(id, payload).map(|(key, event)| Self::Network(key, event))?,
            "dhcp_server" => both(id, payload).map(|(key, event)| Self::DhcpServer(key, event))?,
            "venture" => both(id, payload).map(|(key, event)| Self::Venture(key, event))?,
            "boot_image" => both(id, payload).map(|(key, event)| Self::BootImage(key, event))?,
            "token" => both(id, payload).map(|(key, event)| Self::Token(key, event))?,
            "user" => both(id, payload).map(|(key, event)| Self::User(key, event))?,
            "session" => both(id, payload).map(|(key, event)| Self::Session(key, event))?,
            "drift" => both(id, payload).map(|(key, event)| Self::Drift(key, event))?,
            "webhook" => both(id, payload).map(|(key, event)| Self::Webhook(key, event))?,
            "secret" => both(id, payload).map(|(key, event)| Self::Secret(key, event))?,
            other => return Err(UnreadableEvent::AggregateType(other.to_owned())),
        })
    }

    /// The claims that the event releases and takes.
    pub fn claims(&self) -> Vec<ClaimChange> {
        match self {
            Self::Deployment(id, event) => event.claims(*id),
            Self::Device(id, event) => event.claims(*id),
            _ => vec![],
        }
    }
}
