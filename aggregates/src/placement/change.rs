//! The changes of the catalogue, and the scope of each: what it can affect.

use super::catalogue::Catalogue;
use super::dangling::Dangling;
use super::given::{Taken, by_network};
use super::misfit::Misfit;
use super::uses::Use;
use crate::dhcp_server::DhcpServerSpec;
use crate::infrastructure::{Declared, of_dhcp_server, of_network, of_site};
use crate::network::NetworkSpec;
use crate::rack::RackSpec;
use crate::rules::Rule;
use crate::site::SiteSpec;
use crate::values::hostname::DomainName;
use crate::values::ids::DeviceId;
use crate::values::name::Name;
use crate::venture::{RoleSpec, VentureSpec};
use crate::zone::Zone;
use crate::zone::range::AddressRange;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// A change of one catalogue entry: its new description, or `None` if it is retired.
#[derive(Clone, Debug)]
pub enum Change {
    /// A change of a site.
    Site(Name, Option<Box<SiteSpec>>),
    /// A change of a rack.
    Rack(Name, Option<RackSpec>),
    /// A change of a network.
    Network(Name, Option<Box<NetworkSpec>>),
    /// A change of a DHCP server.
    DhcpServer(Name, Option<DhcpServerSpec>),
    /// A change of a venture, without its roles.
    Venture(Name, Option<Box<VentureSpec>>),
    /// A change of a role of a venture.
    Role(Name, Name, Option<Box<RoleSpec>>),
    /// The retirement of a boot image.
    RetireBootImage(Name),
    /// A change of the location or the interfaces of a device at a site.
    Device(Name, DeviceId),
}

/// What a change can affect: which devices must be checked, and which events recorded since then may have changed the result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeScope {
    /// All devices and deployments of these sites.
    pub sites: BTreeSet<Name>,
    /// All devices in these racks.
    pub racks: BTreeSet<Name>,
    /// All devices and deployments of these ventures.
    pub ventures: BTreeSet<Name>,
    /// All deployments with these boot images.
    pub boot_images: BTreeSet<Name>,
    /// Devices and deployments that hold an address in these ranges.
    pub ranges: BTreeSet<Ipv4Net>,
    /// Devices and deployments that have a DNS record in these zones.
    pub zones: BTreeSet<DomainName>,
    /// Catalogue entries that name one of these addresses as that of a router or server.
    pub declared: BTreeSet<Ipv4Addr>,
    /// Devices whose management controller is at one of these addresses.
    pub managed: BTreeSet<Ipv4Addr>,
    /// Other sites that define one of these zones, a zone within one, or a zone for the same addresses.
    pub zones_defined: BTreeSet<(DomainName, Option<AddressRange>)>,
}

impl ChangeScope {
    /// Whether the change can affect nothing that is held.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an event that uses `one` may have changed the result.
    pub fn concerns(&self, one: &Use) -> bool {
        match one {
            Use::Site(name) => self.sites.contains(name),
            Use::Rack(name) => self.racks.contains(name),
            Use::Venture(name) => self.ventures.contains(name),
            Use::BootImage(name) => self.boot_images.contains(name),
            Use::Unit => !self.racks.is_empty(),
            Use::Address(ip) => self.ranges.iter().any(|range| range.contains(ip)),
            Use::Range(other) => self.ranges.iter().any(|range| range.contains(other) || other.contains(range)),
            Use::Declared(ip) => self.declared.contains(ip),
            Use::Managed(ip) => self.managed.contains(ip),
            Use::Zone(name, range) => self.zones_defined.iter().any(|(zone, addresses)| {
                let nested = zone.contains(name.as_str()) || name.contains(zone.as_str());
                nested || addresses.zip(*range).is_some_and(|(one, other)| one.overlaps(other))
            }),
        }
    }

    /// Whether only addresses of routers, servers and controllers matter. They seldom change, so few events have to be checked.
    pub fn is_of_infrastructure(&self) -> bool {
        Self { declared: BTreeSet::new(), managed: BTreeSet::new(), ..self.clone() }.is_empty()
    }

    /// The scope of a check that none of these addresses becomes that of a router, server or controller.
    pub fn free_of_infrastructure(ips: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        let ips: BTreeSet<Ipv4Addr> = ips.into_iter().collect();
        Self { declared: ips.clone(), managed: ips, ..Self::default() }
    }
}

impl Change {
    /// The catalogue after the change.
    pub(super) fn applied(&self, before: &Catalogue) -> Catalogue {
        let mut after = before.clone();
        match self {
            Self::Site(name, spec) => set(&mut after.sites, name, spec.as_deref()),
            Self::Rack(name, spec) => set(&mut after.racks, name, spec.as_ref()),
            Self::Network(name, spec) => set(&mut after.networks, name, spec.as_deref()),
            Self::DhcpServer(name, spec) => set(&mut after.dhcp_servers, name, spec.as_ref()),
            Self::Venture(name, Some(spec)) => after.ventures.entry(name.clone()).or_default().0 = (**spec).clone(),
            Self::Venture(name, None) => drop(after.ventures.remove(name)),
            Self::Role(venture, role, spec) => {
                if let Some((_, roles)) = after.ventures.get_mut(venture) {
                    set(roles, role, spec.as_deref());
                }
            }
            Self::RetireBootImage(name) => drop(after.boot_images.remove(name)),
            Self::Device(..) => {}
        }
        after
    }

