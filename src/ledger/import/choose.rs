//! Working out what the rows left out: addresses and host names, each given once.

use super::super::execute::Failure;
use super::facts::{self, Known};
use super::read::Row;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::devices::Device;
use bootledger_projections::pool::Pool;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::Ipv4Addr;

/// Free addresses by network, and free names by site, in the order in which they are given.
pub(super) struct Free {
    addresses: HashMap<Name, VecDeque<Ipv4Addr>>,
    hostnames: HashMap<Name, VecDeque<Hostname>>,
}

impl Free {
    /// What is free for these rows: nothing that anybody holds, a row names, or a row's device keeps.
    pub(super) async fn find(views: &Pool, known: &Known, rows: &[Row]) -> Result<Self, Failure> {
        let mut wanted: HashMap<&Name, usize> = HashMap::new();
        let mut named: HashSet<Ipv4Addr> = HashSet::new();
        for row in rows {
            named.extend(row.ip.iter().chain(&row.management_ip));
            if row.ip.is_none() {
                for network in networks_of(row, known) {
                    *wanted.entry(network).or_default() += 1;
                }
            }
        }
        let mut addresses = HashMap::new();
        for (name, count) in wanted {
            let Some(network) = known.networks.get(name) else { continue };
            let used = facts::used_addresses(views, &network.spec).await?;
            let used: HashSet<Ipv4Addr> = used.into_iter().map(|(ip, _)| ip).chain(named.iter().copied()).collect();
            let free = network.spec.givable().filter(|ip| !used.contains(ip)).take(count);
            addresses.insert(name.clone(), free.collect());
        }
        let mut hostnames = HashMap::new();
        if rows.iter().any(|row| row.hostname.is_none()) {
            let mut taken = facts::hostnames(views).await?;
            taken.extend(rows.iter().filter_map(|row| row.hostname.as_ref().map(ToString::to_string)));
            let mut given: HashSet<Hostname> = HashSet::new();
            for (name, site) in &known.sites {
                let Some(template) = &site.spec.hostname_template else { continue };
                // Two sites may share a template: what one gives, the other does not.
                let free: VecDeque<Hostname> = template
                    .free(taken.iter().map(String::as_str))
                    .filter(|free| !given.contains(free))
                    .take(rows.len())
                    .collect();
                given.extend(free.iter().cloned());
                hostnames.insert(name.clone(), free);
            }
        }
        Ok(Self { addresses, hostnames })
    }

    /// The next free address of a network.
    pub(super) fn address(&mut self, network: &Name) -> Option<Ipv4Addr> {
        self.addresses.get_mut(network)?.pop_front()
    }

    /// The next free name of a site.
    pub(super) fn hostname(&mut self, site: &Name) -> Option<Hostname> {
        self.hostnames.get_mut(site)?.pop_front()
    }
}

/// The networks that may give the row its address, best first: the named one; else those that the
/// device has an address in, then those that reach its rack.
pub(super) fn networks_of<'a>(row: &'a Row, known: &'a Known) -> Vec<&'a Name> {
    if let Some(network) = &row.network {
        return vec![network];
    }
    let Some(device) = known.devices.get(&row.mac) else { return vec![] };
    let has_address = |network: &NetworkSpec| device.addresses.iter().any(|ip| network.cidr.contains(ip));
    let rack = row.rack.as_ref().or(device.rack.as_ref());
    let reaches = |network: &NetworkSpec| network.site == device.site && rack.is_some_and(|rack| network.racks.contains(rack));
    let mut ranked: BTreeSet<(bool, &Name)> = BTreeSet::new();
    for (name, entry) in &known.networks {
        if has_address(&entry.spec) || reaches(&entry.spec) {
            ranked.insert((!has_address(&entry.spec), name));
        }
    }
    ranked.into_iter().map(|(_, name)| name).collect()
}

/// The name that a re-used device had with its address, if it had just one.
pub(super) fn own_hostname(device: &Device, keeps_address: bool) -> Option<Hostname> {
    match &device.hostnames[..] {
        [only] if keeps_address => Some(only.clone()),
        _ => None,
    }
}
