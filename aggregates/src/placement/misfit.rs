//! Misfits: what has no valid place in a catalogue.

use super::held::Held;
use super::places::Places;
use crate::deployment::assignment::Assignment;
use crate::network::{Edge, Reserved};
use crate::rules::Rule;
use crate::values::hostname::{DomainName, Hostname, reverse_name};
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// A held value that has no valid place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum Misfit {
    /// The device's site is not in use.
    Site { site: Name },
    /// The device's rack is not in use, or in another site.
    Rack { rack: Name, site: Name },
    /// The rack has no such unit.
    Unit { rack: Name, position: u16 },
    /// The device's venture, or its role there, is not in use.
    Role { venture: Name, role: Option<Name> },
    /// An address is in no network.
    NoNetwork { ip: Ipv4Addr },
    /// An address is in a network of another site than the device's.
    OtherSite { ip: Ipv4Addr, network: Name, site: Name },
    /// An address may not be assigned to a host.
    Reserved { ip: Ipv4Addr, network: Name, why: Reserved },
    /// The network of an address does not reach the device's rack.
    Unreached { ip: Ipv4Addr, network: Name, rack: Name },
    /// A DHCP entry's address is in a network without DHCP.
    NoDhcp { ip: Ipv4Addr, network: Name },
    /// A DHCP entry is at a site without a DHCP server.
    NoServer { ip: Ipv4Addr, site: Name },
    /// A DHCP entry is for an interface that the device does not have.
    Interface { ip: Ipv4Addr, mac: MacAddress },
    /// A host name is in no managed zone.
    NoZone { hostname: Hostname },
    /// An address is in no managed reverse zone.
    NoReverseZone { ip: Ipv4Addr },
    /// A host name is in a zone that is not published.
    Unpublished { hostname: Hostname },
    /// A PTR record is in a zone that is not published.
    UnpublishedPointer { ip: Ipv4Addr },
    /// The network gives its hosts another domain than that of the host name.
    Domain { hostname: Hostname, ip: Ipv4Addr, network: Name, domain: DomainName },
    /// A live deployment's venture or role is not in use.
    LiveRole { venture: Name, role: Name },
    /// A live deployment's boot image is not in use.
    LiveImage { boot_image: Name },
    /// A live deployment was started in a network that is not in use, or not in its site.
    LiveNetwork { network: Name },
    /// A live deployment's site has no next server to load a boot file from.
    LiveNextServer { site: Name },
}

impl Misfit {
    /// The address, if the misfit is about an address's place.
    fn address(&self) -> Option<Ipv4Addr> {
        match self {
            Self::NoNetwork { ip }
            | Self::OtherSite { ip, .. }
            | Self::Reserved { ip, .. }
            | Self::Unreached { ip, .. }
            | Self::NoDhcp { ip, .. }
            | Self::NoServer { ip, .. } => Some(*ip),
            _ => None,
        }
    }

    /// Whether the misfit is about an address's place.
    pub(super) fn is_of_address(&self) -> bool {
        self.address().is_some()
    }

    /// Whether the misfit existed before, in the same or a worse form: what had no place cannot lose it.
    pub(super) fn is_known(&self, known: &BTreeSet<Self>) -> bool {
        let as_bad = |old: &Self| match (old, self) {
            (Self::NoZone { hostname: old }, Self::Unpublished { hostname } | Self::Domain { hostname, .. })
            | (Self::Domain { hostname: old, .. }, Self::Domain { hostname, .. }) => old == hostname,
            (Self::Interface { ip: old, mac: old_mac }, Self::Interface { ip, mac }) => (old, old_mac) == (ip, mac),
            (Self::NoNetwork { ip: old } | Self::OtherSite { ip: old, .. }, Self::Domain { ip, .. }) => old == ip,
            (Self::NoNetwork { ip: old } | Self::OtherSite { ip: old, .. }, _) => self.address() == Some(*old),
            (old, new) if old.address().is_some() => {
                std::mem::discriminant(old) == std::mem::discriminant(new) && old.address() == new.address()
            }
            (Self::NoReverseZone { ip: old }, Self::UnpublishedPointer { ip }) => old == ip,
            (
                Self::NoZone { .. } | Self::Unpublished { .. } | Self::NoReverseZone { .. } | Self::UnpublishedPointer { .. },
                new,
            ) => old == new,
            (old, new) => std::mem::discriminant(old) == std::mem::discriminant(new),
        };
        known.contains(self) || known.iter().any(as_bad)
    }

