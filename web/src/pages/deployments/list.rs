//! The page `/deployments`: the list. Its filters, order and columns are in the URL.

use super::{awaited, installer};
use crate::api::deployments::DeploymentQuery;
use crate::auth::level::Level;
use crate::error::Error;
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::list::{Column, Shown, choose, filters};
use crate::pages::kit::time::{moment, since};
use crate::pages::kit::{action, badge, block};
use crate::pages::live::{self, News, Region, State, Topic, Touch};
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::catalogue;
use bootledger_projections::deployments::{self, Cursor, Deployment, Filter, Status};
use bootledger_projections::installations::{self, Installation};
use bootledger_projections::plugin_runs::{self, Run};
use maud::{Markup, html};
use std::collections::{HashMap, HashSet};

/// How many deployments a page shows.
const SHOWN: usize = 100;
/// The limit of the query: one more than is shown, to notice the last page.
const ASKED: i64 = 101;
/// The ID of the form for the selected rows.
const FORM: &str = "bulk";

const COLUMNS: &[Column] = &[
    Column { name: "hostname", label: "Host name", usual: true, sortable: true },
    Column { name: "status", label: "Status", usual: true, sortable: false },
    Column { name: "since", label: "For", usual: true, sortable: true },
    Column { name: "waits", label: "Waits for", usual: true, sortable: false },
    Column { name: "ip", label: "Address", usual: true, sortable: false },
    Column { name: "role", label: "Venture and role", usual: true, sortable: false },
    Column { name: "image", label: "Boot image", usual: false, sortable: false },
    Column { name: "mac", label: "MAC", usual: false, sortable: false },
    Column { name: "site", label: "Site", usual: false, sortable: false },
    Column { name: "network", label: "Network", usual: false, sortable: false },
    Column { name: "started", label: "Started", usual: true, sortable: true },
    Column { name: "by", label: "Started by", usual: false, sortable: false },
];

/// The filter in a page's URL.
pub(super) fn filter(visit: &Visit, at: At) -> Result<Filter, Error> {
    visit.query_without::<DeploymentQuery>(&["columns"])?.filter(at)
}

/// The data of the list.
struct Found {
    rows: Vec<Deployment>,
    runs: HashMap<DeploymentId, Vec<Run>>,
    installations: HashMap<DeploymentId, Installation>,
    next: Option<String>,
}

async fn ask(reading: &mut Reading<'_>, filter: &Filter) -> Result<Found, Error> {
    let at = reading.at;
    let mut rows = deployments::list(reading.connection(), filter, at, ASKED).await?;
    let more = rows.len() > SHOWN;
    rows.truncate(SHOWN);
    let next = rows.last().filter(|_| more).map(|last| Cursor::behind(last, filter.sort).to_string());
    let runs = runs_of(reading, &rows).await?;
    let installations = installations_of(reading, &rows).await?;
    Ok(Found { rows, runs, installations, next })
}

async fn runs_of(reading: &mut Reading<'_>, rows: &[Deployment]) -> Result<HashMap<DeploymentId, Vec<Run>>, Error> {
    let mut runs: HashMap<DeploymentId, Vec<Run>> = HashMap::new();
    let live: Vec<DeploymentId> = rows.iter().filter(|row| row.status.is_live()).map(|row| row.id).collect();
    if reading.at == At::Now && !live.is_empty() {
        for run in plugin_runs::of_many(reading.connection(), &live).await? {
            runs.entry(run.deployment).or_default().push(run);
        }
    }
    Ok(runs)
}

async fn installations_of(reading: &mut Reading<'_>, rows: &[Deployment]) -> Result<HashMap<DeploymentId, Installation>, Error> {
    let live: Vec<DeploymentId> = rows.iter().filter(|row| row.status.is_live()).map(|row| row.id).collect();
    if live.is_empty() {
        return Ok(HashMap::new());
    }
    let at = reading.at;
    let found = installations::find_many(reading.connection(), &live, at).await?;
    Ok(found.into_iter().map(|installation| (installation.deployment, installation)).collect())
}

