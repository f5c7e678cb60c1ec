//! What a DHCP configuration is made of, brought into the one order that every format is written in.
//!
//! It knows no format's syntax. It makes sure that no server refuses the whole file because of two entries.

use super::boot_file::{BootFile, BootSource, boot_files};
use bootledger_aggregates::dhcp_server::DhcpKind;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rules::Refused;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::dhcp_option::{DhcpOption, OptionValue};
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::dhcp_entries::SiteEntry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::Ipv4Addr;

/// How long a client may use its address before it asks again, in seconds. Addresses are fixed, so this only says
/// how soon a running server notices that its network's options have changed.
pub(crate) const LEASE_SECONDS: u32 = 3600;

/// A format that a DHCP server reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `isc.conf`
    Isc,
    /// `kea.json`
    Kea,
    /// `dnsmasq.conf`
    Dnsmasq,
}

impl Format {
    /// The format of a file's name in a URL.
    pub fn of_file(name: &str) -> Option<Self> {
        match name {
            "isc.conf" => Some(Self::Isc),
            "kea.json" => Some(Self::Kea),
            "dnsmasq.conf" => Some(Self::Dnsmasq),
            _ => None,
        }
    }

    /// The format that a kind of server reads.
    pub fn of_kind(kind: DhcpKind) -> Self {
        match kind {
            DhcpKind::Isc => Self::Isc,
            DhcpKind::Kea => Self::Kea,
            DhcpKind::Dnsmasq => Self::Dnsmasq,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Isc | Self::Dnsmasq => "text/plain; charset=utf-8",
            Self::Kea => "application/json",
        }
    }

    /// Writes a configuration in this format. Refused where the format cannot say something; what is wrong in a format that
    /// can say it, such as an unknown option, the server's own checker tells.
    pub fn render(self, configuration: &Configuration) -> Result<String, Refused> {
        match self {
            Self::Isc => Ok(super::isc::render(configuration)),
            Self::Kea => Ok(super::kea::render(configuration)),
            Self::Dnsmasq => super::dnsmasq::render(configuration),
        }
    }
}

/// `isc.conf`, `kea.json` or `dnsmasq.conf`
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Isc => "isc.conf",
            Self::Kea => "kea.json",
            Self::Dnsmasq => "dnsmasq.conf",
        })
    }
}

/// Everything that a site's DHCP configuration says.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The site's code.
    pub site: Name,
    /// Its networks that DHCP serves, by address.
    pub networks: Vec<Network>,
    /// What live entries get beside their address.
    pub boot: Boot,
}

/// A network and its hosts, by address.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its name.
    pub name: Name,
    /// Its description.
    pub spec: NetworkSpec,
    /// The domain of its hosts: its own, else the site's.
    pub domain: DomainName,
    /// Its entries: no address and no interface twice.
    pub entries: Vec<SiteEntry>,
}

/// What a host with a live deployment gets.
#[derive(Clone, Debug)]
pub struct Boot {
    /// BOOTP's `siaddr`, only for clients that get one of the boot files.
    pub next_server: Option<Ipv4Addr>,
    /// The boot file of each kind of client; the first kind that a client is of counts, and a client of none gets none.
    pub(crate) files: Vec<BootFile>,
    /// The same for hosts of the signed boot chain.
    pub(crate) signed: Vec<BootFile>,
    /// The site's header, for every client.
    pub options: Vec<DhcpOption>,
}

impl Configuration {
    /// The configuration of a site with these networks and entries, given in any order. Networks without DHCP, and
    /// entries of no network with DHCP, are left out. `source` says what its servers boot.
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
        let mut places: HashMap<Name, Vec<SiteEntry>> = networks.iter().map(|network| (network.name.clone(), vec![])).collect();
        for entry in entries {
            if let Some(place) = places.get_mut(&entry.network) {
                place.push(entry);
            }
        }
        for network in &mut networks {
            let cidr = network.spec.cidr;
            network.spec.dhcp_options = usable(&network.spec.dhcp_options);
            let mut entries = places.remove(&network.name).unwrap_or_default();
            entries.retain(|entry| cidr.contains(&entry.ip));
            network.entries = without_repeats(entries);
        }
        networks.sort_by(|a, b| (a.spec.cidr, &a.name).cmp(&(b.spec.cidr, &b.name)));
        let source = source.into();
        let [files, signed] = BootChain::ALL.map(|chain| boot_files(spec, &source, chain));
        let boot = Boot { next_server: spec.next_server, files, signed, options: usable(&spec.dhcp_header) };
        Self { site, networks, boot }
    }
}

impl Configuration {
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
    /// Whether its own options say something else than the option `name` that follows from its description.
    pub(crate) fn overrides(&self, name: &str) -> bool {
        self.spec.dhcp_options.iter().any(|option| option.name.as_str() == name)
    }
}

/// Sorts by address and keeps one entry an address and an interface: Kea refuses a file with two of either, dnsmasq one with
/// two of an address, and with it the whole site. Networks share no addresses, so each is looked at alone. The one with a
/// live deployment wins, then the lower address; facts about old servers may repeat.
fn without_repeats(mut entries: Vec<SiteEntry>) -> Vec<SiteEntry> {
    entries.sort_by(|a, b| (!a.live, a.ip, a.mac, &a.hostname).cmp(&(!b.live, b.ip, b.mac, &b.hostname)));
    let (mut ips, mut macs) = (HashSet::with_capacity(entries.len()), HashSet::with_capacity(entries.len()));
    entries.retain(|entry| !ips.contains(&entry.ip) && macs.insert(entry.mac) && ips.insert(entry.ip));
    entries.sort_by_key(|entry| entry.ip);
    entries
}

/// The options that have a value, the last one of each name: Kea takes no empty text.
fn usable(options: &[DhcpOption]) -> Vec<DhcpOption> {
    let has_value = |option: &DhcpOption| !matches!(&option.value, OptionValue::Text(text) if text.is_empty());
    let mut names = BTreeSet::new();
    let mut usable: Vec<DhcpOption> =
        options.iter().rev().filter(|option| has_value(option) && names.insert(&option.name)).cloned().collect();
    usable.reverse();
    usable
}

/// The names in a list-valued text: `domain-search` alone is a list of names in every format.
pub(crate) fn search_list(option: &DhcpOption) -> Option<Vec<&str>> {
    match &option.value {
        OptionValue::Text(text) if option.name.as_str() == "domain-search" => {
            Some(text.as_str().split([',', ' ']).filter(|name| !name.is_empty()).collect())
        }
        _ => None,
    }
}
