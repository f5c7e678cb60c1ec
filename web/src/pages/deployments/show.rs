//! The page `/deployments/{id}` of one deployment: its state, what it is waiting for, the files that it has served,
//! and its history.

use super::details::{DeploymentDetails, load};
use super::history::Work;
use super::{cards, installer, steps};
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::application;
use crate::pages::components::action::{self, Look};
use crate::pages::components::awaited;
use crate::pages::components::badge::{self, Tone, badge, of_run};
use crate::pages::components::block;
use crate::pages::components::time::{moment, since, until};
use crate::pages::instead::instead;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::live::{self, Region, State, Topic};
use crate::wording::plugins;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::plan::PlannedPlugin;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::plugin_runs::RunStatus;
use maud::{Markup, html};

/// Handles the request for the page.
pub(super) async fn show(
    page_context: PageContext,
    application: Data<Application>,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let may = page_context.may_change(&snapshot, Role::Operator);
    let found = load(&mut snapshot, &application, id, may).await?;
    let title = found.deployment.hostname.to_string();
    let content =
        html! { (instead(&page_context, &found.deployment)) @for region in regions(&found, page_context.now) { (region.html) } };
    let live = Some(format!("/deployments/{id}/live/{}", snapshot.position));
    let json = Some(format!("/api/v1/deployments/{id}"));
    page_context
        .about("deployment", id)
        .answer(snapshot, Page { live, json, ..Page::new(&title, Section::Deployments, content) })
        .await
}

/// The page's parts, live.
pub(super) async fn live(
    page_context: PageContext,
    request: HttpRequest,
    Path((id, seen)): Path<(DeploymentId, i64)>,
) -> Result<HttpResponse, Error> {
    let may = page_context.may(Role::Operator);
    let application = application::of(&request)?.clone();
    let now = application.now;
    let render = live::render(move |mut snapshot, _| {
        let (may, application) = (may.clone(), application.clone());
        Box::pin(async move {
            let found = load(&mut snapshot, &application, id, may).await?;
            Ok(State { regions: regions(&found, now()), rows: vec![] })
        })
    });
    live::answer(&request, seen, vec![Topic::Deployment(id)], None, render)
}

/// The page's parts in order. Each is an element with an ID; together they are the page.
fn regions(found: &DeploymentDetails, now: Timestamp) -> Vec<Region> {
    vec![
        Region::new("head", head(found, now)),
        Region::new(
            "states",
            html! { section.card id="states" aria-labelledby="states-title" { h2 id="states-title" { "State" } (steps::states(&found.deployment, now)) (steps::durations(&found.deployment, &found.history, now)) } },
        ),
        Region::new("installer", installer::view(found, now)),
        Region::new("plugins", plugins(found, now)),
        Region::new("facts", cards::facts(found)),
        Region::new("settings", cards::used(found)),
        Region::new("served", cards::served(found)),
        Region::new("timeline", cards::events(found)),
    ]
}

fn head(found: &DeploymentDetails, now: Timestamp) -> Markup {
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
    let waits = awaited::of_deployment(deployment, &found.runs, &found.holders, now);
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
                (block::note(Tone::Bad, &html! { p { "An event of this deployment could not be applied, so this page may be out of date. " a href="/readyz" { "Details" } } }))
            }
            @if deployment.status.is_live() && !waits.clone().into_string().is_empty() { (block::note(tone, &html! { @if found.installation.failing { (installer::short(&found.installation)) } strong { "Waiting for" } (waits) })) }
            @if let Some(reason) = &deployment.reason { (block::note(Tone::Neutral, &html! { p { "Cancelled: " (reason) } })) }
        }
    }
}

fn plugins(found: &DeploymentDetails, now: Timestamp) -> Markup {
    html! {
        section.card id="plugins" aria-labelledby="plugins-title" {
            h2 id="plugins-title" { "Plugins" }
            p.quiet { "Plugins are the steps of a deployment. Each one starts when the plugins that it requires have succeeded." }
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Plugin" } th scope="col" { "Status" } th scope="col" { "Failures" } th scope="col" { "Reason" } th scope="col" { "Next attempt" } th scope="col" { "Action" } } }
                    tbody { @for planned in found.history.plugins() { (plugin(found, planned, now)) } }
                }
            }
        }
    }
}

