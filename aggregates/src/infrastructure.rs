//! Addresses that the catalogue assigns to routers and servers: no other device can get one of them.
//!
//! The code destructures every description in full, so that a new field does not compile without a decision here.

#[cfg(test)]
mod tests;

use crate::claims::{Claim, Holder};
use crate::dhcp_server::DhcpServerSpec;
use crate::network::NetworkSpec;
use crate::rules::{BrokenRule, Rule};
use crate::site::{BootUrl, SiteSpec};
use crate::values::dhcp_option::{DhcpOption, OptionValue};
use crate::values::ids::DeviceId;
use crate::values::name::Name;
use crate::zone::Zone;
use crate::zone::data::Data;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// An address that a catalogue entry names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declared {
    /// The named address.
    pub ip: Ipv4Addr,
    /// The field that names the address.
    pub field: &'static str,
    /// The use of the address, such as `the next server`.
    what: String,
    /// The entry that names the address, such as `site dc1`.
    by: String,
    /// Whether a device that holds the address may keep it: a deployed server may be a DNS server, but not the gateway of its
    /// network.
    shared: bool,
}

impl Declared {
    /// The use of the address as a sentence: `10.20.0.2 is the next server of site dc1`.
    pub fn sentence(&self) -> String {
        format!("{} is {} of {}", self.ip, self.what, self.by)
    }

    /// The sentence for a use that is only requested: `10.20.0.2 would be the next server of site dc1`.
    pub fn requested(&self) -> String {
        format!("{} would be {} of {}", self.ip, self.what, self.by)
    }

    /// The entry that names the address, such as `site dc1`.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// What to do when a device is refused the address.
    pub fn advice(&self) -> &'static str {
        if self.shared {
            "choose another address, or record this one in the device's addresses first if the device is that server"
        } else {
            "choose another address"
        }
    }

    /// Why `device` cannot have the address; `None` if it can. A device that already holds the address may keep it, unless it
    /// is a gateway.
    pub fn refuses(&self, device: DeviceId, holders: &[(Claim, Holder)]) -> Option<String> {
        let own = holders.iter().any(|(claim, holder)| *claim == Claim::Ip(self.ip) && *holder == Holder::Device(device));
        (!(self.shared && own)).then(|| self.sentence())
    }
}

/// The addresses that a network names.
pub fn of_network(name: &Name, spec: &NetworkSpec) -> Vec<Declared> {
    let NetworkSpec {
        cidr: _,
        site: _,
        racks: _,
        gateway,
        vlan: _,
        dns_servers,
        domain: _,
        margin_bottom: _,
        margin_top: _,
        dhcp: _,
        dhcp_options,
        ip_only_done: _,
    } = spec;
    let by = format!("network {name}");
    let mut found = vec![];
    found.extend(gateway.map(|ip| declared(ip, "gateway", "the gateway", &by, false)));
    found.extend(dns_servers.iter().map(|ip| declared(*ip, "dns_servers", "a DNS server", &by, true)));
    found.extend(of_options("dhcp_options", dhcp_options, &by));
    known(found)
}

/// The addresses that a site names.
pub fn of_site(name: &Name, spec: &SiteSpec) -> Vec<Declared> {
    let SiteSpec {
        name: _,
        next_server,
        boot_url,
        domain: _,
        zones,
        hostname_template: _,
        dhcp_header,
        dns_updates,
        settings: _,
    } = spec;
    let by = format!("site {name}");
    let mut found = vec![];
    found.extend(next_server.map(|ip| declared(ip, "next_server", "the next server", &by, true)));
    let boot = boot_url.as_ref().and_then(BootUrl::ipv4);
    found.extend(boot.map(|ip| declared(ip, "boot_url", "the boot server", &by, true)));
    found.extend(of_options("dhcp_header", dhcp_header, &by));
    if let Some(IpAddr::V4(ip)) = dns_updates.as_ref().map(|updates| updates.primary.to_canonical()) {
        found.push(declared(ip, "dns_updates.primary", "the DNS primary", &by, true));
    }
    found.extend(of_zones(zones, &by));
    known(found)
}

