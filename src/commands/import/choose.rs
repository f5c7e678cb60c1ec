//! Chooses the addresses and host names that rows leave out, each only once.

use super::super::execute::Failure;
use super::super::reservations::Reservations;
use super::facts::{self, ImportFacts};
use super::read::Row;
use bootledger_aggregates::claims::Claim;
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::site::rules::taken as stated;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::rows::devices::Device;
use rand::RngExt;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};

/// Free addresses by network, and free names by site, in the order in which they are assigned.
pub(super) struct Free {
    addresses: HashMap<Name, VecDeque<Ipv4Addr>>,
    hostnames: HashMap<Name, VecDeque<Hostname>>,
    /// The values that were assigned so far.
    given: Vec<Claim>,
}

/// How an import that will be carried out avoids the choices of commands in progress.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub(super) reservations: &'a Reservations,
    /// The number of candidates from which the first is drawn at random: one, or more after lost races, since another instance
    /// chooses from the same candidates.
    pub(super) width: usize,
    /// Set if a command in progress may release a value that seems to be taken.
    pub(super) undecided: &'a AtomicBool,
}

/// Up to `count` consecutive items. If there are enough, they begin at one of the first `width` items, chosen at random.
fn some<T>(free: impl Iterator<Item = T>, count: usize, width: usize) -> VecDeque<T> {
    let mut found: VecDeque<T> = free.take(count + width - 1).collect();
    let spare = found.len().saturating_sub(count);
    found.drain(..rand::rng().random_range(0..=spare));
    found.truncate(count);
    found
}

impl Free {
    /// The free values for these rows: not held, not named by a row and not kept by a row's device. If the import is carried
    /// out, values that commands in progress have chosen are excluded, too.
    pub(super) async fn find(
        views: &Pool,
        known: &ImportFacts,
        rows: &[Row],
        beside: Option<Beside<'_>>,
    ) -> Result<Self, Failure> {
        let width = beside.map_or(1, |beside| beside.width);
        // This is read before the views are: a reservation ends when the views show the holder.
        let (reserved_names, mut undecided) = beside.map(|beside| beside.reservations.hostnames()).unwrap_or_default();
        let mut wanted: HashMap<&Name, usize> = HashMap::new();
        let mut named: HashSet<Ipv4Addr> = HashSet::new();
        for row in rows {
            named.extend(row.ip.into_iter().chain(row.management_ip.as_ref().and_then(Host::ipv4)));
            if row.ip.is_none() {
                for network in networks_of(row, known) {
                    *wanted.entry(network).or_default() += 1;
                }
            }
        }
        let mut addresses = HashMap::new();
        for (name, count) in wanted {
            let Some(network) = known.networks.get(name) else { continue };
            let (reserved, of_network) =
                beside.map(|beside| beside.reservations.addresses(network.spec.cidr)).unwrap_or_default();
            undecided |= of_network;
            let used = facts::used_addresses(views, &network.spec).await?;
            let used: HashSet<Ipv4Addr> =
                used.into_iter().map(|(ip, _)| ip).chain(named.iter().copied()).chain(reserved).collect();
            let free = network.spec.givable().filter(|ip| !used.contains(ip));
            addresses.insert(name.clone(), some(free, count, width));
        }
        let mut hostnames = HashMap::new();
        if rows.iter().any(|row| row.hostname.is_none()) {
            let mut taken = facts::hostnames(views).await?;
            taken.extend(rows.iter().filter_map(|row| row.hostname.as_ref().map(ToString::to_string)));
            taken.extend(reserved_names.iter().map(ToString::to_string));
            // A device must not get a name for which a zone's extra records exist.
            taken.extend(known.sites.values().flat_map(|site| stated(&site.spec)).map(|name| name.to_string()));
            let mut given: HashSet<Hostname> = HashSet::new();
            for (name, site) in &known.sites {
                let Some(template) = &site.spec.hostname_template else { continue };
                // Two sites may share a template, so a name that one assigns is not assigned by the other.
                let free = template.free(taken.iter().map(String::as_str)).filter(|free| !given.contains(free));
                let free = some(free, rows.len(), width);
                given.extend(free.iter().cloned());
                hostnames.insert(name.clone(), free);
            }
        }
        if let Some(beside) = beside {
            beside.undecided.store(undecided, Ordering::Relaxed);
        }
        Ok(Self { addresses, hostnames, given: vec![] })
    }

    /// The next free address of a network.
    pub(super) fn address(&mut self, network: &Name) -> Option<Ipv4Addr> {
        let ip = self.addresses.get_mut(network)?.pop_front()?;
        self.given.push(Claim::Ip(ip));
        Some(ip)
    }

    /// The next free name of a site.
    pub(super) fn hostname(&mut self, site: &Name) -> Option<Hostname> {
        let name = self.hostnames.get_mut(site)?.pop_front()?;
        self.given.push(Claim::Hostname(name.clone()));
        Some(name)
    }

    /// All values that were assigned.
    pub(super) fn given(self) -> Vec<Claim> {
        self.given
    }
}

/// The networks that may provide the row's address, best first: the named one; otherwise those in which the device has an
/// address, then those that reach its rack.
pub(super) fn networks_of<'a>(row: &'a Row, known: &'a ImportFacts) -> Vec<&'a Name> {
    if let Some(network) = &row.network {
        return vec![network];
    }
    let Some(device) = known.devices.get(&row.mac) else { return vec![] };
    let has_address = |network: &NetworkSpec| device.addresses.iter().any(|ip| network.cidr.contains(ip));
    let rack = row.rack.as_ref().or(device.rack.as_ref());
    let reaches = |network: &NetworkSpec| network.site == device.site && rack.is_some_and(|rack| network.racks.contains(rack));
    let mut ranked: BTreeSet<(bool, &Name)> = BTreeSet::new();
    for (name, entry) in &known.networks {
        // A deployment is refused in a network without DHCP, so such a network is not chosen.
        if entry.spec.dhcp && (has_address(&entry.spec) || reaches(&entry.spec)) {
            ranked.insert((!has_address(&entry.spec), name));
        }
    }
    ranked.into_iter().map(|(_, name)| name).collect()
}

/// The name that a re-used device had for its address, if there was only one.
pub(super) fn own_hostname(device: &Device, keeps_address: bool) -> Option<Hostname> {
    match &device.hostnames[..] {
        [only] if keeps_address => Some(only.clone()),
        _ => None,
    }
}
