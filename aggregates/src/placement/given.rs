//! What servers that are being installed were given, and whether a change takes it away.
//!
//! The rule: a value may be replaced, and is given with the next lease and in the next file; it may not be taken away. Every
//! description is taken apart as a whole, so that a new field does not compile without a decision here.
//! docs/catalogue-changes.md says the same field by field.

use crate::network::NetworkSpec;
use crate::site::SiteSpec;
use crate::values::dhcp_option::DhcpOption;

/// A field of the request, and what a server that is being installed would lose.
pub(super) type Taken = (&'static str, String);

/// What a change of a network takes from servers that are being installed in it.
pub(super) fn by_network(old: &NetworkSpec, new: &NetworkSpec) -> Vec<Taken> {
    let NetworkSpec {
        // Places: an address that no longer fits is a misfit.
        cidr: _,
        site: _,
        racks: _,
        margin_bottom: _,
        margin_top: _,
        dhcp: _,
        domain: _,
        gateway,
        vlan,
        dns_servers,
        dhcp_options,
        ip_only_done,
    } = old;
    let mut taken = vec![];
    if let (Some(gateway), None) = (gateway, new.gateway) {
        taken.push(("gateway", format!("was given the gateway {gateway}, and would have none; name another one in its place")));
    }
    if let Some(from) = vlan.filter(|_| *vlan != new.vlan) {
        let to = new.vlan.map_or_else(|| "no VLAN".to_owned(), |vlan| format!("VLAN {vlan}"));
        taken.push(("vlan", format!("boots on VLAN {from}, and would be expected on {to}")));
    }
    if new.dns_servers.len() < dns_servers.len() {
        let left = match new.dns_servers.len() {
            0 => "none".to_owned(),
            count => format!("only {count}"),
        };
        let were: Vec<String> = dns_servers.iter().map(ToString::to_string).collect();
        taken.push((
            "dns_servers",
            format!("was given the DNS servers {}, and would have {left}; name others in their place", were.join(", ")),
        ));
    }
    taken.extend(options("dhcp_options", dhcp_options, &new.dhcp_options));
    if *ip_only_done && !new.ip_only_done {
        taken.push(("ip_only_done", "may report DONE by its address alone, and would need its token".to_owned()));
    }
    taken
}

/// What a change of a site takes from servers that are being installed in it.
pub(super) fn by_site(old: &SiteSpec, new: &SiteSpec) -> Vec<Taken> {
    let SiteSpec {
        // For people.
        name: _,
        // A site without a next server, zones, domain or primary for what is held is a misfit.
        next_server: _,
        domain: _,
        zones: _,
        dns_updates: _,
        // Without one, the service's own URL takes its place.
        boot_url: _,
        // A deployment keeps its name and its settings.
        hostname_template: _,
        settings: _,
        dhcp_header,
    } = old;
    options("dhcp_header", dhcp_header, &new.dhcp_header)
}

fn options(field: &'static str, old: &[DhcpOption], new: &[DhcpOption]) -> Vec<Taken> {
    let code = |option: &DhcpOption| option.resolved().map(|resolved| resolved.code).map_err(|_| option.name.clone());
    let kept: Vec<_> = new.iter().map(code).collect();
    let lost = old.iter().filter(|option| !kept.contains(&code(option)));
    lost.map(|option| (field, format!("gets the DHCP option {}, and would not get it any more", option.name))).collect()
}
