//! The page `/deployments/{id}` of one deployment: its state, what it is waiting for, the files that it has served,
//! and its history.

use super::history::{History, Work};
use super::{awaited, installer, steps};
use crate::application::Application;
use crate::auth::level::Level;
use crate::error::Error;
use crate::pages::catalogue::settings::shown;
use crate::pages::devices::deploy::suggested::instead;
use crate::pages::devices::settings::source;
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::{self, Allowed, Look};
use crate::pages::kit::badge::{self, Tone, badge, of_run};
use crate::pages::kit::block;
use crate::pages::kit::time::{moment, since, until};
use crate::pages::live::{self, Region, State, Topic};
use crate::pages::timeline::lines;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::installer::LOCAL_DISK;
use bootledger_aggregates::deployment::plan::PlannedPlugin;
use bootledger_aggregates::settings::{Resolved, Source};
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::setting::SettingName;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::catalogue;
use bootledger_projections::deployments::{self, Deployment};
use bootledger_projections::devices::{self, Device};
use bootledger_projections::installations::{self, Installation};
use bootledger_projections::parked;
use bootledger_projections::plugin_runs::{self, Run, RunStatus};
use bootledger_projections::timeline::{self, Line, Order};
use maud::{Markup, html};

/// How many lines of the timeline the page shows.
const LINES: i64 = 100;

/// The data of the page.
pub(super) struct Found {
    pub(super) deployment: Deployment,
    device: Option<Device>,
    pub(super) history: History,
    /// The installer's state.
    pub(super) installation: Installation,
    /// How many seconds it usually takes from the last file to DONE.
    pub(super) usual: Option<i64>,
    /// Whether the last file that the server fetched is a boot loader, which is not part of its image.
    pub(super) loader: bool,
    /// How the server can get the signed chain, if it uses that and has fetched only a loader so far.
    pub(super) ways: Option<installer::Ways>,
    runs: Vec<Run>,
    lines: Vec<Line>,
    blocked: bool,
    settings: Vec<Setting>,
    /// Whether the visitor may make changes from the page.
    pub(super) may: Allowed,
}

/// A setting that the deployment's files use.
struct Setting {
    name: SettingName,
    /// The value and its source; an optional setting may have none.
    resolved: Option<Resolved>,
    /// What is wrong with the setting's secret, while the deployment still needs it.
    problem: Option<String>,
}

/// The settings of a deployment: those that it was started with, and the defaults of its revision of the image.
async fn settings(reading: &mut Reading<'_>, application: &Application, of: &Deployment) -> Result<Vec<Setting>, Error> {
    let (key, revision) = (&of.boot_image, of.boot_image_revision);
    let Some(image) = catalogue::boot_image_revision(reading.connection(), key, revision).await? else { return Ok(vec![]) };
    let image = image.spec;
    let default = |name: &SettingName| {
        let value = image.declared().get(name)?.default.clone()?;
        Some(Resolved { value, from: Source::BootImage })
    };
    let matters = of.status.is_live() && reading.at == At::Now;
    let setting = |name: &SettingName| {
        let resolved = of.settings.get(name).cloned().or_else(|| default(name));
        let secret = resolved.as_ref().and_then(|resolved| resolved.value.secret()).filter(|_| matters);
        let problem = secret.and_then(|secret| application.commands.secret_problem(secret));
        Setting { name: name.clone(), resolved, problem }
    };
    Ok(image.used_settings().into_iter().map(setting).collect())
}

async fn ask(reading: &mut Reading<'_>, application: &Application, id: DeploymentId, may: Allowed) -> Result<Found, Error> {
    let at = reading.at;
    let deployment = deployments::find(reading.connection(), id, at).await?;
    let deployment = deployment.ok_or_else(|| Error::NotFound(format!("there is no deployment {id}")))?;
    let device = devices::find(reading.connection(), deployment.device, at).await?;
    let runs = if at == At::Now { plugin_runs::of(reading.connection(), id).await? } else { vec![] };
    let filter = timeline::Filter { deployment: Some(id), before: Some(reading.position + 1), ..timeline::Filter::default() };
    let lines = timeline::list(reading.connection(), &filter, Order::NewestFirst, LINES + 1).await?;
    let blocked = parked::is_blocked(reading.connection(), "deployment", &id.to_string()).await?;
    let history = History::read(reading, id).await?;
    let installation = installations::find(reading.connection(), id, at).await?;
    let usual = installer::usual(reading.connection(), &deployment, &installation, at).await?;
    let loader = installer::fetched_a_loader(reading.connection(), &deployment, &installation).await?;
    let ways = installer::ways(reading, application, &deployment, &installation, loader).await?;
    let settings = settings(reading, application, &deployment).await?;
    Ok(Found { deployment, device, history, installation, usual, loader, ways, runs, lines, blocked, settings, may })
}

