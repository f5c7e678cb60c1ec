//! The content of a DHCP configuration, in the one order in which every format is written.
//!
//! This module does not depend on any format's syntax. It ensures that no server refuses the whole file because of two
//! entries that conflict.

use super::boot_file::{BootFile, BootSource, boot_files};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::dhcp_option::{self, DhcpOption, OptionValue};
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::dhcp_entries::{SiteEntry, without_repeats};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;

/// The lease time in seconds, after which a client renews its address. Addresses are fixed, so this only determines how soon a
/// running server notices that its network's options have changed.
pub(crate) const LEASE_SECONDS: u32 = 3600;

/// The content of a site's DHCP configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The site's code.
    pub site: Name,
    /// The site's networks that DHCP serves, by address.
    pub networks: Vec<Network>,
    /// What hosts with a live deployment get in addition to their address.
    pub boot: Boot,
}

/// A network and its hosts, by address.
#[derive(Clone, Debug)]
pub struct Network {
    /// The network's name.
    pub name: Name,
    /// The network's description.
    pub spec: NetworkSpec,
    /// The domain of the network's hosts: the network's own or, without one, the site's.
    pub domain: DomainName,
    /// The network's entries. No address and no MAC address occurs twice in all networks of its VLAN.
    pub entries: Vec<SiteEntry>,
}

/// The boot information for hosts with a live deployment.
#[derive(Clone, Debug)]
pub struct Boot {
    /// BOOTP's `siaddr`, only for clients that get one of the boot files.
    pub next_server: Option<Ipv4Addr>,
    /// The boot file of each kind of client. If a client is of several kinds, the first applies; a client of none gets
    /// no boot file.
    pub(crate) files: Vec<BootFile>,
    /// The same for hosts of the signed boot chain.
    pub(crate) signed: Vec<BootFile>,
    /// The options that the site sends to every such client.
    pub options: Vec<DhcpOption>,
}

impl Configuration {
    /// Builds the configuration of a site from networks and entries in any order. Networks without DHCP, and entries that are
    /// in no network with DHCP, are left out. `source` determines what the site's servers boot.
    pub fn new(
        site: Name,
        spec: &SiteSpec,
        source: impl Into<BootSource>,
        networks: impl IntoIterator<Item = (Name, NetworkSpec)>,
        entries: impl IntoIterator<Item = SiteEntry>,
    ) -> Self {
        let mut networks: Vec<Network> = networks
            .into_iter()
            .filter(|(_, network)| network.dhcp)
            .map(|(name, network)| Network {
                domain: network.domain.clone().unwrap_or_else(|| spec.domain.clone()),
                name,
                spec: network,
                entries: vec![],
            })
            .collect();
        networks.sort_by(|a, b| (a.spec.cidr, &a.name).cmp(&(b.spec.cidr, &b.name)));
        let places: HashMap<Name, usize> =
            networks.iter().enumerate().map(|(place, network)| (network.name.clone(), place)).collect();
        // Networks of one VLAN are processed together.
        let mut segments: BTreeMap<(Option<u16>, usize), Vec<SiteEntry>> = BTreeMap::new();
        for entry in entries {
            if let Some(place) = places.get(&entry.network).copied()
                && networks[place].spec.cidr.contains(&entry.ip)
            {
                let vlan = networks[place].spec.vlan;
                segments.entry((vlan, if vlan.is_some() { 0 } else { place })).or_default().push(entry);
            }
        }
        for entry in segments.into_values().flat_map(|entries| without_repeats(entries).0) {
            if let Some(place) = places.get(&entry.network) {
                networks[*place].entries.push(entry);
            }
        }
        for network in &mut networks {
            network.spec.dhcp_options = usable(&network.spec.dhcp_options);
        }
        let source = source.into();
        let [files, signed] = BootChain::ALL.map(|chain| boot_files(spec, &source, chain));
        let boot = Boot { next_server: spec.next_server, files, signed, options: usable(&spec.dhcp_header) };
        Self { site, networks, boot }
    }
}

/// A broadcast domain, as far as the catalogue records which networks share one.
#[derive(Clone, Debug)]
pub(crate) struct Segment<'a> {
    /// The number of the VLAN that several networks share; `None` for a network that shares none.
    pub(crate) shared_vlan: Option<u16>,
    /// The networks of the broadcast domain, by address.
    pub(crate) networks: Vec<&'a Network>,
}

