//! The page `/deployments`: the list. Its filters, order and columns are in the URL.

use super::waits::Waits;
use crate::api::deployments::DeploymentQuery;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::application;
use crate::pages::bulk;
use crate::pages::components::time::passed;
use crate::pages::components::{badge, block};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::filters::{Choice, bar, is_filtered, same};
use crate::pages::list::paging::{COUNT_LIMIT, Place, Slice, size};
use crate::pages::list::views::{Known, Views};
use crate::pages::list::{Column, Listing, OWN, Shown, at_path, plain};
use crate::pages::live::{self, News, Region, State, Topic, Touch};
use crate::wording::actors;
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::{BulkId, DeploymentId};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::bulk as bulk_rows;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::deployments::{self, Cursor, Deployment, Filter, Status};
use maud::{Markup, html};
use std::collections::HashSet;

/// The bulk actions: values and texts.
const ACTIONS: [(&str, &str); 2] = [("retry", "Retry…"), ("cancel", "Cancel…")];

/// The parameters of the filters: see `choices`.
const FILTERS: [&str; 11] =
    ["status", "plugin", "overdue", "site", "venture", "live", "role", "boot_image", "device", "import", "awaiting"];

const COLUMNS: &[Column] = &[
    Column { name: "hostname", label: "Host name", usual: true, sortable: true },
    Column { name: "status", label: "Status", usual: true, sortable: true },
    Column { name: "since", label: "Time in status", usual: true, sortable: true },
    Column { name: "waits", label: "Waiting for", usual: true, sortable: false },
    Column { name: "ip", label: "Address", usual: true, sortable: true },
    Column { name: "role", label: "Venture and role", usual: true, sortable: true },
    Column { name: "image", label: "Boot image", usual: false, sortable: true },
    Column { name: "mac", label: "MAC", usual: false, sortable: false },
    Column { name: "site", label: "Site", usual: false, sortable: true },
    Column { name: "network", label: "Network", usual: false, sortable: false },
    Column { name: "started", label: "Started", usual: true, sortable: true },
    Column { name: "by", label: "Started by", usual: false, sortable: false },
    Column { name: "note", label: "Note", usual: false, sortable: false },
    Column { name: "ticket", label: "Ticket", usual: false, sortable: false },
];

/// The filter in a page's URL.
pub(super) fn filter(page_context: &PageContext, at: At) -> Result<Filter, Error> {
    page_context.query_without::<DeploymentQuery>(&OWN)?.filter(at)
}

/// A page of the list.
async fn load(snapshot: &mut Snapshot<'_>, filter: &Filter, place: &Place, size: u32) -> Result<Slice<Deployment>, Error> {
    match read(snapshot, filter, place, size).await? {
        // The page before this one is the first one, and may have become longer.
        slice if place.is_backwards() && slice.previous.is_none() => read(snapshot, filter, &Place::First, size).await,
        slice => Ok(slice),
    }
}

async fn read(snapshot: &mut Snapshot<'_>, filter: &Filter, place: &Place, size: u32) -> Result<Slice<Deployment>, Error> {
    let at = snapshot.at;
    let sort = if place.is_backwards() { filter.sort.reversed() } else { filter.sort };
    let unknown = |text: &str| bootledger_projections::error::Error::Cursor(text.to_owned());
    let after = place.cursor().map(|text| text.parse::<Cursor>().map_err(|_| unknown(text))).transpose()?;
    let read = Filter { sort, after, ..filter.clone() };
    let found = deployments::list(snapshot.connection(), &read, at, i64::from(size) + 1).await?;
    Ok(Slice::of(found, size as usize, place, |deployment| Cursor::behind(deployment, filter.sort).to_string()))
}

