//! What a check found at a server, as codes and values. The web crate writes the sentences when it shows them.
//!
//! The JSON of these types is part of stored events, so it is stored permanently.

use crate::deployment::reason::HeldBack;
use crate::values::hostname::DomainName;
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// A difference between a server and the views.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// How the server differs.
    pub kind: DifferenceKind,
    /// The server: the DNS primary's address and port, or the DHCP server's name.
    pub server: Text,
    /// What the views say: values of records, addresses, or the SHA-256 of a configuration if it is certain.
    pub expected: Vec<Text>,
    /// What the server has.
    pub found: Vec<Text>,
}

impl Difference {
    /// How the server differs, without further values.
    pub fn nature(&self) -> Nature {
        self.kind.nature()
    }
}

/// How a server differs from what the views say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// Some expected records are missing, and there are no foreign ones.
    Missing,
    /// The server has records that Bootledger once sent to it and that it should no longer have.
    LeftOver,
    /// The name has records that did not come from Bootledger.
    Foreign,
    /// The name is an alias (CNAME) that did not come from Bootledger.
    Alias,
    /// The DHCP server has never confirmed a configuration.
    Unconfirmed,
    /// The DHCP server has not confirmed a change that was recorded some time ago.
    Behind,
    /// The DHCP server could not use a configuration.
    Failing,
    /// The DHCP server reports a different configuration from the one that the views gave at that event number.
    OtherRevision,
    /// The site has entries that no network serves, so the DHCP server gets an earlier configuration, or one without these
    /// entries.
    HeldBack,
}

/// How a server differs from what the views say, with the values that explain it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum DifferenceKind {
    /// Some expected records are missing, and there are no foreign ones.
    Missing {},
    /// The server has records that Bootledger once sent to it and that it should no longer have.
    LeftOver {},
    /// The name has records that did not come from Bootledger.
    Foreign {},
    /// The name is an alias (CNAME) that did not come from Bootledger.
    Alias {
        /// The name at the primary.
        name: Text,
        /// The name that it is an alias of.
        target: Text,
        /// The zone of the name.
        zone: DomainName,
    },
    /// The DHCP server has never confirmed a configuration.
    Unconfirmed {},
    /// The DHCP server has not confirmed a change that was recorded some time ago.
    Behind {
        /// The event number that the server last confirmed.
        position: i64,
    },
    /// The DHCP server could not use a configuration.
    Failing {
        /// The server's error message.
        error: Text,
    },
    /// The DHCP server reports a different configuration from the one that the views gave at that event number.
    OtherRevision {
        /// The event number of the configuration.
        position: i64,
    },
    /// The site has entries that no network serves, so the DHCP server does not get the current configuration.
    HeldBack {
        /// The entries, and why no network serves them.
        held_back: HeldBack,
    },
    /// The configuration of the site leaves out entries that repeat an interface or an address.
    Repeated {
        /// These entries, and what the configuration contains instead.
        repeated: RepeatedEntries,
    },
    /// A difference in an event that was stored before differences had codes.
    Text {
        /// How the server differs.
        nature: Nature,
        /// The sentence as it was stored.
        text: Text,
    },
}

impl DifferenceKind {
    /// How the server differs, without further values.
    pub fn nature(&self) -> Nature {
        match self {
            Self::Missing {} => Nature::Missing,
            Self::LeftOver {} => Nature::LeftOver,
            Self::Foreign {} => Nature::Foreign,
            Self::Alias { .. } => Nature::Alias,
            Self::Unconfirmed {} => Nature::Unconfirmed,
            Self::Behind { .. } => Nature::Behind,
            Self::Failing { .. } => Nature::Failing,
            Self::OtherRevision { .. } => Nature::OtherRevision,
            Self::HeldBack { .. } | Self::Repeated { .. } => Nature::HeldBack,
            Self::Text { nature, .. } => *nature,
        }
    }
}

/// DHCP entries that a site's configuration leaves out, because they repeat the interface or the address of other entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepeatedEntries {
    /// The first of these entries.
    pub entries: Vec<RepeatedEntry>,
    /// How many entries there are besides these.
    pub more: usize,
    /// What the configuration contains instead of the first entry.
    pub conflict: RepeatConflict,
}

/// A DHCP entry that repeats the interface or the address of another entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepeatedEntry {
    /// The reserved address.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// The MAC address that the address is reserved for.
    pub mac: MacAddress,
}

/// What a configuration contains instead of a repeated entry. A DHCP server can assign an interface only one address in a VLAN,
/// and an address to only one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum RepeatConflict {
    /// Another address for the same interface.
    Interface {
        /// The other address.
        #[schema(value_type = String)]
        ip: Ipv4Addr,
        /// Where the interface has that address.
        segment: Segment,
    },
    /// Another interface with the same address.
    Address {
        /// The MAC address of the other interface.
        mac: MacAddress,
    },
    /// Another entry that takes precedence.
    Precedence {},
}

/// The part of a site in which an interface has only one address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// A network without a VLAN.
    Network(Name),
    /// All networks of this VLAN.
    Vlan(u16),
}
