//! The page `/deployments`: the list. Its filters, order and columns are in the URL.

use super::waits::Waits;
use crate::api::deployments::DeploymentQuery;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::application;
use crate::pages::bulk;
use crate::pages::components::time::{moment, since};
use crate::pages::components::{badge, block};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::{Column, Shown, at_path, choose, filters, same};
use crate::pages::live::{self, News, Region, State, Topic, Touch};
use crate::wording::actors;
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::deployments::{self, Cursor, Deployment, Filter, Status};
use maud::{Markup, html};
use std::collections::HashSet;

/// How many deployments a page shows.
const SHOWN: usize = 100;
/// The limit of the query: one more than is shown, to notice the last page.
const LIMIT: i64 = 101;
/// The bulk actions: values and texts.
const ACTIONS: [(&str, &str); 4] =
    [("retry", "Retry…"), ("cancel", "Cancel…"), ("retry-all", "Retry all filtered…"), ("cancel-all", "Cancel all filtered…")];

const COLUMNS: &[Column] = &[
    Column { name: "hostname", label: "Host name", usual: true, sortable: true },
    Column { name: "status", label: "Status", usual: true, sortable: false },
    Column { name: "since", label: "Time in status", usual: true, sortable: true },
    Column { name: "waits", label: "Waiting for", usual: true, sortable: false },
    Column { name: "ip", label: "Address", usual: true, sortable: false },
    Column { name: "role", label: "Venture and role", usual: true, sortable: false },
    Column { name: "image", label: "Boot image", usual: false, sortable: false },
    Column { name: "mac", label: "MAC", usual: false, sortable: false },
    Column { name: "site", label: "Site", usual: false, sortable: false },
    Column { name: "network", label: "Network", usual: false, sortable: false },
    Column { name: "started", label: "Started", usual: true, sortable: true },
    Column { name: "by", label: "Started by", usual: false, sortable: false },
    Column { name: "note", label: "Note", usual: false, sortable: false },
    Column { name: "ticket", label: "Ticket", usual: false, sortable: false },
];

/// The filter in a page's URL.
pub(super) fn filter(page_context: &PageContext, at: At) -> Result<Filter, Error> {
    page_context.query_without::<DeploymentQuery>(&["columns"])?.filter(at)
}

/// The data of the list.
struct DeploymentPage {
    rows: Vec<Deployment>,
    next: Option<String>,
}

async fn load(snapshot: &mut Snapshot<'_>, filter: &Filter) -> Result<DeploymentPage, Error> {
    let at = snapshot.at;
    let mut rows = deployments::list(snapshot.connection(), filter, at, LIMIT).await?;
    let more = rows.len() > SHOWN;
    rows.truncate(SHOWN);
    let next = rows.last().filter(|_| more).map(|last| Cursor::behind(last, filter.sort).to_string());
    Ok(DeploymentPage { rows, next })
}

/// Handles the request for the page.
pub(super) async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let filter = filter(&page_context, snapshot.at)?;
    let found = load(&mut snapshot, &filter).await?;
    let waits = Waits::load(&mut snapshot, &found.rows).await?;
    let at = snapshot.at;
    let sites = catalogue::sites(snapshot.connection(), at).await?.into_iter().map(|site| site.key.to_string());
    let ventures = catalogue::ventures(snapshot.connection(), at).await?.into_iter().map(|venture| venture.key.to_string());
    let choices = html! {
        (choose(&page_context, "status", "Status", &statuses()))
        (choose(&page_context, "plugin", "Progress", &[("failed".to_owned(), "Failing".to_owned()), ("waiting".to_owned(), "Waiting".to_owned())]))
        (choose(&page_context, "overdue", "Overdue", &[("true".to_owned(), "Overdue".to_owned()), ("false".to_owned(), "Not overdue".to_owned())]))
        (choose(&page_context, "site", "Site", &same(sites)))
        (choose(&page_context, "venture", "Venture", &same(ventures)))
    };
    let names = ["status", "plugin", "overdue", "site", "venture"];
    let form = filters(&page_context, "/deployments", "Host name, address, MAC, note, ticket", &names, &choices);
    let shown = Shown::of(&page_context, COLUMNS);
    let sort = filter.sort.as_str();
    let may = page_context.may_change(&snapshot, Role::Operator);
    let first = page_context.with("", None);
    let next = found.next.as_ref().map(|cursor| page_context.and("after", cursor));
    let is_filtered = first != "/deployments";
    let content = html! {
        (block::heading(&[], &html! { "Deployments" }, &block::link_button("/devices?verified=true&live=false", "plus-lg", "Deploy a device")))
        p.quiet { "A deployment is Open while Bootledger prepares it, and In progress while the server is installed." }
        (form)
        (of_import(&filter))
        (live::news(0, &first))
        @if found.rows.is_empty() { (nothing(is_filtered)) } @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Deployments" }
                    (shown.head(&page_context, sort, &bulk::select_all()))
                    tbody {
                        @for deployment in &found.rows { (row(deployment, &waits, &shown, page_context.now)) }
                    }
                }
            }
            (bulk::form(&page_context, "/deployments/bulk", &may, &ACTIONS))
            (block::pager(found.rows.len(), filter.after.as_ref().map(|_| first.as_str()), next.as_deref()))
            (shown.choice(&page_context))
        }
    };
    let query = page_context.with("columns", None);
    let query = query.split_once('?').map_or("", |(_, query)| query);
    let position = snapshot.position;
    let since_ms = page_context.now.0.unix_timestamp_nanos() / 1_000_000;
    let live = page_context.and("columns", page_context.parameter("columns")).replacen(
        "/deployments",
        &format!("/deployments/live/{position}/{since_ms}"),
        1,
    );
    page_context
        .answer(
            snapshot,
            Page {
                live: Some(live),
                json: Some(format!("/api/v1/deployments?{query}")),
                csv: Some(format!("/deployments/export.csv?{query}")),
                ..Page::new("Deployments", Section::Deployments, content)
            },
        )
        .await
}