    /// The code of the rule that a change with this misfit violates.
    pub fn rule(&self) -> Rule {
        match self {
            Self::Site { .. } | Self::Rack { .. } | Self::Unit { .. } | Self::Role { .. } => Rule::DevicePlaced,
            Self::NoNetwork { .. } | Self::OtherSite { .. } | Self::Reserved { .. } | Self::Unreached { .. } => Rule::AddressHeld,
            Self::NoDhcp { .. } | Self::NoServer { .. } | Self::Interface { .. } => Rule::ReservationHeld,
            Self::NoZone { .. }
            | Self::NoReverseZone { .. }
            | Self::Unpublished { .. }
            | Self::UnpublishedPointer { .. }
            | Self::Domain { .. } => Rule::NameHeld,
            Self::LiveRole { .. } | Self::LiveImage { .. } | Self::LiveNetwork { .. } | Self::LiveNextServer { .. } => {
                Rule::DeploymentLive
            }
        }
    }

    /// Whether the misfit is about the live deployment rather than the device.
    pub(super) fn is_of_deployment(&self) -> bool {
        self.rule() == Rule::DeploymentLive
    }

    /// Whether the misfit leaves a DHCP entry without a network that serves it.
    pub(super) fn is_unserved(&self) -> bool {
        matches!(self, Self::NoNetwork { .. } | Self::OtherSite { .. } | Self::NoDhcp { .. })
    }

    /// Whether the address is the network address, the broadcast address or the gateway; a server may have an address in a
    /// margin.
    pub(super) fn is_of_no_server(&self) -> bool {
        matches!(self, Self::Reserved { why: Reserved::Network | Reserved::Broadcast | Reserved::Gateway, .. })
    }

