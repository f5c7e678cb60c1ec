//! The map of a network's addresses: 256 at a time, each with its state as text and a link to what holds it.

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::block;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::network::{NetworkSpec, Reserved};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::questions::free;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::devices;
use bootledger_projections::rows::holdings;
use bootledger_projections::rows::reservations::Reservation;
use ipnet::Ipv4Net;
use maud::{Markup, html};
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

/// The prefix length of a part.
const PART: u8 = 24;
/// Networks up to this width show how full each of their parts is.
const WIDEST_WITH_PARTS: u8 = 16;
/// How many free addresses are suggested.
const SUGGESTED: usize = 3;

/// The state of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// No device holds the address.
    Free,
    /// The address is never assigned.
    Reserved(Reserved),
    /// An operator has reserved the address, with this note.
    Kept(String),
    /// A device or deployment holds the address: the path of its page, and its displayed name.
    Held(String, String),
    /// The address is the management address of a device.
    Manages(Option<String>, String),
}

/// A part of the addresses of a network.
#[derive(Clone, Debug)]
pub(super) struct Map {
    part: Ipv4Net,
    cells: Vec<(Ipv4Addr, Use)>,
    /// The parts that have held addresses, and how many.
    parts: Vec<(Ipv4Addr, i64)>,
    /// The next free addresses of the whole network.
    pub(super) free: Vec<Ipv4Addr>,
    /// Whether the free addresses are known; they are not for past positions.
    pub(super) knows_free: bool,
}

/// The part of a network that contains this address, otherwise its first part.
fn part(network: Ipv4Net, wanted: Option<Ipv4Addr>) -> Ipv4Net {
    let wanted = wanted.filter(|ip| network.contains(ip)).unwrap_or(network.network());
    let length = network.prefix_len().max(PART);
    Ipv4Net::new(wanted, length).map_or(network, |part| part.trunc())
}

/// Reads a part of the map.
pub(super) async fn find(
    snapshot: &mut Snapshot<'_>,
    spec: &NetworkSpec,
    wanted: Option<Ipv4Addr>,
    reserved: &[Reservation],
) -> Result<Map, Error> {
    let at = snapshot.at;
    let part = part(spec.cidr, wanted);
    let held: HashMap<Ipv4Addr, Holder> = holdings::ips_in(snapshot.connection(), part, at).await?.into_iter().collect();
    let managed: HashMap<Ipv4Addr, Option<DeviceId>> = if at == At::Now {
        let all: Vec<Ipv4Addr> = addresses(part).collect();
        devices::managed_at(snapshot.connection(), &all).await?.into_iter().map(|(ip, device)| (ip, Some(device))).collect()
    } else {
        let managed = devices::management_addresses_in(snapshot.connection(), part, at).await?;
        managed.into_iter().map(|ip| (ip, None)).collect()
    };
    let mut ids: Vec<DeviceId> = managed.values().flatten().copied().collect();
    ids.extend(held.values().filter_map(|holder| match holder {
        Holder::Device(device) => Some(*device),
        Holder::Deployment(_) | Holder::Reservation(_) => None,
    }));
    let known = devices::find_many(snapshot.connection(), &ids, at).await?;
    let names: HashMap<DeviceId, String> = known.iter().map(|device| (device.id, device.called_by_host())).collect();
    let notes: HashMap<Ipv4Addr, String> = reserved.iter().map(|one| (one.ip, one.view.spec.note.to_string())).collect();
    let name = |id: &DeviceId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
    let state = |ip: Ipv4Addr| match (held.get(&ip), managed.get(&ip), spec.reserved(ip)) {
        (Some(Holder::Device(id)), _, _) => Use::Held(format!("/devices/{id}/addresses"), name(id)),
        (Some(Holder::Deployment(id)), _, _) => Use::Held(format!("/deployments/{id}"), format!("deployment {id}")),
        (Some(Holder::Reservation(_)), _, _) => Use::Kept(notes.get(&ip).cloned().unwrap_or_default()),
        (None, Some(Some(id)), _) => Use::Manages(Some(format!("/devices/{id}")), name(id)),
        (None, Some(None), _) => Use::Manages(None, "a device".to_owned()),
        (None, None, Some(reserved)) => Use::Reserved(reserved),
        (None, None, None) => Use::Free,
    };
    let cells = addresses(part).map(|ip| (ip, state(ip))).collect();
    let knows_free = at == At::Now;
    let parts = if knows_free && (WIDEST_WITH_PARTS..PART).contains(&spec.cidr.prefix_len()) {
        holdings::count_by_part(snapshot.connection(), spec.cidr).await?
    } else {
        vec![]
    };
    let free = match at {
        At::Now => free::addresses(snapshot.connection(), spec, &BTreeSet::new(), at, SUGGESTED).await?,
        At::Position(_) => vec![],
    };
    Ok(Map { part, cells, parts, free, knows_free })
}

