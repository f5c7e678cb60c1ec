//! Writes the sentence that describes an event in the timeline.
//!
//! Names come from the event, or from the rows as they are after it. An identifier appears only where nothing has a name.

mod account;
mod drift;
mod installer;
#[cfg(test)]
mod tests;

use super::deployments::done_by;
use super::state::State;
use crate::log::Stored;
use crate::timeline::Line;
use bootledger_aggregates::boot_image::BootImageEvent;
use bootledger_aggregates::deployment::event::{DeploymentEvent, Stage};
use bootledger_aggregates::deployment::installer::LOCAL_DISK;
use bootledger_aggregates::device::event::{DeviceEvent, RemovedBecause};
use bootledger_aggregates::device::facts::FactsRecorded;
use bootledger_aggregates::device::patch::Removed;
use bootledger_aggregates::device::power::{PowerAction, PowerOrder, PowerState};
use bootledger_aggregates::device::register::DeviceChanged;
use bootledger_aggregates::dhcp_server::DhcpServerEvent;
use bootledger_aggregates::event::{Event, Recorded};
use bootledger_aggregates::network::NetworkEvent;
use bootledger_aggregates::rack::RackEvent;
use bootledger_aggregates::secret::SecretEvent;
use bootledger_aggregates::site::SiteEvent;
use bootledger_aggregates::token::{Scope, TokenEvent};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::venture::VentureEvent;
use bootledger_aggregates::webhook::WebhookEvent;
use std::fmt::Display;

/// The event's line in the timeline, once the event is applied.
pub(super) fn line(state: &State, recorded: &Recorded, stored: &Stored) -> Line {
    let (device, deployment) = match &recorded.event {
        Event::Deployment(id, _) => (state.deployments.current(id).map(|row| row.device), Some(*id)),
        Event::Device(id, event) => (Some(*id), of_deployment(event)),
        _ => (None, None),
    };
    Line {
        position: recorded.position,
        recorded_at: recorded.recorded_at,
        aggregate_type: stored.aggregate_type.clone(),
        aggregate_id: stored.aggregate_id.clone(),
        event_type: stored.event_type.clone(),
        actor: recorded.actor.clone(),
        correlation_id: recorded.correlation_id.clone(),
        device,
        deployment,
        sentence: sentence(state, recorded),
    }
}

/// The deployment that a device's event belongs to.
fn of_deployment(event: &DeviceEvent) -> Option<DeploymentId> {
    use DeviceEvent as E;
    match event {
        E::DhcpEntriesRemoved { deployment, .. }
        | E::DnsEntriesRemoved { deployment, .. }
        | E::AddressesReleased { deployment, .. }
        | E::DeviceDetached { deployment, .. }
        | E::RemarkAdded { deployment, .. } => *deployment,
        E::SoftwareRemoved { deployment, .. }
        | E::DiskSharesRemoved { deployment, .. }
        | E::OperatingSystemRemoved { deployment, .. }
        | E::SubDevicesDetached { deployment, .. }
        | E::UptimeReset { deployment }
        | E::AddressAssigned { deployment, .. }
        | E::RoleAssigned { deployment, .. }
        | E::DnsEntryCreated { deployment, .. }
        | E::DhcpEntryCreated { deployment, .. } => Some(*deployment),
        E::PowerRequested(PowerOrder { restart, .. }) | E::PowerConfirmed { restart, .. } | E::PowerFailed { restart, .. } => {
            restart.map(|restart| restart.deployment)
        }
        _ => None,
    }
}

