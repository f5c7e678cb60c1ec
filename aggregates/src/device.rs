//! A device: a physical server, a blade or a virtual server, and every recorded fact about it.
//!
//! ```text
//!   (none) ─RegisterDevice─► Registered ─DecommissionDevice─► Decommissioned
//! ```
//! A registered device is verified or not. While it is verified, only a live deployment changes its venture and role. While a
//! deployment is live, only that deployment changes the device's addresses and entries.

pub mod allowed;
pub mod clean;
pub mod command;
pub mod controller;
pub mod event;
pub mod facts;
pub mod management;
pub mod patch;
pub mod power;
pub mod register;
#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, aggregate};
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::setting::Settings;
use crate::values::text::Text;
use command::DeviceCommand;
use controller::Endpoint;
use event::{DeviceEvent, DhcpEntry, DnsEntry, Management, RemovedBecause};
use power::{LastRestart, PowerOrder, Standing};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The state of a device, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub enum Device {
    /// The state before the device is registered.
    #[default]
    None,
    /// Registered and in use.
    Registered(Box<Registered>),
    /// Decommissioned; this is final.
    Decommissioned,
}

/// The state of a device in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    name: Text,
    serial: Option<Text>,
    asset: Option<Text>,
    site: Option<Name>,
    rack: Option<Name>,
    position: Option<u16>,
    macs: BTreeSet<MacAddress>,
    management: Option<Management>,
    parent: Option<DeviceId>,
    venture: Option<Name>,
    role: Option<Name>,
    verified: bool,
    addresses: BTreeSet<Ipv4Addr>,
    dns: BTreeSet<DnsEntry>,
    dhcp: BTreeSet<DhcpEntry>,
    /// Host names whose DNS entries a clean removed but which are kept for the new role. The device holds them, with or without
    /// an entry.
    kept: BTreeSet<Hostname>,
    software: BTreeSet<Text>,
    disk_shares: BTreeSet<Text>,
    operating_system: Option<Text>,
    uptime_seconds: Option<u64>,
    sub_devices: BTreeSet<DeviceId>,
    /// The deployment that last finished cleaning the device.
    cleaned_for: Option<DeploymentId>,
    /// The device's own values for settings of boot images.
    #[serde(default)]
    settings: Settings,
    /// The management controller endpoints that the device holds: no other device can have them.
    #[serde(default)]
    endpoints: BTreeSet<Endpoint>,
    /// The order to the management controller that was not reported yet.
    #[serde(default)]
    ordered: Option<PowerOrder>,
    /// The last restart that a deployment ordered.
    #[serde(default)]
    restart: Option<LastRestart>,
}

impl Device {
    /// Returns the events that the command produces, or the reasons for refusing it.
    pub fn decide(&self, command: DeviceCommand) -> Result<Vec<DeviceEvent>, Refused> {
        use DeviceCommand as C;
        let device = match (command, self) {
            (C::RegisterDevice { spec, facts }, Self::None) => return register::register(*spec, &facts),
            (C::RegisterDevice { .. }, _) => return Err(refusal("device_exists", "there is a device with this id already")),
            // There is nothing to detach and no claim to release.
            (C::DetachDevice { .. }, Self::None)
            | (C::DetachDevice { .. } | C::DecommissionDevice { .. } | C::WithdrawDeployment { .. }, Self::Decommissioned) => {
                return Ok(vec![]);
            }
            (_, Self::None) => return Err(refusal("device_unknown", "there is no such device; register it first")),
            (_, Self::Decommissioned) => {
                return Err(Refused(vec![allowed::decommissioned()]));
            }
            (command, Self::Registered(device)) => (command, device),
        };
        let (command, device) = device;
        match command {
            C::RegisterDevice { .. } => Ok(vec![]),
            C::ChangeDevice { change, facts } => register::change(device, *change, &facts),
            C::RecordFacts { facts, held, live } => facts::record(device, *facts, &held, live),
            C::VerifyDevice => device.verify(),
            C::UnverifyDevice { live } => {
                not_live(live, "unverified")?;
                Ok(if device.verified { vec![DeviceEvent::DeviceUnverified {}] } else { vec![] })
            }
            C::DecommissionDevice { reason, live } => {
                not_live(live, "decommissioned")?;
                let mut events = device.withdraw_everything();
                events.push(DeviceEvent::DeviceDecommissioned { reason });
                Ok(events)
            }
            C::CleanDevice { deployment, live, keeps, remark_until, parts } => {
                is_live(deployment, live)?;
                Ok(clean::clean(device, deployment, &keeps, &remark_until, parts))
            }
            C::AttachDevice { parent } => device.attach(parent),
            C::DetachDevice { parent, deployment } => {
                let attached = device.parent == Some(parent);
                Ok(if attached { vec![DeviceEvent::DeviceDetached { parent, deployment }] } else { vec![] })
            }
            C::AssignRole { deployment, live, venture, role } => {
                is_live(deployment, live)?;
                let same = device.venture.as_ref() == Some(&venture) && device.role.as_ref() == Some(&role);
                Ok(if same { vec![] } else { vec![DeviceEvent::RoleAssigned { deployment, venture, role }] })
            }
            C::CreateDnsEntry { deployment, live, entry } => {
                is_live(deployment, live)?;
                Ok(if device.dns.contains(&entry) { vec![] } else { vec![DeviceEvent::DnsEntryCreated { deployment, entry }] })
            }
            C::CreateDhcpEntry { deployment, live, entry } => {
                is_live(deployment, live)?;
                Ok(device.create_dhcp_entry(deployment, entry))
            }
            C::RequestPower { order, facts } => power::request(device, *order, &facts),
            C::ReportPower { order, outcome } => power::report(device, &order, outcome),
            C::WithdrawDeployment { deployment, ip, hostname, released } => {
                Ok(clean::withdraw(device, deployment, ip, &hostname, &released))
            }
        }
    }

