//! The page `/devices`: the list. Its filters, order and columns are in the URL.

use crate::api::devices::DeviceQuery;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::application;
use crate::pages::bulk;
use crate::pages::components::badge::{self, Tone, badge};
use crate::pages::components::icon::icon;
use crate::pages::components::time::passed;
use crate::pages::components::{action, block};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::filters::{Choice, bar, is_filtered, same};
use crate::pages::list::paging::{COUNT_LIMIT, Place, Slice, size};
use crate::pages::list::views::{Known, Views};
use crate::pages::list::{Column, Listing, OWN, Shown, at_path};
use crate::pages::live::{self, News, Region, State, Topic, Touch};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::device::event::DeviceKind;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::devices::{self, Device, Filter, Sort, cursor};
use maud::{Markup, html};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The bulk actions: values and texts.
const ACTIONS: [(&str, &str); 5] =
    [("deploy", "Deploy…"), ("verify", "Verify…"), ("edit", "Edit…"), ("power", "Power…"), ("unverify", "Revoke verification…")];

/// The parameters of the filters: see `choices`.
const FILTERS: [&str; 12] =
    ["verified", "live", "site", "rack", "venture", "role", "kind", "locked", "tag", "decommissioned", "mac", "serial"];

const COLUMNS: &[Column] = &[
    Column { name: "name", label: "Name", usual: true, sortable: true },
    Column { name: "state", label: "State", usual: true, sortable: false },
    Column { name: "serial", label: "Serial", usual: true, sortable: true },
    Column { name: "asset", label: "Asset", usual: false, sortable: true },
    Column { name: "kind", label: "Kind", usual: false, sortable: false },
    Column { name: "site", label: "Site", usual: false, sortable: true },
    Column { name: "rack", label: "Rack", usual: true, sortable: true },
    Column { name: "role", label: "Venture and role", usual: true, sortable: true },
    Column { name: "hostnames", label: "Host names", usual: true, sortable: true },
    Column { name: "addresses", label: "Addresses", usual: true, sortable: true },
    Column { name: "macs", label: "MACs", usual: false, sortable: false },
    Column { name: "os", label: "Operating system", usual: false, sortable: false },
    Column { name: "tags", label: "Tags", usual: false, sortable: false },
    Column { name: "registered", label: "Registered", usual: false, sortable: true },
    Column { name: "changed", label: "Changed", usual: true, sortable: true },
];

/// The filter from a list's parameters. Without an order, the newest devices come first.
pub(super) fn filter(query: DeviceQuery) -> Filter {
    let ordered = query.is_ordered();
    let filter = query.filter();
    if ordered { filter } else { Filter { sort: Sort::Newest, ..filter } }
}

fn filter_of(page_context: &PageContext) -> Result<Filter, Error> {
    Ok(filter(page_context.query_without::<DeviceQuery>(&OWN)?))
}

/// The data of the list.
struct DevicePage {
    slice: Slice<Device>,
    live: HashMap<DeviceId, Deployment>,
}

async fn load(snapshot: &mut Snapshot<'_>, filter: &Filter, place: &Place, size: u32) -> Result<DevicePage, Error> {
    let slice = match read(snapshot, filter, place, size).await? {
        // The page before this one is the first one, and may have become longer.
        slice if place.is_backwards() && slice.previous.is_none() => read(snapshot, filter, &Place::First, size).await?,
        slice => slice,
    };
    let live = live_of(snapshot, &slice.rows).await?;
    Ok(DevicePage { slice, live })
}

async fn read(snapshot: &mut Snapshot<'_>, filter: &Filter, place: &Place, size: u32) -> Result<Slice<Device>, Error> {
    let at = snapshot.at;
    let sort = if place.is_backwards() { filter.sort.reversed() } else { filter.sort };
    let read = Filter { sort, after: place.cursor().map(str::to_owned), ..filter.clone() };
    let found = devices::list(snapshot.connection(), &read, at, i64::from(size) + 1).await?;
    Ok(Slice::of(found, size as usize, place, |device| cursor(filter.sort, device)))
}

async fn live_of(snapshot: &mut Snapshot<'_>, rows: &[Device]) -> Result<HashMap<DeviceId, Deployment>, Error> {
    let (at, ids): (_, Vec<DeviceId>) = (snapshot.at, rows.iter().map(|row| row.id).collect());
    let found = deployments::live_of_devices(snapshot.connection(), &ids, at).await?;
    Ok(found.into_iter().map(|deployment| (deployment.device, deployment)).collect())
}

