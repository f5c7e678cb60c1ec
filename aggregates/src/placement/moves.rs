//! Moves: what has a different place after a change.

use super::held::Held;
use super::places::Places;
use crate::site::SiteSpec;
use crate::values::hostname::{DomainName, reverse_name};
use std::collections::BTreeMap;

/// Something that has a different place from before.
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

/// What has a place both before and after the change, but a different one.
///
/// An address or a record that no longer has a place is refused elsewhere. A gateway or a list of DNS servers may be removed.
pub(super) fn moves(old: &Places<'_>, now: &Held, new: &Places<'_>, then: &Held) -> Vec<Move> {
    let to = places_of(new, then);
    let replaced = places_of(old, now).into_iter().filter_map(|(what, from)| Some((to.get(&what)?.clone(), what, from)));
    let given = leased(new, then);
    let removed = leased(old, now).into_iter().map(|(what, from)| {
        let to = given.get(&what).cloned();
        (to.unwrap_or_else(|| "none".to_owned()), what, from)
    });
    let all = replaced.chain(removed).filter(|(to, _, from)| to != from);
    all.map(|(to, what, from)| Move { what, from, to }).collect()
}

/// What a lease of each address contains about its network: the gateway and the DNS servers.
fn leased(places: &Places<'_>, held: &Held) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for ip in held.held_addresses() {
        let Some((_, network)) = places.network(ip) else { continue };
        if let Some(gateway) = network.gateway {
            found.insert(format!("the gateway for {ip}"), gateway.to_string());
        }
        if !network.dns_servers.is_empty() {
            let all: Vec<String> = network.dns_servers.iter().map(ToString::to_string).collect();
            found.insert(format!("the DNS servers for {ip}"), all.join(", "));
        }
    }
    found
}

/// The place of each value of a device: the network of an address, the zone and the DNS primary of a record.
fn places_of(places: &Places<'_>, held: &Held) -> BTreeMap<String, String> {
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
