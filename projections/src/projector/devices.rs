//! Applies device events to the views.

use super::runs;
use super::state::{DhcpRow, State};
use crate::rows::devices::Device;
use crate::rows::dns_records::DnsRecord;
use crate::rows::parked::ParkedReason;
use bootledger_aggregates::device::event::{DeviceEvent, DhcpEntry, DnsEntry};
use bootledger_aggregates::device::facts::FactsRecorded;
use bootledger_aggregates::device::patch::Removed;
use bootledger_aggregates::device::register::{DeviceChanged, DeviceSpec};
use bootledger_aggregates::event::Recorded;
use bootledger_aggregates::settings;
use bootledger_aggregates::values::hostname::{Hostname, reverse_name};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::text::Text;
use std::collections::BTreeSet;

/// Whether the event fits the current state of the views.
pub(super) fn check(state: &State, id: DeviceId, event: &DeviceEvent) -> Result<(), ParkedReason> {
    match (state.devices.current(&id).is_some(), event) {
        (true, DeviceEvent::DeviceRegistered(_)) => Err(ParkedReason::Exists {}),
        (false, DeviceEvent::DeviceRegistered(_)) | (true, _) => Ok(()),
        (false, _) => Err(ParkedReason::Unknown {}),
    }
}

pub(super) fn apply(state: &mut State, id: DeviceId, event: &DeviceEvent, recorded: &Recorded) {
    use DeviceEvent as E;
    let position = recorded.position;
    let mut device = match (event, state.devices.current(&id)) {
        (E::DeviceRegistered(spec), _) => registered(id, spec, recorded),
        (_, Some(device)) => device.clone(),
        (_, None) => return,
    };
    match event {
        E::DeviceRegistered(_) | E::PowerRequested(_) => {}
        E::DeviceChanged(change) => changed(&mut device, change),
        E::VentureRoleSet { venture, role } => (device.venture, device.role) = (venture.clone(), role.clone()),
        E::RoleAssigned { venture, role, .. } => (device.venture, device.role) = (Some(venture.clone()), Some(role.clone())),
        E::FactsRecorded(facts) => found(state, &mut device, facts, position),
        E::DeviceVerified {} => device.verified = true,
        E::DeviceUnverified {} => device.verified = false,
        E::DeviceLocked(lock) => device.lock = Some(lock.clone()),
        E::DeviceUnlocked {} => device.lock = None,
        E::DhcpEntriesRemoved { entries, .. } => dhcp(state, id, entries, &[], position),
        E::DhcpEntryCreated { deployment, entry } => {
            dhcp(state, id, &[], std::slice::from_ref(entry), position);
            runs::entry_made(state, *deployment, position);
        }
        E::DnsEntriesRemoved { entries, .. } => device.hostnames = dns(state, id, entries, &[], position),
        E::DnsEntryCreated { entry, .. } => device.hostnames = dns(state, id, &[], std::slice::from_ref(entry), position),
        E::AddressesReleased { addresses, .. } => device.addresses.retain(|ip| !addresses.contains(ip)),
        E::AddressAssigned { ip, .. } => insert(&mut device.addresses, [*ip]),
        E::SoftwareRemoved { .. } => device.software.clear(),
        E::DiskSharesRemoved { .. } => device.disk_shares.clear(),
        E::OperatingSystemRemoved { .. } => device.operating_system = None,
        E::SubDevicesDetached { .. } => device.sub_devices.clear(),
        E::DeviceAttached { parent } => device.parent = Some(*parent),
        E::DeviceDetached { .. } => device.parent = None,
        E::UptimeReset { .. } => device.uptime_seconds = None,
        E::RemarkAdded { remark, .. } => device.remarks.push(remark.clone()),
        // A deployment that waits for its restart checks the result.
        E::PowerConfirmed { restart, .. } | E::PowerFailed { restart, .. } => {
            if let Some(restart) = restart {
                runs::look_again(state, restart.deployment, recorded);
            }
        }
        E::DeviceDecommissioned { .. } => device.decommissioned = true,
    }
    (device.sequence, device.changed_at) = (recorded.sequence, recorded.recorded_at);
    state.devices.set(id, device, position);
    part(state, id, event, position);
}

/// Updates the other side of a parent relation: the parent's list of sub-devices.
fn part(state: &mut State, id: DeviceId, event: &DeviceEvent, position: i64) {
    let (parent, attached) = match event {
        DeviceEvent::DeviceRegistered(spec) => (spec.parent, true),
        DeviceEvent::DeviceAttached { parent } => (Some(*parent), true),
        DeviceEvent::DeviceDetached { parent, .. } => (Some(*parent), false),
        _ => return,
    };
    let Some(mut row) = parent.and_then(|parent| state.devices.current(&parent)).cloned() else { return };
    row.sub_devices.retain(|part| *part != id);
    if attached {
        insert(&mut row.sub_devices, [id]);
    }
    state.devices.set(row.id, row, position);
}

fn registered(id: DeviceId, spec: &DeviceSpec, recorded: &Recorded) -> Device {
    Device {
        id,
        sequence: recorded.sequence,
        kind: spec.kind,
        name: spec.name.clone(),
        serial: spec.serial.clone(),
        asset: spec.asset.clone(),
        site: spec.site.clone(),
        rack: spec.rack.clone(),
        rack_position: spec.position.map(i32::from),
        height: spec.height,
        face: spec.face,
        macs: sorted(&spec.macs),
        management: spec.management.clone(),
        parent: spec.parent,
        venture: None,
        role: None,
        verified: false,
        decommissioned: false,
        lock: None,
        notes: spec.notes.clone(),
        tags: sorted(&spec.tags),
        addresses: vec![],
        hostnames: vec![],
        operating_system: None,
        software: vec![],
        disk_shares: vec![],
        uptime_seconds: None,
        settings: spec.settings.clone(),
        sub_devices: vec![],
        remarks: vec![],
        registered_at: recorded.recorded_at,
        changed_at: recorded.recorded_at,
    }
}

