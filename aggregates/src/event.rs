//! Any event of any aggregate, for readers of the whole log.

#[cfg(test)]
pub(crate) mod tests;

use crate::boot_image::BootImageEvent;
use crate::bulk::BulkEvent;
use crate::claims::ClaimChange;
use crate::deployment::event::DeploymentEvent;
use crate::device::event::DeviceEvent;
use crate::dhcp_server::DhcpServerEvent;
use crate::drift::{DriftEvent, DriftKey};
use crate::network::NetworkEvent;
use crate::rack::RackEvent;
use crate::reservation::ReservationEvent;
use crate::saved_view::SavedViewEvent;
use crate::secret::SecretEvent;
use crate::session::SessionEvent;
use crate::site::SiteEvent;
use crate::token::TokenEvent;
use crate::upcast;
use crate::user::UserEvent;
use crate::values::ids::{BulkId, DeploymentId, DeviceId, SavedViewId, SessionId, TokenId};
use crate::values::name::Name;
use crate::values::timestamp::Timestamp;
use crate::values::user_name::UserName;
use crate::venture::VentureEvent;
use crate::webhook::{EventPattern, WebhookEvent};
use serde::de::DeserializeOwned;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// The types of aggregates, each with the types of its events.
pub const KINDS: [(&str, &[&str]); 17] = [
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
    ("reservation", ReservationEvent::TYPES),
    ("bulk", BulkEvent::TYPES),
    ("saved_view", SavedViewEvent::TYPES),
];

/// Those of the patterns that match no event of this version of the program.
pub fn unknown_events(patterns: &[EventPattern]) -> Vec<EventPattern> {
    let is_known = |pattern: &EventPattern| match pattern {
        EventPattern::All => true,
        EventPattern::Aggregate(wanted) => KINDS.iter().any(|(aggregate, _)| aggregate == wanted),
        EventPattern::Type(wanted) => KINDS.iter().any(|(_, types)| types.contains(&wanted.as_str())),
    };
    patterns.iter().filter(|pattern| !is_known(pattern)).cloned().collect()
}

/// An event with the key of its aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An event of a deployment.
    Deployment(DeploymentId, DeploymentEvent),
    /// An event of a device.
    Device(DeviceId, DeviceEvent),
    /// An event of a site.
    Site(Name, SiteEvent),
    /// An event of a rack.
    Rack(Name, RackEvent),
    /// An event of a network.
    Network(Name, NetworkEvent),
    /// An event of a DHCP server.
    DhcpServer(Name, DhcpServerEvent),
    /// An event of a venture.
    Venture(Name, VentureEvent),
    /// An event of a boot image.
    BootImage(Name, BootImageEvent),
    /// An event of an access token.
    Token(TokenId, TokenEvent),
    /// An event of a user.
    User(UserName, UserEvent),
    /// An event of a user's session.
    Session(SessionId, SessionEvent),
    /// An event of a difference between a server and the views.
    Drift(DriftKey, DriftEvent),
    /// An event of a webhook.
    Webhook(Name, WebhookEvent),
    /// An event of the scope of a secret.
    Secret(Name, SecretEvent),
    /// An event of the reservation of this address.
    Reservation(Ipv4Addr, ReservationEvent),
    /// An event of a bulk action.
    Bulk(BulkId, BulkEvent),
    /// An event of a saved view of a list.
    SavedView(SavedViewId, SavedViewEvent),
}

/// Why a stored event cannot be read: this version of the program does not know it, or it is damaged.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvent {
    /// This version does not know the aggregate type.
    #[error("there is no aggregate type {0:?}")]
    AggregateType(String),
    /// The aggregate's key is malformed.
    #[error("the aggregate's key is wrong")]
    Key(#[source] crate::values::ParseError),
    /// The payload is malformed.
    #[error("the event's payload is wrong")]
    Payload(#[source] serde_json::Error),
}

/// An event as the log stores it, with its event number.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The event number: the position in the log, starting at 1, without gaps.
    pub position: i64,
    /// The position in the stream of its aggregate, starting at 1.
    pub sequence: i64,
    /// When the event was appended.
    pub recorded_at: Timestamp,
    /// Who or what caused the event, such as `user ada`, `token ops` or `plugin dns`.
    pub actor: String,
    /// The id that all events caused by the same request share.
    pub correlation_id: String,
    /// The event itself, with the key of its aggregate.
    pub event: Event,
}

