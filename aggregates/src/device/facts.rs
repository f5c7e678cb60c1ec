//! Facts that an inventory found on a device: addresses, DNS and DHCP entries, software, disk shares, operating system, uptime
//! and sub-devices.

use super::entry::{DhcpEntry, DnsEntry};
use crate::claims::Claim;
use crate::values::hostname::Hostname;
use crate::values::ids::DeviceId;
use crate::values::schema::Ipv4Address;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// The facts that an inventory found; omitted ones do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// All addresses of the device.
    #[schema(value_type = Option<Vec<Ipv4Address>>)]
    pub addresses: Option<Vec<Ipv4Addr>>,
    /// All DNS entries of the device.
    pub dns_entries: Option<Vec<DnsEntry>>,
    /// All DHCP entries of the device.
    pub dhcp_entries: Option<Vec<DhcpEntry>>,
    /// All installed software.
    pub software: Option<Vec<Text>>,
    /// All disk shares of the device.
    pub disk_shares: Option<Vec<Text>>,
    /// The operating system; empty for none.
    pub operating_system: Option<Text>,
    /// How long the device has been running, in seconds.
    pub uptime_seconds: Option<u64>,
    /// All sub-devices of the device.
    pub sub_devices: Option<Vec<DeviceId>>,
}

/// The differences between the facts and the previous state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsRecorded {
    /// Addresses that the device did not have before.
    pub addresses_added: Vec<Ipv4Addr>,
    /// Addresses that the device no longer has.
    pub addresses_removed: Vec<Ipv4Addr>,
    /// The addresses that the device releases. An address with a DHCP entry stays held.
    pub addresses_released: Vec<Ipv4Addr>,
    /// DNS entries that the device did not have before.
    pub dns_added: Vec<DnsEntry>,
    /// DNS entries that the device no longer has.
    pub dns_removed: Vec<DnsEntry>,
    /// The host names that the device releases.
    pub hostnames_released: Vec<Hostname>,
    /// DHCP entries that the device did not have before.
    pub dhcp_added: Vec<DhcpEntry>,
    /// DHCP entries that the device no longer has.
    pub dhcp_removed: Vec<DhcpEntry>,
    /// All installed software, if it changed.
    pub software: Option<Vec<Text>>,
    /// All disk shares of the device, if they changed.
    pub disk_shares: Option<Vec<Text>>,
    /// The operating system, if it changed; empty for none.
    pub operating_system: Option<Text>,
    /// How long the device had been running, in seconds.
    pub uptime_seconds: Option<u64>,
    /// All sub-devices of the device, if they changed.
    pub sub_devices: Option<Vec<DeviceId>>,
}

impl FactsRecorded {
    /// Whether the facts change anything that only the live deployment may change while there is one.
    pub(super) fn decided_by_deployments(&self) -> bool {
        let addresses = self.addresses_added.is_empty() && self.addresses_removed.is_empty();
        let names = self.dns_added.is_empty() && self.dns_removed.is_empty() && self.hostnames_released.is_empty();
        !(addresses && names && self.dhcp_added.is_empty() && self.dhcp_removed.is_empty())
    }

    /// The claims that the facts release, and those that they take.
    pub(super) fn claims(&self) -> (Vec<Claim>, Vec<Claim>) {
        let released = self.addresses_released.iter().copied().map(Claim::Ip);
        let released = released.chain(self.hostnames_released.iter().cloned().map(Claim::Hostname)).collect();
        let ips: BTreeSet<Ipv4Addr> =
            self.addresses_added.iter().copied().chain(self.dhcp_added.iter().map(|entry| entry.ip)).collect();
        let names: BTreeSet<Hostname> = self.dns_added.iter().map(|entry| entry.hostname.clone()).collect();
        (released, ips.into_iter().map(Claim::Ip).chain(names.into_iter().map(Claim::Hostname)).collect())
    }
}
