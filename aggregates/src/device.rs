//! A device: a physical server, a blade or a virtual server, and every recorded fact about it.
//!
//! ```text
//!   (none) ─RegisterDevice─► Registered ─DecommissionDevice─► Decommissioned
//! ```
//! A registered device is verified or not. While it is verified, only a live deployment changes its venture and role. While a
//! deployment is live, only that deployment changes the device's addresses and entries. While a device is locked, no deployment
//! of it starts, and no operator boots it from the network.

pub mod allowed;
pub mod clean;
pub mod command;
mod description;
mod entry;
pub mod event;
pub mod facts;
pub mod footprint;
mod inventory;
mod kind;
pub mod lock;
mod orders;
pub mod patch;
pub mod power;
pub mod power_failure;
pub mod register;
mod registered;
pub mod remark;
#[cfg(test)]
mod tests;

pub use crate::controller::{self, management};
pub use registered::Registered;

use crate::controller::management::Management;
use crate::rules::{BrokenRule, Refused, Rule, aggregate};
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::name::Name;
use allowed::is_live;
use command::DeviceCommand;
use entry::DhcpEntry;
use event::{DeviceEvent, RemovedBecause, removal};
use power::{LastRestart, Standing};
use serde::{Deserialize, Serialize};
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

impl Device {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: DeviceCommand) -> Result<Vec<DeviceEvent>, Refused> {
        use DeviceCommand as C;
        let device = match (command, self) {
            (C::RegisterDevice { spec, facts }, Self::None) => return register::register(*spec, &facts),
            (C::RegisterDevice { .. }, _) => return Err(refusal(Rule::DeviceExists, "a device with this ID already exists")),
            // There is nothing to detach and no claim to release.
            (C::DetachDevice { .. }, Self::None)
            | (C::DetachDevice { .. } | C::DecommissionDevice { .. } | C::WithdrawDeployment { .. }, Self::Decommissioned) => {
                return Ok(vec![]);
            }
            (_, Self::None) => return Err(Refused::unknown(Rule::DeviceUnknown, "device", "register it first")),
            (_, Self::Decommissioned) => {
                return Err(Refused(vec![allowed::decommissioned()]));
            }
            (command, Self::Registered(device)) => (command, device),
        };
        let (command, device) = device;
        match command {
            C::RegisterDevice { .. } => Ok(vec![]),
            C::ChangeDevice { change, facts } => register::change(device, *change, &facts),
            C::RecordFacts { facts, held, live } => inventory::record(device, *facts, &held, live),
            C::VerifyDevice => device.verify(),
            C::UnverifyDevice { live } => {
                not_live(live, "its verification can be revoked")?;
                Ok(if device.verified { vec![DeviceEvent::DeviceUnverified {}] } else { vec![] })
            }
            C::DecommissionDevice { reason, live } => {
                let locked = device.lock.as_ref().map(|lock| lock::refusal(lock, "", "it can be decommissioned"));
                Refused::unless_empty(allowed::ending(live, "it can be decommissioned").into_iter().chain(locked).collect())?;
                let mut events = device.withdraw_everything();
                events.push(DeviceEvent::DeviceDecommissioned { reason });
                Ok(events)
            }
            C::LockDevice { lock } => device.lock(lock),
            C::UnlockDevice => Ok(if device.lock.is_some() { vec![DeviceEvent::DeviceUnlocked {}] } else { vec![] }),
            C::CleanDevice { deployment, live, keeps, at, parts } => {
                is_live(deployment, live)?;
                Ok(clean::clean(device, deployment, &keeps, at, parts))
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
            C::RequestPower { order, facts } => orders::request(device, *order, &facts),
            C::ReportPower { order, outcome } => orders::report(device, &order, outcome),
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

    /// Why the device must not be installed again, while it is in use and locked.
    pub fn lock(&self) -> Option<&lock::Lock> {
        let Self::Registered(device) = self else { return None };
        device.lock.as_ref()
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
                    kind: spec.kind,
                    position: spec.position,
                    height: spec.height,
                    face: spec.face,
                    notes: spec.notes,
                    tags: spec.tags.into_iter().collect(),
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

    /// Locks the device. The same reason again changes nothing; another reason does not replace the first one.
    fn lock(&self, lock: lock::Lock) -> Result<Vec<DeviceEvent>, Refused> {
        if lock.reason.is_empty() {
            let message = "a lock needs a reason; say why the device must not be installed again";
            return Err(Refused::because("reason", Rule::ReasonMissing, message));
        }
        match &self.lock {
            None => Ok(vec![DeviceEvent::DeviceLocked(lock)]),
            Some(present) if present.reason == lock.reason => Ok(vec![]),
            Some(present) => Err(Refused(vec![lock::refusal(present, "reason", "it can be locked for another reason")])),
        }
    }

    fn attach(&self, parent: DeviceId) -> Result<Vec<DeviceEvent>, Refused> {
        match self.parent {
            Some(other) if other == parent => Ok(vec![]),
            Some(other) => {
                let message = format!(
                    "{} is already a part of another device; first record that device's sub-devices without it",
                    self.words()
                );
                Err(Refused(vec![
                    BrokenRule::new("sub_devices", Rule::DeviceHasParent, message).held_by(format!("device {other}")),
                ]))
            }
            None => Ok(vec![DeviceEvent::DeviceAttached { parent }]),
        }
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
            E::FactsRecorded(recorded) => inventory::evolve(self, *recorded),
            E::VentureRoleSet { venture, role } => (self.venture, self.role) = (venture, role),
            E::DeviceVerified {} => self.verified = true,
            E::DeviceUnverified {} => self.verified = false,
            E::DeviceLocked(lock) => self.lock = Some(lock),
            E::DeviceUnlocked {} => self.lock = None,
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
            E::PowerRequested(order) => orders::requested(self, order),
            E::PowerConfirmed { restart, .. } => orders::reported(self, restart, Standing::Confirmed),
            E::PowerFailed { restart, uncertain, .. } => {
                orders::reported(self, restart, if uncertain { Standing::Uncertain } else { Standing::Failed });
            }
            E::DeviceRegistered(_) | E::DeviceDecommissioned { .. } | E::RemarkAdded { .. } => {}
        }
    }
}

fn refusal(rule: Rule, message: impl Into<String>) -> Refused {
    Refused(vec![BrokenRule::new("", rule, message)])
}

fn not_live(live: Option<DeploymentId>, what: &str) -> Result<(), Refused> {
    Refused::unless_empty(allowed::ending(live, what).into_iter().collect())
}

aggregate!(Device, "device", DeviceCommand, DeviceEvent);
