//! The steps of a deployment in order, with the duration of each beside what is usual for its boot image: the plugins of its plan,
//! the installation, Puppet if it ends the deployment, and the end.

use super::details::DeploymentDetails;
use super::history::Work;
use crate::pages::components::action::{self, Look};
use crate::pages::components::awaited;
use crate::pages::components::badge::{self, Tone, badge, of_run};
use crate::pages::components::icon::icon;
use crate::pages::components::time::{moment, seconds_between, since, span, until};
use crate::wording::plugins::{self, ended_by};
use bootledger_aggregates::boot_image::EndedBy;
use bootledger_aggregates::deployment::plan::{PlannedPlugin, PluginStage};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::deployments::{Deployment, Status};
use bootledger_projections::rows::durations::{ENOUGH, Part, Usual};
use bootledger_projections::rows::plugin_runs::RunStatus;
use maud::{Markup, html};

/// A step: its name, its status, when it was able to begin and when it ended, and what there is to say about it.
struct Step {
    part: Option<Part>,
    name: String,
    stage: &'static str,
    tone: Tone,
    icon: &'static str,
    words: &'static str,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    body: Markup,
}

/// The part of the page.
pub(super) fn view(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let steps = steps(found, now);
    let current = current(found, &steps);
    html! {
        section.card id="states" aria-labelledby="states-title" {
            h2 id="states-title" { "Steps" }
            (whole(found, now))
            ol.stepper aria-label="Steps of the deployment" {
                @for (index, step) in steps.iter().enumerate() { (drawn(found, step, index == current, now)) }
            }
        }
    }
}

/// The place of the step that the deployment is at: the first one that has begun and not ended, or the end.
fn current(found: &DeploymentDetails, steps: &[Step]) -> usize {
    let last = steps.len().saturating_sub(1);
    if !found.deployment.status.is_live() {
        return last;
    }
    steps.iter().position(|step| step.to.is_none()).unwrap_or(last)
}

fn steps(found: &DeploymentDetails, now: Timestamp) -> Vec<Step> {
    let deployment = &found.deployment;
    let planned = found.history.plugins().iter();
    let (mut steps, booting): (Vec<_>, Vec<_>) = planned.partition(|planned| planned.stage == PluginStage::Preparing);
    steps.extend(booting);
    let mut steps: Vec<Step> = steps.into_iter().map(|planned| plugin(found, planned, now)).collect();
    let installed = deployment.installed_at.or(found.history.installed);
    let by_puppet = deployment.done_by == EndedBy::Puppet;
    let ended = deployment.ended_at;
    let done_at = ended.filter(|_| deployment.status == Status::Done);
    let installed = installed.or(done_at.filter(|_| !by_puppet || installed.is_none()));
    steps.push(phase(Part::Install, "Boot and install", deployment.in_progress_at, installed, deployment));
    if by_puppet {
        let from = installed.filter(|at| done_at != Some(*at));
        steps.push(phase(Part::Configure, "Configure with Puppet", from, from.and(done_at), deployment));
    }
    let by = deployment.ended_by.as_ref().map(ended_by);
    let (name, tone, icon) = match deployment.status {
        Status::Cancelled => ("Cancelled", Tone::Neutral, "dash-circle"),
        Status::Done => ("Done", Tone::Good, Tone::Good.icon()),
        _ => ("Done", Tone::Neutral, Tone::Neutral.icon()),
    };
    let body = html! {
        @match ended {
            Some(at) => p { (moment(at)) @if let Some(by) = by { " by " (by) } },
            None => p.quiet { @if by_puppet { "When Puppet's first run on the installed server succeeds" } @else { "When the server reports DONE" } },
        }
    };
    steps.push(Step { part: None, name: name.to_owned(), stage: "", tone, icon, words: "", from: None, to: ended, body });
    steps
}

/// A step that is no plugin.
fn phase(part: Part, name: &str, from: Option<Timestamp>, to: Option<Timestamp>, deployment: &Deployment) -> Step {
    let live = deployment.status.is_live();
    let (tone, icon, words) = match (from, to) {
        (Some(_), Some(_)) => (Tone::Good, Tone::Good.icon(), "Succeeded"),
        (Some(_), None) if live => (Tone::Info, Tone::Info.icon(), "Running"),
        (Some(_), None) => (Tone::Neutral, "dash-circle", "Stopped"),
        (None, _) if live => (Tone::Neutral, Tone::Neutral.icon(), "Not started"),
        (None, _) => (Tone::Neutral, "dash-circle", "Not started"),
    };
    Step { part: Some(part), name: name.to_owned(), stage: "In progress", tone, icon, words, from, to, body: html! {} }
}

fn plugin(found: &DeploymentDetails, planned: &PlannedPlugin, now: Timestamp) -> Step {
    let status = found.history.status(&planned.name);
    let work = found.history.work(&planned.name);
    let (tone, words) = of_run(status);
    let icon = if status == RunStatus::Stopped { "dash-circle" } else { tone.icon() };
    Step {
        part: Some(Part::Plugin(planned.name.clone())),
        name: planned.name.to_string(),
        stage: if planned.stage == PluginStage::Preparing { "Open" } else { "In progress" },
        tone,
        icon,
        words,
        from: found.history.could_run_since(planned),
        to: work.succeeded,
        body: inside(found, planned, status, &work, now),
    }
}

