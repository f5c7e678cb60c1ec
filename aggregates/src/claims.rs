//! Claims: values that at most one holder has at a time, and the events that take and release them.
//!
//! Each event type has a pure function `claims` that returns the claims it takes and releases, so the table of claims can be
//! rebuilt from the log. Within one command, releases are applied before takes.

#[cfg(test)]
mod tests;

use crate::controller::Endpoint;
use crate::rules::Rule;
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::mac_address::MacAddress;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;

/// One thing that has at most one holder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Claim {
    /// An IPv4 address.
    Ip(Ipv4Addr),
    /// A host name.
    Hostname(Hostname),
    /// The MAC address of an interface.
    Mac(MacAddress),
    /// The serial number of a device.
    Serial(Text),
    /// The asset number of a device.
    Asset(Text),
    /// The slot for a device's one live deployment.
    Deployment(DeviceId),
    /// A management controller, or one of the systems that it manages.
    Controller(Endpoint),
}

impl Claim {
    /// The kinds of claims, as stored.
    const KINDS: [&'static str; 7] = ["ip", "hostname", "mac", "serial", "asset", "deployment", "controller"];

    /// The stored kind of a claim as the constant that [`Self::parts`] returns; `None` for an unknown kind.
    pub fn kind_of(stored: &str) -> Option<&'static str> {
        Self::KINDS.into_iter().find(|kind| *kind == stored)
    }

    /// The claim's kind and value, as stored. Numbers on labels are compared without regard to case and character width.
    pub fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Ip(ip) => ("ip", ip.to_string()),
            Self::Hostname(hostname) => ("hostname", hostname.to_string()),
            Self::Mac(mac) => ("mac", mac.to_string()),
            Self::Serial(serial) => ("serial", serial.folded()),
            Self::Asset(asset) => ("asset", asset.folded()),
            Self::Deployment(device) => ("deployment", device.to_string()),
            Self::Controller(endpoint) => ("controller", endpoint.to_string()),
        }
    }

    /// The rule that a request for the value violates while another holder has it.
    pub fn rule(&self) -> Rule {
        match self {
            Self::Ip(_) => Rule::IpClaimed,
            Self::Hostname(_) => Rule::HostnameClaimed,
            Self::Mac(_) => Rule::MacClaimed,
            Self::Serial(_) => Rule::SerialClaimed,
            Self::Asset(_) => Rule::AssetClaimed,
            Self::Deployment(_) => Rule::DeploymentClaimed,
            Self::Controller(_) => Rule::ControllerClaimed,
        }
    }

    /// Whether different spellings of the value are the same claim.
    pub fn is_folded(&self) -> bool {
        matches!(self, Self::Serial(_) | Self::Asset(_))
    }

    /// The claim's value as the operator wrote it.
    pub fn written(&self) -> String {
        match self {
            Self::Serial(text) | Self::Asset(text) => text.to_string(),
            other => other.parts().1,
        }
    }
}

/// The holder of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A device, which holds its addresses, names and numbers.
    Device(DeviceId),
    /// A live deployment, which holds its device.
    Deployment(DeploymentId),
    /// The reservation of an address, which holds the address.
    Reservation(Ipv4Addr),
}

impl Holder {
    /// The holder in the middle of a sentence, by its name: a device's label, the host name of a deployment, or the note of a
    /// reservation.
    pub fn called(&self, name: &str) -> String {
        match self {
            Self::Device(_) => format!("device {name}"),
            Self::Deployment(_) => format!("the deployment of {name}"),
            Self::Reservation(_) => format!("the reservation {name}"),
        }
    }
}

/// `device 0192…`, as stored, and as shown in messages until the holder's name is known.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write!(f, "device {id}"),
            Self::Deployment(id) => write!(f, "deployment {id}"),
            Self::Reservation(ip) => write!(f, "reservation {ip}"),
        }
    }
}

impl std::str::FromStr for Holder {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(' ') {
            Some(("device", id)) => Ok(Self::Device(id.parse()?)),
            Some(("deployment", id)) => Ok(Self::Deployment(id.parse()?)),
            Some(("reservation", ip)) => {
                let wrong = |_| crate::values::ParseError::new(format!("{ip:?} is not an IPv4 address"));
                Ok(Self::Reservation(ip.parse().map_err(wrong)?))
            }
            _ => Err(crate::values::ParseError::new(format!("{text:?} is not a holder of a claim"))),
        }
    }
}

/// A change of claims that an event makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// Releases the claim if this holder has it; otherwise does nothing.
    Release(Claim, Holder),
    /// Takes the claim. Fails if another holder has it; does nothing if this holder already has it.
    Take(Claim, Holder),
    /// Releases every claim of this holder.
    ReleaseAll(Holder),
}