/// Handles the request for the page.
pub(super) async fn index(mut page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let views = Views::load(&page_context, &mut snapshot, "devices", Known::of(&FILTERS, COLUMNS)).await?;
    views.assume(&mut page_context);
    let (filter, place, size) = (filter_of(&page_context)?, Place::of(&page_context), size(&page_context)?);
    let found = load(&mut snapshot, &filter, &place, size).await?;
    let at = snapshot.at;
    let total = devices::count(snapshot.connection(), &filter, at, COUNT_LIMIT).await?;
    let choices = choices(&page_context, &mut snapshot).await?;
    let (shown, moment) = (Shown::of(&page_context, COLUMNS), snapshot.moment());
    let may = page_context.may_change(&snapshot, Role::Operator);
    let query = page_context.with("columns", None);
    let query = query.split_once('?').map_or("", |(_, query)| query);
    let ordered = if filter.sort == Sort::Newest && page_context.parameter("sort").is_empty() { "sort=-registered&" } else { "" };
    let (json, csv) = (format!("/api/v1/devices?{ordered}{query}"), format!("/devices/export.csv?{query}"));
    let listing = Listing {
        page_context: &page_context,
        many: "devices",
        choices: &choices,
        total,
        columns: Some(&shown),
        views: views.menu(&page_context),
        exports: (Some(&csv), Some(&json)),
    };
    let rows = &found.slice.rows;
    let content = html! {
        (block::heading(&[], &html! { "Devices" }, &action::link("register", "/devices/new", action::Look::Usual, "plus-lg", "Register a device", &may)))
        (bar(&page_context, "/devices", "Name, serial, asset, MAC, IP, host name, tag", &choices))
        (listing.tools(rows.len()))
        (live::news(0, &page_context.with("", None)))
        @if rows.is_empty() { (nothing(is_filtered(&page_context, &choices) || place != Place::First)) } @else {
            (listing.table(&found.slice, &html! {
                table.cards {
                    caption.visually-hidden { "Devices" }
                    (shown.head(&page_context, filter.sort.as_str(), &bulk::select_all()))
                    tbody { @for device in rows { (row(device, found.live.get(&device.id), &shown, moment)) } }
                }
            }, &bulk::form(&page_context, "/devices/bulk", &may, &ACTIONS)))
        }
        p.quiet { "A venture is the owner of servers, such as a team or a service. A role is what a server does in its venture." }
    };
    let from = page_context.now.0.unix_timestamp_nanos() / 1_000_000;
    let stream = format!("/devices/live/{}/{from}", snapshot.position);
    let live = own_path(&place, &page_context).replacen("/devices", &stream, 1);
    let page = Page { live: Some(live), json: Some(json), csv: Some(csv), ..Page::new("Devices", Section::Devices, content) };
    page_context.answer(snapshot, page).await
}

/// This page's own path and query, with its cursor.
fn own_path(place: &Place, page_context: &PageContext) -> String {
    match place {
        Place::First => page_context.with("", None),
        Place::After(after) => page_context.and("after", after),
        Place::Before(before) => page_context.and("before", before),
    }
}

/// The filters, with the values that exist as options.
async fn choices(page_context: &PageContext, snapshot: &mut Snapshot<'_>) -> Result<Vec<Choice>, Error> {
    let at = snapshot.at;
    let sites = catalogue::sites(snapshot.connection(), at).await?;
    let racks = catalogue::racks(snapshot.connection(), at).await?;
    let ventures = catalogue::ventures(snapshot.connection(), at).await?;
    let tags = devices::tags(snapshot.connection(), at).await?.into_iter().map(|tag| tag.to_string());
    let (site, venture) = (page_context.parameter("site"), page_context.parameter("venture"));
    let racks = racks.iter().filter(|rack| site.is_empty() || rack.spec.site.as_str() == site).map(|rack| rack.key.to_string());
    let of_venture = ventures.iter().filter(|entry| venture.is_empty() || entry.key.as_str() == venture);
    let roles: BTreeSet<String> = of_venture.flat_map(|entry| entry.spec.roles.keys().map(ToString::to_string)).collect();
    let either = |yes: &str, no: &str| [("true".to_owned(), yes.to_owned()), ("false".to_owned(), no.to_owned())];
    let kinds = [DeviceKind::Physical, DeviceKind::Blade, DeviceKind::Virtual];
    let kinds = kinds.map(|kind| (devices::kind_text(kind).to_owned(), kind_words(kind).to_owned()));
    Ok(vec![
        Choice::new("verified", "Verified", either("Verified", "Not verified")),
        Choice::new("live", "Deployment", either("Being deployed", "Not being deployed")),
        Choice::new("site", "Site", same(sites.iter().map(|site| site.key.to_string()))),
        Choice::new("rack", "Rack", same(racks)),
        Choice::new("venture", "Venture", same(ventures.iter().map(|venture| venture.key.to_string()))),
        Choice::new("role", "Role", same(roles)),
        Choice::new("kind", "Kind", kinds),
        Choice::new("locked", "Lock", either("Locked", "Not locked")),
        Choice::new("tag", "Tag", same(tags)),
        Choice::new("decommissioned", "In use", either("Decommissioned", "In use")),
        Choice::hidden("mac", "MAC"),
        Choice::hidden("serial", "Serial"),
    ])
}