fn sentence(state: &State, recorded: &Recorded) -> String {
    let by = if recorded.actor.is_empty() { String::new() } else { format!(" by {}", recorded.actor) };
    match &recorded.event {
        Event::Deployment(id, event) => {
            let hostname = state.deployments.current(id).map_or_else(|| id.to_string(), |row| row.hostname.to_string());
            deployment(&hostname, event, &by)
        }
        Event::Device(id, DeviceEvent::DeviceAttached { parent }) => {
            format!("{} is a part of {} now", device_name(state, *id), device_name(state, *parent))
        }
        Event::Device(id, DeviceEvent::DeviceDetached { parent, .. }) => {
            format!("{} is no longer a part of {}", device_name(state, *id), device_name(state, *parent))
        }
        Event::Device(id, event) => device(&device_name(state, *id), event, &by),
        Event::Site(name, SiteEvent::SiteDefined { .. }) => format!("Site {name} was defined{by}"),
        Event::Site(name, SiteEvent::SiteRetired {}) => format!("Site {name} was retired{by}"),
        Event::Rack(name, RackEvent::RackDefined { spec }) => format!("Rack {name} of site {} was defined{by}", spec.site),
        Event::Rack(name, RackEvent::RackRetired {}) => format!("Rack {name} was retired{by}"),
        Event::Network(name, NetworkEvent::NetworkDefined { spec }) => {
            format!("Network {name}, {}, of site {} was defined{by}", spec.cidr, spec.site)
        }
        Event::Network(name, NetworkEvent::NetworkRetired {}) => format!("Network {name} was retired{by}"),
        Event::DhcpServer(name, event) => dhcp_server(name, event, &by),
        Event::User(name, event) => account::user(name, event, &by),
        Event::Session(id, event) => account::session(state, *id, event, &by),
        Event::Drift(key, event) => drift::drift(key, event, &by),
        Event::Webhook(name, event) => webhook(name, event, &by),
        Event::Secret(name, SecretEvent::SecretScopeDefined { spec }) => {
            let networks: Vec<String> = spec.networks.iter().map(ToString::to_string).collect();
            format!("The scope of secret {name} was set to controllers in {}{by}", networks.join(", "))
        }
        Event::Secret(name, SecretEvent::SecretScopeRetired {}) => format!("The scope of secret {name} was retired{by}"),
        Event::Venture(name, event) => match event {
            VentureEvent::VentureDefined { .. } => format!("Venture {name} was defined{by}"),
            VentureEvent::RoleDefined { role, .. } => format!("Role {role} of venture {name} was defined{by}"),
            VentureEvent::RoleRetired { role } => format!("Role {role} of venture {name} was retired{by}"),
            VentureEvent::VentureRetired {} => format!("Venture {name} was retired{by}"),
        },
        Event::BootImage(image, event) => match event {
            BootImageEvent::BootImageDefined { .. } => format!("Boot image {image} was defined{by}"),
            BootImageEvent::BootFilePut { name, file } => {
                format!("File {name} ({}, {} bytes) was put into boot image {image}{by}", file.kind, file.size)
            }
            BootImageEvent::BootFileRemoved { name } => format!("File {name} was removed from boot image {image}{by}"),
            BootImageEvent::BootImageRetired {} => format!("Boot image {image} was retired{by}"),
        },
        Event::Token(_, TokenEvent::TokenCreated { name, scope, .. }) => {
            let scope = match scope {
                Scope::Viewer => "viewer".to_owned(),
                Scope::Operator => "operator".to_owned(),
                Scope::Administrator => "administrator".to_owned(),
                Scope::DhcpServer(server) => format!("DHCP server {server}"),
                Scope::PuppetReports => "Puppet reports".to_owned(),
            };
            format!("Access token {name} ({scope}) was created{by}")
        }
        Event::Token(id, TokenEvent::TokenRevoked {}) => {
            let row = state.catalogue.current(&("token", id.to_string()));
            let name = row.and_then(|row| row.spec.get("name")?.as_str().map(str::to_owned)).unwrap_or_else(|| id.to_string());
            format!("Access token {name} was revoked{by}")
        }
    }
}

/// The label of a device: its name, otherwise its serial number or its first interface.
fn device_name(state: &State, id: DeviceId) -> String {
    let Some(device) = state.devices.current(&id) else { return id.to_string() };
    if !device.name.is_empty() {
        return device.name.to_string();
    }
    let serial = device.serial.as_ref().or(device.asset.as_ref()).map(ToString::to_string);
    serial.or_else(|| device.macs.first().map(ToString::to_string)).unwrap_or_else(|| id.to_string())
}

