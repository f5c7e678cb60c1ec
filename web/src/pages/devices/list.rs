//! The page `/devices`: the list. Its filters, order and columns are in the URL.

use crate::api::devices::DeviceQuery;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::application;
use crate::pages::bulk;
use crate::pages::components::badge::{self, Tone, badge};
use crate::pages::components::time::{moment, since};
use crate::pages::components::{action, block};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::{Column, Shown, at_path, choose, filters, same};
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

/// How many devices a page shows.
const SHOWN: u32 = 100;
/// The bulk actions: values and texts.
const ACTIONS: [(&str, &str); 5] =
    [("deploy", "Deploy…"), ("verify", "Verify…"), ("edit", "Edit…"), ("power", "Power…"), ("unverify", "Revoke verification…")];

const COLUMNS: &[Column] = &[
    Column { name: "name", label: "Name", usual: true, sortable: true },
    Column { name: "state", label: "State", usual: true, sortable: false },
    Column { name: "serial", label: "Serial", usual: true, sortable: true },
    Column { name: "asset", label: "Asset", usual: false, sortable: false },
    Column { name: "kind", label: "Kind", usual: false, sortable: false },
    Column { name: "site", label: "Site", usual: false, sortable: false },
    Column { name: "rack", label: "Rack", usual: true, sortable: false },
    Column { name: "role", label: "Venture and role", usual: true, sortable: false },
    Column { name: "hostnames", label: "Host names", usual: true, sortable: false },
    Column { name: "addresses", label: "Addresses", usual: true, sortable: false },
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
    Ok(filter(page_context.query_without::<DeviceQuery>(&["columns"])?))
}

/// The data of the list.
struct DevicePage {
    rows: Vec<Device>,
    live: HashMap<DeviceId, Deployment>,
    next: Option<String>,
}

async fn load(snapshot: &mut Snapshot<'_>, filter: &Filter) -> Result<DevicePage, Error> {
    let at = snapshot.at;
    let mut rows = devices::list(snapshot.connection(), filter, at, i64::from(SHOWN) + 1).await?;
    let more = rows.len() > SHOWN as usize;
    rows.truncate(SHOWN as usize);
    let next = rows.last().filter(|_| more).map(|last| cursor(filter.sort, last));
    let live = live_of(snapshot, &rows).await?;
    Ok(DevicePage { rows, live, next })
}

async fn live_of(snapshot: &mut Snapshot<'_>, rows: &[Device]) -> Result<HashMap<DeviceId, Deployment>, Error> {
    let (at, ids): (_, Vec<DeviceId>) = (snapshot.at, rows.iter().map(|row| row.id).collect());
    let found = deployments::live_of_devices(snapshot.connection(), &ids, at).await?;
    Ok(found.into_iter().map(|deployment| (deployment.device, deployment)).collect())
}

/// Handles the request for the page.
pub(super) async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let filter = filter_of(&page_context)?;
    let found = load(&mut snapshot, &filter).await?;
    let choices = choices(&page_context, &mut snapshot).await?;
    let names = ["site", "rack", "venture", "role", "kind", "verified", "live", "locked", "tag", "decommissioned"];
    let form = filters(&page_context, "/devices", "Name, serial, asset, MAC, IP, host name, tag", &names, &choices);
    let shown = Shown::of(&page_context, COLUMNS);
    let may = page_context.may_change(&snapshot, Role::Operator);
    let first = page_context.with("", None);
    let next = found.next.as_ref().map(|cursor| page_context.and("after", cursor));
    let is_filtered = page_context.parameters().any(|(name, value)| !value.is_empty() && (name == "q" || names.contains(&name)));
    let content = html! {
        (block::heading(&[], &html! { "Devices" }, &action::link("register", "/devices/new", action::Look::Usual, "plus-lg", "Register a device", &may)))
        p.quiet { "A venture is the owner of servers, such as a team or a service. A role is what a server does in its venture." }
        (form)
        (live::news(0, &first))
        @if found.rows.is_empty() { (nothing(is_filtered)) } @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Devices" }
                    (shown.head(&page_context, filter.sort.as_str(), &bulk::select_all()))
                    tbody { @for device in &found.rows { (row(device, found.live.get(&device.id), &shown, page_context.now)) } }
                }
            }
            (bulk::form(&page_context, "/devices/bulk", &may, &ACTIONS))
            (block::pager(found.rows.len(), filter.after.as_ref().map(|_| first.as_str()), next.as_deref()))
            (shown.choice(&page_context))
        }
    };
    let query = page_context.with("columns", None);
    let query = query.split_once('?').map_or("", |(_, query)| query);
    let ordered = if filter.sort == Sort::Newest && page_context.parameter("sort").is_empty() { "sort=-registered&" } else { "" };
    let from = page_context.now.0.unix_timestamp_nanos() / 1_000_000;
    let place = format!("/devices/live/{}/{from}", snapshot.position);
    let live = own_path(&filter, &page_context).replacen("/devices", &place, 1);
    let page = Page {
        live: Some(live),
        json: Some(format!("/api/v1/devices?{ordered}{query}")),
        csv: Some(format!("/devices/export.csv?{query}")),
        ..Page::new("Devices", Section::Devices, content)
    };
    page_context.answer(snapshot, page).await
}

/// This page's own path and query, with its cursor.
fn own_path(filter: &Filter, page_context: &PageContext) -> String {
    match &filter.after {
        Some(after) => page_context.and("after", after),
        None => page_context.with("", None),
    }
}

