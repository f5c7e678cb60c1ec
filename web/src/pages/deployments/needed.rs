//! What an operator has to do so that a deployment continues, above everything else on its page, with the buttons for it. It is
//! empty if no action is needed.

use super::details::DeploymentDetails;
use super::installer;
use crate::english::as_sentence;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::time::{since, span};
use crate::wording::plugins;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::plan::PlannedPlugin;
use bootledger_aggregates::deployment::reason::Waiting;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::deployments::Status;
use bootledger_projections::rows::plugin_runs::RunStatus;
use maud::{Markup, html};

/// Something that needs an operator: a title, what is known about it, and what can be done.
struct Need {
    title: Markup,
    words: Markup,
    buttons: Markup,
}

/// The part of the page.
pub(super) fn view(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let needs = needs(found, now);
    let bad = found.blocked || found.installation.failing || found.deployment.puppet_failure.is_some() || has_failed(found);
    html! {
        div id="needed" {
            @if !needs.is_empty() {
                section class=(format!("note needed {}", if bad { "bad" } else { "warn" })) aria-labelledby="needed-title" {
                    h2 id="needed-title" { "Action needed" }
                    ul {
                        @for need in &needs {
                            li {
                                p { strong { (need.title) } }
                                (need.words)
                                div.actions { (need.buttons) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether an operator has to act.
pub(super) fn is_any(found: &DeploymentDetails, now: Timestamp) -> bool {
    !needs(found, now).is_empty()
}

fn has_failed(found: &DeploymentDetails) -> bool {
    found.history.plugins().iter().any(|planned| found.history.status(&planned.name) == RunStatus::Failed)
}

fn needs(found: &DeploymentDetails, now: Timestamp) -> Vec<Need> {
    let mut needs = vec![];
    if found.blocked {
        let words = html! { p { "An event of this deployment could not be applied, so this page may be out of date. " a href="/readyz" { "Details" } } };
        needs.push(Need { title: html! { "The page may be out of date" }, words, buttons: html! {} });
    }
    if found.deployment.status.is_live() {
        needs.extend(found.history.plugins().iter().filter_map(|planned| of_plugin(found, planned, now)));
        let is_first = needs.is_empty();
        needs.extend(of_server(found, is_first, now));
        needs.extend(of_settings(found));
    }
    needs.extend(of_drift(found));
    needs
}

/// A plugin that failed, or that waits for an operator.
fn of_plugin(found: &DeploymentDetails, planned: &PlannedPlugin, now: Timestamp) -> Option<Need> {
    let name = &planned.name;
    let hostname = found.deployment.hostname.as_str();
    let work = found.history.work(name);
    let path = format!("/deployments/{}/plugins/{name}/retry", found.deployment.id);
    let allowed = found.may_retry(name);
    let retry =
        action::post(&format!("needed-retry-{name}"), &path, Look::Usual, "arrow-repeat", "Retry now", &allowed, &html! {});
    match found.history.status(name) {
        RunStatus::Failed => {
            let (at, reason, _) = work.failure.as_ref()?;
            let words = html! { p { (as_sentence(&plugins::failure(reason, &found.holders))) " " span.quiet { (since(*at, now)) " ago" } } };
            Some(Need { title: html! { "Plugin " (name) " fails" }, words, buttons: retry })
        }
        RunStatus::Waiting => {
            let (at, reason, keys) = work.waiting.as_ref()?;
            let restarts = matches!(reason, Waiting::ManualRestart { .. } | Waiting::BootScript { .. });
            let waits = match reason {
                Waiting::NoDhcpServer { .. } => true,
                Waiting::DhcpServers { servers, held_back } => {
                    held_back.is_some() || servers.iter().any(|one| one.error.is_some())
                }
                Waiting::DnsPrimaries { problems, .. } => !problems.is_empty(),
                _ => restarts || keys.iter().any(|key| key == "operator") && !is_busy(reason),
            };
            let words =
                html! { p { (as_sentence(&plugins::waiting(reason, hostname))) " " span.quiet { "For " (since(*at, now)) } } };
            let title = html! { @if restarts { "Restart " (hostname) } @else { "Plugin " (name) " waits for an operator" } };
            let buttons = html! { @if restarts { (restarted(found, now)) (power(found, name.as_str())) } @else { (retry) } };
            waits.then_some(Need { title, words, buttons })
        }
        _ => None,
    }
}

/// Whether the controller carries out an order, which needs no action.
fn is_busy(reason: &Waiting) -> bool {
    matches!(reason, Waiting::ControllerBusy {} | Waiting::ControllerRestart { .. })
}

/// A server whose installer or Puppet failed, or that takes longer than its boot image allows. The buttons are there once.
fn of_server(found: &DeploymentDetails, is_first: bool, now: Timestamp) -> Vec<Need> {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let mut needs = vec![];
    if installation.failing {
        let words = html! {
            (installer::short(installation))
            @if let Some(at) = installation.reported_at { p.quiet { (since(at, now)) " ago" } }
        };
        let buttons = html! { (power(found, "installer")) (done(found)) };
        needs.push(Need { title: html! { "The installer failed" }, words, buttons });
    }
    if let Some(failure) = &deployment.puppet_failure {
        let messages: Vec<&str> = failure.messages.iter().map(Text::as_str).collect();
        let words = html! {
            p { @if messages.is_empty() { "It gave no reason." } @else { (messages.join("; ")) } " " span.quiet { (since(failure.at, now)) " ago" } }
        };
        let buttons = html! { @if needs.is_empty() { (done(found)) } };
        needs.push(Need { title: html! { "Puppet failed" }, words, buttons });
    }
    if deployment.overdue {
        let (minutes, what) = match deployment.status {
            Status::Open => (deployment.open_minutes, "preparation"),
            _ => (deployment.in_progress_minutes, "installation"),
        };
        let words = html! {
            p {
                "Its " (what) " takes longer than the " (span(i64::from(minutes) * 60)) " that the boot image allows: "
                (since(deployment.status_since, now)) " so far."
            }
        };
        let buttons = html! { @if is_first && needs.is_empty() && deployment.status == Status::InProgress { (power(found, "overdue")) (done(found)) } };
        needs.push(Need { title: html! { "Overdue" }, words, buttons });
    }
    needs
}

fn of_settings(found: &DeploymentDetails) -> Option<Need> {
    let wrong: Vec<_> = found.settings.iter().filter_map(|one| Some((&one.name, one.problem.as_ref()?))).collect();
    let words = html! { @for (name, problem) in &wrong { p { "Files that use the setting " code { (name) } " are not served: " (problem) "." } } };
    (!wrong.is_empty()).then_some(Need { title: html! { "A secret cannot be used" }, words, buttons: html! {} })
}

/// Records of the server that DNS does not have as expected.
fn of_drift(found: &DeploymentDetails) -> Option<Need> {
    if found.drifted.is_empty() {
        return None;
    }
    let path = format!("/sites/{}#drift", found.deployment.site);
    let words = html! { p { "DNS does not have the expected values of " @for (index, name) in found.drifted.iter().enumerate() { @if index > 0 { ", " } code { (name) } } "." } };
    let buttons = html! { a.button href=(path) { "Compare and repair" } };
    Some(Need { title: html! { "Drift of its DNS records" }, words, buttons })
}

/// The button for an operator who restarted the server.
fn restarted(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let allowed = found.may.clone().and_then(|()| found.history.allows(DeploymentCommand::ReportRestart { now }));
    let path = format!("/deployments/{}/restart-reported", found.deployment.id);
    action::post("restarted", &path, Look::Primary, "check-circle-fill", "I restarted it", &allowed, &html! {})
}

/// The link to the form that switches the server's power, which requires a confirmation. Several needs may have it, so `of` makes
/// its ID unique.
fn power(found: &DeploymentDetails, of: &str) -> Markup {
    let device = found.device.as_ref().ok_or_else(|| "The device is not known.".to_owned());
    let managed = device.and_then(|device| match allowed::switching(device.management.as_ref()) {
        Some(broken) => Err(as_sentence(&broken.message)),
        None => Ok(()),
    });
    let path = format!("/devices/{}/power", found.deployment.device);
    action::link(&format!("power-{of}"), &path, Look::Usual, "power", "Power cycle…", &found.may.clone().and(managed))
}

fn done(found: &DeploymentDetails) -> Markup {
    let path = format!("/deployments/{}/done", found.deployment.id);
    action::link("needed-done", &path, Look::Usual, "check-circle-fill", "Mark installed…", &may_be_done(found))
}

/// Whether the visitor may mark the deployment done.
pub(super) fn may_be_done(found: &DeploymentDetails) -> Allowed {
    let command = DeploymentCommand::MarkDone { by: DoneBy::Operator { name: Text::EMPTY, reason: Text::EMPTY } };
    found.may.clone().and_then(|()| found.history.allows(command))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::deployments::history::History;
    use crate::pages::deployments::history::tests::{at, failed, started};
    use crate::pages::tests::samples::{deployment, device, installing};
    use crate::pages::tests::selectors::{attributes, texts};
    use bootledger_aggregates::deployment::event::DeploymentEvent as E;
    use bootledger_aggregates::deployment::reason::MissingController;
    use bootledger_projections::rows::deployments::Deployment;
    use bootledger_projections::rows::installations::Installation;

    fn details(deployment: Deployment, events: Vec<E>, may: Allowed) -> DeploymentDetails {
        let events = std::iter::once(started()).chain(events).zip(0_i64..).map(|(event, n)| (n + 1, at(n), event));
        let sample = DeploymentDetails::sample(deployment, Installation::default(), None, may);
        DeploymentDetails { history: History::of(events.collect()), device: Some(device()), ..sample }
    }

    fn waits_for_a_restart() -> Vec<E> {
        let reason = Waiting::ManualRestart { mac: deployment().mac, missing: MissingController::Address {} };
        let plugins =
            ["clean", "role", "dns", "dhcp"].map(|plugin| E::PluginSucceeded { plugin: plugin.parse().expect("a name") });
        let waiting = E::PluginWaiting {
            plugin: "reboot".parse().expect("a name"),
            reason,
            awaited: vec!["operator".parse().expect("a text")],
        };
        plugins.into_iter().chain([E::DeploymentInProgress { device: deployment().device }, waiting]).collect()
    }

    fn calm(deployment: Deployment) -> Deployment {
        Deployment { overdue: false, ..deployment }
    }

    #[test]
    fn no_action_is_needed_while_a_deployment_continues_or_after_its_end() {
        let waiting =
            E::PluginWaiting { plugin: "clean".parse().expect("a name"), reason: Waiting::ControllerBusy {}, awaited: vec![] };
        for found in [
            details(calm(deployment()), vec![], Ok(())),
            details(calm(deployment()), vec![waiting], Ok(())),
            details(Deployment { status: Status::Done, ..deployment() }, vec![failed("clean")], Ok(())),
            details(Deployment { status: Status::Cancelled, ..deployment() }, vec![failed("clean")], Ok(())),
        ] {
            let html = view(&found, at(60));
            assert!(texts(&html, "#needed").len() == 1 && texts(&html, "#needed section").is_empty());
        }
    }

    #[test]
    fn a_failing_plugin_is_retried_from_the_callout() {
        let html = view(&details(calm(deployment()), vec![failed("clean")], Ok(())), at(60));
        assert_eq!(texts(&html, "#needed .bad form[action$='/plugins/clean/retry'] button").len(), 1);
    }

    #[test]
    fn a_manual_restart_is_reported_by_a_button_and_the_power_button_says_why_it_does_nothing() {
        let html = view(&details(calm(installing()), waits_for_a_restart(), Ok(())), at(60));
        assert_eq!(texts(&html, "#needed form[action$='/restart-reported'] button.primary").len(), 1);
        assert_eq!(texts(&html, "#needed button[aria-disabled] ~ #power-reboot-reason").len(), 1);
        let viewer = Err("This requires the role operator.".to_owned());
        let html = view(&details(calm(installing()), waits_for_a_restart(), viewer), at(60));
        assert_eq!(texts(&html, "#restarted-reason"), ["This requires the role operator."]);
        assert!(texts(&html, "#needed form").is_empty());
    }

    #[test]
    fn a_reported_restart_needs_no_operator_until_the_plugin_waits_for_one_again() {
        let reported = E::PluginWaiting {
            plugin: "reboot".parse().expect("a name"),
            reason: Waiting::RestartReported { at: at(30) },
            awaited: vec!["server".parse().expect("a text")],
        };
        let events = waits_for_a_restart().into_iter().chain([E::RestartReported { at: at(30) }, reported]).collect();
        assert!(texts(&view(&details(calm(installing()), events, Ok(())), at(60)), "#needed section").is_empty());
    }

    #[test]
    fn an_overdue_installation_and_a_failed_installer_can_be_marked_installed() {
        let events = || waits_for_a_restart().into_iter().take(5).collect::<Vec<_>>();
        let overdue = details(installing(), events(), Ok(()));
        assert_eq!(texts(&view(&overdue, at(60)), "#needed .warn a[href$='/done']").len(), 1);
        let installation = Installation { failing: true, failed: true, ..Installation::default() };
        let failed = DeploymentDetails { installation, ..details(installing(), events(), Ok(())) };
        assert_eq!(texts(&view(&failed, at(60)), "#needed .bad a[href$='/done']").len(), 1, "once for both needs");
        let both = DeploymentDetails {
            installation: Installation { failing: true, failed: true, ..Installation::default() },
            ..details(installing(), waits_for_a_restart(), Ok(()))
        };
        let ids = attributes(&view(&both, at(60)), "#needed [id$='-reason']", "id");
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len(), "each ID once: {ids:?}");
    }

    #[test]
    fn drift_of_a_finished_deployment_leads_to_its_repair() {
        let found = details(Deployment { status: Status::Done, ..deployment() }, vec![], Ok(()));
        let found = DeploymentDetails { drifted: vec!["h200.dc1.example".to_owned()], ..found };
        assert_eq!(texts(&view(&found, at(60)), "#needed a[href='/sites/dc1#drift']").len(), 1);
    }
}
