//! Facts that an inventory found on a device: addresses, DNS and DHCP entries, software, disk shares, operating system, uptime
//! and sub-devices.

use super::Registered;
use super::event::{DeviceEvent, DhcpEntry, DnsEntry};
use crate::claims::{Claim, Holder};
use crate::rules::{BrokenRule, Refused};
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::mac_address::MacAddress;
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
    fn decided_by_deployments(&self) -> bool {
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

/// The items in `new` but not in `old`, and those in `old` but not in `new`.
fn difference<T: Ord + Clone>(old: &BTreeSet<T>, new: Option<Vec<T>>) -> (Vec<T>, Vec<T>) {
    let Some(new) = new.map(|new| new.into_iter().collect::<BTreeSet<T>>()) else { return (vec![], vec![]) };
    (new.difference(old).cloned().collect(), old.difference(&new).cloned().collect())
}

/// All of `new`, if it differs from `old`.
fn changed<T: Ord + Clone>(old: &BTreeSet<T>, new: Option<Vec<T>>) -> Option<Vec<T>> {
    let new: BTreeSet<T> = new?.into_iter().collect();
    (new != *old).then(|| new.into_iter().collect())
}

pub(super) fn record(
    device: &Registered,
    facts: Facts,
    held: &[(Claim, Holder)],
    live: Option<DeploymentId>,
) -> Result<Vec<DeviceEvent>, Refused> {
    let mut broken: Vec<BrokenRule> = held
        .iter()
        .map(|(claim, holder)| {
            let (kind, value) = claim.parts();
            let field = if kind == "ip" { "addresses" } else { "dns_entries" };
            BrokenRule::new(field, &format!("{kind}_claimed"), format!("{value} is held by {holder}")).held_by(holder.to_string())
        })
        .collect();
    let foreign: Vec<MacAddress> =
        facts.dhcp_entries.iter().flatten().map(|entry| entry.mac).filter(|mac| !device.macs.contains(mac)).collect();
    for mac in foreign {
        broken.push(BrokenRule::new("dhcp_entries", "mac_not_of_device", format!("{mac} is not an interface of the device")));
    }
    let names: Option<BTreeSet<Hostname>> =
        facts.dns_entries.as_ref().map(|entries| entries.iter().map(|entry| entry.hostname.clone()).collect());
    let hostnames_released = names.map_or_else(BTreeSet::new, |names| &device.held_names() - &names);
    let (addresses_added, addresses_removed) = difference(&device.addresses, facts.addresses);
    let (dns_added, dns_removed) = difference(&device.dns, facts.dns_entries);
    let (dhcp_added, dhcp_removed) = difference(&device.dhcp, facts.dhcp_entries);
    let left = device.addresses.iter().filter(|ip| !addresses_removed.contains(ip)).chain(&addresses_added).copied();
    let left_by_dhcp = device.dhcp.iter().filter(|entry| !dhcp_removed.contains(entry)).chain(&dhcp_added);
    let left: BTreeSet<Ipv4Addr> = left.chain(left_by_dhcp.map(|entry| entry.ip)).collect();
    let addresses_released = &device.held_addresses() - &left;
    let recorded = FactsRecorded {
        addresses_released: addresses_released.into_iter().collect(),
        hostnames_released: hostnames_released.into_iter().collect(),
        addresses_added,
        addresses_removed,
        dns_added,
        dns_removed,
        dhcp_added,
        dhcp_removed,
        software: changed(&device.software, facts.software),
        disk_shares: changed(&device.disk_shares, facts.disk_shares),
        operating_system: facts.operating_system.filter(|os| *os != device.operating_system.clone().unwrap_or_default()),
        uptime_seconds: facts.uptime_seconds.filter(|uptime| device.uptime_seconds != Some(*uptime)),
        sub_devices: changed(&device.sub_devices, facts.sub_devices),
    };
    if let (Some(live), true) = (live, recorded.decided_by_deployments()) {
        let message =
            "the device is being deployed, and that deployment decides its addresses and entries; record them when it has ended";
        broken.push(BrokenRule::new("addresses", "already_deploying", message).held_by(format!("deployment {live}")));
    }
    Refused::unless_empty(broken)?;
    Ok(if recorded == FactsRecorded::default() { vec![] } else { vec![DeviceEvent::FactsRecorded(Box::new(recorded))] })
}

pub(super) fn evolve(device: &mut Registered, recorded: FactsRecorded) {
    device.kept.retain(|name| !recorded.hostnames_released.contains(name));
    device.addresses.retain(|ip| !recorded.addresses_removed.contains(ip));
    device.addresses.extend(recorded.addresses_added);
    device.dns.retain(|entry| !recorded.dns_removed.contains(entry));
    device.dns.extend(recorded.dns_added);
    device.dhcp.retain(|entry| !recorded.dhcp_removed.contains(entry));
    device.dhcp.extend(recorded.dhcp_added);
    if let Some(software) = recorded.software {
        device.software = software.into_iter().collect();
    }
    if let Some(disk_shares) = recorded.disk_shares {
        device.disk_shares = disk_shares.into_iter().collect();
    }
    if let Some(operating_system) = recorded.operating_system {
        device.operating_system = (!operating_system.is_empty()).then_some(operating_system);
    }
    device.uptime_seconds = recorded.uptime_seconds.or(device.uptime_seconds);
    if let Some(sub_devices) = recorded.sub_devices {
        device.sub_devices = sub_devices.into_iter().collect();
    }
}