    /// The field of a request that causes the misfit.
    pub(super) fn field(&self, of_device: bool) -> &'static str {
        match (self, of_device) {
            (Self::Interface { .. }, _) => "macs",
            (Self::Unreached { .. } | Self::Rack { .. }, true) => "rack",
            (Self::Unreached { .. }, false) => "racks",
            (Self::Unit { .. }, true) => "position",
            (Self::Unit { .. }, false) => "units",
            (Self::Role { .. }, true) => "role",
            (Self::Reserved { why: Reserved::Gateway, .. }, false) => "gateway",
            (Self::Reserved { why: Reserved::Margin(Edge::Start), .. }, false) => "margin_bottom",
            (Self::Reserved { why: Reserved::Margin(Edge::End), .. }, false) => "margin_top",
            (Self::NoNetwork { .. } | Self::Reserved { .. }, false) => "cidr",
            (Self::NoDhcp { .. }, false) => "dhcp",
            (Self::NoZone { .. } | Self::NoReverseZone { .. }, false) => "zones",
            (Self::Unpublished { .. } | Self::UnpublishedPointer { .. }, false) => "dns_updates",
            (Self::Domain { .. }, false) => "domain",
            (Self::LiveNextServer { .. }, false) => "next_server",
            (Self::Role { .. } | Self::LiveRole { .. } | Self::LiveImage { .. }, false) => "",
            _ => "site",
        }
    }

    /// The misfit as a sentence for operators; `called` is what the device is called in messages.
    pub fn sentence(&self, called: &str) -> String {
        match self {
            Self::Site { site } => format!("{called} would be in site {site}, which would not be in use"),
            Self::Rack { rack, site } => {
                format!("{called} of site {site} would be in rack {rack}, which would not be in that site")
            }
            Self::Unit { rack, position } => format!("{called} is in unit {position} of rack {rack}, which would not have it"),
            Self::Role { venture, role: None } => format!("{called} belongs to venture {venture}, which would not be in use"),
            Self::Role { venture, role: Some(role) } => {
                format!("{called} has the role {role} of venture {venture}, which would not be in use")
            }
            Self::NoNetwork { ip } => format!("{ip}, held by {called}, would be in no network"),
            Self::OtherSite { ip, network, site } => {
                format!("{ip}, held by {called}, would be in network {network} of site {site}, where the device is not")
            }
            Self::Reserved { ip, network, why } => {
                format!("{ip}, held by {called}, would be {} network {network}", reserved_as(*why))
            }
            Self::Unreached { ip, network, rack } => {
                format!("{ip}, held by {called}, is in network {network}, which would not reach the device's rack {rack}")
            }
            Self::NoDhcp { ip, network } => {
                format!("the reservation of {ip} for {called} would not be served: network {network} would have no DHCP")
            }
            Self::NoServer { ip, site } => {
                format!("the reservation of {ip} for {called} would not be served: site {site} would have no DHCP server")
            }
            Self::Interface { ip, mac } => {
                format!("the reservation of {ip} for {called} is for {mac}, which the device would not have")
            }
            Self::NoZone { hostname } => format!("{hostname}, the name of {called}, would be in no zone of any site"),
            Self::NoReverseZone { ip } => {
                format!("the PTR record {} of {called} would be in no zone of any site", reverse_name(*ip))
            }
            Self::Unpublished { hostname } => {
                format!(
                    "{hostname}, the name of {called}, would no longer be published: the site of its zone would have no DNS \
                     primary"
                )
            }
            Self::UnpublishedPointer { ip } => format!(
                "the PTR record {} of {called} would no longer be published: the site of its zone would have no DNS primary",
                reverse_name(*ip)
            ),
            Self::Domain { hostname, network, domain, .. } => format!(
                "{hostname}, the name of {called}, would not be in the domain {domain} that network {network} would give the server"
            ),
            Self::LiveRole { venture, role } => {
                format!("{called} is being deployed for the role {role} of venture {venture}, which would not be in use")
            }
            Self::LiveImage { boot_image } => format!("{called} is being deployed with the boot image {boot_image}"),
            Self::LiveNetwork { network } => format!("{called} is being deployed in network {network}"),
            Self::LiveNextServer { site } => {
                format!("{called} is being deployed, and site {site} would have no next server to load its boot file from")
            }
        }
    }
}

/// What a reserved address is, to be followed by the network's name.
pub(super) fn reserved_as(why: Reserved) -> &'static str {
    match why {
        Reserved::Outside => "outside",
        Reserved::Network => "the network address of",
        Reserved::Broadcast => "the broadcast address of",
        Reserved::Gateway => "the gateway of",
        Reserved::Margin(Edge::Start) => "one of the addresses reserved at the start of",
        Reserved::Margin(Edge::End) => "one of the addresses reserved at the end of",
    }
}

/// Everything about a device that has no valid place.
pub(super) fn misfits(places: &Places<'_>, held: &Held) -> BTreeSet<Misfit> {
    let mut found = BTreeSet::new();
    let catalogue = places.catalogue;
    if !catalogue.sites.contains_key(&held.site) {
        found.insert(Misfit::Site { site: held.site.clone() });
    }
    if let Some(rack) = &held.rack {
        match catalogue.racks.get(rack).filter(|spec| spec.site == held.site) {
            None => drop(found.insert(Misfit::Rack { rack: rack.clone(), site: held.site.clone() })),
            Some(spec) => {
                let highest = held.position.map(|lowest| lowest.saturating_add(held.height.saturating_sub(1)));
                let beyond = highest.filter(|highest| *highest > spec.units);
                found.extend(beyond.map(|position| Misfit::Unit { rack: rack.clone(), position }));
            }
        }
    }
    if let Some(venture) = &held.venture {
        let roles = catalogue.ventures.get(venture).map(|(_, roles)| roles);
        let lost = |roles: &BTreeMap<Name, _>| held.role.as_ref().is_some_and(|role| !roles.contains_key(role));
        match roles {
            None => drop(found.insert(Misfit::Role { venture: venture.clone(), role: None })),
            Some(roles) if lost(roles) => drop(found.insert(Misfit::Role { venture: venture.clone(), role: held.role.clone() })),
            Some(_) => {}
        }
    }
    let leases = held.held_leases();
    for ip in held.held_addresses() {
        address(places, held, ip, leases.iter().any(|(leased, _)| *leased == ip), &mut found);
    }
    for (ip, mac) in leases.into_iter().filter(|(_, mac)| !held.macs.contains(mac)) {
        found.insert(Misfit::Interface { ip, mac });
    }
    for (hostname, ip) in held.held_names() {
        name(places, hostname, ip, &mut found);
    }
    live(places, held, &mut found);
    found
}

