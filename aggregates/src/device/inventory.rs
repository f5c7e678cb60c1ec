//! Recording the facts that an inventory found: what they change, and what keeps them from being recorded.

use super::event::DeviceEvent;
use super::facts::{Facts, FactsRecorded};
use super::registered::Registered;
use crate::claims::{Claim, Holder};
use crate::rules::{BrokenRule, Refused, Rule};
use crate::values::hostname::Hostname;
use crate::values::ids::DeploymentId;
use crate::values::mac_address::MacAddress;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

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
            let advice = "; correct one of the two devices, or leave the value out";
            BrokenRule::naming(field, claim.rule(), format!("{value} is held by "), holder, advice).about(&value)
        })
        .collect();
    let foreign: Vec<MacAddress> =
        facts.dhcp_entries.iter().flatten().map(|entry| entry.mac).filter(|mac| !device.macs.contains(mac)).collect();
    for mac in foreign {
        let message = format!("{mac} is not an interface of the device; add it to the device first, or leave the entry out");
        broken.push(BrokenRule::new("dhcp_entries", Rule::MacNotOfDevice, message));
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
        let message = "the device is being deployed, and that deployment determines its addresses and entries; record them \
             afterwards";
        broken.push(BrokenRule::new("addresses", Rule::AlreadyDeploying, message).held_by(format!("deployment {live}")));
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
