//! The page `/deployments/{id}` of one deployment: its state, what it is waiting for, the files that it has served,
//! and its history.

use super::details::{DeploymentDetails, Tab, load};
use super::{again, cards, changes, installer, needed, steps};
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::application;
use crate::pages::components::action::{self, Look};
use crate::pages::components::awaited;
use crate::pages::components::badge::{self, Tone};
use crate::pages::components::block;
use crate::pages::instead::instead;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::live::{self, Region, State, Topic};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use anyhow::anyhow;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use maud::{Markup, html};

/// Handles the request for the page.
pub(super) async fn show(
    page_context: PageContext,
    application: Data<Application>,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let tab = Tab::of(page_context.parameter("tab"))?;
    let mut snapshot = backend.read().await?;
    let may = page_context.may_change(&snapshot, Role::Operator);
    let found = load(&mut snapshot, &application, id, tab, may).await?;
    let title = found.deployment.hostname.to_string();
    let links = Tab::ALL.map(|one| {
        let name = Some(one.name()).filter(|name| !name.is_empty());
        (one.label(), page_context.with("tab", name), one == tab)
    });
    let shown = regions(&found, tab, snapshot.moment());
    let [head, call, parts @ ..] = shown.as_slice() else {
        return Err(Error::Internal(anyhow!("the page of a deployment has no head")));
    };
    let content = html! {
        (instead(&page_context, &found.deployment))
        (head.html)
        (call.html)
        (block::tabs("Parts of the deployment", &links))
        @for region in parts { (region.html) }
    };
    let live = format!("/deployments/{id}/live/{}", snapshot.position);
    let live = Some(if tab == Tab::default() { live } else { format!("{live}?tab={}", tab.name()) });
    let json = Some(match tab {
        Tab::Events => format!("/api/v1/deployments/{id}/events"),
        _ => format!("/api/v1/deployments/{id}"),
    });
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
    let tab = Tab::of(page_context.parameter("tab"))?;
    let may = page_context.may(Role::Operator);
    let application = application::of(&request)?.clone();
    let now = application.now;
    let render = live::render(move |mut snapshot, _| {
        let (may, application) = (may.clone(), application.clone());
        Box::pin(async move {
            let found = load(&mut snapshot, &application, id, tab, may).await?;
            Ok(State { regions: regions(&found, tab, now()), rows: vec![] })
        })
    });
    live::answer(&request, seen, vec![Topic::Deployment(id)], None, render)
}

/// The parts of a tab in order, after the head and the needed action. Each is an element with an ID.
fn regions(found: &DeploymentDetails, tab: Tab, now: Timestamp) -> Vec<Region> {
    let mut regions = vec![Region::new("head", head(found, now)), Region::new("needed", needed::view(found, now))];
    match tab {
        Tab::Overview => regions.extend([
            Region::new("states", steps::view(found, now)),
            Region::new("installer", installer::view(found, now)),
            Region::new("facts", cards::facts(found)),
            Region::new("settings", cards::used(found)),
        ]),
        Tab::Served => regions.push(Region::new("served", cards::served(found))),
        Tab::Changes => regions.push(Region::new("changes", changes::view(&found.changes))),
        Tab::Events => regions.push(Region::new("timeline", cards::events(found))),
    }
    regions
}