/// Text for a kind of device.
pub(super) fn kind_words(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Physical => "Physical server",
        DeviceKind::Blade => "Blade",
        DeviceKind::Virtual => "Virtual server",
    }
}

/// The list's rows, live: those that it would show now, and those that recent events concern.
pub(super) async fn live(
    page_context: PageContext,
    request: HttpRequest,
    Path((since, from)): Path<(i64, u64)>,
) -> Result<HttpResponse, Error> {
    let (filter, place, size) = (filter_of(&page_context)?, Place::of(&page_context), size(&page_context)?);
    let shown = Shown::of(&page_context, COLUMNS);
    let now = application::of(&request)?.now;
    let path = at_path(&page_context.with("", None), "/devices");
    let render = live::render(move |mut snapshot, touched: Vec<Touch>| {
        let (filter, place, shown) = (filter.clone(), place.clone(), shown.clone());
        Box::pin(async move {
            let DevicePage { slice, mut live } = load(&mut snapshot, &filter, &place, size).await?;
            let mut rows = slice.rows;
            let newest = Filter { sort: Sort::Newest, after: None, ..filter };
            let order = devices::list(snapshot.connection(), &newest, At::Now, i64::from(size)).await?;
            let listed: HashSet<DeviceId> = rows.iter().map(|row| row.id).collect();
            let lately: HashSet<DeviceId> =
                touched.iter().filter_map(|touch| touch.device).filter(|id| !listed.contains(id)).collect();
            let more = devices::find_many(snapshot.connection(), &lately.into_iter().collect::<Vec<_>>(), At::Now).await?;
            live.extend(live_of(&mut snapshot, &more).await?);
            rows.extend(more);
            let region =
                |device: &Device| Region::new(format!("device-{}", device.id), row(device, live.get(&device.id), &shown, now()));
            Ok(State { regions: rows.iter().map(region).collect(), rows: order.iter().map(|row| row.id.0).collect() })
        })
    });
    let topics = vec![Topic::Kind("device"), Topic::Kind("deployment")];
    live::answer(&request, since, topics, Some(News { since: from, path }), render)
}

fn nothing(is_filtered: bool) -> Markup {
    if is_filtered {
        return block::empty("No devices match these filters.", &html! { a.button href="/devices" { "Show all" } });
    }
    let words = "There are no devices yet. Register one manually, or add servers to a rack with a CSV file.";
    let actions = html! {
        div.actions { a.button.primary href="/devices/new" { "Register a device" } a.button href="/racks" { "Racks" } }
    };
    block::empty(words, &actions)
}

/// Whether a device is verified, in use, and being deployed.
pub(super) fn state(device: &Device, live: Option<&Deployment>) -> Markup {
    html! {
        @if device.decommissioned { (badge(Tone::Neutral, "Decommissioned")) }
        @else if device.verified { (badge(Tone::Good, "Verified")) }
        @else { (badge(Tone::Warn, "Not verified")) }
        @if device.lock.is_some() { " " (badge(Tone::Warn, "Locked")) }
        @if let Some(live) = live {
            " " a href=(format!("/deployments/{}", live.id)) { (badge::deployment(live.status, live.overdue)) }
        }
    }
}

/// The state in a list, where one badge has room. Only verified devices are deployed, so a deployment says that too.
fn short_state(device: &Device, live: Option<&Deployment>) -> Markup {
    html! {
        @if let Some(live) = live { a href=(format!("/deployments/{}", live.id)) { (badge::deployment(live.status, false)) } }
        @else if device.decommissioned { (badge(Tone::Neutral, "Decommissioned")) }
        @else if device.verified { (badge(Tone::Good, "Verified")) }
        @else { (badge(Tone::Warn, "Not verified")) }
        @if device.lock.is_some() { " " span.locked title="Locked" { (icon("lock-fill")) span.visually-hidden { "Locked" } } }
    }
}