pub(super) fn deployment(hostname: &str, event: &DeploymentEvent, by: &str) -> String {
    use DeploymentEvent as E;
    match event {
        E::DeploymentStarted(started) => format!(
            "Deployment of {} to {} began{by}: venture {}, role {}, image {}",
            started.hostname, started.ip, started.venture, started.role, started.boot_image
        ),
        E::PluginSucceeded { plugin } => format!("{hostname}: {plugin} succeeded"),
        E::PluginFailed { plugin, attempt, reason, retry_at } => {
            format!("{hostname}: {plugin} failed for the {} time and tries again at {retry_at}: {reason}", ordinal(*attempt))
        }
        E::PluginWaiting { plugin, reason, .. } => format!("{hostname}: {plugin} waits: {reason}"),
        E::PluginRetryRequested { plugin } => format!("{hostname}: {plugin} was told to try again now{by}"),
        E::DeploymentInProgress { .. } => format!("{hostname} is prepared and may boot its image"),
        E::BootFileServed { file, client, .. } if file.as_str() == LOCAL_DISK => {
            format!("{hostname} booted from the network at {client} and got its local disk")
        }
        E::BootFileServed { file, client, .. } => format!("{hostname} was served {file} at {client}"),
        E::InstallationFinished { by } => {
            format!("{hostname} is installed, says {}; its first successful Puppet run ends the deployment", done_by(by))
        }
        E::PuppetRunFailed { messages, .. } if messages.is_empty() => format!("{hostname}: Puppet failed, and did not say why"),
        E::PuppetRunFailed { messages, .. } => {
            let told: Vec<&str> = messages.iter().map(Text::as_str).collect();
            format!("{hostname}: Puppet failed: {}", told.join("; "))
        }
        E::InstallerReported { .. } | E::InstallerFailed { .. } | E::InstallerLogReceived { .. } | E::NextBootSet { .. } => {
            installer::installer(hostname, event, by)
        }
        E::DeploymentOverdue { stage, limit_minutes, .. } => {
            let stage = match stage {
                Stage::Open => "preparation",
                Stage::InProgress => "installation",
            };
            format!("{hostname} is overdue: its {stage} takes longer than {limit_minutes} minutes")
        }
        E::DeploymentDone { by, .. } => format!("Deployment of {hostname} is done, says {}", done_by(by)),
        E::DeploymentCancelled { by, reason, .. } if reason.is_empty() => {
            format!("Deployment of {hostname} was cancelled by {by}")
        }
        E::DeploymentCancelled { by, reason, .. } => format!("Deployment of {hostname} was cancelled by {by}: {reason}"),
    }
}