fn head(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let deployment = &found.deployment;
    let id = deployment.id;
    let cancel = DeploymentCommand::CancelDeployment { by: Text::EMPTY, reason: Text::EMPTY };
    let cancel = found.may.clone().and_then(|()| found.history.allows(cancel));
    let title = html! { (deployment.hostname) " " (badge::deployment(deployment.status, deployment.overdue)) };
    let done = action::link(
        "done",
        &format!("/deployments/{id}/done"),
        Look::Usual,
        "check-circle-fill",
        "Mark installed…",
        &needed::may_be_done(found),
    );
    let actions = html! {
        @if deployment.status.is_live() {
            (action::link("cancel", &format!("/deployments/{id}/cancel"), Look::Usual, "x-circle-fill", "Cancel…", &cancel))
            (block::more_actions(&html! { (done) (again::redeploy(found, Look::Usual)) (again::clone(found)) }))
        } @else {
            (again::redeploy(found, Look::Primary))
            (block::more_actions(&again::clone(found)))
        }
    };
    html! {
        div.stack id="head" {
            (block::heading(&[("Deployments", "/deployments")], &title, &actions))
            // The callout below names the needed action.
            @if deployment.status.is_live() && !needed::is_any(found, now) {
                @let waits = awaited::of_deployment(deployment, Some(found.runs.as_slice()), &found.holders, now);
                @if !waits.0.is_empty() { (block::note(Tone::Info, &html! { strong { "Waiting for" } (waits) })) }
            }
            @if let Some(reason) = &deployment.reason { (block::note(Tone::Neutral, &html! { p { "Cancelled: " (reason) } })) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::components::action::Allowed;
    use crate::pages::tests::samples::{deployment, waiting};
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::deployment::reason::Waiting;
    use bootledger_projections::rows::deployments::{Deployment, Status};
    use bootledger_projections::rows::installations::Installation;

    fn details(may: Allowed) -> DeploymentDetails {
        DeploymentDetails::sample(deployment(), Installation::default(), None, may)
    }

    fn page(found: &DeploymentDetails, tab: Tab) -> Markup {
        html! { @for region in regions(found, tab, Timestamp::default()) { (region.html) } }
    }

    #[test]
    fn a_viewer_reads_beside_the_buttons_why_they_do_nothing() {
        let page = page(&details(Err("This takes the role operator.".to_owned())), Tab::Overview);
        for id in ["done", "redeploy", "clone", "cancel"] {
            assert_eq!(texts(&page, &format!("button[aria-disabled] ~ #{id}-reason")), ["This takes the role operator."]);
        }
        assert!(texts(&page, "a.danger").is_empty());
    }

    #[test]
    fn the_page_begins_with_what_the_deployment_waits_for_if_no_action_is_needed() {
        let reason = Waiting::Text { text: Text::fitted("kea-1 is behind") };
        let row = Deployment { overdue: false, ..deployment() };
        let found = DeploymentDetails { deployment: row, runs: vec![waiting(reason, &["dhcp-server:kea-1"])], ..details(Ok(())) };
        let waits = page(&found, Tab::Events);
        assert_eq!(texts(&waits, "#head .note.info a[href='/dhcp-servers/kea-1']").len(), 1);
        assert!(texts(&waits, "#head .note")[0].contains("kea-1 is behind"));
        let acts = page(&DeploymentDetails { blocked: true, ..found }, Tab::Overview);
        assert!(texts(&acts, "#head .note").is_empty() && texts(&acts, "#needed section").len() == 1);
    }

    #[test]
    fn every_part_of_every_tab_is_an_element_with_its_id() {
        let found = DeploymentDetails { blocked: true, ..details(Ok(())) };
        for tab in Tab::ALL {
            for region in regions(&found, tab, Timestamp::default()) {
                let tag = region.html.0.split('>').next().expect("a tag");
                assert!(tag.contains(&format!("id=\"{}\"", region.id)), "{tag}");
            }
            assert_eq!(texts(&page(&found, tab), "h1").len(), 1);
            assert_eq!(texts(&page(&found, tab), "#needed .bad").len(), 1, "the needed action is on every tab");
            assert_eq!(Tab::of(tab.name()).expect("a tab"), tab);
        }
        Tab::of("logs").expect_err("there is no such tab");
    }

    #[test]
    fn a_cancelled_deployment_shows_why_and_nothing_about_done() {
        let (status, reason) = (Status::Cancelled, Some("wrong <server>".to_owned()));
        let row = Deployment { status, reason, ended_at: Some(Timestamp::default()), ..deployment() };
        let found = DeploymentDetails { deployment: row, ..details(Ok(())) };
        let page = page(&found, Tab::Overview);
        assert_eq!(texts(&page, "#head .note")[0], "Cancelled: wrong <server>");
        assert!(!texts(&page, "#facts")[0].contains("DONE"), "{}", texts(&page, "#facts")[0]);
    }
}