    /// The last restart of the server for this deployment.
    pub fn last_restart(&self, deployment: DeploymentId) -> Option<&LastRestart> {
        let Self::Registered(device) = self else { return None };
        device.restart.as_ref().filter(|last| last.restart.deployment == deployment)
    }

    /// The device's management controller settings, while the device is in use.
    pub fn management(&self) -> Option<&Management> {
        let Self::Registered(device) = self else { return None };
        device.management.as_ref()
    }

    /// The device's site, while the device is in use.
    pub fn site(&self) -> Option<&Name> {
        let Self::Registered(device) = self else { return None };
        device.site.as_ref()
    }

    fn evolve(&mut self, event: DeviceEvent) {
        match (event, &mut *self) {
            (DeviceEvent::DeviceRegistered(spec), _) => {
                *self = Self::Registered(Box::new(Registered {
                    name: spec.name,
                    serial: spec.serial,
                    asset: spec.asset,
                    site: Some(spec.site),
                    rack: spec.rack,
                    position: spec.position,
                    macs: spec.macs.into_iter().collect(),
                    management: spec.management,
                    parent: spec.parent,
                    settings: spec.settings,
                    endpoints: spec.endpoints.into_iter().collect(),
                    ..Registered::default()
                }));
            }
            (DeviceEvent::DeviceDecommissioned { .. }, _) => *self = Self::Decommissioned,
            (event, Self::Registered(device)) => device.evolve(event),
            _ => {}
        }
    }
}

impl Registered {
    fn verify(&self) -> Result<Vec<DeviceEvent>, Refused> {
        Refused::unless_empty(allowed::verifying(self.venture.as_ref(), self.role.as_ref()))?;
        Ok(if self.verified { vec![] } else { vec![DeviceEvent::DeviceVerified {}] })
    }

    fn attach(&self, parent: DeviceId) -> Result<Vec<DeviceEvent>, Refused> {
        match self.parent {
            Some(other) if other == parent => Ok(vec![]),
            Some(other) => {
                let message = format!(
                    "{} is a part of another device already; record that device's sub-devices without it first",
                    self.words()
                );
                Err(Refused(vec![
                    BrokenRule::new("sub_devices", "device_has_parent", message).held_by(format!("device {other}")),
                ]))
            }
            None => Ok(vec![DeviceEvent::DeviceAttached { parent }]),
        }
    }

    /// What the device is called in messages.
    fn words(&self) -> String {
        let serial = self.serial.as_ref().map(|serial| format!("the device with serial number {serial}"));
        if self.name.is_empty() { serial.unwrap_or_else(|| "the device".to_owned()) } else { self.name.to_string() }
    }

    /// Whether this is the address of the management controller. Deployments do not change its entries.
    fn manages(&self, ip: Ipv4Addr) -> bool {
        self.management.as_ref().is_some_and(|management| management.address.ipv4() == Some(ip))
    }

    /// The addresses that the device holds: its own and those of its DHCP entries.
    fn held_addresses(&self) -> BTreeSet<Ipv4Addr> {
        self.addresses.iter().copied().chain(self.dhcp.iter().map(|entry| entry.ip)).collect()
    }

    /// The host names that the device holds: those of its DNS entries, and those kept without an entry.
    fn held_names(&self) -> BTreeSet<Hostname> {
        self.dns.iter().map(|entry| entry.hostname.clone()).chain(self.kept.iter().cloned()).collect()
    }

    /// Creates the entry, which replaces every other entry of this device with the same address or MAC address.
    fn create_dhcp_entry(&self, deployment: DeploymentId, entry: DhcpEntry) -> Vec<DeviceEvent> {
        let clashes = |other: &&DhcpEntry| **other != entry && (other.ip == entry.ip || other.mac == entry.mac);
        let replaced: Vec<DhcpEntry> = self.dhcp.iter().filter(clashes).cloned().collect();
        let left = |ip: &Ipv4Addr| *ip != entry.ip && !self.addresses.contains(ip);
        let released: Vec<Ipv4Addr> = replaced.iter().map(|other| other.ip).filter(left).collect();
        let mut events: Vec<_> = removal(replaced, RemovedBecause::Replaced, Some(deployment)).into_iter().collect();
        if !released.is_empty() {
            events.push(DeviceEvent::AddressesReleased { addresses: vec![], released, deployment: Some(deployment) });
        }
        if !self.dhcp.contains(&entry) {
            events.push(DeviceEvent::DhcpEntryCreated { deployment, entry });
        }
        events
    }