/// Several texts on one line: the first one, and how many more there are; the tooltip has all.
fn several(texts: &[String]) -> Markup {
    html! {
        @if let [first, rest @ ..] = texts {
            span title=(texts.join(", ")) { (first) @if !rest.is_empty() { " " small.quiet { "+" (rest.len()) } } }
        }
    }
}

fn strings<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn row(device: &Device, live: Option<&Deployment>, shown: &Shown, now: Timestamp) -> Markup {
    html! {
        tr id=(format!("device-{}", device.id)) {
            (bulk::select(device.id.0, &device.called()))
            @for name in shown.names() { (cell(name, device, live, now)) }
        }
    }
}

/// A cell of a column.
fn cell(column: &str, device: &Device, live: Option<&Deployment>, now: Timestamp) -> Markup {
    let text = |label: &str, text: Option<String>| html! { td data-label=(label) title=[text.as_deref()] { @if let Some(text) = &text { (text) } } };
    let own = |value: Option<&bootledger_aggregates::values::text::Text>| value.map(ToString::to_string);
    match column {
        "name" => {
            let name = device.called();
            html! { th scope="row" { a href=(format!("/devices/{}", device.id)) title=(name) { (name) } } }
        }
        "state" => html! { td data-label="State" { span { (short_state(device, live)) } } },
        "serial" => text("Serial", own(device.serial.as_ref())),
        "asset" => text("Asset", own(device.asset.as_ref())),
        "kind" => text("Kind", Some(kind_words(device.kind).to_owned())),
        "site" => html! { td data-label="Site" { a href=(format!("/sites/{}", device.site)) { (device.site) } } },
        "rack" => html! {
            td data-label="Rack" {
                @if let Some(rack) = &device.rack {
                    a href=(format!("/racks/{rack}")) { (rack) @if let Some(unit) = device.rack_position { " unit " (unit) } }
                }
            }
        },
        "role" => {
            let role = device.role.as_ref().map(|role| format!(" / {role}")).unwrap_or_default();
            text("Venture, role", device.venture.as_ref().map(|venture| format!("{venture}{role}")))
        }
        "hostnames" => html! { td data-label="Host names" { (several(&strings(&device.hostnames))) } },
        "addresses" => html! { td.mono data-label="Addresses" { (several(&strings(&device.addresses))) } },
        "macs" => html! { td.mono data-label="MACs" { (several(&strings(&device.macs))) } },
        "os" => text("System", own(device.operating_system.as_ref())),
        "tags" => html! {
            td data-label="Tags" {
                @if !device.tags.is_empty() { ul.tags { @for tag in &device.tags { li { a href=(format!("/devices?tag={tag}")) { (tag) } } } } }
            }
        },
        "registered" => html! { td data-label="Registered" { (passed(device.registered_at, now)) } },
        "changed" => html! { td data-label="Changed" { (passed(device.changed_at, now)) } },
        _ => html! {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::{deployment, device};
    use crate::pages::tests::selectors;

    /// A row outside of a table would not be parsed.
    fn texts(row: &Markup, selector: &str) -> Vec<String> {
        selectors::texts(&html! { table { (row) } }, selector)
    }

    #[test]
    fn a_row_says_what_a_device_is_and_whether_it_is_being_deployed() {
        let shown = Shown::named("", COLUMNS);
        let html = row(&device(), Some(&deployment()), &shown, Timestamp::default().plus_seconds(90));
        assert_eq!(texts(&html, "th a[href^='/devices/']"), ["R640 <no. 1>"]);
        assert_eq!(texts(&html, "td[data-label='State']"), ["Open"]);
        assert_eq!(texts(&html, "td[data-label='Rack']"), ["dc1-r01 unit 10"]);
        assert_eq!(texts(&html, "a[href^='/deployments/']").len(), 1);
        assert!(texts(&html, "td[data-label='MACs']").is_empty(), "a column is shown that was not selected");
    }

    #[test]
    fn a_device_without_a_name_is_called_by_what_it_has() {
        let mut device = device();
        device.name = bootledger_aggregates::values::text::Text::default();
        assert_eq!(device.called(), "h200.dc1.example");
        device.hostnames.clear();
        assert_eq!(device.called(), "SN1");
    }

    #[test]
    fn an_empty_list_leads_to_the_first_device_or_to_all() {
        assert!(nothing(false).into_string().contains("href=\"/devices/new\""));
        assert!(nothing(true).into_string().contains("href=\"/devices\""));
    }
}
