//! Checks that a change of the catalogue leaves everything that is in use with a valid place: addresses, host names,
//! deployments, and references between catalogue entries.
//!
//! One rule covers every change: a change is refused if something that has a valid place before it would have none after it.
//! `misfits` finds what lacks a valid place, and [`Weighing`] compares the catalogue before and after the change. What
//! already had no place, in a log from an earlier version, does not prevent operators from changing the rest or from repairing
//! it.
//!
//! The module looks nothing up: the caller passes in what is held.

mod change;
mod dangling;
mod given;
pub mod infrastructure;
mod misfit;
mod moves;
mod places;
#[cfg(test)]
mod tests;
mod uses;

pub use change::{Change, Scope};
pub use dangling::Dangling;
pub use misfit::Misfit;
pub use moves::Move;
pub use uses::Use;

use crate::dhcp_server::DhcpServerSpec;
use crate::network::NetworkSpec;
use crate::rack::RackSpec;
use crate::rules::{BrokenRule, Refused};
use crate::site::SiteSpec;
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::venture::{RoleSpec, VentureSpec};
use dangling::dangling;
use misfit::misfits;
use moves::moves;
use places::Places;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The most items that a refused change lists of those it would invalidate.
pub const NAMED: usize = 20;

/// Every catalogue entry that is in use, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    /// The sites, by code.
    pub sites: BTreeMap<Name, SiteSpec>,
    /// The racks, by name.
    pub racks: BTreeMap<Name, RackSpec>,
    /// The networks, by name.
    pub networks: BTreeMap<Name, NetworkSpec>,
    /// The DHCP servers, by name.
    pub dhcp_servers: BTreeMap<Name, DhcpServerSpec>,
    /// The ventures with their roles, by name.
    pub ventures: BTreeMap<Name, (VentureSpec, BTreeMap<Name, RoleSpec>)>,
    /// The names of the boot images.
    pub boot_images: BTreeSet<Name>,
}

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
    /// The address that the server gets.
    pub ip: Ipv4Addr,
    /// The MAC address of the interface that the server boots from.
    pub mac: MacAddress,
    /// The host name that the server gets.
    pub hostname: Hostname,
    /// The network that the deployment was started in.
    pub network: Name,
    /// The venture that owns the server.
    pub venture: Name,
    /// The server's role in the venture.
    pub role: Name,
    /// The boot image that the server boots.
    pub boot_image: Name,
}

impl Held {
    /// Every address that the device holds.
    pub fn held_addresses(&self) -> BTreeSet<Ipv4Addr> {
        let live = self.live.iter().map(|live| live.ip);
        self.addresses.iter().copied().chain(self.leases.iter().map(|(ip, _)| *ip)).chain(live).collect()
    }

    /// What the device releases when it is decommissioned, as text.
    pub fn released(&self) -> Vec<String> {
        let leased = self.held_leases();
        let addresses = self.held_addresses().into_iter().map(|ip| {
            let reserved = if leased.iter().any(|(leased, _)| *leased == ip) { " with its reservation" } else { "" };
            format!("the address {ip} of {} is given back{reserved}", self.called)
        });
        let names = self.held_names().into_iter().map(|(name, _)| format!("the name {name} of {} is given back", self.called));
        addresses.chain(names).collect()
    }

    /// Every host name that the device holds, with its address.
    fn held_names(&self) -> BTreeSet<(Hostname, Ipv4Addr)> {
        let live = self.live.iter().map(|live| (live.hostname.clone(), live.ip));
        self.records.iter().cloned().chain(live).collect()
    }

    /// Every fixed address that a DHCP server leases to the device, or will lease to it soon.
    fn held_leases(&self) -> BTreeSet<(Ipv4Addr, MacAddress)> {
        let live = self.live.iter().map(|live| (live.ip, live.mac));
        self.leases.iter().copied().chain(live).collect()
    }
}

/// The effects of a change on what is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consequences {
    /// What would no longer have a valid place. The change is refused unless this is empty.
    pub invalidated: Vec<BrokenRule>,
    /// How many items would be invalidated. `invalidated` lists only the first [`NAMED`].
    pub count: usize,
    /// The items that the change moves, as text; the first [`NAMED`].
    pub moved: Vec<String>,
    /// How many items the change moves.
    pub moved_count: usize,
}

impl Consequences {
    /// Refuses the change if it would leave anything without a valid place.
    pub fn refuse(&self) -> Result<(), Refused> {
        Refused::unless_empty(self.invalidated.clone())
    }
}

