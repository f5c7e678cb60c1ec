//! The page `/racks/_side-by-side`: the racks of a site, or chosen ones, beside each other.

use super::elevation::{self, Contents, Standing};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::Allowed;
use crate::pages::components::block;
use crate::pages::components::field::Field;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::at_path;
use crate::pages::list::filters::same;
use crate::pages::live::{self, Region, State, Topic};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::devices::{self, Device, Filter};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};

/// How many racks are shown at once, and how many devices of each.
const RACKS: usize = 12;
const DEVICES: i64 = 500;

/// The query of the page, without the chosen racks: a form repeats their parameter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    /// The site whose racks are shown; by default the first one with racks.
    site: Option<String>,
    /// Only racks after this one.
    after: Option<String>,
}

/// What the page was asked for.
#[derive(Clone, Debug)]
struct Wanted {
    query: Query,
    racks: Vec<String>,
}

impl Wanted {
    fn of(page_context: &PageContext) -> Result<Self, Error> {
        let query: Query = page_context.query_without(&["rack"])?;
        let racks = page_context.parameters().filter(|(name, value)| *name == "rack" && !value.is_empty());
        Ok(Self { query, racks: racks.map(|(_, value)| value.to_owned()).collect() })
    }
}

/// The data of the page.
struct Found {
    sites: BTreeSet<String>,
    site: String,
    /// The names of all racks of the site.
    names: Vec<String>,
    racks: Vec<Shown>,
    /// The last rack that is shown, if more follow.
    next: Option<String>,
}

/// A rack that is shown.
struct Shown {
    rack: Entry<RackSpec>,
    devices: Vec<Device>,
    live: HashMap<DeviceId, Deployment>,
}

async fn load(snapshot: &mut Snapshot<'_>, wanted: &Wanted) -> Result<Found, Error> {
    let at = snapshot.at;
    let all = catalogue::racks(snapshot.connection(), at).await?;
    let sites: BTreeSet<String> = all.iter().map(|rack| rack.spec.site.to_string()).collect();
    let site = wanted.query.site.clone().or_else(|| sites.first().cloned()).unwrap_or_default();
    let of_site: Vec<Entry<RackSpec>> = all.into_iter().filter(|rack| rack.spec.site.as_str() == site).collect();
    let names: Vec<String> = of_site.iter().map(|rack| rack.key.to_string()).collect();
    let after = wanted.query.after.as_deref();
    let is_wanted = |rack: &Entry<RackSpec>| {
        (wanted.racks.is_empty() || wanted.racks.iter().any(|name| name == rack.key.as_str()))
            && after.is_none_or(|after| rack.key.as_str() > after)
    };
    let mut chosen: Vec<Entry<RackSpec>> = of_site.into_iter().filter(is_wanted).collect();
    let more = chosen.len() > RACKS;
    chosen.truncate(RACKS);
    let next = chosen.last().filter(|_| more).map(|rack| rack.key.to_string());
    let mut racks = vec![];
    for rack in chosen {
        let filter = Filter {
            site: Some(rack.spec.site.clone()),
            rack: Some(rack.key.clone()),
            decommissioned: Some(false),
            ..Filter::default()
        };
        let devices = devices::list(snapshot.connection(), &filter, at, DEVICES).await?;
        let ids: Vec<DeviceId> = devices.iter().map(|device| device.id).collect();
        let live = deployments::live_of_devices(snapshot.connection(), &ids, at).await?;
        racks.push(Shown { rack, devices, live: live.into_iter().map(|live| (live.device, live)).collect() });
    }
    Ok(Found { sites, site, names, racks, next })
}

/// Handles the request for the page.
pub(super) async fn show(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let wanted = Wanted::of(&page_context)?;
    let mut snapshot = backend.read().await?;
    let found = load(&mut snapshot, &wanted).await?;
    let may = page_context.may_change(&snapshot, Role::Operator);
    let content = html! {
        (block::heading(&[("Racks", "/racks")], &html! { "Racks side by side" }, &html! {}))
        @if found.sites.is_empty() {
            (block::empty("There are no racks yet.", &html! { a.button href="/racks" { "Racks" } }))
        } @else {
            (choice(&found, &wanted))
            (side_by_side(&found, &may))
            @let first = wanted.query.after.is_some().then(|| page_context.with("", None));
            @let next = found.next.as_deref().map(|next| page_context.with("after", Some(next)));
            (block::pager(found.racks.len(), first.as_deref(), next.as_deref()))
        }
    };
    let path = format!("/racks/_side-by-side/live/{}", snapshot.position);
    let here = match &wanted.query.after {
        Some(after) => page_context.and("after", after),
        None => page_context.with("", None),
    };
    let page = Page { live: Some(at_path(&here, &path)), ..Page::new("Racks side by side", Section::Racks, content) };
    page_context.answer(snapshot, page).await
}