/// The filters, with the values that exist as options.
async fn choices(page_context: &PageContext, snapshot: &mut Snapshot<'_>) -> Result<Markup, Error> {
    let at = snapshot.at;
    let sites = catalogue::sites(snapshot.connection(), at).await?;
    let racks = catalogue::racks(snapshot.connection(), at).await?;
    let ventures = catalogue::ventures(snapshot.connection(), at).await?;
    let (site, venture) = (page_context.parameter("site"), page_context.parameter("venture"));
    let racks = racks.iter().filter(|rack| site.is_empty() || rack.spec.site.as_str() == site).map(|rack| rack.key.to_string());
    let of_venture = ventures.iter().filter(|entry| venture.is_empty() || entry.key.as_str() == venture);
    let roles: BTreeSet<String> = of_venture.flat_map(|entry| entry.spec.roles.keys().map(ToString::to_string)).collect();
    let either = |yes: &str, no: &str| [("true".to_owned(), yes.to_owned()), ("false".to_owned(), no.to_owned())];
    let kinds = [DeviceKind::Physical, DeviceKind::Blade, DeviceKind::Virtual];
    let kinds = kinds.map(|kind| (devices::kind_text(kind).to_owned(), kind_words(kind).to_owned()));
    Ok(html! {
        (choose(page_context, "verified", "Verified", &either("Verified", "Not verified")))
        (choose(page_context, "live", "Deployment", &either("Being deployed", "Not being deployed")))
        (choose(page_context, "site", "Site", &same(sites.iter().map(|site| site.key.to_string()))))
        (choose(page_context, "rack", "Rack", &same(racks)))
        (choose(page_context, "venture", "Venture", &same(ventures.iter().map(|venture| venture.key.to_string()))))
        (choose(page_context, "role", "Role", &same(roles)))
        (choose(page_context, "kind", "Kind", &kinds))
        (choose(page_context, "locked", "Lock", &either("Locked", "Not locked")))
        div.field {
            label for="filter-tag" { "Tag" }
            input type="text" id="filter-tag" name="tag" value=(page_context.parameter("tag")) maxlength="40" autocomplete="off" spellcheck="false";
        }
        (choose(page_context, "decommissioned", "In use", &either("Decommissioned", "In use")))
    })
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
    let filter = filter_of(&page_context)?;
    let shown = Shown::of(&page_context, COLUMNS);
    let now = application::of(&request)?.now;
    let path = at_path(&page_context.with("", None), "/devices");
    let render = live::render(move |mut snapshot, touched: Vec<Touch>| {
        let (filter, shown) = (filter.clone(), shown.clone());
        Box::pin(async move {
            let DevicePage { mut rows, mut live, .. } = load(&mut snapshot, &filter).await?;
            let newest = Filter { sort: Sort::Newest, after: None, ..filter };
            let order = devices::list(snapshot.connection(), &newest, At::Now, i64::from(SHOWN)).await?;
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

/// Texts, one on each line.
fn stacked(texts: impl IntoIterator<Item = String>) -> Markup {
    html! { @for text in texts { div { (text) } } }
}

fn row(device: &Device, live: Option<&Deployment>, shown: &Shown, now: Timestamp) -> Markup {
    let (id, name) = (device.id, device.called());
    html! {
        tr id=(format!("device-{id}")) {
            (bulk::select(id.0, &name))
            @if shown.has("name") { th scope="row" { a href=(format!("/devices/{id}")) { (name) } } }
            @if shown.has("state") { td data-label="State" { span { (state(device, live)) } } }
            @if shown.has("serial") { td data-label="Serial" { @if let Some(serial) = &device.serial { (serial) } } }
            @if shown.has("asset") { td data-label="Asset" { @if let Some(asset) = &device.asset { (asset) } } }
            @if shown.has("kind") { td data-label="Kind" { (kind_words(device.kind)) } }
            @if shown.has("site") { td data-label="Site" { a href=(format!("/sites/{}", device.site)) { (device.site) } } }
            @if shown.has("rack") {
                td data-label="Rack" {
                    @if let Some(rack) = &device.rack {
                        span { a href=(format!("/racks/{rack}")) { (rack) } @if let Some(unit) = device.rack_position { " unit " (unit) } }
                    }
                }
            }
            @if shown.has("role") {
                td data-label="Venture, role" {
                    @if let Some(venture) = &device.venture { span { (venture) @if let Some(role) = &device.role { " / " (role) } } }
                }
            }
            @if shown.has("hostnames") { td data-label="Host names" { @if !device.hostnames.is_empty() { div { (stacked(device.hostnames.iter().map(ToString::to_string))) } } } }
            @if shown.has("addresses") { td data-label="Addresses" { @if !device.addresses.is_empty() { div.mono { (stacked(device.addresses.iter().map(ToString::to_string))) } } } }
            @if shown.has("macs") { td data-label="MACs" { div.mono { (stacked(device.macs.iter().map(ToString::to_string))) } } }
            @if shown.has("os") { td data-label="System" { @if let Some(os) = &device.operating_system { (os) } } }
            @if shown.has("tags") { td data-label="Tags" { @if !device.tags.is_empty() { ul.tags { @for tag in &device.tags { li { a href=(format!("/devices?tag={tag}")) { (tag) } } } } } } }
            @if shown.has("registered") { td data-label="Registered" { (moment(device.registered_at)) } }
            @if shown.has("changed") { td data-label="Changed" { span { (since(device.changed_at, now)) " ago" } } }
        }
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
        assert_eq!(texts(&html, "td[data-label='State']"), ["Verified Open Overdue"]);
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
