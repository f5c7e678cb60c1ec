//! Sentences about devices: their properties, addresses, entries and power.

use super::{Actor, after_colon, list};
use crate::english::counted;
use crate::wording::devices;
use bootledger_aggregates::device::event::{DeviceEvent, RemovedBecause};
use bootledger_aggregates::device::facts::FactsRecorded;
use bootledger_aggregates::device::footprint::Face;
use bootledger_aggregates::device::patch::Removed;
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::device::register::DeviceChanged;
use bootledger_aggregates::values::notes::Notes;
use bootledger_aggregates::values::text::Text;
use std::fmt::Display;

pub(super) fn device(name: &str, parent: Option<&str>, event: &DeviceEvent, who: &Actor<'_>) -> String {
    use DeviceEvent as E;
    match event {
        E::DeviceRegistered(spec) => {
            let rack = spec.rack.as_ref().map(|rack| format!(", rack {rack}")).unwrap_or_default();
            format!("{who} registered {name} in site {}{rack}", spec.site)
        }
        E::DeviceChanged(change) => format!("{who} edited {name}{}", after_colon(&changed(change))),
        E::VentureRoleSet { venture, role } => {
            let text = |name: &Option<_>| name.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            format!("{who} set the venture of {name} to {} and its role to {}", text(venture), text(role))
        }
        E::FactsRecorded(facts) => format!("{who} recorded facts about {name}{}", after_colon(&recorded(facts))),
        E::DeviceVerified {} => format!("{who} verified {name}"),
        E::DeviceUnverified {} => format!("{who} revoked the verification of {name}"),
        E::DeviceLocked(lock) => format!("{who} locked {name}: {}", lock.reason),
        E::DeviceUnlocked {} => format!("{who} unlocked {name}"),
        E::DhcpEntriesRemoved { entries, because, .. } => {
            let entries = list(entries.iter().map(|entry| format!("{} for {}", entry.ip, entry.mac)));
            let because = match because {
                RemovedBecause::Address => "they belonged to its old addresses",
                RemovedBecause::Mac => "they were for its interfaces",
                RemovedBecause::Replaced => "a newer entry replaces them",
                RemovedBecause::Cancelled => "their deployment was cancelled",
                RemovedBecause::Decommissioned => "the device was decommissioned",
            };
            format!("{who} removed DHCP entries of {name}, because {because}: {entries}")
        }
        E::DnsEntriesRemoved { entries, .. } => {
            let entries = list(entries.iter().map(|entry| format!("{} at {}", entry.hostname, entry.ip)));
            format!("{who} removed DNS entries of {name}{}", after_colon(&entries))
        }
        E::AddressesReleased { addresses, .. } => format!("{who} released addresses of {name}{}", after_colon(&list(addresses))),
        E::SoftwareRemoved { software, .. } => {
            format!("{who} removed software from the record of {name}: {}", list(software))
        }
        E::DiskSharesRemoved { disk_shares, .. } => {
            format!("{who} removed disk shares from the record of {name}: {}", list(disk_shares))
        }
        E::OperatingSystemRemoved { operating_system, .. } => {
            format!("{who} removed the operating system from the record of {name}: {operating_system}")
        }
        E::SubDevicesDetached { devices, .. } => {
            format!("{who} detached {} from {name}", counted(devices.len(), "sub-device", "sub-devices"))
        }
        E::DeviceAttached { parent: id } => format!("{who} attached {name} to {}", label(parent, id)),
        E::DeviceDetached { parent: id, .. } => format!("{who} detached {name} from {}", label(parent, id)),
        E::UptimeReset { .. } => format!("{who} removed the uptime from the record of {name}"),
        E::RemarkAdded { remark, .. } => format!("{who} added a remark to {name}: {}", devices::remark(remark)),
        E::AddressAssigned { ip, .. } => format!("{who} assigned the address {ip} to {name}"),
        E::RoleAssigned { venture, role, .. } => format!("{who} assigned {name} to venture {venture}, role {role}"),
        E::DnsEntryCreated { entry, .. } => {
            format!("{who} created the DNS entry {} at {} for {name}", entry.hostname, entry.ip)
        }
        E::DhcpEntryCreated { entry, .. } => format!("{who} created the DHCP entry {} for {} of {name}", entry.ip, entry.mac),
        E::PowerRequested(order) => format!("{who} requested a {} for {name}", power(order.action, order.network_boot)),
        E::PowerConfirmed { state, .. } => {
            let state = match state {
                PowerState::On => "the power is on",
                PowerState::Off => "the power is off",
                PowerState::Unknown => "the power state is unknown",
            };
            format!("{name}: the management controller carried out the request, and {state}")
        }
        E::PowerFailed { action, network_boot, reason, uncertain, .. } => {
            let uncertain = if *uncertain { ". The controller may have carried out the request" } else { "" };
            format!("{name}: the {} failed: {reason}{uncertain}", power(*action, *network_boot))
        }
        E::DeviceDecommissioned { reason } => format!("{who} decommissioned {name}{}", after_colon(reason.as_str())),
    }
}

