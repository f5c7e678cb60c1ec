//! What a device in use holds.

use crate::deployment::assignment::Assignment;
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// A device in use with everything that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The id of the device.
    pub device: DeviceId,
    /// What the device is called in messages.
    pub called: String,
    /// The site of the device.
    pub site: Name,
    /// The rack of the device.
    pub rack: Option<Name>,
    /// The lowest rack unit of the device, starting at 1.
    pub position: Option<u16>,
    /// The height of the device in rack units.
    pub height: u16,
    /// The venture that owns the device.
    pub venture: Option<Name>,
    /// The device's role in the venture.
    pub role: Option<Name>,
    /// The MAC addresses of the device's interfaces.
    pub macs: BTreeSet<MacAddress>,
    /// The device's addresses, with or without a DHCP entry.
    pub addresses: BTreeSet<Ipv4Addr>,
    /// The addresses and MAC addresses of the device's DHCP entries.
    pub leases: BTreeSet<(Ipv4Addr, MacAddress)>,
    /// The device's DNS entries, each an A and a PTR record.
    pub records: BTreeSet<(Hostname, Ipv4Addr)>,
    /// The device's live deployment.
    pub live: Option<Live>,
}

/// A live deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The id of the deployment.
    pub id: DeploymentId,
    /// The server, with the address, name, owner, role and boot image that it gets.
    pub assignment: Assignment,
    /// The network that the deployment was started in.
    pub network: Name,
}

impl Held {
    /// Every address that the device holds.
    pub fn held_addresses(&self) -> BTreeSet<Ipv4Addr> {
        let live = self.live.iter().map(|live| live.assignment.ip);
        self.addresses.iter().copied().chain(self.leases.iter().map(|(ip, _)| *ip)).chain(live).collect()
    }

    /// What the device releases when it is decommissioned, as text.
    pub fn released(&self) -> Vec<String> {
        let leased = self.held_leases();
        let addresses = self.held_addresses().into_iter().map(|ip| {
            let reserved = if leased.iter().any(|(leased, _)| *leased == ip) { " with its reservation" } else { "" };
            format!("the address {ip} of {} is released{reserved}", self.called)
        });
        let names = self.held_names().into_iter().map(|(name, _)| format!("the name {name} of {} is released", self.called));
        addresses.chain(names).collect()
    }

    /// Every host name that the device holds, with its address.
    pub(super) fn held_names(&self) -> BTreeSet<(Hostname, Ipv4Addr)> {
        let live = self.live.iter().map(|live| (live.assignment.hostname.clone(), live.assignment.ip));
        self.records.iter().cloned().chain(live).collect()
    }

    /// Every fixed address that a DHCP server leases to the device, or will lease to it soon.
    pub(super) fn held_leases(&self) -> BTreeSet<(Ipv4Addr, MacAddress)> {
        let live = self.live.iter().map(|live| (live.assignment.ip, live.assignment.mac));
        self.leases.iter().copied().chain(live).collect()
    }
}
