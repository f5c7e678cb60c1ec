//! The values that servers being installed were given, and whether a change removes one.
//!
//! An operator may replace a value: the next lease and the next file contain the new one. An operator may not remove it. The
//! code lists every field of a network, so that a new field does not compile without a decision here. docs/catalogue-changes.md
//! documents the decisions field by field.

use crate::network::NetworkSpec;

/// A field of the request, and what a server that is being installed would lose.
pub(super) type Taken = (&'static str, String);

/// What a change of a network removes from servers that are being installed in it.
pub(super) fn by_network(old: &NetworkSpec, new: &NetworkSpec) -> Vec<Taken> {
    let NetworkSpec {
        // These fields determine places: an address that no longer fits is a misfit.
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
        // An operator may remove an option, even one that keeps every file of the site from being written.
        dhcp_options: _,
        ip_only_done,
    } = old;
    let mut taken = vec![];
    if let (Some(gateway), None) = (gateway, new.gateway) {
        taken.push(("gateway", format!("uses the gateway {gateway}, and would have none; name another gateway in its place")));
    }
    if let Some(from) = vlan.filter(|_| *vlan != new.vlan) {
        let to = new.vlan.map_or_else(|| "no VLAN".to_owned(), |vlan| format!("VLAN {vlan}"));
        taken.push(("vlan", format!("boots on VLAN {from}, and would be expected on {to}")));
    }
    if !dns_servers.is_empty() && new.dns_servers.is_empty() {
        let were: Vec<String> = dns_servers.iter().map(ToString::to_string).collect();
        let words =
            format!("uses the DNS servers {}, and would have none; name other DNS servers in their place", were.join(", "));
        taken.push(("dns_servers", words));
    }
    if *ip_only_done && !new.ip_only_done {
        taken.push(("ip_only_done", "may report DONE by its address alone, and would need its token".to_owned()));
    }
    taken
}
