//! The page `/networks/_tree`: the networks by site, VLAN or range of addresses, each group with how full it is. A network that
//! lies within another one is below it.

use crate::english::counted;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::components::block;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::holdings;
use ipnet::Ipv4Net;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The prefix length of the groups by range.
const RANGE: u8 = 16;

/// What the networks are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    #[default]
    Site,
    Vlan,
    Range,
}

/// The query of the page.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    by: By,
}

/// A network with the number of its held addresses.
struct Node<'a> {
    network: &'a Entry<NetworkSpec>,
    held: i64,
    /// The networks within it.
    inner: Vec<Node<'a>>,
}

/// Handles the request for the page.
pub(super) async fn show(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let query: Query = page_context.query_without(&["at"])?;
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let mut networks = catalogue::networks(snapshot.connection(), at).await?;
    networks.sort_by_key(|network| (network.spec.cidr.network(), network.spec.cidr.prefix_len()));
    let cidrs: Vec<_> = networks.iter().map(|network| network.spec.cidr).collect();
    let held = holdings::count_in(snapshot.connection(), &cidrs, at).await?;
    let content = html! {
        (block::heading(&[("Networks", "/networks")], &html! { "Network tree" }, &html! {}))
        (block::tabs("Group by", &[
            ("By site", page_context.with("by", None), query.by == By::Site),
            ("By VLAN", page_context.with("by", Some("vlan")), query.by == By::Vlan),
            ("By address range", page_context.with("by", Some("range")), query.by == By::Range),
        ]))
        (view(&networks, &held, query.by))
    };
    let page = Page { json: Some("/api/v1/networks".to_owned()), ..Page::new("Network tree", Section::Networks, content) };
    page_context.answer(snapshot, page).await
}

/// The groups, each with the indexes of its networks, in order.
fn groups(networks: &[Entry<NetworkSpec>], by: By) -> BTreeMap<(u32, String), Vec<usize>> {
    let mut groups: BTreeMap<(u32, String), Vec<usize>> = BTreeMap::new();
    for (index, network) in networks.iter().enumerate() {
        let spec = &network.spec;
        let group = match by {
            By::Site => (0, spec.site.to_string()),
            // Networks without a VLAN come last.
            By::Vlan => spec.vlan.map_or((u32::MAX, "No VLAN".to_owned()), |vlan| (u32::from(vlan), format!("VLAN {vlan}"))),
            By::Range => {
                let length = spec.cidr.prefix_len().min(RANGE);
                let range = Ipv4Net::new(spec.cidr.network(), length).map_or(spec.cidr, |range| range.trunc());
                (u32::from(range.network()), range.to_string())
            }
        };
        groups.entry(group).or_default().push(index);
    }
    groups
}

/// The networks as a forest: each below the smallest one that contains it. They are sorted by address, the largest first.
fn forest<'a>(networks: impl IntoIterator<Item = (&'a Entry<NetworkSpec>, i64)>) -> Vec<Node<'a>> {
    let mut top: Vec<Node<'a>> = vec![];
    for (network, held) in networks {
        let mut level = &mut top;
        while level.last().is_some_and(|last| last.network.spec.cidr.contains(&network.spec.cidr)) {
            let last = level.len() - 1;
            level = &mut level[last].inner;
        }
        level.push(Node { network, held, inner: vec![] });
    }
    top
}

fn capacity(spec: &NetworkSpec) -> i64 {
    i64::try_from(spec.capacity()).unwrap_or(i64::MAX)
}

fn view(networks: &[Entry<NetworkSpec>], held: &[i64], by: By) -> Markup {
    if networks.is_empty() {
        return block::empty("There are no networks yet.", &html! { a.button href="/networks" { "Networks" } });
    }
    html! {
        @for ((_, name), members) in groups(networks, by) {
            @let of = |index: &usize| (&networks[*index], held.get(*index).copied().unwrap_or(0));
            @let nodes = forest(members.iter().map(of));
            @let used: i64 = nodes.iter().map(|node| node.held).sum();
            @let total = nodes.iter().map(|node| capacity(&node.network.spec)).fold(0, i64::saturating_add);
            section.card aria-label=(name) {
                header {
                    h2 { @if by == By::Site { a href=(format!("/sites/{name}")) { (name) } } @else { (name) } }
                    span.quiet { (counted(members.len(), "network", "networks")) }
                }
                (block::used(&format!("Addresses of {name} in use"), used, total))
                (branch(&nodes, by))
            }
        }
    }
}

fn branch(nodes: &[Node<'_>], by: By) -> Markup {
    html! {
        ul.tree {
            @for node in nodes {
                @let spec = &node.network.spec;
                li {
                    div.node {
                        div {
                            a href=(format!("/networks/{}", node.network.key)) { (node.network.key) } " " code { (spec.cidr) }
                            span.quiet {
                                @if by != By::Site { " site " (spec.site) }
                                @if by != By::Vlan { @match spec.vlan { Some(vlan) => { ", VLAN " (vlan) } None => ", no VLAN" } }
                            }
                        }
                        (block::used(&format!("Addresses of {} in use", node.network.key), node.held, capacity(spec)))
                    }
                    @if !node.inner.is_empty() { (branch(&node.inner, by)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};

    fn network(key: &str, cidr: &str, site: &str, vlan: Option<u16>) -> Entry<NetworkSpec> {
        let spec = serde_json::json!({"cidr": cidr, "site": site, "vlan": vlan});
        let spec = serde_json::from_value(spec).expect("a network");
        Entry { key: key.parse().expect("a name"), sequence: 1, retired: false, spec }
    }

    #[test]
    fn a_network_within_another_one_is_below_it_and_groups_add_up() {
        let networks = [
            network("all", "10.0.0.0/22", "dc1", None),
            network("inner", "10.0.1.0/24", "dc1", Some(7)),
            network("other", "10.1.0.0/24", "dc2", Some(7)),
        ];
        let html = view(&networks, &[12, 5, 3], By::Site);
        assert_eq!(texts(&html, "h2"), ["dc1", "dc2"]);
        assert_eq!(attributes(&html, ".tree .tree a", "href"), ["/networks/inner"]);
        assert_eq!(attributes(&html, "section > div > meter", "value"), ["12", "3"], "what is inside counts once");
        assert_eq!(texts(&view(&networks, &[12, 5, 3], By::Range), "h2"), ["10.0.0.0/16", "10.1.0.0/16"]);
        let by_vlan = groups(&networks, By::Vlan);
        assert_eq!(by_vlan.values().map(Vec::len).collect::<Vec<_>>(), [2, 1], "those without a VLAN are last");
    }
}
