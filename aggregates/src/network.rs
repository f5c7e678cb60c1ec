//! A network: which addresses hosts can get, and the gateway, DNS servers and options that they use. The key is the network's
//! name.
//!
//! `(none) ─DefineNetwork─► defined ─RetireNetwork─► retired ─DefineNetwork─► defined`

#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
use crate::values::dhcp_option::{self, DhcpOption};
use crate::values::hostname::DomainName;
use crate::values::name::Name;
use crate::values::schema::{Ipv4Address, Ipv4Network};
use crate::values::special;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::ops::Range;
use utoipa::ToSchema;

/// The description of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(from = "Described")]
pub struct NetworkSpec {
    /// The address range, such as `10.0.0.0/24`; host bits are zero.
    #[schema(value_type = Ipv4Network)]
    pub cidr: Ipv4Net,
    /// The site that the network belongs to.
    pub site: Name,
    /// The racks that the network reaches.
    #[serde(default)]
    pub racks: Vec<Name>,
    /// The address of the router.
    #[schema(value_type = Option<Ipv4Address>)]
    pub gateway: Option<Ipv4Addr>,
    /// The VLAN id, 1 to 4094.
    pub vlan: Option<u16>,
    /// The addresses of the DNS resolvers that hosts use.
    #[serde(default)]
    #[schema(value_type = Vec<Ipv4Address>)]
    pub dns_servers: Vec<Ipv4Addr>,
    /// The domain of the hosts; by default the site's domain.
    pub domain: Option<DomainName>,
    /// How many addresses above the network address are never assigned. By default 10; in networks of fewer than 20 hosts a
    /// quarter of the hosts: 3 in a /28, 1 in a /29, none in a smaller one.
    #[schema(required = false)]
    pub margin_bottom: u32,
    /// How many addresses below the broadcast address are never assigned.
    #[serde(default)]
    pub margin_top: u32,
    /// Whether the site's DHCP servers serve this network.
    #[serde(default = "yes")]
    pub dhcp: bool,
    /// DHCP options for every host of the network.
    #[serde(default)]
    pub dhcp_options: Vec<DhcpOption>,
    /// Whether servers may use `/pxe/DONE/` and fetch secret files by address alone, without the deployment's token.
    #[serde(default = "yes")]
    pub ip_only_done: bool,
}

/// A network as it is written in a request; the defaults of omitted fields depend on the network's size.
#[derive(Deserialize)]
struct Described {
    cidr: Ipv4Net,
    site: Name,
    #[serde(default)]
    racks: Vec<Name>,
    gateway: Option<Ipv4Addr>,
    vlan: Option<u16>,
    #[serde(default)]
    dns_servers: Vec<Ipv4Addr>,
    domain: Option<DomainName>,
    margin_bottom: Option<u32>,
    #[serde(default)]
    margin_top: u32,
    #[serde(default = "yes")]
    dhcp: bool,
    #[serde(default)]
    dhcp_options: Vec<DhcpOption>,
    #[serde(default = "yes")]
    ip_only_done: bool,
}

impl From<Described> for NetworkSpec {
    fn from(described: Described) -> Self {
        let Described { cidr, site, racks, gateway, vlan, dns_servers, domain, margin_bottom, margin_top, dhcp, .. } = described;
        Self {
            cidr,
            site,
            racks,
            gateway,
            vlan,
            dns_servers,
            domain,
            margin_bottom: margin_bottom.unwrap_or_else(|| usual_margin_bottom(cidr)),
            margin_top,
            dhcp,
            dhcp_options: described.dhcp_options,
            ip_only_done: described.ip_only_done,
        }
    }
}

/// The number of hosts in a network: two in a /31 (RFC 3021), one in a /32.
fn hosts(cidr: Ipv4Net) -> u64 {
    let all = 1_u64 << (32 - u32::from(cidr.prefix_len()));
    if cidr.prefix_len() < 31 { all - 2 } else { all }
}

/// The default bottom margin, which leaves at least half of the hosts.
pub fn usual_margin_bottom(cidr: Ipv4Net) -> u32 {
    match hosts(cidr) {
        hosts @ 0..20 => u32::try_from(hosts / 4).unwrap_or_default(),
        _ => 10,
    }
}