fn addresses(part: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    (u32::from(part.network())..=u32::from(part.broadcast())).map(Ipv4Addr::from)
}

impl Use {
    fn class(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Reserved(_) => "unassigned",
            Self::Kept(_) => "kept",
            Self::Held(..) | Self::Manages(..) => "used",
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Free => "free".to_owned(),
            Self::Reserved(Reserved::Network) => "network address".to_owned(),
            Self::Reserved(Reserved::Broadcast) => "broadcast".to_owned(),
            Self::Reserved(Reserved::Gateway) => "gateway".to_owned(),
            Self::Reserved(Reserved::Margin(_) | Reserved::Outside) => "never assigned".to_owned(),
            Self::Kept(note) => format!("reserved: {note}"),
            Self::Held(_, name) => format!("used by {name}"),
            Self::Manages(_, name) => format!("management controller of {name}"),
        }
    }

    fn link(&self) -> Option<&str> {
        match self {
            Self::Held(path, _) => Some(path),
            Self::Manages(path, _) => path.as_deref(),
            Self::Kept(_) => Some("#reservations"),
            Self::Free | Self::Reserved(_) => None,
        }
    }
}

/// The next free address of a network.
pub(super) async fn next_free(snapshot: &mut Snapshot<'_>, spec: &NetworkSpec) -> Result<Option<Ipv4Addr>, Error> {
    Ok(free::addresses(snapshot.connection(), spec, &BTreeSet::new(), At::Now, 1).await?.pop())
}

fn cell(ip: Ipv4Addr, state: &Use) -> Markup {
    let (words, number) = (state.words(), ip.octets()[3]);
    let inner = html! { (number) span.visually-hidden { " " (words) } };
    html! {
        li {
            @match state.link() {
                Some(path) => { a class=(state.class()) href=(path) title=(format!("{ip}: {words}")) { (inner) } }
                None => { span class=(state.class()) title=(format!("{ip}: {words}")) { (inner) } }
            }
        }
    }
}