/// The filters, with the values that exist as options.
async fn choices(snapshot: &mut Snapshot<'_>) -> Result<Vec<Choice>, Error> {
    let at = snapshot.at;
    let sites = catalogue::sites(snapshot.connection(), at).await?.into_iter().map(|site| site.key.to_string());
    let ventures = catalogue::ventures(snapshot.connection(), at).await?.into_iter().map(|venture| venture.key.to_string());
    let pairs = |pairs: [(&str, &str); 2]| pairs.map(|(value, words)| (value.to_owned(), words.to_owned()));
    Ok(vec![
        Choice::new("status", "Status", statuses()),
        Choice::new("plugin", "Progress", pairs([("failed", "Failing"), ("waiting", "Waiting")])),
        Choice::new("overdue", "Overdue", pairs([("true", "Overdue"), ("false", "Not overdue")])),
        Choice::new("site", "Site", same(sites)),
        Choice::new("venture", "Venture", same(ventures)),
        Choice::hidden("live", "Live"),
        Choice::hidden("role", "Role"),
        Choice::hidden("boot_image", "Boot image"),
        Choice::hidden("device", "Device"),
        Choice::hidden("import", "Import or bulk action"),
        Choice::hidden("awaiting", "Waiting for"),
    ])
}

/// Handles the request for the page.
pub(super) async fn index(mut page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let views = Views::load(&page_context, &mut snapshot, "deployments", Known::of(&FILTERS, COLUMNS)).await?;
    views.assume(&mut page_context);
    let (filter, place, size) = (filter(&page_context, snapshot.at)?, Place::of(&page_context), size(&page_context)?);
    let slice = load(&mut snapshot, &filter, &place, size).await?;
    let waits = Waits::load(&mut snapshot, &slice.rows).await?;
    let at = snapshot.at;
    let total = deployments::count(snapshot.connection(), &filter, at, COUNT_LIMIT).await?;
    let choices = choices(&mut snapshot).await?;
    let bulk = match filter.import {
        Some(import) => bulk_rows::find(snapshot.connection(), BulkId(import.0), at).await?.map(|entry| entry.key),
        None => None,
    };
    let (shown, moment) = (Shown::of(&page_context, COLUMNS), snapshot.moment());
    let may = page_context.may_change(&snapshot, Role::Operator);
    let query = page_context.with("columns", None);
    let query = query.split_once('?').map_or("", |(_, query)| query);
    let (json, csv) = (format!("/api/v1/deployments?{query}"), format!("/deployments/export.csv?{query}"));
    let listing = Listing {
        page_context: &page_context,
        many: "deployments",
        choices: &choices,
        total,
        columns: Some(&shown),
        views: views.menu(&page_context),
        exports: (Some(&csv), Some(&json)),
    };
    let rows = &slice.rows;
    let content = html! {
        (block::heading(&[], &html! { "Deployments" }, &html! {
            (block::link_button(&format!("/deployments/import.csv?{query}"), "download", "CSV for import"))
            (block::link_button("/devices?verified=true&live=false", "plus-lg", "Deploy a device"))
        }))
        (bar(&page_context, "/deployments", "Host name, address, MAC, note, ticket", &choices))
        (listing.tools(rows.len()))
        @if let Some(bulk) = bulk { p { "Deployments of a " a href=(format!("/bulk-actions/{bulk}")) { "bulk action" } "." } }
        (live::news(0, &page_context.with("", None)))
        @if rows.is_empty() { (nothing(is_filtered(&page_context, &choices) || place != Place::First)) } @else {
            (listing.table(&slice, &html! {
                table.cards {
                    caption.visually-hidden { "Deployments" }
                    (shown.head(&page_context, filter.sort.as_str(), &bulk::select_all()))
                    tbody { @for deployment in rows { (row(deployment, &waits, &shown, moment)) } }
                }
            }, &bulk::form(&page_context, "/deployments/bulk", &may, &ACTIONS)))
        }
        p.quiet { "A deployment is Open while Bootledger prepares it, and In progress while the server is installed." }
    };
    let position = snapshot.position;
    let since_ms = page_context.now.0.unix_timestamp_nanos() / 1_000_000;
    let live = page_context.with("", None).replacen("/deployments", &format!("/deployments/live/{position}/{since_ms}"), 1);
    let page =
        Page { live: Some(live), json: Some(json), csv: Some(csv), ..Page::new("Deployments", Section::Deployments, content) };
    page_context.answer(snapshot, page).await
}