fn yes() -> bool {
    true
}

/// Why an address of a network cannot be assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reserved {
    /// The address is not in the network.
    Outside,
    /// The address is the network address.
    Network,
    /// The address is the broadcast address.
    Broadcast,
    /// The address is the router's.
    Gateway,
    /// The address is one of those that the network reserves at its start or end.
    Margin(Edge),
}

/// An end of a network's range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// The lowest addresses.
    Start,
    /// The highest addresses.
    End,
}

impl NetworkSpec {
    /// Why `ip` cannot be assigned to a host; `None` if it can.
    pub fn reserved(&self, ip: Ipv4Addr) -> Option<Reserved> {
        let (number, first, last) =
            (u64::from(u32::from(ip)), u64::from(u32::from(self.cidr.network())), u64::from(u32::from(self.cidr.broadcast())));
        // A /31 has two hosts and no network or broadcast address (RFC 3021); a /32 is one host.
        let ends = self.cidr.prefix_len() < 31;
        if number < first || number > last {
            Some(Reserved::Outside)
        } else if ends && number == first {
            Some(Reserved::Network)
        } else if ends && number == last {
            Some(Reserved::Broadcast)
        } else if self.gateway == Some(ip) {
            Some(Reserved::Gateway)
        } else if number < first + u64::from(ends) + u64::from(self.margin_bottom) {
            Some(Reserved::Margin(Edge::Start))
        } else if number + u64::from(ends) + u64::from(self.margin_top) > last {
            Some(Reserved::Margin(Edge::End))
        } else {
            None
        }
    }

    /// The number of assignable addresses.
    pub fn capacity(&self) -> u64 {
        let given = self.range();
        let gateway = self.gateway.is_some_and(|gateway| given.contains(&u64::from(u32::from(gateway))));
        given.end.saturating_sub(given.start) - u64::from(gateway)
    }

    /// The assignable addresses, lowest first.
    pub fn givable(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.range().filter_map(|n| u32::try_from(n).ok()).map(Ipv4Addr::from).filter(|ip| self.gateway != Some(*ip))
    }

    /// The lowest and the highest address between the margins; `None` if there is none.
    pub fn bounds(&self) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let given = self.range();
        let address = |number: u64| u32::try_from(number).ok().map(Ipv4Addr::from);
        if given.is_empty() { None } else { Some((address(given.start)?, address(given.end - 1)?)) }
    }

    /// The addresses between the margins as numbers; the gateway may be among them.
    fn range(&self) -> Range<u64> {
        let ends = u64::from(self.cidr.prefix_len() < 31);
        let first = u64::from(u32::from(self.cidr.network())) + ends + u64::from(self.margin_bottom);
        let end = (u64::from(u32::from(self.cidr.broadcast())) + 1).saturating_sub(ends + u64::from(self.margin_top));
        first..end.max(first)
    }
}

/// Why a network cannot be retired while `used` of its addresses are held; `None` if it can.
pub fn in_use(used: u64) -> Option<BrokenRule> {
    let message = match used {
        0 => return None,
        1 => "1 address of the network is in use; release it first".to_owned(),
        _ => format!("{used} addresses of the network are in use; release them first"),
    };
    Some(BrokenRule::new("", Rule::NetworkInUse, message))
}

/// A command on a network.
#[derive(Clone, Debug)]
pub enum NetworkCommand {
    /// Creates or changes the network.
    DefineNetwork {
        /// The new description.
        spec: Box<NetworkSpec>,
        /// Whether the site exists and is not retired, as looked up.
        site_exists: bool,
        /// Those of the racks that do not exist or belong to another site, as looked up.
        foreign_racks: Vec<Name>,
        /// Other networks in use that share addresses with this one, as looked up.
        overlaps: Vec<Name>,
        /// The addresses of the network that operators have reserved, as looked up.
        reservations: Vec<Ipv4Addr>,
    },
    /// Retires the network.
    RetireNetwork {
        /// The number of its addresses that are held, as looked up.
        used: u64,
    },
}