/// What a plugin did: its failures, what it waits for since when, its next attempt, and the button for it.
fn inside(found: &DeploymentDetails, planned: &PlannedPlugin, status: RunStatus, work: &Work, now: Timestamp) -> Markup {
    let name = &planned.name;
    let run = found.runs.iter().find(|run| run.plugin == *name);
    let failed_retry = work.failure.as_ref().filter(|_| status == RunStatus::Failed).map(|(_, _, retry)| *retry);
    let next = run.and_then(|run| run.retry_at).or(failed_retry);
    let next = next.filter(|_| !matches!(status, RunStatus::Succeeded | RunStatus::Stopped | RunStatus::Blocked));
    let retry = found.may_retry(name);
    let path = format!("/deployments/{}/plugins/{name}/retry", found.deployment.id);
    html! {
        @if status == RunStatus::Waiting {
            @if let Some((at, reason, keys)) = &work.waiting {
                p { (plugins::waiting(reason, found.deployment.hostname.as_str())) " " span.quiet { "for " (since(*at, now)) } }
                @if !keys.is_empty() { p { "Waiting for " (awaited::links(keys.iter().map(String::as_str))) } }
            }
        } @else if let Some((at, reason, _)) = &work.failure {
            p {
                @if status == RunStatus::Succeeded { span.quiet { "Failed before: " } }
                (plugins::failure(reason, &found.holders)) " " span.quiet { (since(*at, now)) " ago" }
            }
        } @else if status == RunStatus::Blocked && !planned.requires.is_empty() {
            p.quiet { "After " (planned.requires.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
        }
        @if work.attempts > 0 { p.quiet { "Failed " @if work.attempts == 1 { "once" } @else { (work.attempts) " times" } } }
        @if let Some(at) = next { p { "Next attempt " (until(at, now)) } }
        @if matches!(status, RunStatus::Waiting | RunStatus::Failed | RunStatus::Due) {
            (action::post(&format!("retry-{name}"), &path, Look::Small, "arrow-repeat", "Retry", &retry, &html! {}))
        }
    }
}

fn drawn(found: &DeploymentDetails, step: &Step, is_current: bool, now: Timestamp) -> Markup {
    // A step that had not ended when the deployment did was stopped: its time says nothing about its usual duration.
    let stopped = found.deployment.ended_at.filter(|_| step.to.is_none());
    html! {
        li class=(format!("step-line {}", step.tone.class())) aria-current=[is_current.then_some("step")] {
            div.step-head {
                strong { (icon(step.icon)) (step.name) }
                @if !step.words.is_empty() { (badge(step.tone, step.words)) }
                @if !step.stage.is_empty() { small { (step.stage) } }
            }
            div.step-time {
                @if let (Some(part), Some(from)) = (&step.part, step.from) {
                    @match (step.to, stopped) {
                        (Some(to), _) => span { "took " (span(seconds_between(from, to))) },
                        (None, Some(end)) => span { "stopped after " (span(seconds_between(from, end))) },
                        (None, None) => span { "for " (since(from, now)) },
                    }
                    (beside(found, part, stopped.is_none().then(|| seconds_between(from, step.to.unwrap_or(now)))))
                }
            }
            div.step-body { (step.body) }
        }
    }
}

/// What is usual for a part, and whether this one, which has taken so many seconds, is slower. `None` is a part that was stopped.
fn beside(found: &DeploymentDetails, part: &Part, seconds: Option<i64>) -> Markup {
    html! {
        @match found.durations.get(part) {
            Some(usual) => {
                small { "usually " (span(usual.median)) ", p95 " (span(usual.p95)) }
                @if seconds.is_some_and(|seconds| is_slow(usual, seconds)) { (badge(Tone::Warn, "Slower than p95")) }
            }
            None if found.durations.is_empty() => {}
            None => { small { "not enough data" } }
        }
    }
}

fn is_slow(usual: &Usual, seconds: i64) -> bool {
    seconds > usual.p95
}

/// The time in the present status with its limit, and the time of the whole deployment.
fn whole(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let deployment = &found.deployment;
    let seconds = seconds_between(deployment.started_at, deployment.ended_at.unwrap_or(now));
    let limit = match deployment.status {
        Status::Open => Some(deployment.open_minutes),
        Status::InProgress => Some(deployment.in_progress_minutes),
        Status::Done | Status::Cancelled => None,
    };
    html! {
        p id="whole" {
            @if let Some(minutes) = limit {
                (badge::of_status(deployment.status).1) " for " (since(deployment.status_since, now))
                " (limit " (span(i64::from(minutes) * 60)) @if deployment.overdue { ", overdue" } "). In total "
            } @else { "In total " }
            @if deployment.ended_at.is_some() { (span(seconds)) } @else { (since(deployment.started_at, now)) }
            @match found.durations.get(&Part::Whole) {
                Some(usual) => {
                    "; deployments of " (deployment.boot_image) " usually take " (span(usual.median)) ", and 95 % end within " (span(usual.p95))
                    " (the last " (usual.samples) "). "
                    @if is_slow(usual, seconds) && deployment.status != Status::Cancelled { (badge(Tone::Warn, "Slower than p95")) }
                }
                None => { ". " span.quiet { "Not enough data for a usual duration: fewer than " (ENOUGH) " deployments of " (deployment.boot_image) " are done." } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::deployments::history::History;
    use crate::pages::deployments::history::tests::{at, failed, started};
    use crate::pages::tests::samples::{deployment, installing};
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::deployment::event::DeploymentEvent;
    use bootledger_projections::rows::installations::Installation;
    use std::collections::BTreeMap;

    fn details(deployment: Deployment, events: Vec<DeploymentEvent>) -> DeploymentDetails {
        let events = std::iter::once(started()).chain(events).zip(0_i64..).map(|(event, n)| (n + 1, at(n * 10), event));
        let history = History::of(events.collect());
        DeploymentDetails { history, ..DeploymentDetails::sample(deployment, Installation::default(), None, Ok(())) }
    }

    fn succeeded(plugin: &str) -> DeploymentEvent {
        DeploymentEvent::PluginSucceeded { plugin: plugin.parse().expect("a name") }
    }

    #[test]
    fn the_current_step_is_the_first_that_has_not_ended_and_is_one() {
        let prepared = ["clean", "role", "dns", "dhcp"].map(succeeded);
        let going = || DeploymentEvent::DeploymentInProgress { device: deployment().device };
        let ended = |status| Deployment { status, ended_at: Some(at(60)), ..deployment() };
        let cases = [
            (deployment(), vec![], "clean"),
            (deployment(), vec![succeeded("clean"), failed("role")], "role"),
            (installing(), prepared.iter().cloned().chain([going()]).collect(), "reboot"),
            (installing(), prepared.iter().cloned().chain([going(), succeeded("reboot")]).collect(), "Boot and install"),
            (ended(Status::Done), vec![], "Done"),
            (ended(Status::Cancelled), vec![], "Cancelled"),
        ];
        for (deployment, events, name) in cases {
            let html = view(&details(deployment, events), at(120));
            assert_eq!(texts(&html, "#states [aria-current='step'] strong"), [name]);
        }
    }

    #[test]
    fn a_cancelled_deployment_is_not_done_and_ended_by_who_cancelled_it() {
        use bootledger_aggregates::deployment::event::DoneBy;
        let by = DoneBy::Operator { name: "ada".parse().expect("a text"), reason: "".parse().expect("a text") };
        let cancelled = Deployment { status: Status::Cancelled, ended_at: Some(at(60)), ended_by: Some(by), ..deployment() };
        let html = view(&details(cancelled, vec![]), at(120));
        assert!(!texts(&html, ".step-line strong").contains(&"Done".to_owned()));
        assert!(texts(&html, "[aria-current] .step-body")[0].ends_with("by ada"));
    }

    #[test]
    fn a_step_that_a_cancellation_stopped_is_neither_done_nor_slow() {
        let usual = Usual { median: 3, p95: 5, samples: 7 };
        let durations = BTreeMap::from([(Part::Plugin("clean".parse().expect("a name")), usual)]);
        let shown = |deployment| {
            let html = view(&DeploymentDetails { durations: durations.clone(), ..details(deployment, vec![]) }, at(120));
            (texts(&html, ".step-time > span").swap_remove(0), texts(&html, ".step-time .badge").len())
        };
        let cancelled = Deployment { status: Status::Cancelled, ended_at: Some(at(60)), ..deployment() };
        assert_eq!(shown(cancelled), ("stopped after 1 min".to_owned(), 0));
        assert_eq!(shown(deployment()).1, 1);
    }

    #[test]
    fn a_step_says_its_attempts_its_last_failure_and_its_next_attempt() {
        let html = view(&details(deployment(), vec![failed("clean")]), at(60));
        assert_eq!(texts(&html, ".step-line.bad strong"), ["clean"]);
        assert_eq!(texts(&html, ".step-line.bad time[data-until]").len(), 1);
        assert_eq!(texts(&html, ".step-line.bad form[action$='/plugins/clean/retry']").len(), 1);
    }

    #[test]
    fn a_duration_is_slow_only_above_the_95th_percentile_and_unknown_without_enough_data() {
        let usual = |p95| BTreeMap::from([(Part::Whole, Usual { median: 30, p95, samples: 7 })]);
        let slow = |durations| {
            let found = DeploymentDetails { durations, ..details(deployment(), vec![]) };
            texts(&view(&found, at(120)), "#whole .badge.warn").len()
        };
        assert_eq!([slow(usual(119)), slow(usual(120)), slow(BTreeMap::new())], [1, 0, 0]);
        let html = view(&details(deployment(), vec![]), at(120));
        assert_eq!(texts(&html, "#whole .quiet").len(), 1, "the page does not say that there is not enough data");
    }
}