pub(super) fn device(name: &str, event: &DeviceEvent, by: &str) -> String {
    use DeviceEvent as E;
    match event {
        E::DeviceRegistered(spec) => {
            let rack = spec.rack.as_ref().map(|rack| format!(", rack {rack}")).unwrap_or_default();
            format!("{name} was registered in site {}{rack}{by}", spec.site)
        }
        E::DeviceChanged(change) => format!("{name} was changed{by}: {}", changed(change)),
        E::VentureRoleSet { venture, role } => {
            let text = |name: &Option<_>| name.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            format!("{name} was given venture {} and role {}{by}", text(venture), text(role))
        }
        E::FactsRecorded(facts) => format!("{name}: facts recorded{by}: {}", found(facts)),
        E::DeviceVerified {} => format!("{name} was verified{by}"),
        E::DeviceUnverified {} => format!("{name} is no longer verified{by}"),
        E::DhcpEntriesRemoved { entries, because, .. } => {
            let entries = list(entries.iter().map(|entry| format!("{} for {}", entry.ip, entry.mac)));
            let because = match because {
                RemovedBecause::Address => "they were for its old addresses",
                RemovedBecause::Mac => "they were for its interfaces",
                RemovedBecause::Replaced => "a newer one takes their place",
                RemovedBecause::Cancelled => "their deployment was cancelled",
                RemovedBecause::Decommissioned => "it goes out of use",
            };
            format!("{name}: DHCP entries removed, since {because}: {entries}")
        }
        E::DnsEntriesRemoved { entries, .. } => {
            format!("{name}: DNS entries removed: {}", list(entries.iter().map(|e| format!("{} at {}", e.hostname, e.ip))))
        }
        E::AddressesReleased { addresses, .. } => format!("{name}: addresses given back: {}", list(addresses)),
        E::SoftwareRemoved { software, .. } => format!("{name}: software forgotten: {}", list(software)),
        E::DiskSharesRemoved { disk_shares, .. } => format!("{name}: disk shares forgotten: {}", list(disk_shares)),
        E::OperatingSystemRemoved { operating_system, .. } => format!("{name}: operating system {operating_system} forgotten"),
        E::SubDevicesDetached { devices, .. } => format!("{name}: {} detached", count(devices.len(), "sub-device")),
        E::DeviceAttached { .. } => format!("{name} is a part of another device now"),
        E::DeviceDetached { .. } => format!("{name} is no longer a part of another device"),
        E::UptimeReset { .. } => format!("{name}: uptime forgotten"),
        E::RemarkAdded { remark, .. } => format!("{name}: {remark}"),
        E::AddressAssigned { ip, .. } => format!("{name} has the address {ip}"),
        E::RoleAssigned { venture, role, .. } => format!("{name} now belongs to venture {venture}, role {role}"),
        E::DnsEntryCreated { entry, .. } => format!("{name}: DNS entry {} at {} created", entry.hostname, entry.ip),
        E::DhcpEntryCreated { entry, .. } => format!("{name}: DHCP entry {} for {} created", entry.ip, entry.mac),
        E::PowerRequested(order) => {
            format!("{name}: {}{by}", power(order.action, order.network_boot))
        }
        E::PowerConfirmed { state: PowerState::Unknown, .. } => {
            format!("{name}: its management controller did so, and cannot say whether it is on or off")
        }
        E::PowerConfirmed { state, .. } => format!("{name}: its management controller did so; it is {}", state.as_str()),
        E::PowerFailed { action, network_boot, reason, uncertain, .. } => {
            let may_be = if *uncertain { "; it may have been done all the same" } else { "" };
            format!("{name}: {} failed: {reason}{may_be}", power(*action, *network_boot))
        }
        E::DeviceDecommissioned { reason } if reason.is_empty() => format!("{name} was decommissioned{by}"),
        E::DeviceDecommissioned { reason } => format!("{name} was decommissioned{by}: {reason}"),
    }
}

/// The description of a power order.
fn power(action: PowerAction, network_boot: bool) -> String {
    let action = match action {
        PowerAction::On => "power on",
        PowerAction::Off => "power off",
        PowerAction::Cycle => "power cycle",
    };
    if network_boot { format!("{action} with one boot from the network") } else { action.to_owned() }
}

fn dhcp_server(name: &impl Display, event: &DhcpServerEvent, by: &str) -> String {
    match event {
        DhcpServerEvent::DhcpServerDefined { spec } => format!("DHCP server {name} of site {} was defined{by}", spec.site),
        DhcpServerEvent::DhcpServerRetired { site } => format!("DHCP server {name} of site {site} was retired{by}"),
        DhcpServerEvent::ConfigurationConfirmed { position, .. } => {
            format!("DHCP server {name} runs the configuration of position {position}")
        }
        DhcpServerEvent::ConfigurationFailed { message, .. } => {
            format!("DHCP server {name} cannot use its configuration and keeps the old one: {message}")
        }
    }
}