/// An event of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum NetworkEvent {
    /// The network's description was set.
    NetworkDefined {
        /// The new description.
        spec: Box<NetworkSpec>,
    },
    /// The network was retired.
    NetworkRetired {},
}

/// The state of a network, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Network {
    defined: Option<Box<NetworkSpec>>,
}

impl Network {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: NetworkCommand) -> Result<Vec<NetworkEvent>, Refused> {
        match command {
            NetworkCommand::DefineNetwork { spec, site_exists, foreign_racks, overlaps, reservations } => {
                let mut broken = vec![];
                if !site_exists {
                    let message = format!("there is no site {}; create it first", spec.site);
                    broken.push(BrokenRule::new("site", Rule::SiteUnknown, message));
                }
                for rack in foreign_racks {
                    broken.push(BrokenRule::new(
                        "racks",
                        Rule::RackUnknown,
                        format!("there is no rack {rack} in site {}; create it first", spec.site),
                    ));
                }
                for other in overlaps {
                    broken.push(
                        BrokenRule::new(
                            "cidr",
                            Rule::NetworkOverlaps,
                            format!(
                                "{} shares addresses with network {other}; choose another range, or edit that network",
                                spec.cidr
                            ),
                        )
                        .held_by(format!("network {other}")),
                    );
                }
                if self.defined.as_ref() != Some(&spec) {
                    broken.extend(reservations.into_iter().filter_map(|ip| reservation_lost(&spec, ip)));
                }
                // A network from an earlier version can stay as it is, even if today's rules would refuse it.
                if self.defined.as_ref() != Some(&spec) {
                    broken.extend(shape(&spec));
                }
                if self.defined.as_ref().is_none_or(|before| before.cidr != spec.cidr) {
                    broken.extend(special_range(&spec));
                }
                if self.defined.as_ref().is_none_or(|before| before.dns_servers != spec.dns_servers) {
                    broken.extend(resolvers(&spec));
                }
                let before = self.defined.as_ref().map_or(&[][..], |before| &before.dhcp_options);
                broken.extend(dhcp_option::broken("dhcp_options", &spec.dhcp_options, before));
                Refused::unless_empty(broken)?;
                Ok(if self.defined.as_ref() == Some(&spec) { vec![] } else { vec![NetworkEvent::NetworkDefined { spec }] })
            }
            NetworkCommand::RetireNetwork { used } => {
                Refused::unless_empty(self.defined.iter().filter_map(|_| in_use(used)).collect())?;
                Ok(self.defined.iter().map(|_| NetworkEvent::NetworkRetired {}).collect())
            }
        }
    }

    fn evolve(&mut self, event: NetworkEvent) {
        self.defined = match event {
            NetworkEvent::NetworkDefined { spec } => Some(spec),
            NetworkEvent::NetworkRetired {} => None,
        };
    }
}

/// Why the network cannot be described like this while an operator has reserved the address.
fn reservation_lost(spec: &NetworkSpec, ip: Ipv4Addr) -> Option<BrokenRule> {
    let (field, why) = match spec.reserved(ip)? {
        Reserved::Outside => ("cidr", format!("is not in {}", spec.cidr)),
        Reserved::Network => ("cidr", format!("would be the address of {} itself", spec.cidr)),
        Reserved::Broadcast => ("cidr", format!("would be the broadcast address of {}", spec.cidr)),
        Reserved::Gateway => ("gateway", "would be the gateway".to_owned()),
        Reserved::Margin(_) => return None,
    };
    let before = format!("{ip} {why}, but it is held by ");
    let holder = crate::claims::Holder::Reservation(ip);
    Some(BrokenRule::naming(field, Rule::AddressHeld, before, holder, "; release the reservation first"))
}

/// Why the network's range is not for servers. A range that is too wide gets its own error instead.
fn special_range(spec: &NetworkSpec) -> Option<BrokenRule> {
    let why = special::in_network(spec.cidr).filter(|_| spec.cidr.prefix_len() >= 8)?;
    let message = format!("{} cannot be a network of servers: {why}. Enter a network such as 10.0.0.0/24", spec.cidr);
    Some(BrokenRule::new("cidr", Rule::CidrSpecial, message))
}