fn changed(device: &mut Device, change: &DeviceChanged) {
    let replace = |fact: &mut Option<Text>, pair: &Option<(Text, Text)>| {
        if let Some((_, new)) = pair {
            *fact = (!new.is_empty()).then(|| new.clone());
        }
    };
    replace(&mut device.serial, &change.serial);
    replace(&mut device.asset, &change.asset);
    if let Some(name) = &change.name {
        device.name = name.clone();
    }
    if let Some(site) = &change.site {
        device.site = site.clone();
    }
    device.rack = change.rack.clone().or(device.rack.take());
    device.rack_position = change.position.map(i32::from).or(device.rack_position);
    device.height = change.height.unwrap_or(device.height);
    device.face = change.face.unwrap_or(device.face);
    if let Some((_, notes)) = &change.notes {
        device.notes = notes.clone();
    }
    insert(&mut device.tags, change.tags_added.iter().cloned());
    device.tags.retain(|tag| !change.tags_removed.contains(tag));
    device.management = change.management.clone().or(device.management.take());
    for removed in &change.removed {
        match removed {
            Removed::Rack => device.rack = None,
            Removed::Position => device.rack_position = None,
            Removed::Management => device.management = None,
        }
    }
    settings::apply(&mut device.settings, change.settings.clone());
    insert(&mut device.macs, change.macs_added.iter().copied());
    device.macs.retain(|mac| !change.macs_removed.contains(mac));
}

fn found(state: &mut State, device: &mut Device, facts: &FactsRecorded, position: i64) {
    device.addresses.retain(|ip| !facts.addresses_removed.contains(ip));
    insert(&mut device.addresses, facts.addresses_added.iter().copied());
    if !(facts.dns_added.is_empty() && facts.dns_removed.is_empty()) {
        device.hostnames = dns(state, device.id, &facts.dns_removed, &facts.dns_added, position);
    }
    dhcp(state, device.id, &facts.dhcp_removed, &facts.dhcp_added, position);
    if let Some(software) = &facts.software {
        device.software = sorted(software);
    }
    if let Some(disk_shares) = &facts.disk_shares {
        device.disk_shares = sorted(disk_shares);
    }
    if let Some(operating_system) = &facts.operating_system {
        device.operating_system = (!operating_system.is_empty()).then(|| operating_system.clone());
    }
    if let Some(uptime) = facts.uptime_seconds {
        device.uptime_seconds = Some(i64::try_from(uptime).unwrap_or(i64::MAX));
    }
    if let Some(sub_devices) = &facts.sub_devices {
        device.sub_devices = sorted(sub_devices);
    }
}

/// Removes and adds DHCP entries, and marks the DHCP configuration of their networks' sites as changed.
fn dhcp(state: &mut State, id: DeviceId, removed: &[DhcpEntry], added: &[DhcpEntry], position: i64) {
    for entry in removed.iter().chain(added) {
        let network = state.catalogue.current(&("network", entry.network.to_string()));
        let site = network.and_then(|row| row.spec.get("site")?.as_str()?.parse().ok());
        if let Some(site) = site {
            state.touch_site(&site, position);
        }
    }
    for entry in removed {
        state.dhcp.remove(&(entry.ip, entry.mac, id), position);
    }
    for entry in added {
        let row = DhcpRow { hostname: entry.hostname.clone(), network: entry.network.clone() };
        state.dhcp.set((entry.ip, entry.mac, id), row, position);
    }
}

/// Removes and adds A and PTR records. Returns the device's names afterwards.
fn dns(state: &mut State, id: DeviceId, removed: &[DnsEntry], added: &[DnsEntry], position: i64) -> Vec<Hostname> {
    let records = state.dns_of.entry(id).or_default();
    for record in removed.iter().flat_map(|entry| pair(id, entry)) {
        state.dns.remove(&record, position);
        records.remove(&record);
    }
    for record in added.iter().flat_map(|entry| pair(id, entry)) {
        state.dns.set(record.clone(), (), position);
        records.insert(record);
    }
    let names: BTreeSet<Hostname> =
        records.iter().filter(|record| record.r#type == "A").filter_map(|record| record.name.parse().ok()).collect();
    names.into_iter().collect()
}

fn pair(device: DeviceId, entry: &DnsEntry) -> [DnsRecord; 2] {
    let (hostname, reverse) = (entry.hostname.to_string(), reverse_name(entry.ip));
    [
        DnsRecord { name: hostname.clone(), r#type: "A".to_owned(), value: entry.ip.to_string(), device },
        DnsRecord { name: reverse, r#type: "PTR".to_owned(), value: hostname, device },
    ]
}

fn sorted<T: Ord + Clone>(values: &[T]) -> Vec<T> {
    values.iter().cloned().collect::<BTreeSet<T>>().into_iter().collect()
}

fn insert<T: Ord>(values: &mut Vec<T>, new: impl IntoIterator<Item = T>) {
    values.extend(new);
    values.sort();
    values.dedup();
}
