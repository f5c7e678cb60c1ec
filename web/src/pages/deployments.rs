//! `/`: the newest deployments, where each stands, and whom it waits for.

use super::layout;
use crate::auth::caller::Viewer;
use crate::error::Error;
use crate::request::parameters::Parameters;
use crate::request::reading::{Reading, name_position};
use actix_web::HttpResponse;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::deployments::{self, Deployment, Filter, Status};
use bootledger_projections::plugin_runs::{self, Run, RunStatus};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::HashMap;

/// How many deployments a page shows.
const SHOWN: i64 = 100;

/// Which part of the list.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    after: Option<DeploymentId>,
}

/// The page.
pub(super) async fn index(
    _: Viewer,
    Parameters(query): Parameters<ListQuery>,
    mut reading: Reading,
) -> Result<HttpResponse, Error> {
    let filter = Filter { after: query.after, ..Filter::default() };
    let at = reading.at;
    let mut found = deployments::list(reading.connection(), &filter, at, SHOWN + 1).await?;
    let shown = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let mut runs: HashMap<DeploymentId, Vec<Run>> = HashMap::new();
    if at == At::Now {
        let ids: Vec<DeploymentId> = found.iter().filter(|deployment| deployment.status.is_live()).map(|d| d.id).collect();
        for run in plugin_runs::of_many(reading.connection(), &ids).await? {
            runs.entry(run.deployment).or_default().push(run);
        }
    }
    let next = found.last().filter(|_| more).map(|deployment| deployment.id);
    let page = view(&found, &runs, next, reading.position);
    let mut response = HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page.into_string());
    name_position(&mut response, reading.position);
    Ok(response)
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::InProgress => "in progress",
        Status::Done => "done",
        Status::Cancelled => "cancelled",
    }
}

/// What a deployment waits for, in words; empty where it waits for nothing.
fn awaited(deployment: &Deployment, runs: &[Run]) -> Vec<String> {
    if let Some(reason) = &deployment.reason {
        return vec![reason.clone()];
    }
    let named = |run: &Run| match (run.status, &run.reason) {
        (RunStatus::Waiting | RunStatus::Failed, Some(reason)) => Some(format!("{}: {reason}", run.plugin)),
        (RunStatus::Due, _) => Some(format!("{}: due", run.plugin)),
        _ => None,
    };
    let mut all: Vec<String> = runs.iter().filter_map(named).collect();
    if all.is_empty() && deployment.status == Status::InProgress {
        all.push(match deployment.installed_at {
            None => "the server, to boot and to say that it is installed".to_owned(),
            Some(at) => format!("Puppet, to report a successful run; the server is installed since {}", moment(at)),
        });
    }
    if let Some(failure) = deployment.puppet_failure.as_ref().filter(|_| deployment.status.is_live()) {
        let told: Vec<&str> = failure.messages.iter().map(Text::as_str).collect();
        let told = if told.is_empty() { "without a word".to_owned() } else { told.join("; ") };
        all.push(format!("Puppet failed at {}: {told}", moment(failure.at)));
    }
    all
}

fn view(found: &[Deployment], runs: &HashMap<DeploymentId, Vec<Run>>, next: Option<DeploymentId>, position: i64) -> Markup {
    layout::page(
        "Deployments",
        &html! {
            h1 { "Deployments" }
            @if found.is_empty() {
                p { "Nothing has been deployed yet. " a href="/api/docs#tag-deployments" { "The API" } " starts the first one." }
            } @else {
                table.cards {
                    thead { tr { th { "Host name" } th { "Address" } th { "Device" } th { "Venture / role" } th { "Status" } th { "Since" } th { "Waits for" } } }
                    tbody { @for deployment in found { (row(deployment, runs.get(&deployment.id).map_or(&[], Vec::as_slice))) } }
                }
            }
            @if let Some(next) = next { p { a href=(format!("/?after={next}")) rel="next" { "Older ones" } } }
            p.quiet { "As of position " (position) " of the log." }
        },
    )
}

fn row(deployment: &Deployment, runs: &[Run]) -> Markup {
    html! {
        tr id=(format!("deployment-{}", deployment.id)) {
            td data-label="Host name" { (deployment.hostname) }
            td data-label="Address" { (deployment.ip) }
            td data-label="Device" { code { (deployment.device) } }
            td data-label="Venture / role" { span { (deployment.venture) " / " (deployment.role) } }
            td data-label="Status" { span { (status(deployment.status)) @if deployment.overdue { " " span.late { "overdue" } } } }
            td data-label="Since" { time datetime=(deployment.status_since) { (moment(deployment.status_since)) } }
            td data-label="Waits for" { span { @for (index, what) in awaited(deployment, runs).iter().enumerate() { @if index > 0 { br; } (what) } } }
        }
    }
}

