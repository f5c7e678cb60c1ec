//! A reservation of an IPv4 address: an operator keeps the address free of servers, with a note that says why, until it is
//! released or expires. The key is the address. A reservation holds the claim of its address, so nothing else can get it.
//!
//! `(none) ─ReserveAddress─► reserved ─ReleaseAddress, ExpireReservation─► released ─ReserveAddress─► reserved`

#[cfg(test)]
mod tests;

use crate::claims::{Claim, ClaimChange, Holder};
use crate::deployment::start::held_claim;
use crate::network::{NetworkSpec, Reserved};
use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
use crate::values::ids::DeviceId;
use crate::values::name::Name;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// Why an address is reserved, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReservationSpec {
    /// What the address is reserved for.
    pub note: Text,
    /// When the reservation ends. Without it, the address stays reserved until it is released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// What is known about an address that is to be reserved.
#[derive(Clone, Debug, Default)]
pub struct AddressFacts {
    /// The network that the request names, if it is in use.
    pub spec: Option<Box<NetworkSpec>>,
    /// The holder of the address.
    pub holder: Option<Holder>,
    /// The device whose management controller has the address.
    pub managed: Option<DeviceId>,
    /// What the catalogue uses the address for, as a sentence.
    pub declared: Option<String>,
}

/// A command on a reservation.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum ReservationCommand {
    /// Reserves the address or, if `replaces` is set, changes the note and the end of its reservation.
    ReserveAddress { ip: Ipv4Addr, network: Name, spec: ReservationSpec, replaces: bool, now: Timestamp, facts: AddressFacts },
    /// Ends the reservation.
    ReleaseAddress {},
    /// Ends the reservation if it has expired at this time.
    ExpireReservation { now: Timestamp },
}

/// An event of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ReservationEvent {
    /// The address was reserved, or the note or end of its reservation was changed.
    AddressReserved {
        /// The network of the address.
        network: Name,
        /// Why, and for how long.
        spec: ReservationSpec,
    },
    /// An operator ended the reservation.
    AddressReleased {
        /// The network of the address.
        network: Name,
    },
    /// The reservation reached its end.
    ReservationExpired {
        /// The network of the address.
        network: Name,
    },
}

impl ReservationEvent {
    /// The network of the address.
    pub fn network(&self) -> &Name {
        match self {
            Self::AddressReserved { network, .. } | Self::AddressReleased { network } | Self::ReservationExpired { network } => {
                network
            }
        }
    }

    /// The claims that the event takes and releases.
    pub fn claims(&self, ip: Ipv4Addr) -> Vec<ClaimChange> {
        let (claim, holder) = (Claim::Ip(ip), Holder::Reservation(ip));
        match self {
            Self::AddressReserved { .. } => vec![ClaimChange::Take(claim, holder)],
            Self::AddressReleased { .. } | Self::ReservationExpired { .. } => vec![ClaimChange::Release(claim, holder)],
        }
    }
}

/// The state of a reservation: what is reserved, if anything is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Reservation {
    reserved: Option<(Name, ReservationSpec)>,
}

impl Reservation {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: ReservationCommand) -> Result<Vec<ReservationEvent>, Refused> {
        use ReservationCommand as C;
        match (command, &self.reserved) {
            (C::ReserveAddress { ip, network, spec, replaces, now, facts }, reserved) => {
                if reserved.as_ref() == Some(&(network.clone(), spec.clone())) {
                    return Ok(vec![]);
                }
                let mut broken = broken(ip, &network, &spec, now, &facts);
                // Two operators may have been offered the same free address.
                if reserved.is_some() && !replaces {
                    broken.extend(held_claim(&Claim::Ip(ip), Holder::Reservation(ip), DeviceId::default()));
                }
                Refused::unless_empty(broken)?;
                Ok(vec![ReservationEvent::AddressReserved { network, spec }])
            }
            (C::ReleaseAddress {}, Some((network, _))) => {
                Ok(vec![ReservationEvent::AddressReleased { network: network.clone() }])
            }
            (C::ReleaseAddress {}, None) => {
                Err(Refused::unknown(Rule::ReservationUnknown, "reservation", "the network's page lists its reservations"))
            }
            (C::ExpireReservation { now }, Some((network, spec))) if spec.expires.is_some_and(|end| end <= now) => {
                Ok(vec![ReservationEvent::ReservationExpired { network: network.clone() }])
            }
            (C::ExpireReservation { .. }, _) => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: ReservationEvent) {
        self.reserved = match event {
            ReservationEvent::AddressReserved { network, spec } => Some((network, spec)),
            ReservationEvent::AddressReleased { .. } | ReservationEvent::ReservationExpired { .. } => None,
        };
    }
}

/// The problems with a reservation.
fn broken(ip: Ipv4Addr, network: &Name, spec: &ReservationSpec, now: Timestamp, facts: &AddressFacts) -> Vec<BrokenRule> {
    let mut broken = vec![];
    if spec.note.is_empty() {
        broken.push(BrokenRule::new("note", Rule::NoteMissing, "enter a note that says what the address is reserved for"));
    }
    if spec.expires.is_some_and(|end| end <= now) {
        broken.push(BrokenRule::new("expires", Rule::ExpiresInPast, "the end is in the past; enter a later time"));
    }
    broken.extend(place(ip, network, facts));
    match facts.holder {
        Some(Holder::Reservation(_)) | None => {}
        Some(holder) => broken.extend(held_claim(&Claim::Ip(ip), holder, DeviceId::default())),
    }
    if let Some(device) = facts.managed {
        let before = format!("{ip} is the management address of ");
        let after = "; choose another address";
        broken.push(BrokenRule::naming("ip", Rule::AddressIsManagement, before, Holder::Device(device), after));
    }
    if let Some(declared) = &facts.declared {
        broken.push(BrokenRule::new("ip", Rule::AddressOfInfrastructure, format!("{declared}; choose another address")));
    }
    broken
}

/// Why the address cannot be reserved in the network.
fn place(ip: Ipv4Addr, network: &Name, facts: &AddressFacts) -> Option<BrokenRule> {
    let Some(spec) = &facts.spec else {
        let message = format!("there is no network {network} in use; choose another network");
        return Some(BrokenRule::new("network", Rule::NetworkUnknown, message));
    };
    let (rule, why) = match spec.reserved(ip)? {
        Reserved::Outside => (Rule::IpOutsideNetworks, format!("is outside network {network}, which is {}", spec.cidr)),
        Reserved::Network => (Rule::AddressOfNoHost, format!("is the address of network {network} itself")),
        Reserved::Broadcast => (Rule::AddressOfNoHost, format!("is the broadcast address of network {network}")),
        Reserved::Gateway => (Rule::AddressOfNoHost, format!("is the gateway of network {network}")),
        // Nothing is assigned at the ends of a network, but an operator may note what an address there is for.
        Reserved::Margin(_) => return None,
    };
    Some(BrokenRule::new("ip", rule, format!("{ip} {why}; choose another address")))
}

aggregate!(Reservation, "reservation", ReservationCommand, ReservationEvent);
domain_event!(ReservationEvent { AddressReserved, AddressReleased, ReservationExpired });
