//! The changes of the catalogue, and what each may be about.

use super::Catalogue;
use super::dangling::Dangling;
use super::given::{Taken, by_network};
use super::infrastructure::{Declared, of_dhcp_server, of_network, of_site};
use super::misfit::Misfit;
use super::uses::Use;
use crate::dhcp_server::DhcpServerSpec;
use crate::network::NetworkSpec;
use crate::rack::RackSpec;
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

/// A change of something of the catalogue: what it is to be, or `None` where it goes out of use.
#[derive(Clone, Debug)]
pub enum Change {
    /// Of a site.
    Site(Name, Option<Box<SiteSpec>>),
    /// Of a rack.
    Rack(Name, Option<RackSpec>),
    /// Of a network.
    Network(Name, Option<Box<NetworkSpec>>),
    /// Of a DHCP server.
    DhcpServer(Name, Option<DhcpServerSpec>),
    /// Of a venture, without its roles.
    Venture(Name, Option<Box<VentureSpec>>),
    /// Of a role of a venture.
    Role(Name, Name, Option<Box<RoleSpec>>),
    /// A boot image goes out of use.
    RetireBootImage(Name),
    /// Of a device of a site: its place or its interfaces.
    Device(Name, DeviceId),
}

/// What a change may be about: which devices have to be looked at, and which events since may have changed the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// All devices and deployments of these sites.
    pub sites: BTreeSet<Name>,
    /// All devices in these racks.
    pub racks: BTreeSet<Name>,
    /// All devices and deployments of these ventures.
    pub ventures: BTreeSet<Name>,
    /// All deployments with these boot images.
    pub boot_images: BTreeSet<Name>,
    /// Whoever holds an address in these.
    pub ranges: BTreeSet<Ipv4Net>,
    /// Whoever has a record in these.
    pub zones: BTreeSet<DomainName>,
    /// Whatever names one of these addresses as that of a router or server.
    pub declared: BTreeSet<Ipv4Addr>,
    /// Whichever device has its management controller at one of these addresses.
    pub managed: BTreeSet<Ipv4Addr>,
    /// Other sites that define one of these zones, one within it, or one for the same addresses.
    pub zones_defined: BTreeSet<(DomainName, Option<AddressRange>)>,
}

impl Scope {
    /// Whether nothing that is held can be affected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an event that uses this may have changed the answer.
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

    /// Whether only addresses of routers, servers and controllers matter: those seldom change, so that few events have to be
    /// looked at.
    pub fn is_of_infrastructure(&self) -> bool {
        Self { declared: BTreeSet::new(), managed: BTreeSet::new(), ..self.clone() }.is_empty()
    }

    /// That an address does not come to be that of a router, server or controller.
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

    /// What the change may be about. Empty where it can invalidate nothing: the thing is new, or nothing that others rely on
    /// changes.
    pub fn scope(&self, before: &Catalogue) -> Scope {
        let mut scope = Scope::default();
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
                    // A new network can overlap another one that is defined at the same moment.
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
                    // Where another server remains, only that one's end at the same moment matters.
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

    fn scope_of_site(name: &Name, spec: Option<&SiteSpec>, before: &Catalogue, scope: &mut Scope) {
        let old = before.sites.get(name);
        // Which names a zone has, and of which addresses; its serial number and the like make no difference to anybody.
        let zones = |spec: Option<&SiteSpec>| -> BTreeMap<DomainName, (Option<AddressRange>, DomainName)> {
            let zones = spec.into_iter().flat_map(|spec| &spec.zones);
            zones.map(|zone| (zone.name.clone(), (zone.addresses(), zone.above()))).collect()
        };
        let (were, are) = (zones(old), zones(spec));
        let differs = |name: &&DomainName| were.get(*name) != are.get(*name);
        // The zone above one of a smaller network has the names that its PTR records have in the views.
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
        // A zone of one site can take names from a wider zone of another, and give them back.
        scope.zones.extend(changed);
        if old.is_none() {
            return;
        }
        if scope.sites.contains(name) {
            scope.ranges.extend(ranges_of(before, name));
        }
    }

    /// The key of the changed thing.
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

    /// Whether a loose reference is the changed thing's own: other rules speak of those.
    pub(super) fn is_of(&self, loose: &Dangling) -> bool {
        !self.retires() && loose.referrer() == self.noun()
    }

    /// `Retiring network dc1-prod`
    pub(super) fn phrase(&self) -> String {
        format!("{} {}", if self.retires() { "Retiring" } else { "This change of" }, self.noun())
    }

    /// The code of the rule that the whole change breaks.
    pub(super) fn rule(&self) -> &'static str {
        match (self, self.retires()) {
            (Self::Site(..), true) => "site_in_use",
            (Self::Rack(..), true) => "rack_in_use",
            (Self::Network(..), true) => "network_in_use",
            (Self::DhcpServer(..), true) => "dhcp_server_in_use",
            (Self::Venture(..), true) => "venture_in_use",
            (Self::Role(..), true) => "role_in_use",
            (Self::RetireBootImage(_), _) => "boot_image_in_use",
            _ => "in_use",
        }
    }

    /// What to do first.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::DhcpServer(..) => "Define another DHCP server for the site first.",
            Self::RetireBootImage(_) => "Choose other defaults and wait for the deployments, or cancel them.",
            Self::Venture(..) | Self::Role(..) => "Give the devices another role, or decommission them, first.",
            Self::Device(..) => "Deploy the server to an address that fits, cancel its deployment, or remove its entries first.",
            _ => "Move these first: deploy the servers elsewhere, cancel their deployments, or decommission them.",
        }
    }

    /// The field of the request that leaves something without a place.
    pub(super) fn field(&self, misfit: &Misfit) -> &'static str {
        if self.retires() { "" } else { misfit.field(matches!(self, Self::Device(..))) }
    }

    /// What the change takes from servers that are being installed: fields of the request, with words.
    pub(super) fn taken(&self, before: &Catalogue) -> Vec<Taken> {
        match self {
            Self::Network(name, Some(spec)) => before.networks.get(name).map(|old| by_network(old, spec)).unwrap_or_default(),
            _ => vec![],
        }
    }

    /// The addresses that the thing names after the change and did not name before it.
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

    /// Whether this rule speaks of it: of a device's place and interfaces, its own rules do.
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

/// The addresses of a site's networks.
fn ranges_of<'a>(catalogue: &'a Catalogue, site: &'a Name) -> impl Iterator<Item = Ipv4Net> + 'a {
    catalogue.networks.values().filter(move |network| network.site == *site).map(|network| network.cidr)
}