/// Handles the request for the page.
pub(super) async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let filter = filter(&visit, reading.at)?;
    let found = ask(&mut reading, &filter).await?;
    let at = reading.at;
    let sites = catalogue::sites(reading.connection(), at).await?.into_iter().map(|site| site.key.to_string());
    let ventures = catalogue::ventures(reading.connection(), at).await?.into_iter().map(|venture| venture.key.to_string());
    let choices = html! {
        (choose(&visit, "status", "Status", &statuses()))
        (choose(&visit, "plugin", "With a plugin", &[("failed".to_owned(), "or installer that failed".to_owned()), ("waiting".to_owned(), "that waits".to_owned())]))
        (choose(&visit, "overdue", "Overdue", &[("true".to_owned(), "Overdue".to_owned()), ("false".to_owned(), "In time".to_owned())]))
        (choose(&visit, "site", "Site", &twice(sites)))
        (choose(&visit, "venture", "Venture", &twice(ventures)))
    };
    let names = ["status", "plugin", "overdue", "site", "venture"];
    let form = filters(&visit, "/deployments", "Host name, address or MAC", &names, &choices);
    let shown = Shown::of(&visit, COLUMNS);
    let sort = filter.sort.as_str();
    let may = visit.may_change(&reading, Level::Operator);
    let first = visit.with("", None);
    let next = found.next.as_ref().map(|cursor| visit.and("after", cursor));
    let is_filtered = first != "/deployments";
    let content = html! {
        (block::heading(&[], &html! { "Deployments" }, &block::link_button("/devices?verified=true&live=false", "plus-lg", "Deploy a device")))
        (form)
        (of_import(&filter))
        (live::news(0, &first))
        @if found.rows.is_empty() { (nothing(is_filtered)) } @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Deployments" }
                    (shown.head(&visit, sort, &html! { th scope="col" { label { span.visually-hidden { "Select all" } input type="checkbox" data-all=(FORM); } } }))
                    tbody {
                        @for deployment in &found.rows { (row(deployment, found.runs.get(&deployment.id).map_or(&[], Vec::as_slice), found.installations.get(&deployment.id), &shown, visit.now)) }
                    }
                }
            }
            (bulk_actions(&visit, &may))
            (block::pager(found.rows.len(), filter.after.as_ref().map(|_| first.as_str()), next.as_deref()))
            (shown.choice(&visit))
        }
    };
    let query = visit.with("columns", None);
    let query = query.split_once('?').map_or("", |(_, query)| query);
    let position = reading.position;
    let since_ms = visit.now.0.unix_timestamp_nanos() / 1_000_000;
    let live = visit.and("columns", visit.parameter("columns")).replacen(
        "/deployments",
        &format!("/deployments/live/{position}/{since_ms}"),
        1,
    );
    visit
        .answer(
            reading,
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
    visit: Visit,
    request: HttpRequest,
    Path((since, from)): Path<(i64, u64)>,
) -> Result<HttpResponse, Error> {
    let filter = filter(&visit, At::Now)?;
    let shown = Shown::of(&visit, COLUMNS);
    let now = super::super::application(&request)?.now;
    let path = visit.with("", None);
    let path = path.split_once('?').map_or("/deployments".to_owned(), |(_, query)| format!("/deployments?{query}"));
    let render = live::render(move |mut reading, touched: Vec<Touch>| {
        let (filter, shown) = (filter.clone(), shown.clone());
        Box::pin(async move {
            let Found { mut rows, mut runs, mut installations, .. } = ask(&mut reading, &filter).await?;
            let listed: HashSet<DeploymentId> = rows.iter().map(|row| row.id).collect();
            let order = rows.iter().map(|row| row.id.0).collect();
            let lately: HashSet<DeploymentId> =
                touched.iter().filter_map(|touch| touch.deployment).filter(|id| !listed.contains(id)).collect();
            let lately: Vec<DeploymentId> = lately.into_iter().collect();
            let more = deployments::find_many(reading.connection(), &lately, At::Now).await?;
            runs.extend(runs_of(&mut reading, &more).await?);
            installations.extend(installations_of(&mut reading, &more).await?);
            rows.extend(more);
            let region = |deployment: &Deployment| {
                let runs = runs.get(&deployment.id).map_or(&[][..], Vec::as_slice);
                Region::new(
                    format!("deployment-{}", deployment.id),
                    row(deployment, runs, installations.get(&deployment.id), &shown, now()),
                )
            };
            Ok(State { regions: rows.iter().map(region).collect(), rows: order })
        })
    });
    let topics = vec![Topic::Kind("deployment")];
    live::answer(&request, since, topics, Some(News { since: from, path }), render)
}

fn statuses() -> Vec<(String, String)> {
    let told = |status: Status| (status.as_str().to_owned(), badge::of_status(status).1.to_owned());
    [Status::Open, Status::InProgress, Status::Done, Status::Cancelled].map(told).to_vec()
}

fn twice(names: impl Iterator<Item = String>) -> Vec<(String, String)> {
    names.map(|name| (name.clone(), name)).collect()
}

fn of_import(filter: &Filter) -> Markup {
    html! { @if let Some(import) = filter.import { p { "Those of the import " code { (import) } "." } } }
}

fn nothing(is_filtered: bool) -> Markup {
    if is_filtered {
        return block::empty("No deployment is like that.", &html! { a.button href="/deployments" { "Show all" } });
    }
    block::empty(
        "Nothing has been deployed yet. Choose a verified device, and press Deploy at the bottom of its page.",
        &html! { a.button.primary href="/devices?verified=true" { "Verified devices" } },
    )
}