/// The map's card.
pub(super) fn card(key: &str, network: Ipv4Net, map: &Map) -> Markup {
    let path = |ip: Ipv4Addr| format!("/networks/{key}?map={ip}#map");
    let several = map.part != network;
    let step = 1_u32 << (32 - PART);
    let earlier = u32::from(map.part.network()).checked_sub(step).map(Ipv4Addr::from).filter(|ip| network.contains(ip));
    let later = u32::from(map.part.network()).checked_add(step).map(Ipv4Addr::from).filter(|ip| network.contains(ip));
    let count = |class: &str| map.cells.iter().filter(|(_, state)| state.class() == class).count();
    let taken: Vec<_> = map.cells.iter().filter(|(_, state)| state.class() == "used").collect();
    block::card(
        "map",
        "Addresses",
        &html! {
            @if several {
                div.actions {
                    @if let Some(earlier) = earlier { a.button.small rel="prev" href=(path(earlier)) { "Previous" } }
                    strong { code { (map.part) } }
                    @if let Some(later) = later { a.button.small rel="next" href=(path(later)) { "Next" } }
                    form.actions method="get" action=(format!("/networks/{key}")) {
                        label.visually-hidden for="map-address" { "Address in the network" }
                        input type="text" id="map-address" name="map" class="narrow" placeholder=(map.part.network()) autocomplete="off";
                        button.small type="submit" { "Show" }
                    }
                }
                @if !map.parts.is_empty() {
                    details.more {
                        summary { "Address blocks in use (" (map.parts.len()) ")" }
                        ul.plain.columns {
                            @for (part, count) in &map.parts {
                                li { a href=(path(*part)) aria-current=[(*part == map.part.network()).then_some("true")] { (part) "/24" } " " span.quiet { (count) " used" } }
                            }
                        }
                    }
                }
            }
            ul.legend {
                li { span.swatch.free {} (count("free")) " free" }
                li { span.swatch.used {} (count("used")) " used, linked to their devices" }
                li { span.swatch.kept {} (count("kept")) " reserved by operators, underlined" }
                li { span.swatch.unassigned {} (count("unassigned")) " never assigned, struck out" }
            }
            ul.cells aria-label=(format!("Addresses of {}", map.part)) { @for (ip, state) in &map.cells { (cell(*ip, state)) } }
            @if !taken.is_empty() {
                details.more {
                    summary { "List of used addresses (" (taken.len()) ")" }
                    div.scroll {
                        table {
                            thead { tr { th scope="col" { "Address" } th scope="col" { "Use" } } }
                            tbody {
                                @for (ip, state) in taken {
                                    tr {
                                        th scope="row" { code { (ip) } }
                                        td { @match state.link() { Some(path) => { a href=(path) { (state.words()) } } None => (state.words()) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use bootledger_aggregates::network::Edge;

    fn net(text: &str) -> Ipv4Net {
        text.parse().expect("a network")
    }

    #[test]
    fn a_map_shows_the_part_of_an_address_and_never_leaves_the_network() {
        let ip = |text: &str| Some(text.parse().expect("an address"));
        assert_eq!(part(net("10.0.0.0/22"), ip("10.0.2.77")), net("10.0.2.0/24"));
        assert_eq!(part(net("10.0.0.0/22"), ip("10.9.2.77")), net("10.0.0.0/24"));
        assert_eq!(part(net("10.0.0.0/22"), None), net("10.0.0.0/24"));
        assert_eq!(part(net("10.0.0.128/26"), ip("10.0.0.130")), net("10.0.0.128/26"));
    }

    #[test]
    fn every_address_says_what_it_is() {
        let ip = |last| Ipv4Addr::new(10, 0, 1, last);
        let cells = vec![
            (ip(0), Use::Reserved(Reserved::Network)),
            (ip(1), Use::Reserved(Reserved::Gateway)),
            (ip(2), Use::Reserved(Reserved::Margin(Edge::Start))),
            (ip(3), Use::Free),
            (ip(4), Use::Held("/devices/d/addresses".to_owned(), "h200<b>.dc1.example".to_owned())),
            (ip(5), Use::Manages(Some("/devices/e".to_owned()), "R640".to_owned())),
            (ip(6), Use::Kept("new <firewall>".to_owned())),
            (ip(255), Use::Reserved(Reserved::Broadcast)),
        ];
        let map = Map { part: net("10.0.1.0/24"), cells, parts: vec![], free: vec![], knows_free: true };
        let html = card("prod", net("10.0.0.0/22"), &map);
        let classes = ["unassigned", "unassigned", "unassigned", "free", "used", "used", "kept", "unassigned"];
        assert_eq!(attributes(&html, ".cells li > *", "class"), classes);
        insta::assert_snapshot!("uses_of_addresses", texts(&html, ".cells li").join("\n"));
        assert_eq!(attributes(&html, ".cells a", "href"), ["/devices/d/addresses", "/devices/e", "#reservations"]);
        // The legend has the colours of the map.
        let swatches = ["swatch free", "swatch used", "swatch kept", "swatch unassigned"];
        assert_eq!(attributes(&html, ".legend .swatch", "class"), swatches);
        assert_eq!(texts(&html, ".legend li").iter().map(|text| &text[..1]).collect::<String>(), "1214");
        let title = attributes(&html, ".cells a", "title").remove(0);
        assert!(title.starts_with("10.0.1.4: ") && title.ends_with(" h200<b>.dc1.example"), "{title}");
        assert_eq!(attributes(&html, "a[rel]", "href"), ["/networks/prod?map=10.0.0.0#map", "/networks/prod?map=10.0.2.0#map"]);
    }
}