impl Segment<'_> {
    /// The name of the shared network. It contains a space, so that no network can have the same name.
    pub(crate) fn shared_name(&self) -> Option<String> {
        self.shared_vlan.map(|vlan| format!("vlan {vlan}"))
    }
}

impl Configuration {
    /// The networks by broadcast domain, in the order of their first address: networks of the site with the same VLAN share
    /// one, and a network without a VLAN has its own. A server receives requests from any of them on the same interface, or
    /// through the same relay, so every format has to declare which networks belong together.
    pub(crate) fn segments(&self) -> Vec<Segment<'_>> {
        let mut segments: Vec<Segment<'_>> = vec![];
        let mut places: HashMap<u16, usize> = HashMap::new();
        for network in &self.networks {
            if let Some(place) = network.spec.vlan.and_then(|vlan| places.get(&vlan)) {
                let segment = &mut segments[*place];
                segment.shared_vlan = network.spec.vlan;
                segment.networks.push(network);
                continue;
            }
            if let Some(vlan) = network.spec.vlan {
                places.insert(vlan, segments.len());
            }
            segments.push(Segment { shared_vlan: None, networks: vec![network] });
        }
        segments
    }

    /// The options of the configuration, with the places where they are set.
    pub(crate) fn options(&self) -> impl Iterator<Item = (String, &DhcpOption)> {
        let header = self.boot.options.iter().map(|option| ("the site's header".to_owned(), option));
        let of = |network: &'_ Network| format!("network {}", network.name);
        header.chain(self.networks.iter().flat_map(move |one| one.spec.dhcp_options.iter().map(move |option| (of(one), option))))
    }

    /// The options that cannot be written for any server, by name.
    pub(super) fn unwritable(&self) -> Vec<BrokenRule> {
        let why = |(place, option): (String, &DhcpOption)| {
            let reason = option.resolved().err()?;
            let message = format!(
                "the DHCP option {} of {place} cannot be written: {reason}; edit or remove it there. Until then DHCP servers keep their current file",
                option.name
            );
            Some(BrokenRule::new("dhcp_options", Rule::DhcpOptionUnwritable, message).held_by(place))
        };
        self.options().filter_map(why).collect()
    }

    /// The boot chains of the hosts with a live deployment.
    pub(crate) fn live_chains(&self) -> impl Iterator<Item = BootChain> {
        let live = |chain: &BootChain| self.networks.iter().any(|network| network.entries.iter().any(|one| has(one, *chain)));
        BootChain::ALL.into_iter().filter(live)
    }
}

/// Whether a host has a live deployment with this boot chain.
pub(crate) fn has(entry: &SiteEntry, chain: BootChain) -> bool {
    entry.live && entry.boot_chain == chain
}

impl Boot {
    /// The boot files of the hosts of a boot chain.
    pub(crate) fn files_of(&self, chain: BootChain) -> &[BootFile] {
        match chain {
            BootChain::Ipxe => &self.files,
            BootChain::Signed => &self.signed,
        }
    }
}

impl Network {
    /// Whether the network's own options set the option `name` to another value than its description gives.
    pub(crate) fn overrides(&self, name: &str) -> bool {
        self.spec.dhcp_options.iter().any(|option| option.name.as_str() == name)
    }
}

/// The options that have a value, the last one of each code: Kea refuses an empty text, and dhcpd a repeated option.
fn usable(options: &[DhcpOption]) -> Vec<DhcpOption> {
    let has_value = |option: &DhcpOption| !matches!(&option.value, OptionValue::Text(text) if text.is_empty());
    let mut codes = BTreeSet::new();
    let mut first =
        |option: &DhcpOption| codes.insert(option.resolved().map(|resolved| resolved.code).map_err(|_| option.name.clone()));
    let mut usable: Vec<DhcpOption> = options.iter().rev().filter(|option| has_value(option) && first(option)).cloned().collect();
    usable.reverse();
    usable
}

/// The names in a text that is a list.
pub(crate) fn names(value: &OptionValue) -> Vec<&str> {
    match value {
        OptionValue::Text(text) => dhcp_option::names(text.as_str()).collect(),
        _ => vec![],
    }
}