/// Handles the request for the page.
pub(super) async fn show(
    visit: Visit,
    application: Data<Application>,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Operator);
    let found = ask(&mut reading, &application, id, may).await?;
    let title = found.deployment.hostname.to_string();
    let content = html! { (instead(&visit, &found.deployment)) @for region in regions(&found, visit.now) { (region.html) } };
    let live = Some(format!("/deployments/{id}/live/{}", reading.position));
    let json = Some(format!("/api/v1/deployments/{id}"));
    visit.answer(reading, Page { live, json, ..Page::new(&title, Section::Deployments, content) }).await
}

/// The page's parts, live.
pub(super) async fn live(
    visit: Visit,
    request: HttpRequest,
    Path((id, seen)): Path<(DeploymentId, i64)>,
) -> Result<HttpResponse, Error> {
    let may = visit.may(Level::Operator);
    let application = super::super::application(&request)?.clone();
    let now = application.now;
    let render = live::render(move |mut reading, _| {
        let (may, application) = (may.clone(), application.clone());
        Box::pin(async move {
            let found = ask(&mut reading, &application, id, may).await?;
            Ok(State { regions: regions(&found, now()), rows: vec![] })
        })
    });
    live::answer(&request, seen, vec![Topic::Deployment(id)], None, render)
}

/// The page's parts in order. Each is an element with an ID; together they are the page.
fn regions(found: &Found, now: Timestamp) -> Vec<Region> {
    vec![
        Region::new("head", head(found, now)),
        Region::new(
            "states",
            html! { section.card id="states" aria-labelledby="states-title" { h2 id="states-title" { "State" } (steps::states(&found.deployment, now)) (steps::durations(&found.deployment, &found.history, now)) } },
        ),
        Region::new("installer", installer::view(found, now)),
        Region::new("plugins", plugins(found, now)),
        Region::new("facts", facts(found)),
        Region::new("settings", used(found)),
        Region::new("served", served(found)),
        Region::new("timeline", events(found)),
    ]
}

fn head(found: &Found, now: Timestamp) -> Markup {
    let deployment = &found.deployment;
    let id = deployment.id;
    let rule = |command| found.may.clone().and_then(|()| found.history.allows(command));
    let cancel = rule(DeploymentCommand::CancelDeployment { by: Text::default(), reason: Text::default() });
    let done = rule(DeploymentCommand::MarkDone { by: DoneBy::Operator { name: Text::default() } });
    let title = html! { (deployment.hostname) " " (badge::deployment(deployment.status, deployment.overdue)) };
    let actions = html! {
        (action::link("done", &format!("/deployments/{id}/done"), Look::Usual, "check-circle-fill", "Mark done…", &done))
        (action::link("cancel", &format!("/deployments/{id}/cancel"), Look::Danger, "x-circle-fill", "Cancel…", &cancel))
    };
    let waits = awaited::of_deployment(deployment, &found.runs, now);
    let tone = if found.installation.failing || found.runs.iter().any(|run| run.status == RunStatus::Failed) {
        Tone::Bad
    } else if deployment.overdue {
        Tone::Warn
    } else {
        Tone::Info
    };
    html! {
        div.stack id="head" {
            (block::heading(&[("Deployments", "/deployments")], &title, &actions))
            @if found.blocked {
                (block::note(Tone::Bad, &html! { p { "An event of this deployment could not be applied, so what is shown may be old. " a href="/readyz" { "What is parked" } } }))
            }
            @if deployment.status.is_live() && !waits.clone().into_string().is_empty() { (block::note(tone, &html! { @if found.installation.failing { (installer::short(&found.installation)) } strong { "Waits for" } (waits) })) }
            @if let Some(reason) = &deployment.reason { (block::note(Tone::Neutral, &html! { p { "Cancelled: " (reason) } })) }
        }
    }
}

fn plugins(found: &Found, now: Timestamp) -> Markup {
    html! {
        section.card id="plugins" aria-labelledby="plugins-title" {
            h2 id="plugins-title" { "Plugins" }
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Plugin" } th scope="col" { "Stands" } th scope="col" { "Failed" } th scope="col" { "Why, and for whom it waits" } th scope="col" { "Next try" } th scope="col" { "Now" } } }
                    tbody { @for planned in found.history.plugins() { (plugin(found, planned, now)) } }
                }
            }
        }
    }
}