/// The label of another device: its name at that time, otherwise its id.
fn label(name: Option<&str>, id: &impl Display) -> String {
    name.map_or_else(|| id.to_string(), str::to_owned)
}

/// A power order as a noun, without an article.
fn power(action: PowerAction, network_boot: bool) -> String {
    let action = match action {
        PowerAction::On => "power-on",
        PowerAction::Off => "power-off",
        PowerAction::Cycle => "power cycle",
    };
    if network_boot { format!("{action} with one network boot") } else { action.to_owned() }
}

/// The first line of notes, shortened; the event has all of them.
fn first_line(notes: &Notes) -> String {
    const MOST: usize = 80;
    let text = notes.to_string();
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(MOST).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

fn changed(change: &DeviceChanged) -> String {
    let mut parts = vec![];
    let number = |what: &str, pair: &Option<(Text, Text)>| {
        pair.as_ref().map(|(_, new)| if new.is_empty() { format!("{what} removed") } else { format!("{what} {new}") })
    };
    parts.extend(change.name.as_ref().map(|name| format!("name {name}")));
    parts.extend(number("serial number", &change.serial));
    parts.extend(number("asset number", &change.asset));
    parts.extend(change.site.as_ref().map(|site| format!("site {site}")));
    parts.extend(change.rack.as_ref().map(|rack| format!("rack {rack}")));
    parts.extend(change.position.map(|unit| format!("rack unit {unit}")));
    parts.extend(change.height.map(|height| format!("height {}", counted(height, "unit", "units"))));
    parts.extend(change.face.map(|face| match face {
        Face::Both => "front and rear of the rack".to_owned(),
        Face::Front => "front of the rack".to_owned(),
        Face::Rear => "rear of the rack".to_owned(),
    }));
    parts.extend(change.tags_added.iter().map(|tag| format!("tag {tag} added")));
    parts.extend(change.tags_removed.iter().map(|tag| format!("tag {tag} removed")));
    parts.extend(change.notes.as_ref().map(|(old, new)| match (old.is_empty(), new.is_empty()) {
        (_, true) => format!("notes removed (they were \"{}\")", first_line(old)),
        (true, false) => format!("notes \"{}\"", first_line(new)),
        (false, false) => format!("notes \"{}\" instead of \"{}\"", first_line(new), first_line(old)),
    }));
    parts.extend(change.macs_added.iter().map(|mac| format!("interface {mac} added")));
    parts.extend(change.macs_removed.iter().map(|mac| format!("interface {mac} removed")));
    parts.extend(change.management.as_ref().map(|management| format!("management controller {}", management.address)));
    parts.extend(change.removed.iter().map(|removed| match removed {
        Removed::Rack => "rack removed".to_owned(),
        Removed::Position => "rack unit removed".to_owned(),
        Removed::Management => "management controller removed".to_owned(),
    }));
    parts.extend(change.settings.iter().map(|(name, value)| match value {
        Some(_) => format!("setting {name}"),
        None => format!("setting {name} removed"),
    }));
    list(parts)
}

fn recorded(facts: &FactsRecorded) -> String {
    let mut parts = vec![];
    parts.extend(facts.addresses_added.iter().map(|ip| format!("address {ip}")));
    parts.extend(facts.addresses_removed.iter().map(|ip| format!("address {ip} removed")));
    parts.extend(facts.dns_added.iter().map(|entry| format!("DNS entry {}", entry.hostname)));
    parts.extend(facts.dns_removed.iter().map(|entry| format!("DNS entry {} removed", entry.hostname)));
    parts.extend(facts.dhcp_added.iter().map(|entry| format!("DHCP entry {}", entry.ip)));
    parts.extend(facts.dhcp_removed.iter().map(|entry| format!("DHCP entry {} removed", entry.ip)));
    parts.extend(facts.software.as_ref().map(|software| counted(software.len(), "software package", "software packages")));
    parts.extend(facts.disk_shares.as_ref().map(|shares| counted(shares.len(), "disk share", "disk shares")));
    parts.extend(
        facts.operating_system.as_ref().map(|system| {
            if system.is_empty() { "no operating system".to_owned() } else { format!("operating system {system}") }
        }),
    );
    parts.extend(facts.uptime_seconds.map(|seconds| format!("uptime {seconds} s")));
    parts.extend(facts.sub_devices.as_ref().map(|devices| counted(devices.len(), "sub-device", "sub-devices")));
    list(parts)
}