    /// What the change can affect. Empty if it can invalidate nothing: the entry is new, or nothing that others rely on
    /// changes.
    pub fn scope(&self, before: &Catalogue) -> ChangeScope {
        let mut scope = ChangeScope::default();
        for one in self.declares(before) {
            scope.ranges.insert(one.ip.into());
            scope.managed.insert(one.ip);
        }
        match self {
            Self::Site(name, spec) => Self::scope_of_site(name, spec.as_deref(), before, &mut scope),
            Self::Rack(name, spec) => {
                let old = before.racks.get(name);
                let stays = old.zip(spec.as_ref()).is_some_and(|(old, new)| old.site == new.site && old.units <= new.units);
                if old.is_some() && !stays {
                    scope.racks.insert(name.clone());
                }
            }
            Self::Network(name, spec) => {
                let Some(old) = before.networks.get(name) else {
                    // A new network can overlap another one that is defined at the same time.
                    scope.ranges.extend(spec.iter().map(|spec| spec.cidr));
                    return scope;
                };
                scope.ranges.extend(spec.iter().map(|spec| spec.cidr).filter(|cidr| *cidr != old.cidr));
                let relied_on = |spec: &NetworkSpec| NetworkSpec { dns_servers: vec![], dhcp_options: vec![], ..spec.clone() };
                let replaced = !old.dns_servers.is_empty() && spec.iter().any(|spec| spec.dns_servers != old.dns_servers);
                if spec.as_deref().map(relied_on) != Some(relied_on(old)) || replaced || !self.taken(before).is_empty() {
                    scope.ranges.insert(old.cidr);
                    let kept = spec.as_ref().map(|spec| spec.racks.clone()).unwrap_or_default();
                    scope.racks.extend(old.racks.iter().filter(|rack| !kept.contains(rack)).cloned());
                }
            }
            Self::DhcpServer(name, spec) => {
                let Some(old) = before.dhcp_servers.get(name) else { return scope };
                let others = before.dhcp_servers.iter().any(|(other, server)| other != name && server.site == old.site);
                if spec.as_ref().is_none_or(|spec| spec.site != old.site) {
                    // If another server remains, only its retirement at the same time matters.
                    scope.sites.insert(old.site.clone());
                    if !others {
                        scope.ranges.extend(ranges_of(before, &old.site));
                    }
                }
            }
            Self::Venture(name, None) | Self::Role(name, _, None) if before.ventures.contains_key(name) => {
                scope.ventures.insert(name.clone());
            }
            Self::RetireBootImage(name) => drop(scope.boot_images.insert(name.clone())),
            Self::Venture(..) | Self::Role(..) | Self::Device(..) => {}
        }
        scope
    }

    fn scope_of_site(name: &Name, spec: Option<&SiteSpec>, before: &Catalogue, scope: &mut ChangeScope) {
        let old = before.sites.get(name);
        // Only a zone's names and addresses matter here; its serial number, for example, affects nothing that is held.
        let zones = |spec: Option<&SiteSpec>| -> BTreeMap<DomainName, (Option<AddressRange>, DomainName)> {
            let zones = spec.into_iter().flat_map(|spec| &spec.zones);
            zones.map(|zone| (zone.name.clone(), (zone.addresses(), zone.above()))).collect()
        };
        let (were, are) = (zones(old), zones(spec));
        let differs = |name: &&DomainName| were.get(*name) != are.get(*name);
        // The PTR records of a zone for a smaller network appear in the views under the names of the zone above it.
        let changed: BTreeSet<DomainName> = were
            .keys()
            .chain(are.keys())
            .filter(differs)
            .flat_map(|name| [were.get(name), are.get(name)].into_iter().flatten().map(|(_, above)| above.clone()))
            .collect();
        let updates = |spec: Option<&SiteSpec>| spec.and_then(|spec| spec.dns_updates.as_ref().map(|updates| updates.primary));
        let alike = old.zip(spec).is_some_and(|(old, new)| {
            changed.is_empty() && old.domain == new.domain && (old.next_server.is_none() || new.next_server.is_some())
        });
        if old.is_some() && (!alike || updates(old) != updates(spec)) {
            scope.sites.insert(name.clone());
        }
        let stated = |zone: &&Zone| old.is_none_or(|old| !old.zones.contains(*zone));
        let stated = spec.into_iter().flat_map(|spec| &spec.zones).filter(stated);
        scope.zones_defined.extend(stated.map(|zone| (zone.name.clone(), zone.addresses())));
        // A zone of one site can take names from a wider zone of another site, and return them.
        scope.zones.extend(changed);
        if old.is_none() {
            return;
        }
        if scope.sites.contains(name) {
            scope.ranges.extend(ranges_of(before, name));
        }
    }