fn webhook(name: &impl Display, event: &WebhookEvent, by: &str) -> String {
    let because = |reason: &Text| if reason.is_empty() { String::new() } else { format!(": {reason}") };
    match event {
        WebhookEvent::WebhookDefined { .. } => format!("Webhook {name} was defined{by}"),
        WebhookEvent::WebhookPaused { reason } => format!("Webhook {name} was paused{by}{}", because(reason)),
        WebhookEvent::WebhookResumed {} => format!("Webhook {name} was resumed{by}"),
        WebhookEvent::WebhookPositionSet { after, reason } => {
            format!("Webhook {name} begins anew behind position {after}{by}{}", because(reason))
        }
        WebhookEvent::WebhookEventSkipped { position, reason } => {
            format!("Webhook {name} is not told of event {position}, which was skipped{by}{}", because(reason))
        }
        WebhookEvent::WebhookRetired {} => format!("Webhook {name} was retired{by}"),
    }
}

fn changed(change: &DeviceChanged) -> String {
    let mut parts = vec![];
    let number = |what: &str, pair: &Option<(Text, Text)>| {
        pair.as_ref().map(|(_, new)| if new.is_empty() { format!("no {what}") } else { format!("{what} {new}") })
    };
    parts.extend(change.name.as_ref().map(|name| format!("name {name}")));
    parts.extend(number("serial number", &change.serial));
    parts.extend(number("asset number", &change.asset));
    parts.extend(change.site.as_ref().map(|site| format!("site {site}")));
    parts.extend(change.rack.as_ref().map(|rack| format!("rack {rack}")));
    parts.extend(change.position.map(|unit| format!("rack unit {unit}")));
    parts.extend(change.macs_added.iter().map(|mac| format!("new interface {mac}")));
    parts.extend(change.macs_removed.iter().map(|mac| format!("without interface {mac}")));
    parts.extend(change.management.as_ref().map(|management| format!("managed at {}", management.address)));
    parts.extend(change.removed.iter().map(|removed| match removed {
        Removed::Rack => "no rack".to_owned(),
        Removed::Position => "no rack unit".to_owned(),
        Removed::Management => "no management controller".to_owned(),
    }));
    parts.extend(change.settings.iter().map(|(name, value)| match value {
        Some(_) => format!("setting {name}"),
        None => format!("without setting {name}"),
    }));
    list(parts)
}

fn found(facts: &FactsRecorded) -> String {
    let mut parts = vec![];
    parts.extend(facts.addresses_added.iter().map(|ip| format!("address {ip}")));
    parts.extend(facts.addresses_removed.iter().map(|ip| format!("no longer address {ip}")));
    parts.extend(facts.dns_added.iter().map(|entry| format!("name {}", entry.hostname)));
    parts.extend(facts.dns_removed.iter().map(|entry| format!("no longer name {}", entry.hostname)));
    parts.extend(facts.dhcp_added.iter().map(|entry| format!("DHCP entry {}", entry.ip)));
    parts.extend(facts.dhcp_removed.iter().map(|entry| format!("no longer DHCP entry {}", entry.ip)));
    parts.extend(facts.software.as_ref().map(|software| count(software.len(), "piece of software")));
    parts.extend(facts.disk_shares.as_ref().map(|shares| count(shares.len(), "disk share")));
    parts.extend(
        facts.operating_system.as_ref().map(|system| {
            if system.is_empty() { "no operating system".to_owned() } else { format!("operating system {system}") }
        }),
    );
    parts.extend(facts.uptime_seconds.map(|seconds| format!("an uptime of {seconds} s")));
    parts.extend(facts.sub_devices.as_ref().map(|devices| count(devices.len(), "sub-device")));
    list(parts)
}

/// The first few items, and the number of the others: the text has to remain one sentence.
fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 5;
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let more = items.len().saturating_sub(SHOWN);
    let shown = items.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn count(number: usize, what: &str) -> String {
    match (number, what.split_once(' ')) {
        (1, _) => format!("1 {what}"),
        (_, Some((first, rest))) => format!("{number} {first}s {rest}"),
        (_, None) => format!("{number} {what}s"),
    }
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}
