//! The state machine of a deployment as a picture with times: its states, and the duration of each plugin.

use super::history::History;
use crate::pages::components::badge::{self, Tone, of_run};
use crate::pages::components::icon::icon;
use crate::pages::components::time::{moment, seconds_between, since, span};
use crate::wording::plugins::ended_by;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::deployments::{Deployment, Status};
use bootledger_projections::rows::plugin_runs::RunStatus;
use maud::{Markup, html};

/// A step: its name, its result, and its start or duration.
struct Step {
    name: String,
    tone: Tone,
    icon: &'static str,
    words: Markup,
    current: bool,
}

fn step(name: &str, tone: Tone, icon: &'static str, words: Markup, current: bool) -> Step {
    Step { name: name.to_owned(), tone, icon, words, current }
}

/// The states: prepared, booting and installing, done.
pub(super) fn states(deployment: &Deployment, now: Timestamp) -> Markup {
    let cancelled = deployment.status == Status::Cancelled;
    let limit = |minutes: i32| html! { small { "limit " (span(i64::from(minutes) * 60)) } };
    let took = |from: Timestamp, to: Timestamp| html! { small { "took " (span(seconds_between(from, to))) } };
    let running = |from: Timestamp, minutes: i32| {
        html! { small { "for " (since(from, now)) } (limit(minutes)) @if deployment.overdue { small.late { "overdue" } } }
    };
    let open = match (deployment.in_progress_at, deployment.ended_at) {
        (Some(end), _) => step("Open", Tone::Good, Tone::Good.icon(), took(deployment.started_at, end), false),
        (None, Some(end)) => step("Open", Tone::Neutral, "dash-circle", took(deployment.started_at, end), false),
        (None, None) => {
            step("Open", Tone::Info, Tone::Info.icon(), running(deployment.started_at, deployment.open_minutes), true)
        }
    };
    let progress = match (deployment.in_progress_at, deployment.ended_at) {
        (Some(from), Some(end)) => {
            let tone = if cancelled { Tone::Neutral } else { Tone::Good };
            step("In progress", tone, if cancelled { "dash-circle" } else { tone.icon() }, took(from, end), false)
        }
        (Some(from), None) => {
            step("In progress", Tone::Info, Tone::Info.icon(), running(from, deployment.in_progress_minutes), true)
        }
        (None, _) => step(
            "In progress",
            Tone::Neutral,
            Tone::Neutral.icon(),
            html! { small { (limit(deployment.in_progress_minutes)) } },
            false,
        ),
    };
    let by = deployment.ended_by.as_ref().map_or_else(|| "unknown".to_owned(), ended_by);
    let end = match (deployment.status, deployment.ended_at) {
        (Status::Cancelled, Some(at)) => {
            step("Cancelled", Tone::Neutral, "dash-circle", html! { small { (moment(at)) } small { "by " (by) } }, true)
        }
        (_, Some(at)) => step("Done", Tone::Good, Tone::Good.icon(), html! { small { (moment(at)) } small { "by " (by) } }, true),
        (_, None) => step("Done", Tone::Neutral, Tone::Neutral.icon(), html! { small { "not yet" } }, false),
    };
    html! { ol.steps aria-label="States of the deployment" { @for step in [open, progress, end] { (drawn(&step)) } } }
}

fn drawn(step: &Step) -> Markup {
    html! {
        li class=(format!("step {}", step.tone.class())) aria-current=[step.current.then_some("step")] {
            strong { (icon(step.icon)) (step.name) }
            @match step.name.as_str() { "Open" => small { "preparing" }, "In progress" => small { "installing" }, _ => {} }
            (step.words)
        }
    }
}

/// One bar of the picture of durations, in seconds since the start.
struct Bar {
    name: String,
    from: i64,
    to: i64,
    class: &'static str,
    words: String,
}

fn bars(deployment: &Deployment, history: &History, now: Timestamp) -> Vec<Bar> {
    let start = deployment.started_at;
    let end = deployment.ended_at.unwrap_or(now);
    let mut bars: Vec<Bar> = vec![];
    for planned in history.plugins() {
        let Some(could) = history.could_run_since(planned) else { continue };
        let status = history.status(&planned.name);
        let (class, to) = match (status, history.work(&planned.name).succeeded) {
            (_, Some(at)) => ("b", at),
            (RunStatus::Failed, None) => ("d", end),
            (RunStatus::Waiting, None) => ("c", end),
            (RunStatus::Stopped, None) => ("e", end),
            _ => ("a", end),
        };
        let (from, to) = (seconds_between(start, could), seconds_between(start, to));
        bars.push(Bar { name: planned.name.to_string(), from, to, class, words: of_run(status).1.to_lowercase() });
    }
    if let Some(from) = deployment.in_progress_at {
        let class = match deployment.status {
            Status::Done => "b",
            Status::Cancelled => "e",
            _ => "a",
        };
        let words = badge::of_status(deployment.status).1.to_lowercase();
        bars.push(Bar {
            name: "boot and install".to_owned(),
            from: seconds_between(start, from),
            to: seconds_between(start, end),
            class,
            words,
        });
    }
    bars
}

/// The durations as bars on one scale. The table of plugins contains the same as text.
pub(super) fn durations(deployment: &Deployment, history: &History, now: Timestamp) -> Markup {
    let bars = bars(deployment, history, now);
    let total = bars.iter().map(|bar| bar.to).max().unwrap_or(0).max(1);
    let x = |seconds: i64| 120 + seconds * 240 / total;
    let height = bars.len() * 26 + 8;
    html! {
        @if !bars.is_empty() {
            figure {
                svg.plot viewBox=(format!("0 0 520 {height}")) role="img" aria-label=(format!("Durations: {}", bars.iter().map(|bar| format!("{} {} {}", bar.name, span(bar.to - bar.from), bar.words)).collect::<Vec<_>>().join(", "))) {
                    @for (index, bar) in bars.iter().enumerate() {
                        @let y = index * 26 + 4;
                        text x="112" y=(y + 15) text-anchor="end" { (bar.name) }
                        rect class=(bar.class) x=(x(bar.from)) y=(y) rx="3" height="20" width=((x(bar.to) - x(bar.from)).max(2)) {}
                        text x=(x(bar.to) + 8) y=(y + 15) { (span(bar.to - bar.from)) ", " (bar.words) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::deployment;

    #[test]
    fn the_current_state_says_since_when_and_its_limit() {
        let html = states(&deployment(), Timestamp::default().plus_seconds(120)).into_string();
        let current = html.split("aria-current=\"step\"").nth(1).expect("a current step");
        let current = current.split("</li>").next().expect("its end");
        for words in ["Open", "2 min", "limit 30 min", "overdue"] {
            assert!(current.contains(words), "{words}: {current}");
        }
    }

    #[test]
    fn a_cancelled_deployment_was_never_in_progress_and_is_not_done() {
        let ended =
            Deployment { status: Status::Cancelled, ended_at: Some(Timestamp::default().plus_seconds(60)), ..deployment() };
        let html = states(&ended, Timestamp::default()).into_string();
        assert!(html.contains("Cancelled") && !html.contains("Done"), "{html}");
        assert_eq!(html.matches("aria-current").count(), 1);
    }
}