    /// The key of the changed entry.
    pub(super) fn key(&self) -> &Name {
        match self {
            Self::Site(name, _)
            | Self::Rack(name, _)
            | Self::Network(name, _)
            | Self::DhcpServer(name, _)
            | Self::Venture(name, _)
            | Self::Role(name, _, _)
            | Self::RetireBootImage(name)
            | Self::Device(name, _) => name,
        }
    }

    fn noun(&self) -> String {
        let key = self.key();
        match self {
            Self::Site(..) => format!("site {key}"),
            Self::Rack(..) => format!("rack {key}"),
            Self::Network(..) => format!("network {key}"),
            Self::DhcpServer(..) => format!("DHCP server {key}"),
            Self::Venture(..) => format!("venture {key}"),
            Self::Role(venture, role, _) => format!("role {role} of venture {venture}"),
            Self::RetireBootImage(_) => format!("boot image {key}"),
            Self::Device(..) => "the device".to_owned(),
        }
    }

    fn retires(&self) -> bool {
        matches!(
            self,
            Self::Site(_, None)
                | Self::Rack(_, None)
                | Self::Network(_, None)
                | Self::DhcpServer(_, None)
                | Self::Venture(_, None)
                | Self::Role(_, _, None)
                | Self::RetireBootImage(_)
        )
    }

    /// Whether a dangling reference belongs to the changed entry itself: other rules report those.
    pub(super) fn is_of(&self, loose: &Dangling) -> bool {
        !self.retires() && loose.referrer() == self.noun()
    }

    /// The change as the subject of a sentence, such as `Retiring network dc1-prod`.
    pub(super) fn phrase(&self) -> String {
        format!("{} {}", if self.retires() { "Retiring" } else { "This change of" }, self.noun())
    }

    /// The code of the rule that the change as a whole violates.
    pub(super) fn rule(&self) -> Rule {
        match (self, self.retires()) {
            (Self::Site(..), true) => Rule::SiteInUse,
            (Self::Rack(..), true) => Rule::RackInUse,
            (Self::Network(..), true) => Rule::NetworkInUse,
            (Self::DhcpServer(..), true) => Rule::DhcpServerInUse,
            (Self::Venture(..), true) => Rule::VentureInUse,
            (Self::Role(..), true) => Rule::RoleInUse,
            (Self::RetireBootImage(_), _) => Rule::BootImageInUse,
            _ => Rule::InUse,
        }
    }

    /// What the operator has to do first.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::DhcpServer(..) => "Create another DHCP server for the site first.",
            Self::RetireBootImage(_) => "Choose other defaults and wait for the deployments, or cancel them.",
            Self::Venture(..) | Self::Role(..) => "Give the devices another role, or decommission them, first.",
            Self::Device(..) => "Deploy the server to an address that fits, cancel its deployment, or remove its entries first.",
            _ => "Move these first: deploy the servers elsewhere, cancel their deployments, or decommission them.",
        }
    }

    /// The field of the request that leaves something without a valid place.
    pub(super) fn field(&self, misfit: &Misfit) -> &'static str {
        if self.retires() { "" } else { misfit.field(matches!(self, Self::Device(..))) }
    }

    /// What the change removes from servers that are being installed: fields of the request, each with text for the message.
    pub(super) fn taken(&self, before: &Catalogue) -> Vec<Taken> {
        match self {
            Self::Network(name, Some(spec)) => before.networks.get(name).map(|old| by_network(old, spec)).unwrap_or_default(),
            _ => vec![],
        }
    }

    /// The addresses that the entry names after the change and did not name before it.
    pub fn declares(&self, before: &Catalogue) -> Vec<Declared> {
        let (new, old) = match self {
            Self::Network(name, Some(spec)) => {
                (of_network(name, spec), before.networks.get(name).map(|old| of_network(name, old)))
            }
            Self::Site(name, Some(spec)) => (of_site(name, spec), before.sites.get(name).map(|old| of_site(name, old))),
            Self::DhcpServer(name, Some(spec)) => {
                (of_dhcp_server(name, spec), before.dhcp_servers.get(name).map(|old| of_dhcp_server(name, old)))
            }
            _ => return vec![],
        };
        let known: BTreeSet<Ipv4Addr> = old.iter().flatten().map(|one| one.ip).collect();
        new.into_iter().filter(|one| !known.contains(&one.ip)).collect()
    }

    /// Whether this rule reports the misfit. For a device's location and interfaces, the device's own rules do.
    pub(super) fn weighs(&self, misfit: &Misfit) -> bool {
        !matches!(self, Self::Device(..)) || misfit.is_of_address()
    }
}

fn set<T: Clone>(items: &mut std::collections::BTreeMap<Name, T>, name: &Name, spec: Option<&T>) {
    match spec {
        Some(spec) => drop(items.insert(name.clone(), spec.clone())),
        None => drop(items.remove(name)),
    }
}

/// The address ranges of a site's networks.
fn ranges_of<'a>(catalogue: &'a Catalogue, site: &'a Name) -> impl Iterator<Item = Ipv4Net> + 'a {
    catalogue.networks.values().filter(move |network| network.site == *site).map(|network| network.cidr)
}