/// The list's rows, live: those that it would show now, and those that recent events concern.
pub(super) async fn live(
    page_context: PageContext,
    request: HttpRequest,
    Path((since, from)): Path<(i64, u64)>,
) -> Result<HttpResponse, Error> {
    let (filter, size) = (filter(&page_context, At::Now)?, size(&page_context)?);
    let shown = Shown::of(&page_context, COLUMNS);
    let now = application::of(&request)?.now;
    let path = at_path(&page_context.with("", None), "/deployments");
    let render = live::render(move |mut snapshot, touched: Vec<Touch>| {
        let (filter, shown) = (filter.clone(), shown.clone());
        Box::pin(async move {
            let mut rows = load(&mut snapshot, &filter, &Place::First, size).await?.rows;
            let listed: HashSet<DeploymentId> = rows.iter().map(|row| row.id).collect();
            let order = rows.iter().map(|row| row.id.0).collect();
            let lately: HashSet<DeploymentId> =
                touched.iter().filter_map(|touch| touch.deployment).filter(|id| !listed.contains(id)).collect();
            let lately: Vec<DeploymentId> = lately.into_iter().collect();
            let more = deployments::find_many(snapshot.connection(), &lately, At::Now).await?;
            rows.extend(more);
            let waits = Waits::load(&mut snapshot, &rows).await?;
            let region = |deployment: &Deployment| {
                Region::new(format!("deployment-{}", deployment.id), row(deployment, &waits, &shown, now()))
            };
            Ok(State { regions: rows.iter().map(region).collect(), rows: order })
        })
    });
    let topics = vec![Topic::Kind("deployment")];
    live::answer(&request, since, topics, Some(News { since: from, path }), render)
}

fn statuses() -> Vec<(String, String)> {
    let message = |status: Status| (status.as_str().to_owned(), badge::of_status(status).1.to_owned());
    [Status::Open, Status::InProgress, Status::Done, Status::Cancelled].map(message).to_vec()
}

fn nothing(is_filtered: bool) -> Markup {
    if is_filtered {
        return block::empty("No deployments match these filters.", &html! { a.button href="/deployments" { "Show all" } });
    }
    block::empty(
        "There are no deployments yet. Choose a verified device and select Deploy at the bottom of its page.",
        &html! { a.button.primary href="/devices?verified=true" { "Verified devices" } },
    )
}

fn row(deployment: &Deployment, waits: &Waits, shown: &Shown, now: Timestamp) -> Markup {
    html! {
        tr id=(format!("deployment-{}", deployment.id)) {
            (bulk::select(deployment.id.0, deployment.hostname.as_str()))
            @for name in shown.names() { (cell(name, deployment, waits, now)) }
        }
    }
}