/// The problem with the DNS resolvers, which DHCP servers send to clients as an option.
fn resolvers(spec: &NetworkSpec) -> Option<BrokenRule> {
    let wrong = spec.dns_servers.iter().find_map(|server| special::of_no_server(*server));
    let message = match wrong {
        Some(wrong) => format!("{wrong}; enter the address of a DNS server"),
        None if spec.dns_servers.len() > dhcp_option::MOST_ADDRESSES => {
            format!(
                "{} DNS servers are too many: the maximum that every DHCP server supports is {}. Remove some",
                spec.dns_servers.len(),
                dhcp_option::MOST_ADDRESSES
            )
        }
        None => return None,
    };
    Some(BrokenRule::new("dns_servers", Rule::DnsServersUnusable, message))
}

/// The problems with the description on its own.
fn shape(spec: &NetworkSpec) -> Vec<BrokenRule> {
    let mut broken = vec![];
    if spec.cidr.trunc() != spec.cidr {
        broken.push(BrokenRule::new(
            "cidr",
            Rule::CidrHostBits,
            format!("{} has host bits set; did you mean {}?", spec.cidr, spec.cidr.trunc()),
        ));
    }
    if spec.cidr.prefix_len() < 8 {
        broken.push(BrokenRule::new("cidr", Rule::CidrTooWide, "the network is too large; use a prefix of /8 or longer"));
    }
    if spec.gateway.is_some_and(|gateway| !spec.cidr.contains(&gateway)) {
        broken.push(BrokenRule::new(
            "gateway",
            Rule::GatewayOutside,
            format!("the gateway is outside {}; enter an address of the network", spec.cidr),
        ));
    }
    if let Some(gateway @ (Reserved::Network | Reserved::Broadcast)) =
        spec.gateway.and_then(|ip| NetworkSpec { gateway: None, ..spec.clone() }.reserved(ip))
    {
        let what = if gateway == Reserved::Network { "network's own" } else { "broadcast" };
        broken.push(BrokenRule::new(
            "gateway",
            Rule::GatewayNotAHost,
            format!("the gateway is the {what} address of {}; enter another address", spec.cidr),
        ));
    }
    broken.extend(nothing_left(spec).filter(|_| broken.is_empty()));
    if spec.vlan.is_some_and(|vlan| !(1..=4094).contains(&vlan)) {
        broken.push(BrokenRule::new("vlan", Rule::VlanRange, "a VLAN number must be 1 to 4094 (IEEE 802.1Q)"));
    }
    broken
}

/// Why no address of the network could ever be assigned.
fn nothing_left(spec: &NetworkSpec) -> Option<BrokenRule> {
    if spec.capacity() > 0 {
        return None;
    }
    let (hosts, margins) = (hosts(spec.cidr), u64::from(spec.margin_bottom) + u64::from(spec.margin_top));
    let bare = NetworkSpec { margin_bottom: 0, margin_top: 0, ..spec.clone() };
    let cidr = spec.cidr;
    let count = if hosts == 1 { "1 host address".to_owned() } else { format!("{hosts} host addresses") };
    if bare.capacity() == 0 {
        let message =
            format!("{cidr} has {count}, and that is the gateway: no address is left for a server. Use a larger network");
        return Some(BrokenRule::new("gateway", Rule::NetworkWithoutAddresses, message));
    }
    let gateway = if spec.gateway.is_some() { " besides the gateway" } else { "" };
    let message = format!(
        "{cidr} has {count}, and the {} and {} addresses reserved at its start and end leave none for a server{gateway}. Reserve fewer: together these are {margins}",
        spec.margin_bottom, spec.margin_top
    );
    let field = if spec.margin_bottom >= spec.margin_top { "margin_bottom" } else { "margin_top" };
    Some(BrokenRule::new(field, Rule::NetworkWithoutAddresses, message))
}

aggregate!(Network, "network", NetworkCommand, NetworkEvent);
domain_event!(NetworkEvent { NetworkDefined, NetworkRetired });