fn plugin(found: &Found, planned: &PlannedPlugin, now: Timestamp) -> Markup {
    let name = &planned.name;
    let (status, work) = (found.history.status(name), found.history.work(name));
    let (tone, words) = of_run(status);
    let run = found.runs.iter().find(|run| run.plugin == *name);
    let retry = found.may.clone().and_then(|()| found.history.allows(DeploymentCommand::RetryPlugin { plugin: name.clone() }));
    let path = format!("/deployments/{}/plugins/{name}/retry", found.deployment.id);
    html! {
        tr {
            th scope="row" { (name) @if !planned.requires.is_empty() { div.quiet { small { "after " (planned.requires.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) } } } }
            td data-label="Stands" { div { (badge(tone, words)) @if let Some(at) = work.succeeded { " " span.quiet { (moment(at)) } } } }
            td data-label="Failed" { @if work.attempts == 0 { "–" } @else if work.attempts == 1 { "once" } @else { (work.attempts) " times" } }
            td data-label="Why" { div { (why(status, &work, now)) } }
            td data-label="Next try" {
                @match run.and_then(|run| run.retry_at).or(work.failure.as_ref().filter(|_| status == RunStatus::Failed).map(|(_, _, retry)| *retry)) {
                    Some(at) if !matches!(status, RunStatus::Succeeded | RunStatus::Stopped) => { (until(at, now)) }
                    _ => "–",
                }
            }
            td data-label="Now" {
                @if matches!(status, RunStatus::Waiting | RunStatus::Failed | RunStatus::Due) {
                    (action::post(&format!("retry-{name}"), &path, Look::Small, "arrow-repeat", "Retry now", &retry, &html! {}))
                }
            }
        }
    }
}

fn why(status: RunStatus, work: &Work, now: Timestamp) -> Markup {
    html! {
        @if status == RunStatus::Waiting {
            @if let Some((at, reason, keys)) = &work.waiting {
                (reason) " " span.quiet { "since " (since(*at, now)) }
                @if !keys.is_empty() { div { "Waits for " (awaited::links(keys.iter().map(String::as_str))) } }
            }
        } @else if let Some((at, reason, _)) = &work.failure {
            @if status == RunStatus::Succeeded { span.quiet { "Before: " } }
            (reason) " " span.quiet { (since(*at, now)) " ago" }
        } @else if status == RunStatus::Blocked { span.quiet { "Others come first." } }
    }
}

fn facts(found: &Found) -> Markup {
    let deployment = &found.deployment;
    let device = found.device.as_ref().map(|device| device.name.as_str()).filter(|name| !name.is_empty());
    let rows = [
        (
            "Device",
            html! { a href=(format!("/devices/{}", deployment.device)) { @if let Some(name) = device { (name) } @else { (deployment.device) } } },
        ),
        (
            "Address",
            html! { span.mono { (deployment.ip) } " in " a href=(format!("/networks/{}", deployment.network)) { (deployment.network) } },
        ),
        ("MAC", html! { span.mono { (deployment.mac) } }),
        (
            "Venture and role",
            html! {
                a href=(format!("/ventures/{}", deployment.venture)) { (deployment.venture) } " / "
                a href=(format!("/ventures/{}/roles/{}", deployment.venture, deployment.role)) { (deployment.role) }
            },
        ),
        (
            "Boot image",
            html! { a href=(format!("/boot-images/{}", deployment.boot_image)) { (deployment.boot_image) } ", revision " (deployment.boot_image_revision) },
        ),
        ("Site", html! { a href=(format!("/sites/{}", deployment.site)) { (deployment.site) } }),
        ("Started", html! { (moment(deployment.started_at)) " by " (deployment.started_by) }),
        (
            "Import",
            html! { @if let Some(import) = deployment.import { a href=(format!("/deployments?import={import}")) { (import) } } @else { "none; started alone" } },
        ),
        (
            "Ended by",
            html! { @match deployment.done_by { bootledger_aggregates::boot_image::EndedBy::Server => "the server's DONE", bootledger_aggregates::boot_image::EndedBy::Puppet => "Puppet's first successful run after DONE" } },
        ),
        ("Identifier", html! { code { (deployment.id) } }),
    ];
    block::card("facts", "What was asked for", &block::facts(&rows))
}