/// The page's racks, live.
pub(super) async fn live(page_context: PageContext, request: HttpRequest, Path(since): Path<i64>) -> Result<HttpResponse, Error> {
    let (wanted, may) = (Wanted::of(&page_context)?, page_context.may(Role::Operator));
    let render = live::render(move |mut snapshot, _| {
        let (wanted, may) = (wanted.clone(), may.clone());
        Box::pin(async move {
            let found = load(&mut snapshot, &wanted).await?;
            Ok(State { regions: vec![Region::new("racks", side_by_side(&found, &may))], rows: vec![] })
        })
    });
    let topics = ["device", "deployment", "rack"].map(Topic::Kind).to_vec();
    live::answer(&request, since, topics, None, render)
}

/// The form that chooses the site and the racks.
fn choice(found: &Found, wanted: &Wanted) -> Markup {
    let site = Field { name: "site", label: "Site", value: &found.site, required: true, ..Field::default() };
    html! {
        form.filters method="get" action="/racks/_side-by-side" {
            (site.select(None, &same(found.sites.iter().cloned())))
            @if found.names.len() > 1 {
                details.more open[!wanted.racks.is_empty()] {
                    summary { "Racks of " (found.site) ": " @if wanted.racks.is_empty() { "all " (found.names.len()) } @else { (wanted.racks.len()) " of " (found.names.len()) } }
                    div.actions {
                        @for name in &found.names {
                            label.check { input type="checkbox" name="rack" value=(name) checked[wanted.racks.contains(name)]; (name) }
                        }
                    }
                }
            }
            button type="submit" { "Show" }
        }
    }
}

fn side_by_side(found: &Found, may: &Allowed) -> Markup {
    html! {
        div.stack id="racks" {
            @if found.racks.is_empty() {
                (block::empty("No racks match.", &html! { a.button href="/racks/_side-by-side" { "Show all" } }))
            } @else {
                (elevation::legend())
                div.scroll.racks tabindex="0" role="region" aria-label="Racks side by side" {
                    @for shown in &found.racks { (column(shown, may)) }
                }
            }
        }
    }
}

fn column(shown: &Shown, may: &Allowed) -> Markup {
    let key = shown.rack.key.as_str();
    let standing: Vec<Standing<'_>> =
        shown.devices.iter().map(|device| Standing { device, live: shown.live.get(&device.id) }).collect();
    let path = format!("/devices/new?site={}&rack={key}", shown.rack.spec.site);
    let register = may.is_ok().then_some(path.as_str());
    let rack = Contents { name: key, units: shown.rack.spec.units, standing: &standing, register };
    let outside = rack.unplaced();
    html! {
        section.card aria-label=(format!("Rack {key}")) {
            h2 { a href=(format!("/racks/{key}")) { (key) } }
            (block::used(&format!("Units of {key} in use"), rack.used(), i64::from(rack.units)))
            (elevation::picture(&rack))
            @if !outside.is_empty() {
                p.quiet { "Without a place in the picture: " @for (index, one) in outside.iter().enumerate() { @if index > 0 { ", " } a href=(format!("/devices/{}", one.device.id)) { (one.device.called()) } } }
            }
            details.more { summary { "Table of " (key) } (elevation::table(&rack)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;
    use crate::pages::tests::selectors::{attributes, texts};

    #[test]
    fn each_rack_has_its_picture_and_its_table() {
        let rack = |name: &str| {
            let spec = serde_json::from_str(r#"{"site": "dc1", "units": 12}"#).expect("a rack");
            Entry { key: name.parse().expect("a name"), sequence: 1, retired: false, spec }
        };
        let shown = |name: &str, devices| Shown { rack: rack(name), devices, live: HashMap::new() };
        let mut found = Found {
            sites: ["dc1".to_owned()].into(),
            site: "dc1".to_owned(),
            names: vec!["r01".to_owned(), "r02".to_owned()],
            racks: vec![shown("r01", vec![device()]), shown("r02", vec![])],
            next: None,
        };
        let html = side_by_side(&found, &Ok(()));
        assert_eq!(texts(&html, ".racks h2"), ["r01", "r02"]);
        assert_eq!(attributes(&html, "meter", "value"), ["1", "0"]);
        assert_eq!(attributes(&html, "a.free-unit", "href").len(), 11 + 12);
        let ids = attributes(&html, "[id]", "id");
        let unique: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "every ID is there once: {ids:?}");
        let viewer = side_by_side(&found, &Err("This requires the role operator.".to_owned()));
        assert!(attributes(&viewer, "a[href^='/devices/new']", "href").is_empty());
        found.racks.clear();
        assert_eq!(texts(&side_by_side(&found, &Ok(())), ".empty").len(), 1);
    }
}
