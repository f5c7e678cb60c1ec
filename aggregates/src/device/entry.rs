//! The DNS and DHCP entries of a device.

use crate::values::hostname::Hostname;
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::schema::Ipv4Address;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// A host name and its address: an A record and its PTR record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct DnsEntry {
    /// The A record's name, which is the PTR record's value.
    pub hostname: Hostname,
    /// The A record's address, which determines the PTR record's name.
    #[schema(value_type = Ipv4Address)]
    pub ip: Ipv4Addr,
}

/// A fixed DHCP address for an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct DhcpEntry {
    /// The address that DHCP servers lease to the interface.
    #[schema(value_type = Ipv4Address)]
    pub ip: Ipv4Addr,
    /// The MAC address of the interface.
    pub mac: MacAddress,
    /// The host name that DHCP servers send to the client.
    pub hostname: Option<Hostname>,
    /// The network that the address belongs to.
    pub network: Name,
}