/// A moment for people, to the second; all of it is in the element's `datetime`.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or(text.clone(), |text| format!("{} UTC", text.replace('T', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::boot_image::EndedBy;
    use bootledger_aggregates::deployment::plan::{Plan, PluginStage};
    use bootledger_aggregates::values::ids::DeviceId;
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_projections::deployments::PuppetFailure;
    use scraper::{Html, Selector};

    fn deployment() -> Deployment {
        let name = |text: &str| text.parse().expect("a name");
        Deployment {
            id: DeploymentId::default(),
            device: DeviceId::default(),
            mac: "52:54:00:12:34:56".parse().expect("a MAC"),
            ip: [10, 0, 0, 11].into(),
            hostname: "h200.dc1.example".parse().expect("a host name"),
            venture: name("shop"),
            role: name("web"),
            boot_image: name("debian"),
            boot_image_revision: 3,
            network: name("dc1-prod"),
            site: name("dc1"),
            import: None,
            status: Status::Open,
            status_since: Timestamp::default(),
            overdue: true,
            open_minutes: 30,
            in_progress_minutes: 120,
            started_at: Timestamp::default(),
            started_by: "token ops".to_owned(),
            in_progress_at: None,
            ended_at: None,
            ended_by: None,
            reason: None,
            plan: Plan::default(),
            done_by: EndedBy::Puppet,
            installed_at: None,
            puppet_failure: None,
        }
    }

    fn waiting(reason: &str) -> Run {
        Run {
            deployment: DeploymentId::default(),
            plugin: "dhcp".parse().expect("a name"),
            place: 3,
            stage: PluginStage::Preparing,
            requires: vec![],
            status: RunStatus::Waiting,
            attempts: 0,
            reason: Some(reason.to_owned()),
            awaited: vec![],
            since: Timestamp::default(),
            since_position: 7,
            retry_at: None,
            entry_position: None,
        }
    }

    fn texts(html: &str, selector: &str) -> Vec<String> {
        let page = Html::parse_document(html);
        page.select(&Selector::parse(selector).expect("a selector")).map(|found| found.text().collect()).collect()
    }

    #[test]
    fn a_row_says_where_a_deployment_stands_and_whom_it_waits_for() {
        let runs = HashMap::from([(DeploymentId::default(), vec![waiting("kea-1 has not confirmed <b>yet</b>")])]);
        let html = view(&[deployment()], &runs, None, 12).into_string();
        assert_eq!(texts(&html, "td[data-label='Host name']"), ["h200.dc1.example"]);
        assert_eq!(texts(&html, "td[data-label='Status']"), ["open overdue"]);
        assert_eq!(texts(&html, "td[data-label='Since'] time"), ["1970-01-01 00:00:00 UTC"]);
        assert_eq!(texts(&html, "td[data-label='Waits for']"), ["dhcp: kea-1 has not confirmed <b>yet</b>"]);
        assert_eq!(texts(&html, "p.quiet"), ["As of position 12 of the log."]);
        assert!(texts(&html, "b").is_empty(), "a reason became markup");
    }

    #[test]
    fn an_installed_server_waits_for_puppet_and_says_why_that_failed() {
        let failure = PuppetFailure {
            at: Timestamp::default(),
            messages: vec![Text::fitted("<b>no nginx</b>"), Text::fitted("no redis")],
            transaction: Text::default(),
        };
        let installed_at = Some(Timestamp::default());
        let waits = Deployment { status: Status::InProgress, installed_at, puppet_failure: Some(failure), ..deployment() };
        let html = view(std::slice::from_ref(&waits), &HashMap::new(), None, 12).into_string();
        let told = "Puppet, to report a successful run; the server is installed since 1970-01-01 00:00:00 UTC\
                    Puppet failed at 1970-01-01 00:00:00 UTC: <b>no nginx</b>; no redis";
        assert_eq!(texts(&html, "td[data-label='Waits for']"), [told]);
        let done = Deployment { status: Status::Done, ..waits };
        assert_eq!(awaited(&done, &[]), Vec::<String>::new());
    }

    #[test]
    fn an_empty_list_says_how_to_begin() {
        let html = view(&[], &HashMap::new(), None, 0).into_string();
        assert!(texts(&html, "main p")[0].starts_with("Nothing has been deployed yet."));
    }
}