/// Checks a change against what is held, one part after the other.
#[derive(Debug)]
pub struct Weighing<'a> {
    change: &'a Change,
    before: &'a Catalogue,
    after: Catalogue,
    items: Vec<BrokenRule>,
    found: Consequences,
}

impl<'a> Weighing<'a> {
    /// Starts the check with the references within the catalogue itself.
    pub fn of(change: &'a Change, before: &'a Catalogue) -> Self {
        let after = change.applied(before);
        let mut weighing = Self { change, before, after, items: vec![], found: Consequences::default() };
        let known = dangling(before);
        let loose = dangling(&weighing.after);
        for loose in loose.difference(&known).filter(|loose| !change.is_of(loose)) {
            weighing.add(BrokenRule::new("", loose.rule(), loose.sentence()).held_by(loose.referrer()));
        }
        weighing
    }

    fn add(&mut self, broken: BrokenRule) {
        self.found.count += 1;
        if self.items.len() < NAMED {
            self.items.push(broken);
        }
    }

    /// Checks devices, each as it is before and as it would be after the change.
    pub fn weigh(&mut self, held: impl IntoIterator<Item = (Held, Held)>) {
        let before = self.before;
        let after = std::mem::take(&mut self.after);
        let (old, new) = (Places::of(before), Places::of(&after));
        for (now, then) in held {
            let known = misfits(&old, &now);
            let counts = |misfit: &Misfit| !misfit.is_known(&known) && self.change.weighs(misfit);
            let lost: Vec<Misfit> = misfits(&new, &then).into_iter().filter(counts).collect();
            for misfit in lost {
                let holder = match (&then.live, misfit.is_of_deployment()) {
                    (Some(live), true) => format!("deployment {}", live.id),
                    _ => format!("device {}", then.device),
                };
                let sentence = misfit.sentence(&then.called);
                self.add(BrokenRule::new(self.change.field(&misfit), misfit.rule(), sentence).held_by(holder));
            }
            self.weigh_live(&then);
            for one in moves(&old, &now, &new, &then) {
                self.found.moved_count += 1;
                if self.found.moved.len() < NAMED {
                    self.found.moved.push(one.sentence(&then.called));
                }
            }
        }
        drop(new);
        self.after = after;
    }

    /// Checks that a server that is being installed keeps the values that it was given.
    fn weigh_live(&mut self, held: &Held) {
        let Some(live) = &held.live else { return };
        let concerned = match self.change {
            Change::Network(name, _) => self.before.networks.get(name).is_some_and(|network| network.cidr.contains(&live.ip)),
            Change::Site(name, _) => held.site == *name,
            _ => false,
        };
        if !concerned {
            return;
        }
        for (field, words) in self.change.taken(self.before) {
            let message =
                format!("{} is being deployed at {}: it {words}; wait for the deployment or cancel it", held.called, live.ip);
            self.add(BrokenRule::new(field, "deployment_live", message).held_by(format!("deployment {}", live.id)));
        }
    }

    /// The effects of the change.
    pub fn consequences(self) -> Consequences {
        let Self { change, items, mut found, .. } = self;
        let count = found.count;
        if count == 0 {
            return found;
        }
        let things = if count == 1 { "1 thing that is in use".to_owned() } else { format!("{count} things that are in use") };
        let message = format!("{} would invalidate {things}, so nothing was changed. {}", change.phrase(), change.advice());
        found.invalidated.push(BrokenRule::new("", change.rule(), message));
        found.invalidated.extend(items);
        if count > NAMED {
            found.invalidated.push(BrokenRule::new("", change.rule(), format!("{} more are not named here", count - NAMED)));
        }
        found
    }
}

/// The DHCP entries of a device that no network of its site serves, or whose address is not for servers.
pub fn unserved(catalogue: &Catalogue, held: &Held) -> Vec<BrokenRule> {
    let found = misfits(&Places::of(catalogue), held);
    let unserved = found.iter().filter(|misfit| misfit.is_unserved() || misfit.is_of_no_server());
    let rule = |misfit: &Misfit| match misfit {
        Misfit::Reserved { ip, network, why } => infrastructure::entry_refused(
            "dhcp_entries",
            &format!("{ip} {why} of network {network}"),
            &format!("network {network}"),
        ),
        other => BrokenRule::new("dhcp_entries", other.rule(), other.sentence(&held.called)),
    };
    unserved.map(rule).collect()
}

/// Everything about a device that has no valid place in a catalogue.
pub fn without_place(catalogue: &Catalogue, held: &Held) -> BTreeSet<Misfit> {
    misfits(&Places::of(catalogue), held)
}