impl Event {
    /// Reads a stored event of any version. `payload` is the JSON text.
    ///
    /// # Errors
    /// Returns an error if this version of the program does not know the event, or if it is damaged.
    pub fn stored(
        aggregate_type: &str,
        aggregate_id: &str,
        event_type: &str,
        event_version: &str,
        payload: &str,
    ) -> Result<Self, UnreadableEvent> {
        if !upcast::is_old(event_type, event_version) {
            return Self::read(aggregate_type, aggregate_id, payload);
        }
        let payload = serde_json::from_str(payload).map_err(UnreadableEvent::Payload)?;
        Self::read(aggregate_type, aggregate_id, &upcast::upcast(event_type, event_version, payload).to_string())
    }

    /// Reads an event in today's form, such as one that was just produced. `payload` is the JSON text.
    ///
    /// # Errors
    /// Returns an error if this version of the program does not know the event, or if it is damaged.
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
            "reservation" => Self::Reservation(reserved(id)?, serde_json::from_str(payload).map_err(UnreadableEvent::Payload)?),
            "bulk" => both(id, payload).map(|(key, event)| Self::Bulk(key, event))?,
            "saved_view" => both(id, payload).map(|(key, event)| Self::SavedView(key, event))?,
            other => return Err(UnreadableEvent::AggregateType(other.to_owned())),
        })
    }

    /// The claims that the event releases and takes.
    pub fn claims(&self) -> Vec<ClaimChange> {
        match self {
            Self::Deployment(id, event) => event.claims(*id),
            Self::Device(id, event) => event.claims(*id),
            Self::Reservation(ip, event) => event.claims(*ip),
            _ => vec![],
        }
    }
}

/// The address that is the key of a reservation.
fn reserved(id: &str) -> Result<Ipv4Addr, UnreadableEvent> {
    id.parse().map_err(|_| UnreadableEvent::Key(crate::values::ParseError::new(format!("{id:?} is not an IPv4 address"))))
}

/// An event that may release and take claims.
pub trait Claiming {
    /// The claims that the event releases and takes for the aggregate with this key.
    ///
    /// # Errors
    /// The key is malformed.
    fn claims_of(&self, _aggregate_id: &str) -> Result<Vec<ClaimChange>, UnreadableEvent> {
        Ok(vec![])
    }
}

impl Claiming for DeploymentEvent {
    fn claims_of(&self, aggregate_id: &str) -> Result<Vec<ClaimChange>, UnreadableEvent> {
        Ok(self.claims(aggregate_id.parse().map_err(UnreadableEvent::Key)?))
    }
}

impl Claiming for DeviceEvent {
    fn claims_of(&self, aggregate_id: &str) -> Result<Vec<ClaimChange>, UnreadableEvent> {
        Ok(self.claims(aggregate_id.parse().map_err(UnreadableEvent::Key)?))
    }
}

impl Claiming for ReservationEvent {
    fn claims_of(&self, aggregate_id: &str) -> Result<Vec<ClaimChange>, UnreadableEvent> {
        Ok(self.claims(reserved(aggregate_id)?))
    }
}

// The other aggregates claim nothing.
impl Claiming for SiteEvent {}
impl Claiming for RackEvent {}
impl Claiming for NetworkEvent {}
impl Claiming for DhcpServerEvent {}
impl Claiming for VentureEvent {}
impl Claiming for BootImageEvent {}
impl Claiming for TokenEvent {}
impl Claiming for UserEvent {}
impl Claiming for SessionEvent {}
impl Claiming for DriftEvent {}
impl Claiming for WebhookEvent {}
impl Claiming for SecretEvent {}
impl Claiming for BulkEvent {}
impl Claiming for SavedViewEvent {}
