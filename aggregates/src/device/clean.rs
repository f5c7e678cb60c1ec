//! The clean plugin's eleven tasks, in their required order, and their reversal by a cancellation.

use super::entry::{DhcpEntry, DnsEntry};
use super::event::{DeviceEvent, RemovedBecause, removal};
use super::registered::Registered;
use super::remark::Remark;
use crate::claims::Claim;
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The values that the new role uses. The clean keeps them, so that no other device can take them in between.
#[derive(Clone, Debug)]
pub struct Keeps {
    /// The new address.
    pub ip: Ipv4Addr,
    /// The new host name.
    pub hostname: Hostname,
}

/// Returns the events of the eleven tasks; a task with nothing to remove is skipped. What belongs to the management address is
/// never cleaned, even if an inventory found it among the device's addresses. If the clean is repeated for the same deployment,
/// it returns no event.
pub(super) fn clean(
    device: &Registered,
    deployment: DeploymentId,
    keeps: &Keeps,
    at: Timestamp,
    parts: Vec<DeviceId>,
) -> Vec<DeviceEvent> {
    if device.cleaned_for == Some(deployment) {
        return vec![];
    }
    let for_this = Some(deployment);
    let of_address = |entry: &DhcpEntry| device.addresses.contains(&entry.ip);
    let dhcp = device.dhcp.iter().filter(|entry| !device.manages(entry.ip)).cloned();
    let (by_address, rest): (Vec<_>, Vec<_>) = dhcp.partition(of_address);
    let by_mac: Vec<_> = rest.into_iter().filter(|entry| device.macs.contains(&entry.mac)).collect();
    let mut events = vec![];
    events.extend(removal(by_address, RemovedBecause::Address, for_this));
    let (stay, entries): (Vec<_>, Vec<_>) = device.dns.iter().cloned().partition(|entry| device.manages(entry.ip));
    let stays = |name: &Hostname| *name == keeps.hostname || stay.iter().any(|entry| entry.hostname == *name);
    let released: Vec<_> = device.held_names().into_iter().filter(|name| !stays(name)).collect();
    if !entries.is_empty() || !released.is_empty() {
        events.push(DeviceEvent::DnsEntriesRemoved { entries, released, deployment: for_this });
    }
    events.extend(removal(by_mac, RemovedBecause::Mac, for_this));
    let addresses: Vec<_> = device.addresses.iter().copied().filter(|ip| !device.manages(*ip)).collect();
    let released: Vec<_> = device.held_addresses().into_iter().filter(|ip| *ip != keeps.ip && !device.manages(*ip)).collect();
    if !addresses.is_empty() || !released.is_empty() {
        events.push(DeviceEvent::AddressesReleased { addresses, released, deployment: for_this });
    }
    if !device.software.is_empty() {
        events.push(DeviceEvent::SoftwareRemoved { software: device.software.iter().cloned().collect(), deployment });
    }
    if !device.disk_shares.is_empty() {
        events.push(DeviceEvent::DiskSharesRemoved { disk_shares: device.disk_shares.iter().cloned().collect(), deployment });
    }
    if let Some(operating_system) = device.operating_system.clone() {
        events.push(DeviceEvent::OperatingSystemRemoved { operating_system, deployment });
    }
    let parts: BTreeSet<DeviceId> = device.sub_devices.iter().copied().chain(parts).collect();
    if !parts.is_empty() {
        events.push(DeviceEvent::SubDevicesDetached { devices: parts.into_iter().collect(), deployment });
    }
    if device.uptime_seconds.is_some() {
        events.push(DeviceEvent::UptimeReset { deployment });
    }
    if let (Some(venture), Some(role)) = (&device.venture, &device.role) {
        let remark = Remark::OldRole { venture: venture.clone(), role: role.clone(), until: at };
        events.push(DeviceEvent::RemarkAdded { remark, deployment: for_this });
    }
    events.push(DeviceEvent::AddressAssigned { deployment, ip: keeps.ip });
    events
}

/// Removes the entries that a deployment made, and the address if the deployment had taken it (`given_back`). The cancellation
/// itself released the claims, so no claim is released here: by now the same device may hold the same address or name for its
/// next deployment.
pub(super) fn withdraw(
    device: &Registered,
    deployment: DeploymentId,
    ip: Ipv4Addr,
    hostname: &Hostname,
    given_back: &[Claim],
) -> Vec<DeviceEvent> {
    if device.cleaned_for != Some(deployment) {
        return vec![];
    }
    let for_this = Some(deployment);
    let mut events = vec![];
    let dhcp: Vec<_> = device.dhcp.iter().filter(|entry| entry.ip == ip).cloned().collect();
    events.extend(removal(dhcp, RemovedBecause::Cancelled, for_this));
    let dns: Vec<_> = device.dns.iter().filter(|e| **e == DnsEntry { hostname: hostname.clone(), ip }).cloned().collect();
    if !dns.is_empty() {
        events.push(DeviceEvent::DnsEntriesRemoved { entries: dns, released: vec![], deployment: for_this });
    }
    if device.addresses.contains(&ip) && given_back.contains(&Claim::Ip(ip)) {
        events.push(DeviceEvent::AddressesReleased { addresses: vec![ip], released: vec![], deployment: for_this });
    }
    events
}