    /// Removes all entries and addresses of a device that is decommissioned.
    fn withdraw_everything(&self) -> Vec<DeviceEvent> {
        let mut events: Vec<_> =
            removal(self.dhcp.iter().cloned().collect(), RemovedBecause::Decommissioned, None).into_iter().collect();
        let (names, addresses) = (self.held_names(), self.held_addresses());
        if !names.is_empty() {
            events.push(DeviceEvent::DnsEntriesRemoved {
                entries: self.dns.iter().cloned().collect(),
                released: names.into_iter().collect(),
                deployment: None,
            });
        }
        if !addresses.is_empty() {
            events.push(DeviceEvent::AddressesReleased {
                addresses: self.addresses.iter().copied().collect(),
                released: addresses.into_iter().collect(),
                deployment: None,
            });
        }
        events
    }

    fn evolve(&mut self, event: DeviceEvent) {
        use DeviceEvent as E;
        match event {
            E::DeviceChanged(change) => register::evolve(self, *change),
            E::FactsRecorded(recorded) => facts::evolve(self, *recorded),
            E::VentureRoleSet { venture, role } => (self.venture, self.role) = (venture, role),
            E::DeviceVerified {} => self.verified = true,
            E::DeviceUnverified {} => self.verified = false,
            E::DhcpEntriesRemoved { entries, .. } => self.dhcp.retain(|entry| !entries.contains(entry)),
            E::DnsEntriesRemoved { entries, released, deployment } => {
                self.dns.retain(|entry| !entries.contains(entry));
                // A cancelled deployment is withdrawn after its clean: what it created is removed, and no name is kept.
                let withdrawn = deployment.is_some() && deployment == self.cleaned_for;
                if !withdrawn {
                    self.kept.extend(entries.into_iter().map(|entry| entry.hostname));
                }
                self.kept.retain(|name| !released.contains(name));
            }
            E::AddressesReleased { addresses, .. } => self.addresses.retain(|ip| !addresses.contains(ip)),
            E::SoftwareRemoved { .. } => self.software.clear(),
            E::DiskSharesRemoved { .. } => self.disk_shares.clear(),
            E::OperatingSystemRemoved { .. } => self.operating_system = None,
            E::SubDevicesDetached { .. } => self.sub_devices.clear(),
            E::DeviceAttached { parent } => self.parent = Some(parent),
            E::DeviceDetached { .. } => self.parent = None,
            E::UptimeReset { .. } => self.uptime_seconds = None,
            E::AddressAssigned { deployment, ip } => {
                self.addresses.insert(ip);
                self.cleaned_for = Some(deployment);
            }
            E::RoleAssigned { venture, role, .. } => (self.venture, self.role) = (Some(venture), Some(role)),
            E::DnsEntryCreated { entry, .. } => drop(self.dns.insert(entry)),
            E::DhcpEntryCreated { entry, .. } => drop(self.dhcp.insert(entry)),
            E::PowerRequested(order) => power::requested(self, order),
            E::PowerConfirmed { restart, .. } => power::reported(self, restart, Standing::Confirmed),
            E::PowerFailed { restart, uncertain, .. } => {
                power::reported(self, restart, if uncertain { Standing::Uncertain } else { Standing::Failed });
            }
            E::DeviceRegistered(_) | E::DeviceDecommissioned { .. } | E::RemarkAdded { .. } => {}
        }
    }
}

/// The event that removes these entries, if there are any.
fn removal(entries: Vec<DhcpEntry>, because: RemovedBecause, deployment: Option<DeploymentId>) -> Option<DeviceEvent> {
    (!entries.is_empty()).then_some(DeviceEvent::DhcpEntriesRemoved { entries, because, deployment })
}

fn refusal(rule: &str, message: impl Into<String>) -> Refused {
    Refused(vec![BrokenRule::new("", rule, message)])
}

fn not_live(live: Option<DeploymentId>, what: &str) -> Result<(), Refused> {
    Refused::unless_empty(allowed::ending(live, what).into_iter().collect())
}

fn is_live(deployment: DeploymentId, live: Option<DeploymentId>) -> Result<(), Refused> {
    if live == Some(deployment) {
        return Ok(());
    }
    let holder = live.map_or_else(|| "none is live".to_owned(), |live| format!("deployment {live} is"));
    Err(refusal("deployment_not_live", format!("deployment {deployment} is not the device's live one: {holder}")))
}

aggregate!(Device, "device", DeviceCommand, DeviceEvent);