fn plugin(found: &DeploymentDetails, planned: &PlannedPlugin, now: Timestamp) -> Markup {
    let name = &planned.name;
    let (status, work) = (found.history.status(name), found.history.work(name));
    let (tone, words) = of_run(status);
    let run = found.runs.iter().find(|run| run.plugin == *name);
    let retry = found.may.clone().and_then(|()| found.history.allows(DeploymentCommand::RetryPlugin { plugin: name.clone() }));
    let path = format!("/deployments/{}/plugins/{name}/retry", found.deployment.id);
    html! {
        tr {
            th scope="row" { (name) @if !planned.requires.is_empty() { div.quiet { small { "after " (planned.requires.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) } } } }
            td data-label="Status" { div { (badge(tone, words)) @if let Some(at) = work.succeeded { " " span.quiet { (moment(at)) } } } }
            td data-label="Failures" { @if work.attempts == 0 { "–" } @else if work.attempts == 1 { "once" } @else { (work.attempts) " times" } }
            td data-label="Reason" { div { (why(found, status, &work, now)) } }
            td data-label="Next attempt" {
                @match run.and_then(|run| run.retry_at).or(work.failure.as_ref().filter(|_| status == RunStatus::Failed).map(|(_, _, retry)| *retry)) {
                    Some(at) if !matches!(status, RunStatus::Succeeded | RunStatus::Stopped) => { (until(at, now)) }
                    _ => "–",
                }
            }
            td data-label="Action" {
                @if matches!(status, RunStatus::Waiting | RunStatus::Failed | RunStatus::Due) {
                    (action::post(&format!("retry-{name}"), &path, Look::Small, "arrow-repeat", "Retry", &retry, &html! {}))
                }
            }
        }
    }
}

fn why(found: &DeploymentDetails, status: RunStatus, work: &Work, now: Timestamp) -> Markup {
    html! {
        @if status == RunStatus::Waiting {
            @if let Some((at, reason, keys)) = &work.waiting {
                (plugins::waiting(reason, found.deployment.hostname.as_str())) " " span.quiet { "for " (since(*at, now)) }
                @if !keys.is_empty() { div { "Waiting for " (awaited::links(keys.iter().map(String::as_str))) } }
            }
        } @else if let Some((at, reason, _)) = &work.failure {
            @if status == RunStatus::Succeeded { span.quiet { "Failed before: " } }
            (plugins::failure(reason, &found.holders)) " " span.quiet { (since(*at, now)) " ago" }
        } @else if status == RunStatus::Blocked { span.quiet { "It waits for the plugins that it requires." } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::components::action::Allowed;
    use crate::pages::deployments::history::History;
    use crate::pages::tests::samples::{deployment, waiting};
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::deployment::reason::Waiting;
    use bootledger_projections::rows::holders::HolderNames;
    use bootledger_projections::rows::installations::Installation;

    fn details() -> DeploymentDetails {
        DeploymentDetails {
            deployment: deployment(),
            device: None,
            history: History::default(),
            installation: Installation::default(),
            usual: None,
            loader: false,
            ways: None,
            runs: vec![],
            holders: HolderNames::default(),
            lines: vec![],
            blocked: false,
            settings: vec![],
            may: Ok(()),
        }
    }

    fn page(may: Allowed) -> Markup {
        let reason = Waiting::Text { text: Text::fitted("kea-1 is behind") };
        let found = DeploymentDetails { runs: vec![waiting(reason, &["dhcp-server:kea-1"])], may, ..details() };
        html! { @for region in regions(&found, Timestamp::default()) { (region.html) } }
    }

    #[test]
    fn the_page_begins_with_what_the_deployment_waits_for() {
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
        let found = DeploymentDetails { blocked: true, ..details() };
        for region in regions(&found, Timestamp::default()) {
            let tag = region.html.0.split('>').next().expect("a tag");
            assert!(tag.contains(&format!("id=\"{}\"", region.id)), "{tag}");
        }
    }
}
