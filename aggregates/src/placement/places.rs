//! A catalogue, indexed for finding the place of an address or a name.

use super::catalogue::Catalogue;
use crate::network::NetworkSpec;
use crate::site::SiteSpec;
use crate::values::hostname::DomainName;
use crate::values::name::Name;
use crate::zone::{Zone, holding};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// A catalogue, indexed for finding places.
pub(super) struct Places<'a> {
    pub(super) catalogue: &'a Catalogue,
    networks: BTreeMap<Ipv4Addr, Vec<(&'a Name, &'a NetworkSpec)>>,
    pub(super) served: BTreeSet<&'a Name>,
}

impl<'a> Places<'a> {
    pub(super) fn of(catalogue: &'a Catalogue) -> Self {
        let mut networks: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, network) in &catalogue.networks {
            networks.entry(network.cidr.network()).or_default().push((name, network));
        }
        let served = catalogue.dhcp_servers.values().map(|server| &server.site).collect();
        Self { catalogue, networks, served }
    }

    /// The network of an address. Networks do not overlap, but those of an old log may, so a few more candidates are checked.
    pub(super) fn network(&self, ip: Ipv4Addr) -> Option<(&'a Name, &'a NetworkSpec)> {
        let nearest = self.networks.range(..=ip).rev().take(8).flat_map(|(_, found)| found);
        nearest.copied().find(|(_, network)| network.cidr.contains(&ip))
    }

    /// The site and the zone of a host name.
    pub(super) fn zone(&self, name: &str) -> Option<(&'a SiteSpec, &'a DomainName)> {
        self.holding(name, None)
    }

    /// The site and the zone of an address's PTR record.
    pub(super) fn reverse_zone(&self, ip: Ipv4Addr) -> Option<(&'a SiteSpec, &'a DomainName)> {
        self.holding("", Some(ip))
    }

    /// The zone in which the record is published, by the rule of `zone::holding`: several sites may list one zone.
    fn holding(&self, name: &str, reverse: Option<Ipv4Addr>) -> Option<(&'a SiteSpec, &'a DomainName)> {
        let zones = self.catalogue.sites.values().flat_map(|site| site.zones.iter().map(move |zone| OfSite(site, zone)));
        holding(zones, name, reverse).map(|(OfSite(site, zone), _)| (site, &zone.name))
    }

    /// The domain that a network gives its hosts.
    pub(super) fn domain_of(&self, network: &'a NetworkSpec) -> Option<&'a DomainName> {
        network.domain.as_ref().or_else(|| self.catalogue.sites.get(&network.site).map(|site| &site.domain))
    }
}

/// A zone with the site that manages it.
struct OfSite<'a>(&'a SiteSpec, &'a Zone);

impl AsRef<Zone> for OfSite<'_> {
    fn as_ref(&self) -> &Zone {
        self.1
    }
}
