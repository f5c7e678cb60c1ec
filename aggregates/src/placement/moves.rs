//! What a change gives another place.

use super::Held;
use super::places::Places;
use crate::site::SiteSpec;
use crate::values::hostname::{DomainName, reverse_name};
use std::collections::BTreeMap;

/// Something that has another place than before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    what: String,
    from: String,
    to: String,
}

impl Move {
    pub(super) fn sentence(&self, called: &str) -> String {
        format!("{} of {called} moves from {} to {}", self.what, self.from, self.to)
    }
}

/// What has a place before and after, and not the same one.
pub(super) fn moves(old: &Places<'_>, now: &Held, new: &Places<'_>, then: &Held) -> Vec<Move> {
    let (from, to) = (bearings(old, now), bearings(new, then));
    let differs = |(what, from): (String, String)| {
        let to = to.get(&what).filter(|to| **to != from)?.clone();
        Some(Move { what, from, to })
    };
    from.into_iter().filter_map(differs).collect()
}

/// Where each thing of a device is: the network of an address, the zone and the primary of a record.
fn bearings(places: &Places<'_>, held: &Held) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for ip in held.held_addresses() {
        if let Some((name, network)) = places.network(ip) {
            let vlan = network.vlan.map(|vlan| format!(", VLAN {vlan}")).unwrap_or_default();
            found.insert(format!("the address {ip}"), format!("network {name}{vlan}"));
        }
    }
    let at = |(site, zone): (&SiteSpec, &DomainName)| {
        let primary = site.dns_updates.as_ref().map(|updates| format!(" at {}", updates.primary)).unwrap_or_default();
        format!("zone {zone}{primary}")
    };
    for (hostname, ip) in held.held_names() {
        if let Some(place) = places.zone(hostname.as_str()) {
            found.insert(format!("the record {hostname}"), at(place));
        }
        if let Some(place) = places.reverse_zone(ip) {
            found.insert(format!("the record {}", reverse_name(ip)), at(place));
        }
    }
    found
}