fn bulk_actions(visit: &Visit, may: &action::Allowed) -> Markup {
    html! {
        form.actions id=(FORM) method="post" action="/deployments/bulk" {
            input type="hidden" name="list" value=(visit.with("", None));
            span.quiet data-count=(FORM) role="status" { "Select rows to" }
            @for (value, words) in [("retry", "Retry…"), ("cancel", "Cancel…"), ("retry-all", "Retry all filtered…"), ("cancel-all", "Cancel all filtered…")] {
                @match may {
                    Ok(()) => { button.small type="submit" name="what" value=(value) { (words) } }
                    Err(_) => { button.small type="button" aria-disabled="true" aria-describedby="bulk-reason" { (words) } }
                }
            }
            @if let Err(reason) = may { span.quiet id="bulk-reason" { (reason) } }
        }
    }
}

fn row(deployment: &Deployment, runs: &[Run], installation: Option<&Installation>, shown: &Shown, now: Timestamp) -> Markup {
    let id = deployment.id;
    html! {
        tr id=(format!("deployment-{id}")) {
            td { input type="checkbox" name="id" value=(id) form=(FORM) aria-label=(format!("Select {}", deployment.hostname)); }
            @if shown.has("hostname") { th scope="row" { a href=(format!("/deployments/{id}")) { (deployment.hostname) } } }
            @if shown.has("status") { td data-label="Status" { span { (badge::deployment(deployment.status, deployment.overdue)) } } }
            @if shown.has("since") { td data-label="For" { (since(deployment.status_since, now)) } }
            @if shown.has("waits") { td data-label="Waits for" { div { (awaited::of_deployment(deployment, runs, now)) @if let Some(installation) = installation { (installer::short(installation)) } } } }
            @if shown.has("ip") { td data-label="Address" { span.mono { (deployment.ip) } } }
            @if shown.has("role") { td data-label="Venture, role" { span { (deployment.venture) " / " (deployment.role) } } }
            @if shown.has("image") { td data-label="Boot image" { a href=(format!("/boot-images/{}", deployment.boot_image)) { (deployment.boot_image) } } }
            @if shown.has("mac") { td data-label="MAC" { span.mono { (deployment.mac) } } }
            @if shown.has("site") { td data-label="Site" { (deployment.site) } }
            @if shown.has("network") { td data-label="Network" { (deployment.network) } }
            @if shown.has("started") { td data-label="Started" { (moment(deployment.started_at)) } }
            @if shown.has("by") { td data-label="Started by" { (deployment.started_by) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::deployments::samples::{deployment, waiting};
    use scraper::{Html, Selector};

    fn texts(html: &Markup, selector: &str) -> Vec<String> {
        let page = Html::parse_document(&format!("<table>{}</table>", html.clone().into_string()));
        page.select(&Selector::parse(selector).expect("a selector")).map(|found| found.text().collect()).collect()
    }

    #[test]
    fn a_row_says_where_a_deployment_stands_and_whom_it_waits_for() {
        let shown = Shown::named("", COLUMNS);
        let now = Timestamp::default().plus_seconds(90);
        let html =
            row(&deployment(), &[waiting("kea-1 has not confirmed <b>yet</b>", &["dhcp-server:kea-1"])], None, &shown, now);
        assert_eq!(texts(&html, "th a[href^='/deployments/']"), ["h200.dc1.example"]);
        assert_eq!(texts(&html, "td[data-label='Status']"), ["Open Overdue"]);
        assert_eq!(texts(&html, "td[data-label='For']"), ["1 min 30 s"]);
        let waits = &texts(&html, "td[data-label='Waits for']")[0];
        assert_eq!(waits, "dhcp waits since 1 min 30 s: kea-1 has not confirmed <b>yet</b> (DHCP server kea-1)");
        assert_eq!(texts(&html, "a[href='/dhcp-servers/kea-1']").len(), 1);
        assert!(texts(&html, "td[data-label='MAC']").is_empty(), "a column is shown that nobody asked for");
    }

    #[test]
    fn an_installed_server_waits_for_puppet_and_says_why_that_failed() {
        use bootledger_aggregates::values::text::Text;
        use bootledger_projections::deployments::PuppetFailure;
        let failure = PuppetFailure {
            at: Timestamp::default(),
            messages: vec![Text::fitted("<b>no nginx</b>"), Text::fitted("no redis")],
            transaction: Text::default(),
        };
        let installed_at = Some(Timestamp::default());
        let waits = Deployment { status: Status::InProgress, installed_at, puppet_failure: Some(failure), ..deployment() };
        let told = awaited::of_deployment(&waits, &[], Timestamp::default().plus_seconds(60));
        let words = texts(&html! { tr { td { (told) } } }, "td div");
        assert_eq!(
            words,
            [
                "Puppet, to report a successful run; the server is installed since 1 min",
                "Puppet failed 1 min ago: <b>no nginx</b>; no redis"
            ]
        );
        let done = Deployment { status: Status::Done, ..waits };
        assert_eq!(awaited::of_deployment(&done, &[], Timestamp::default()).into_string(), "");
    }

    #[test]
    fn an_empty_list_says_how_to_begin() {
        assert!(nothing(false).into_string().contains("Nothing has been deployed yet."));
        assert!(nothing(true).into_string().contains("No deployment is like that."));
    }
}
