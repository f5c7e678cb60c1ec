//! Views of networks.

use super::map::Map;
use crate::english::counted;
use crate::pages::catalogue::{NETWORK, list, options};
use crate::pages::components::block::{card, facts as table_of_facts, used};
use crate::pages::layout::PageContext;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_projections::rows::catalogue::Entry;
use maud::{Markup, html};

fn capacity(spec: &NetworkSpec) -> i64 {
    i64::try_from(spec.capacity()).unwrap_or(i64::MAX)
}

/// The columns of the list.
pub(super) const COLUMNS: &[list::Heading<NetworkSpec>] = &[
    list::Heading::new("network", "Network", |network| list::Value::text(&network.key)),
    list::Heading::new("cidr", "Addresses", |network| {
        let cidr = network.spec.cidr;
        list::Value::Placed(i64::from(u32::from(cidr.network())), cidr.to_string())
    }),
    list::Heading::new("site", "Site", |network| list::Value::text(&network.spec.site)),
    list::Heading::new("vlan", "VLAN", |network| {
        list::Value::Placed(
            network.spec.vlan.map_or(-1, i64::from),
            network.spec.vlan.map(|vlan| vlan.to_string()).unwrap_or_default(),
        )
    }),
    list::Heading::new("gateway", "Gateway", |network| {
        let gateway = network.spec.gateway;
        list::Value::Placed(
            gateway.map_or(-1, |ip| i64::from(u32::from(ip))),
            gateway.map(|ip| ip.to_string()).unwrap_or_default(),
        )
    }),
    list::Heading::shown("used", "Used"),
];

/// The list's table; `held` has the number of held addresses of each network.
pub(super) fn table(page_context: &PageContext, networks: &[Entry<NetworkSpec>], held: &[i64]) -> Markup {
    html! {
        table.cards {
            caption.visually-hidden { "Networks" }
            (list::head(page_context, COLUMNS))
            tbody {
                @for (network, held) in networks.iter().zip(held) {
                    @let spec = &network.spec;
                    tr {
                        (list::name(&NETWORK, network.key.as_str(), network.retired))
                        td data-label="Addresses" { code { (spec.cidr) } }
                        td data-label="Site" { a href=(format!("/sites/{}", spec.site)) { (spec.site) } }
                        td data-label="VLAN" { @if let Some(vlan) = spec.vlan { (vlan) } @else { span.quiet { "none" } } }
                        td data-label="Gateway" { @if let Some(gateway) = spec.gateway { code { (gateway) } } @else { span.quiet { "none" } } }
                        td data-label="Used" { (used(&format!("Addresses of {} in use", network.key), *held, capacity(spec))) }
                    }
                }
            }
        }
    }
}

/// How full a network is, and its next free addresses.
pub(super) fn usage(network: &Entry<NetworkSpec>, held: i64, reserved: usize, map: &Map) -> Markup {
    let spec = &network.spec;
    card(
        "use",
        "Use",
        &html! {
            (used(&format!("Addresses of {} in use", network.key), held, capacity(spec)))
            @if reserved > 0 { p { (counted(reserved, "of these is", "of these are")) " reserved by operators. " a href="#reservations" { "Reservations" } } }
            @if !network.retired && !map.free.is_empty() {
                p { "Next free: " @for (index, ip) in map.free.iter().enumerate() { @if index > 0 { ", " } code { (ip) } } ". A deployment without an address gets the first one." }
            } @else if !network.retired && map.knows_free {
                p { strong { "No free addresses." } " Release addresses, extend the network, or reduce its reserved ranges." }
            }
        },
    )
}

/// The properties of a network.
pub(super) fn facts(network: &Entry<NetworkSpec>) -> Markup {
    let spec = &network.spec;
    let none = || html! { span.quiet { "none" } };
    let yes = |flag| if flag { "yes" } else { "no" };
    card(
        "facts",
        "Details",
        &table_of_facts(&[
            ("Addresses", html! { code { (spec.cidr) } }),
            ("Site", html! { a href=(format!("/sites/{}", spec.site)) { (spec.site) } }),
            (
                "Racks",
                html! {
                    @if spec.racks.is_empty() { (none()) }
                    @for (index, rack) in spec.racks.iter().enumerate() { @if index > 0 { ", " } a href=(format!("/racks/{rack}")) { (rack) } }
                },
            ),
            ("Gateway", html! { @if let Some(gateway) = spec.gateway { code { (gateway) } } @else { (none()) } }),
            ("VLAN", html! { @if let Some(vlan) = spec.vlan { (vlan) } @else { (none()) } }),
            (
                "DNS servers",
                html! {
                    @if spec.dns_servers.is_empty() { (none()) }
                    @for (index, server) in spec.dns_servers.iter().enumerate() { @if index > 0 { ", " } code { (server) } }
                },
            ),
            ("Domain", html! { @if let Some(domain) = &spec.domain { code { (domain) } } @else { span.quiet { "the site's" } } }),
            ("Reserved addresses", html! { (spec.margin_bottom) " at the start, " (spec.margin_top) " at the end" }),
            (
                "Served by DHCP",
                html! { (yes(spec.dhcp)) @if spec.dhcp { ", by the " a href=(format!("/dhcp-servers?q={}", spec.site)) { "DHCP servers of " (spec.site) } } },
            ),
            ("DHCP options", options::shown(&spec.dhcp_options)),
            (
                "Identify servers by address alone",
                html! { (yes(spec.ip_only_done)) @if !spec.ip_only_done { ": servers need the token of their deployment" } },
            ),
        ]),
    )
}
