//! The page `/racks/{key}`: the devices in a rack, and the networks that reach it.

use super::elevation::{self, Contents, Standing};
use crate::english::counted;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::live::{self, Region, State, Topic};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::devices::{self, Device, Filter};
use bootledger_projections::rows::holdings;
use maud::{Markup, html};
use std::collections::HashMap;

/// How many devices of a rack are shown; a rack of blades has some hundreds.
const SHOWN: i64 = 1_000;

/// The data of the page.
struct RackDetails {
    rack: Entry<RackSpec>,
    devices: Vec<Device>,
    live: HashMap<DeviceId, Deployment>,
    networks: Vec<Network>,
    /// Whether the visitor may define racks.
    may_define: Allowed,
    /// Whether the visitor may add servers.
    may_add: Allowed,
}

/// A network that reaches the rack, and how much of it is used.
struct Network {
    entry: Entry<NetworkSpec>,
    used: i64,
    total: i64,
}

/// The rack of this name, in use or not.
pub(super) async fn find(snapshot: &mut Snapshot<'_>, key: &Name) -> Result<Entry<RackSpec>, Error> {
    let at = snapshot.at;
    let rack = catalogue::rack(snapshot.connection(), key, at).await?;
    rack.ok_or_else(|| Error::NotFound(format!("there is no rack {key}")))
}

async fn load(snapshot: &mut Snapshot<'_>, key: &Name, may_define: Allowed, may_add: Allowed) -> Result<RackDetails, Error> {
    let at = snapshot.at;
    let rack = find(snapshot, key).await?;
    let filter =
        Filter { site: Some(rack.spec.site.clone()), rack: Some(key.clone()), decommissioned: Some(false), ..Filter::default() };
    let devices = devices::list(snapshot.connection(), &filter, at, SHOWN).await?;
    let ids: Vec<DeviceId> = devices.iter().map(|device| device.id).collect();
    let live = deployments::live_of_devices(snapshot.connection(), &ids, at).await?;
    let mut networks = vec![];
    for entry in catalogue::networks(snapshot.connection(), at).await? {
        if entry.spec.site == rack.spec.site && entry.spec.racks.contains(key) {
            let held = holdings::ips_in(snapshot.connection(), entry.spec.cidr, at).await?.len();
            networks.push(Network {
                used: i64::try_from(held).unwrap_or(i64::MAX),
                total: i64::try_from(entry.spec.capacity()).unwrap_or(i64::MAX),
                entry,
            });
        }
    }
    let live = live.into_iter().map(|deployment| (deployment.device, deployment)).collect();
    Ok(RackDetails { rack, devices, live, networks, may_define, may_add })
}

/// Handles the request for the page.
pub(super) async fn show(page_context: PageContext, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let may_add = page_context.may_change(&snapshot, Role::Operator);
    let found = load(&mut snapshot, &key, may, may_add).await?;
    let content = html! { @for region in regions(&found) { (region.html) } };
    let page = Page {
        live: Some(format!("/racks/{key}/live/{}", snapshot.position)),
        json: Some(format!("/api/v1/racks/{key}")),
        csv: Some(format!("/devices/export.csv?rack={key}")),
        ..Page::new(key.as_str(), Section::Racks, content)
    };
    page_context.about("rack", &key).answer(snapshot, page).await
}

/// The page's parts, live.
pub(super) async fn live(
    page_context: PageContext,
    request: HttpRequest,
    Path((key, since)): Path<(Name, i64)>,
) -> Result<HttpResponse, Error> {
    let (may_define, may_add) = (page_context.may(Role::Administrator), page_context.may(Role::Operator));
    let render = live::render(move |mut snapshot, _| {
        let (key, may_define, may_add) = (key.clone(), may_define.clone(), may_add.clone());
        Box::pin(async move {
            let found = load(&mut snapshot, &key, may_define, may_add).await?;
            Ok(State { regions: regions(&found), rows: vec![] })
        })
    });
    let topics = ["device", "deployment", "rack", "network"].map(Topic::Kind).to_vec();
    live::answer(&request, since, topics, None, render)
}

/// The head of a rack's pages: title and tabs.
pub(super) fn head(rack: &Entry<RackSpec>, tab: &str, actions: &Markup) -> Markup {
    let path = format!("/racks/{}", rack.key);
    let add = format!("{path}/add");
    html! {
        div id="head" {
            (block::heading(&[("Racks", "/racks")], &html! { (rack.key) @if rack.retired { " " (badge(Tone::Neutral, "Retired")) } }, actions))
            (block::tabs("Rack", &[("Rack", path.clone(), tab == "rack"), ("Add servers", add, tab == "add")]))
        }
    }
}