fn address(places: &Places<'_>, held: &Held, ip: Ipv4Addr, leased: bool, found: &mut BTreeSet<Misfit>) {
    let Some((name, network)) = places.network(ip) else {
        found.insert(Misfit::NoNetwork { ip });
        return;
    };
    if network.site != held.site {
        found.insert(Misfit::OtherSite { ip, network: name.clone(), site: network.site.clone() });
    }
    // An address outside has no network at all; that was found above.
    let why = network.reserved(ip).filter(|why| *why != Reserved::Outside);
    found.extend(why.map(|why| Misfit::Reserved { ip, network: name.clone(), why }));
    let unreached = held.rack.as_ref().filter(|rack| !network.racks.contains(rack) && network.site == held.site);
    found.extend(unreached.map(|rack| Misfit::Unreached { ip, network: name.clone(), rack: rack.clone() }));
    if leased && !network.dhcp {
        found.insert(Misfit::NoDhcp { ip, network: name.clone() });
    }
    if leased && !places.served.contains(&network.site) {
        found.insert(Misfit::NoServer { ip, site: network.site.clone() });
    }
}

fn name(places: &Places<'_>, hostname: Hostname, ip: Ipv4Addr, found: &mut BTreeSet<Misfit>) {
    match places.zone(hostname.as_str()) {
        None => drop(found.insert(Misfit::NoZone { hostname: hostname.clone() })),
        Some((site, _)) if site.dns_updates.is_none() => drop(found.insert(Misfit::Unpublished { hostname: hostname.clone() })),
        Some(_) => {}
    }
    match places.reverse_zone(ip) {
        None => drop(found.insert(Misfit::NoReverseZone { ip })),
        Some((site, _)) if site.dns_updates.is_none() => drop(found.insert(Misfit::UnpublishedPointer { ip })),
        Some(_) => {}
    }
    if let Some((network, spec)) = places.network(ip)
        && let Some(domain) = places.domain_of(spec)
        && !domain.contains(hostname.as_str())
    {
        found.insert(Misfit::Domain { hostname, ip, network: network.clone(), domain: domain.clone() });
    }
}

fn live(places: &Places<'_>, held: &Held, found: &mut BTreeSet<Misfit>) {
    let Some(live) = &held.live else { return };
    let catalogue = places.catalogue;
    let Assignment { ip, venture, role, boot_image, .. } = &live.assignment;
    if catalogue.ventures.get(venture).is_none_or(|(_, roles)| !roles.contains_key(role)) {
        found.insert(Misfit::LiveRole { venture: venture.clone(), role: role.clone() });
    }
    if !catalogue.boot_images.contains(boot_image) {
        found.insert(Misfit::LiveImage { boot_image: boot_image.clone() });
    }
    let network = catalogue.networks.get(&live.network).filter(|network| network.site == held.site && network.cidr.contains(ip));
    if network.is_none() {
        found.insert(Misfit::LiveNetwork { network: live.network.clone() });
    }
    if catalogue.sites.get(&held.site).is_none_or(|site| site.next_server.is_none()) {
        found.insert(Misfit::LiveNextServer { site: held.site.clone() });
    }
}