/// The list's rows, live: those that it would show now, and those that recent events concern.
pub(super) async fn live(
    page_context: PageContext,
    request: HttpRequest,
    Path((since, from)): Path<(i64, u64)>,
) -> Result<HttpResponse, Error> {
    let filter = filter(&page_context, At::Now)?;
    let shown = Shown::of(&page_context, COLUMNS);
    let now = application::of(&request)?.now;
    let path = at_path(&page_context.with("", None), "/deployments");
    let render = live::render(move |mut snapshot, touched: Vec<Touch>| {
        let (filter, shown) = (filter.clone(), shown.clone());
        Box::pin(async move {
            let mut rows = load(&mut snapshot, &filter).await?.rows;
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

fn of_import(filter: &Filter) -> Markup {
    html! { @if let Some(import) = filter.import { p { "Deployments of the import " code { (import) } "." } } }
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
    let id = deployment.id;
    html! {
        tr id=(format!("deployment-{id}")) {
            (bulk::select(id.0, deployment.hostname.as_str()))
            @if shown.has("hostname") { th scope="row" { a href=(format!("/deployments/{id}")) { (deployment.hostname) } } }
            @if shown.has("status") { td data-label="Status" { span { (badge::deployment(deployment.status, deployment.overdue)) } } }
            @if shown.has("since") { td data-label="Time in status" { (since(deployment.status_since, now)) } }
            @if shown.has("waits") { td data-label="Waiting for" { div { (waits.of(deployment, now)) } } }
            @if shown.has("ip") { td data-label="Address" { span.mono { (deployment.ip) } } }
            @if shown.has("role") { td data-label="Venture, role" { span { (deployment.venture) " / " (deployment.role) } } }
            @if shown.has("image") { td data-label="Boot image" { a href=(format!("/boot-images/{}", deployment.boot_image)) { (deployment.boot_image) } } }
            @if shown.has("mac") { td data-label="MAC" { span.mono { (deployment.mac) } } }
            @if shown.has("site") { td data-label="Site" { (deployment.site) } }
            @if shown.has("network") { td data-label="Network" { (deployment.network) } }
            @if shown.has("started") { td data-label="Started" { (moment(deployment.started_at)) } }
            @if shown.has("by") { td data-label="Started by" { (actors::actor(&deployment.started_by)) } }
            @if shown.has("note") { td data-label="Note" { (deployment.notes.note) } }
            @if shown.has("ticket") { td data-label="Ticket" { (deployment.notes.ticket) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::components::awaited;
    use crate::pages::tests::samples::{deployment, waiting};
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
        let message = awaited::of_deployment(&waits, &[], &HolderNames::default(), Timestamp::default().plus_seconds(60));
        let words = texts(&html! { tr { td { (message) } } }, "td div");
        assert_eq!(words.len(), 2);
        assert!(words[0].contains("1 min") && words[1].contains("1 min"), "{words:?}");
        assert!(words[1].ends_with("<b>no nginx</b>; no redis"), "{words:?}");
        let done = Deployment { status: Status::Done, ..waits };
        assert_eq!(awaited::of_deployment(&done, &[], &HolderNames::default(), Timestamp::default()).into_string(), "");
    }

    #[test]
    fn an_empty_list_leads_to_verified_devices_or_to_all() {
        assert!(nothing(false).into_string().contains("href=\"/devices?verified=true\""));
        assert!(nothing(true).into_string().contains("href=\"/deployments\""));
    }
}