/// A cell of a column.
fn cell(column: &str, deployment: &Deployment, waits: &Waits, now: Timestamp) -> Markup {
    let text = |label: &str, text: &str| html! { td data-label=(label) title=(text) { (text) } };
    match column {
        "hostname" => html! {
            th scope="row" { a href=(format!("/deployments/{}", deployment.id)) title=(deployment.hostname) { (deployment.hostname) } }
        },
        "status" => {
            html! { td data-label="Status" { span { (badge::deployment_in_list(deployment.status, deployment.overdue)) } } }
        }
        "since" => html! { td data-label="Time in status" { (passed(deployment.status_since, now)) } },
        "waits" => {
            let reasons = waits.of(deployment, now);
            let all = plain(&reasons);
            html! { td data-label="Waiting for" title=[(!all.is_empty()).then_some(all)] { div { (reasons) } } }
        }
        "ip" => html! { td.mono data-label="Address" { (deployment.ip) } },
        "role" => text("Venture, role", &format!("{} / {}", deployment.venture, deployment.role)),
        "image" => html! {
            td data-label="Boot image" { a href=(format!("/boot-images/{}", deployment.boot_image)) { (deployment.boot_image) } }
        },
        "mac" => html! { td.mono data-label="MAC" { (deployment.mac) } },
        "site" => text("Site", deployment.site.as_str()),
        "network" => text("Network", deployment.network.as_str()),
        "started" => html! { td data-label="Started" { (passed(deployment.started_at, now)) } },
        "note" => text("Note", deployment.notes.note.as_str()),
        "ticket" => text("Ticket", deployment.notes.ticket.as_str()),
        "by" => text("Started by", actors::actor(&deployment.started_by)),
        _ => html! {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::components::awaited;
    use crate::pages::tests::samples::{deployment, installing, waiting};
    use crate::pages::tests::selectors;
    use bootledger_aggregates::deployment::reason::Waiting;
    use bootledger_aggregates::values::text::Text;
    use bootledger_projections::rows::holders::HolderNames;
    use std::collections::HashMap;

    /// A row outside of a table would not be parsed.
    fn texts(row: &Markup, selector: &str) -> Vec<String> {
        selectors::texts(&html! { table { (row) } }, selector)
    }

    #[test]
    fn a_row_shows_the_status_of_a_deployment_and_what_it_waits_for() {
        let shown = Shown::named("", COLUMNS);
        let now = Timestamp::default().plus_seconds(90);
        let reason = Waiting::Text { text: Text::fitted("kea-1 has not confirmed <b>yet</b>") };
        let runs = HashMap::from([(deployment().id, vec![waiting(reason, &["dhcp-server:kea-1"])])]);
        let waits = Waits { runs, ..Waits::default() };
        let html = row(&deployment(), &waits, &shown, now);
        assert_eq!(texts(&html, "th a[href^='/deployments/']"), ["h200.dc1.example"]);
        assert_eq!(texts(&html, "td[data-label='Status'] .badge").len(), 2, "the status, and that it is overdue");
        assert_eq!(texts(&html, "td[data-label='Time in status']"), ["1 min 30 s"]);
        let waits = &texts(&html, "td[data-label='Waiting for']")[0];
        assert!(waits.starts_with("DHCP server kea-1, ") && waits.contains("dhcp"), "{waits}");
        assert!(waits.contains("1 min 30 s"), "{waits}");
        assert!(waits.contains("kea-1 has not confirmed <b>yet</b>"), "{waits}");
        assert_eq!(texts(&html, "a[href='/dhcp-servers/kea-1']").len(), 1);
        assert!(texts(&html, "td[data-label='MAC']").is_empty(), "a column is shown that was not selected");
    }

    #[test]
    fn an_installed_server_waits_for_puppet_and_shows_why_it_failed() {
        use bootledger_projections::rows::deployments::PuppetFailure;
        let failure = PuppetFailure {
            at: Timestamp::default(),
            messages: vec![Text::fitted("<b>no nginx</b>"), Text::fitted("no redis")],
            transaction: Text::default(),
        };
        let installed_at = Some(Timestamp::default());
        let waits = Deployment { status: Status::InProgress, installed_at, puppet_failure: Some(failure), ..deployment() };
        let message = awaited::of_deployment(&waits, Some(&[]), &HolderNames::default(), Timestamp::default().plus_seconds(60));
        let words = texts(&html! { tr { td { (message) } } }, "td div");
        assert_eq!(words.len(), 2);
        assert!(words[0].contains("1 min") && words[1].contains("1 min"), "{words:?}");
        assert!(words[1].ends_with("<b>no nginx</b>; no redis"), "{words:?}");
        let done = Deployment { status: Status::Done, ..waits };
        assert_eq!(awaited::of_deployment(&done, Some(&[]), &HolderNames::default(), Timestamp::default()).into_string(), "");
    }

    #[test]
    fn in_the_past_a_row_does_not_claim_to_know_what_its_plugins_did() {
        let waits = Waits { is_past: true, ..Waits::default() };
        let words = |deployment: &Deployment| waits.of(deployment, Timestamp::default()).into_string();
        let unknown = words(&installing());
        assert!(unknown.contains("not available for the past") && !unknown.contains("to boot"), "{unknown}");
        let installed = words(&Deployment { installed_at: Some(Timestamp::default()), ..installing() });
        assert!(installed.contains("Puppet, to report") && !installed.contains("not available"), "{installed}");
    }

    #[test]
    fn an_empty_list_leads_to_verified_devices_or_to_all() {
        assert!(nothing(false).into_string().contains("href=\"/devices?verified=true\""));
        assert!(nothing(true).into_string().contains("href=\"/deployments\""));
    }
}
