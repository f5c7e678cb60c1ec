//! The place of a row: its network, address and rack.

use super::Common;
use crate::commands::import::choose::{Free, networks_of};
use crate::commands::import::facts::ImportFacts;
use crate::commands::import::read::{Row, error};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::values::name::Name;
use bootledger_port::RowError;
use bootledger_projections::rows::catalogue::Entry;
use std::net::Ipv4Addr;

impl Common<'_> {
    /// The row's network and address: the named ones, otherwise the device's own, otherwise the next free one.
    #[expect(clippy::result_large_err, reason = "the error of one cell, made once for a refused row")]
    pub(super) fn address(&self, row: &Row, free: &mut Free) -> Result<(&Entry<NetworkSpec>, Ipv4Addr), RowError> {
        let names = networks_of(row, self.known);
        if let Some(unknown) = names.iter().find(|name| !self.known.networks.contains_key(**name)) {
            let message = format!("there is no network {unknown}; create it first, or name another network");
            return Err(error(row.line, "network", Rule::NetworkUnknown, message));
        }
        let networks: Vec<&Entry<NetworkSpec>> = names.iter().filter_map(|name| self.known.networks.get(*name)).collect();
        if let Some(ip) = row.ip {
            let found = networks.iter().copied().find(|entry| entry.spec.cidr.contains(&ip));
            let anywhere = || self.known.networks.values().find(|entry| row.network.is_none() && entry.spec.cidr.contains(&ip));
            return match found.or_else(anywhere).or(networks.first().copied()) {
                Some(network) => Ok((network, ip)),
                None => Err(error(
                    row.line,
                    "ip",
                    Rule::IpOutsideNetworks,
                    format!("{ip} is in no known network; create its network first"),
                )),
            };
        }
        if networks.is_empty() {
            let message = "the network is missing; it may be left out only for a device whose address or rack determines it";
            return Err(error(row.line, "network", Rule::NetworkMissing, message));
        }
        let device = self.known.devices.get(&row.mac);
        let own = device.and_then(|device| {
            networks.iter().find_map(|network| Some((*network, ImportFacts::own_address(device, &network.spec)?)))
        });
        let next = || networks.iter().find_map(|network| Some((*network, free.address(&network.key)?)));
        let full = || {
            let names: Vec<&str> = networks.iter().map(|network| network.key.as_str()).collect();
            error(
                row.line,
                "ip",
                Rule::NetworkFull,
                format!("no address is free in {}; release one, or name another network", names.join(", ")),
            )
        };
        own.or_else(next).ok_or_else(full)
    }

    pub(super) fn rack(&self, row: &Row, rack: Option<&Name>, network: &Entry<NetworkSpec>) -> Option<BrokenRule> {
        let rack = rack?;
        let message = match self.known.racks.get(rack) {
            None => format!("there is no rack {rack}; create it first, or name another rack"),
            Some(entry) if entry.spec.site != network.spec.site => {
                format!("rack {rack} is not in site {}; name a rack of that site", network.spec.site)
            }
            Some(_) if row.rack.is_some() && !network.spec.racks.contains(rack) => {
                format!("network {} does not reach rack {rack}; name another rack, or add it to the network", network.key)
            }
            Some(_) => return None,
        };
        Some(BrokenRule::new("rack", Rule::RackUnknown, message))
    }
}
