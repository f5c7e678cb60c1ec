//! The values that a deployment gives a server. The request, the first event, and everything that follows from them share this
//! value. Its JSON is stored as part of the first event.

use crate::claims::Claim;
use crate::values::hostname::Hostname;
use crate::values::ids::DeviceId;
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// One server with its new address, name, owner, role and boot image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The server that is deployed.
    pub device: DeviceId,
    /// The MAC address of the interface that the server boots from.
    pub mac: MacAddress,
    /// The server's new address.
    pub ip: Ipv4Addr,
    /// The server's new host name.
    pub hostname: Hostname,
    /// The venture that owns the server.
    pub venture: Name,
    /// The server's new role in the venture.
    pub role: Name,
    /// The boot image that the server boots.
    pub boot_image: Name,
}

impl Assignment {
    /// The claims that a deployment needs: no other device or deployment may hold any of them.
    pub fn claims(&self) -> [Claim; 4] {
        [Claim::Ip(self.ip), Claim::Hostname(self.hostname.clone()), Claim::Mac(self.mac), Claim::Deployment(self.device)]
    }
}