fn used(found: &Found) -> Markup {
    let content = html! {
        @for (name, problem) in found.settings.iter().filter_map(|one| Some((&one.name, one.problem.as_ref()?))) {
            (block::note(Tone::Bad, &html! { p { "Files that use the setting " code { (name) } " are not served: " (problem) "." } }))
        }
        @if found.settings.is_empty() { p.quiet { "Its files use none." } }
        @else {
            details {
                summary { (found.settings.len()) @if found.settings.len() == 1 { " setting" } @else { " settings" } ", as they were when it started" }
                dl.facts {
                    @for setting in &found.settings {
                        dt { code { (setting.name) } }
                        dd {
                            @match &setting.resolved {
                                Some(resolved) => { (shown(&resolved.value)) " " span.quiet { "from " (source(&resolved.from)) } }
                                None => span.quiet { "none" },
                            }
                        }
                    }
                }
            }
        }
    };
    block::card("settings", "Boot settings", &content)
}

fn served(found: &Found) -> Markup {
    let files = &found.history.served;
    let content = html! {
        @if files.is_empty() { p.quiet { "Nothing yet. The server asks for its script at " code { "/pxe/" } " when it boots from the network." } }
        @else {
            p { "Bytes as they were served, rendered; the hash is of all of them. A file is listed once, and again when its content changed or after a minute." }
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "File" } th scope="col" { "When" } th scope="col" { "To" } th scope="col" { "SHA-256" } } }
                    tbody {
                        @for file in files.iter().rev() {
                            tr {
                                th scope="row" {
                                    @if file.file.as_str() == LOCAL_DISK { "The local disk" }
                                    @else { a href=(format!("/deployments/{}/served/{}", found.deployment.id, file.file)) { (file.file) } }
                                }
                                td data-label="When" { a href=(format!("#event-{}", file.position)) { (moment(file.at)) } }
                                td data-label="To" { span.mono { (file.client) } }
                                td data-label="SHA-256" { code { (file.sha256) } }
                            }
                        }
                    }
                }
            }
        }
    };
    block::card("served", "Served to the server", &content)
}

fn events(found: &Found) -> Markup {
    let shown = usize::try_from(LINES).unwrap_or(usize::MAX);
    let id = found.deployment.id;
    let content = html! {
        (lines(&found.lines[..found.lines.len().min(shown)]))
        @if found.lines.len() > shown { p { a href=(format!("/timeline?deployment={id}")) { "All of it" } } }
    };
    block::card("timeline", "What happened, the newest first", &content)
}

#[cfg(test)]
impl Found {
    /// The data of a deployment with this installation.
    pub(super) fn sample(deployment: Deployment, installation: Installation, usual: Option<i64>, may: Allowed) -> Self {
        let (history, runs, lines) = (History::default(), vec![], vec![]);
        let (settings, loader, ways) = (vec![], false, None);
        Self { deployment, device: None, history, installation, usual, loader, ways, runs, lines, blocked: false, settings, may }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::deployments::samples::{deployment, waiting};
    use scraper::{Html, Selector};

    fn page(may: Allowed) -> Html {
        let found = Found {
            deployment: deployment(),
            device: None,
            history: History::default(),
            installation: Installation::default(),
            usual: None,
            loader: false,
            ways: None,
            runs: vec![waiting("kea-1 is behind", &["dhcp-server:kea-1"])],
            lines: vec![],
            blocked: false,
            settings: vec![],
            may,
        };
        let html: String = regions(&found, Timestamp::default()).into_iter().map(|region| region.html.0).collect();
        Html::parse_document(&html)
    }

    fn texts(page: &Html, selector: &str) -> Vec<String> {
        page.select(&Selector::parse(selector).expect("a selector")).map(|found| found.text().collect()).collect()
    }

    #[test]
    fn the_page_says_first_whom_the_deployment_waits_for() {
        let page = page(Ok(()));
        assert!(texts(&page, "#head .note")[0].contains("kea-1 is behind"));
        assert_eq!(texts(&page, "#head .note a[href='/dhcp-servers/kea-1']").len(), 1);
        assert_eq!(texts(&page, "h1").len(), 1);
    }

    #[test]
    fn a_viewer_reads_beside_the_buttons_why_they_do_nothing() {
        let page = page(Err("This takes the role operator.".to_owned()));
        assert_eq!(texts(&page, "#cancel-reason"), ["This takes the role operator."]);
        assert!(texts(&page, "a.danger").is_empty());
    }

    #[test]
    fn every_part_is_an_element_with_its_id() {
        let found = Found {
            deployment: deployment(),
            device: None,
            history: History::default(),
            installation: Installation::default(),
            usual: None,
            loader: false,
            ways: None,
            runs: vec![],
            lines: vec![],
            blocked: true,
            settings: vec![],
            may: Ok(()),
        };
        for region in regions(&found, Timestamp::default()) {
            let tag = region.html.0.split('>').next().expect("a tag");
            assert!(tag.contains(&format!("id=\"{}\"", region.id)), "{tag}");
        }
    }
}