/// The addresses that a DHCP server names.
pub fn of_dhcp_server(name: &Name, spec: &DhcpServerSpec) -> Vec<Declared> {
    let DhcpServerSpec { site, address, kind: _ } = spec;
    let what = format!("the DHCP server {name}");
    known(address.map(|ip| declared(ip, "address", &what, &format!("site {site}"), true)).into_iter().collect())
}

fn declared(ip: Ipv4Addr, field: &'static str, what: &str, by: &str, shared: bool) -> Declared {
    Declared { ip, field, what: what.to_owned(), by: by.to_owned(), shared }
}

/// Removes the addresses that every machine has or that no machine has: each host has a loopback address of its own.
fn known(mut found: Vec<Declared>) -> Vec<Declared> {
    found.retain(|one| !one.ip.is_loopback() && !one.ip.is_unspecified());
    found
}

/// The addresses of servers and routers in DHCP options. Netmasks, broadcast addresses and route destinations do not count.
fn of_options(field: &'static str, options: &[DhcpOption], by: &str) -> Vec<Declared> {
    let mut found = vec![];
    for option in options {
        let code = option.resolved().map(|resolved| resolved.code).unwrap_or_default();
        let ips: Vec<Ipv4Addr> = match (&option.value, code) {
            // Static routes alternate between destination and router.
            (OptionValue::Addresses(pairs), 33) => pairs.0.iter().skip(1).step_by(2).copied().collect(),
            // These are not server addresses: netmask, policy filter, broadcast address.
            (OptionValue::Addresses(all), code) if ![1, 21, 28].contains(&code) => all.0.clone(),
            (OptionValue::Routes(routes), _) => routes.iter().map(|route| route.router).collect(),
            (OptionValue::Text(text), _) => text.as_str().trim().parse().into_iter().collect(),
            (
                OptionValue::Addresses(_)
                | OptionValue::Number(_)
                | OptionValue::Numbers(_)
                | OptionValue::Flag(_)
                | OptionValue::Hex(_),
                _,
            ) => vec![],
        };
        let what = format!("in the DHCP option {}", option.name);
        found.extend(ips.into_iter().map(|ip| declared(ip, field, &what, by, true)));
    }
    found
}

/// The addresses of name servers, from the extra records of the zones.
fn of_zones(zones: &[Zone], by: &str) -> Vec<Declared> {
    let extra: Vec<_> = zones.iter().filter(|zone| !zone.records.is_empty()).flat_map(|zone| zone.readable().0).collect();
    if extra.is_empty() {
        return vec![];
    }
    let named = zones.iter().flat_map(|zone| zone.name_servers.iter().chain(&zone.mname)).map(ToString::to_string);
    let delegated =
        extra.iter().filter_map(|record| if let Data::Ns(name) = &record.data { Some(name.to_string()) } else { None });
    let servers: BTreeSet<String> = named.chain(delegated).map(|name| name.trim_end_matches('.').to_owned()).collect();
    let address = |record: &crate::zone::master_file::ExtraRecord| match record.data {
        Data::A(ip) if servers.contains(record.name.to_string().trim_end_matches('.')) => {
            Some(declared(ip, "zones", &format!("the name server {}", record.name), by, true))
        }
        _ => None,
    };
    extra.iter().filter_map(address).collect()
}

/// The end of a message about an entry of a device whose address belongs to something else.
const NO_ENTRY: &str = ", so a device cannot have an entry for it. Choose another address, or change that first";

/// The error for entries of a device whose address the catalogue uses.
pub fn entry_refused(field: &str, why: &str, by: &str) -> BrokenRule {
    BrokenRule::new(field, Rule::AddressOfInfrastructure, format!("{why}{NO_ENTRY}")).held_by(by)
}

/// The error for entries of a device whose address is the management address of another device.
pub fn entry_of_controller(field: &str, ip: Ipv4Addr, owner: DeviceId) -> BrokenRule {
    let before = format!("{ip} is the management address of ");
    BrokenRule::naming(field, Rule::AddressOfInfrastructure, before, Holder::Device(owner), NO_ENTRY)
}