fn regions(found: &RackDetails) -> Vec<Region> {
    let rack = &found.rack;
    let path = format!("/racks/{}", rack.key);
    let retired = |allowed: &Allowed| {
        let in_use = if rack.retired { Err("The rack is retired. To restore it, edit and save it.".to_owned()) } else { Ok(()) };
        allowed.clone().and(in_use)
    };
    let beside = format!("/racks/_side-by-side?site={}", rack.spec.site);
    let actions = html! {
        (block::link_button(&beside, "hdd-rack", "Side by side"))
        (action::link("edit", &format!("{path}/edit"), Look::Usual, "pencil", "Edit", &found.may_define))
        (action::link("retire", &format!("{path}/retire"), Look::Danger, "trash", "Retire", &retired(&found.may_define)))
    };
    vec![
        Region::new("head", head(rack, "rack", &actions)),
        Region::new("facts", facts(rack)),
        Region::new("elevation", contents(found)),
        Region::new("networks", networks(found)),
    ]
}

fn facts(rack: &Entry<RackSpec>) -> Markup {
    let rows = [
        ("Site", html! { a href=(format!("/sites/{}", rack.spec.site)) { (rack.spec.site) } }),
        ("Description", html! { @if rack.spec.description.is_empty() { span.quiet { "–" } } @else { (rack.spec.description) } }),
        ("Height", html! { (counted(rack.spec.units, "unit", "units")) }),
    ];
    block::card("facts", "Details", &block::facts(&rows))
}

fn contents(found: &RackDetails) -> Markup {
    let standing: Vec<Standing<'_>> =
        found.devices.iter().map(|device| Standing { device, live: found.live.get(&device.id) }).collect();
    let units = found.rack.spec.units;
    let key = &found.rack.key;
    let place = format!("/devices/new?site={}&rack={key}", found.rack.spec.site);
    let register = found.may_add.is_ok().then_some(place.as_str());
    let rack = Contents { name: key.as_str(), units, standing: &standing, register };
    let outside = rack.unplaced();
    let content = html! {
        @if standing.is_empty() {
            (block::empty("It contains no devices in use. Add servers from a CSV file, or register one manually.", &html! {
                div.actions {
                    (action::link("add", &format!("/racks/{key}/add"), Look::Primary, "upload", "Add servers", &found.may_add))
                    (action::link("register", &place, Look::Usual, "plus-lg", "Register a device", &found.may_add))
                }
            }))
        } @else {
            div.columns {
                div {
                    (elevation::picture(&rack))
                    (elevation::legend())
                    @if !outside.is_empty() {
                        h3 { "Not shown in the rack diagram" }
                        ul { @for one in &outside { li { a href=(format!("/devices/{}", one.device.id)) { (one.device.called()) } } } }
                    }
                }
                (elevation::table(&rack))
            }
        }
    };
    block::card("elevation", "Contents", &content)
}

fn networks(found: &RackDetails) -> Markup {
    let content = html! {
        @if found.networks.is_empty() {
            p { "No network reaches this rack, so no addresses are suggested for its servers. Add the rack to a network of its site. " a href="/networks" { "Networks" } }
        } @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Networks that reach the rack" }
                    thead { tr { th scope="col" { "Network" } th scope="col" { "Addresses" } th scope="col" { "VLAN" } th scope="col" { "Used" } } }
                    tbody {
                        @for network in &found.networks {
                            tr {
                                th scope="row" { a href=(format!("/networks/{}", network.entry.key)) { (network.entry.key) } }
                                td data-label="Addresses" { span.mono { (network.entry.spec.cidr) } }
                                td data-label="VLAN" { @match network.entry.spec.vlan { Some(vlan) => (vlan), None => "–" } }
                                td data-label="Used" { (block::used(&format!("Use of {}", network.entry.key), network.used, network.total)) }
                            }
                        }
                    }
                }
            }
        }
    };
    block::card("networks", "Networks that reach it", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;

    fn network(cidr: &str, gateway: Option<&str>) -> NetworkSpec {
        let spec =
            serde_json::json!({"cidr": cidr, "site": "dc1", "racks": ["r01"], "gateway": gateway, "vlan": 7, "domain": null});
        serde_json::from_value(spec).expect("a network")
    }

    #[test]
    fn a_rack_shows_its_devices_and_networks_and_an_empty_one_says_how_to_begin() {
        let spec = serde_json::from_str(r#"{"site": "dc1", "units": 42}"#).expect("a rack");
        let entry = |spec| Entry { key: "prod".parse().expect("a name"), sequence: 1, retired: false, spec };
        let rack = Entry { key: "r01".parse().expect("a name"), sequence: 1, retired: false, spec };
        let mut found = RackDetails {
            rack,
            devices: vec![device()],
            live: HashMap::new(),
            networks: vec![Network { entry: entry(network("10.0.0.0/24", None)), used: 61, total: 244 }],
            may_define: Err("This takes the role administrator.".to_owned()),
            may_add: Ok(()),
        };
        let html = |found: &RackDetails| regions(found).into_iter().map(|region| region.html.into_string()).collect::<String>();
        let full = html(&found);
        assert!(full.contains("max=\"244\" value=\"61\"") && full.contains("R640 &lt;no. 1&gt;"), "{full}");
        assert!(full.contains("id=\"retire-reason\""), "{full}");
        (found.devices, found.networks) = (vec![], vec![]);
        let empty = html(&found);
        assert!(empty.contains("/racks/r01/add") && !empty.contains("/networks/prod"), "{empty}");
    }
}
