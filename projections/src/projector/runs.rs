//! Applies events to the work queue of plugin runs.

use super::state::State;
use crate::rows::deployments::Status;
use crate::rows::plugin_runs::{Run, RunReason, RunStatus};
use bootledger_aggregates::deployment::plan::{Plan, PluginStage};
use bootledger_aggregates::deployment::reason::{PluginFailure, Waiting};
use bootledger_aggregates::event::Recorded;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;

/// After how many seconds a waiting plugin runs again even if no event has woken it.
const LOOK_AGAIN_SECONDS: i64 = 60;

/// Creates the plugin runs of a new deployment; those without requirements are due.
pub(super) fn start(state: &mut State, id: DeploymentId, plan: &Plan, recorded: &Recorded) {
    let runs = plan.0.iter().zip(0_i32..).map(|(planned, place)| {
        let run = Run {
            deployment: id,
            plugin: planned.name.clone(),
            place,
            stage: planned.stage,
            requires: planned.requires.clone(),
            status: RunStatus::Blocked,
            attempts: 0,
            reason: None,
            awaited: vec![],
            since: recorded.recorded_at,
            since_position: recorded.position,
            retry_at: None,
            entry_position: None,
        };
        (place, run)
    });
    let runs: std::collections::BTreeMap<i32, Run> = runs.collect();
    state.changed_runs.extend(runs.keys().map(|place| (id, *place)));
    state.runs.insert(id, runs);
    release(state, id, Status::Open, recorded);
}

/// Makes blocked runs due whose requirements have succeeded and whose stage has begun.
pub(super) fn release(state: &mut State, id: DeploymentId, status: Status, recorded: &Recorded) {
    let Some(runs) = state.runs.get_mut(&id) else { return };
    let free = |run: &Run| {
        run.status == RunStatus::Blocked
            && (run.stage == PluginStage::Preparing || status == Status::InProgress)
            && run
                .requires
                .iter()
                .all(|name| runs.values().any(|required| required.plugin == *name && required.status == RunStatus::Succeeded))
    };
    let places: Vec<i32> = runs.iter().filter(|(_, run)| free(run)).map(|(place, _)| *place).collect();
    for place in places {
        if let Some(run) = runs.get_mut(&place) {
            turn(run, RunStatus::Due, None, Some(recorded.recorded_at), recorded);
            state.changed_runs.insert((id, place));
        }
    }
}

pub(super) fn succeeded(state: &mut State, id: DeploymentId, plugin: &Name, status: Status, recorded: &Recorded) {
    change(state, id, plugin, |run| turn(run, RunStatus::Succeeded, None, None, recorded));
    release(state, id, status, recorded);
}

pub(super) fn failed(
    state: &mut State,
    id: DeploymentId,
    plugin: &Name,
    attempt: u32,
    reason: &PluginFailure,
    retry_at: Timestamp,
    recorded: &Recorded,
) {
    change(state, id, plugin, |run| {
        run.attempts = i32::try_from(attempt).unwrap_or(i32::MAX);
        turn(run, RunStatus::Failed, Some(RunReason::Failed(reason.clone())), Some(retry_at), recorded);
    });
}

pub(super) fn waiting(
    state: &mut State,
    id: DeploymentId,
    plugin: &Name,
    reason: &Waiting,
    awaited: &[Text],
    recorded: &Recorded,
) {
    change(state, id, plugin, |run| {
        let look_again = recorded.recorded_at.plus_seconds(LOOK_AGAIN_SECONDS);
        turn(run, RunStatus::Waiting, Some(RunReason::Waiting(reason.clone())), Some(look_again), recorded);
        run.awaited = awaited.iter().map(ToString::to_string).collect();
    });
}

pub(super) fn retry(state: &mut State, id: DeploymentId, plugin: &Name, recorded: &Recorded) {
    change(state, id, plugin, |run| {
        if matches!(run.status, RunStatus::Due | RunStatus::Waiting | RunStatus::Failed) {
            run.retry_at = Some(recorded.recorded_at);
        }
    });
}

/// Stops the plugin runs of an ended deployment that have not succeeded.
pub(super) fn stop(state: &mut State, id: DeploymentId, recorded: &Recorded) {
    let Some(runs) = state.runs.get_mut(&id) else { return };
    for (place, run) in runs.iter_mut().filter(|(_, run)| run.status != RunStatus::Succeeded) {
        let reason = run.reason.take();
        turn(run, RunStatus::Stopped, reason, None, recorded);
        state.changed_runs.insert((id, *place));
    }
}

/// Records that a DHCP entry was created for the deployment: runs that wait for its confirmation wait from this position.
pub(super) fn entry_made(state: &mut State, id: DeploymentId, position: i64) {
    let Some(runs) = state.runs.get_mut(&id) else { return };
    for (place, run) in runs.iter_mut().filter(|(_, run)| !matches!(run.status, RunStatus::Succeeded | RunStatus::Stopped)) {
        run.entry_position = Some(position);
        state.changed_runs.insert((id, *place));
    }
}

/// Makes the waiting runs of a deployment in progress due, because something happened to its server.
pub(super) fn look_again(state: &mut State, id: DeploymentId, recorded: &Recorded) {
    let Some(runs) = state.runs.get_mut(&id) else { return };
    for (place, run) in runs.iter_mut() {
        if run.stage == PluginStage::InProgress && run.status == RunStatus::Waiting {
            run.retry_at = Some(recorded.recorded_at);
            state.changed_runs.insert((id, *place));
        }
    }
}

/// Makes the runs due that wait for what this event provides.
pub(super) fn signal(state: &mut State, signal: &Signal, recorded: &Recorded) {
    for (id, runs) in &mut state.runs {
        for (place, run) in runs.iter_mut() {
            let awaited = run.awaited.iter().any(|awaited| signal.keys.contains(awaited));
            if run.status == RunStatus::Waiting && awaited && run.entry_position.unwrap_or(0) <= signal.confirmed {
                run.retry_at = Some(recorded.recorded_at);
                state.changed_runs.insert((*id, *place));
            }
        }
    }
}

/// What plugins may be waiting for and an event may provide.
pub(super) struct Signal {
    /// The keys as waiting plugins name them, such as `dhcp-server:kea-1`.
    pub(super) keys: Vec<String>,
    /// The position of the confirmed configuration; the maximum if the event is not a confirmation.
    pub(super) confirmed: i64,
}

fn change(state: &mut State, id: DeploymentId, plugin: &Name, change: impl FnOnce(&mut Run)) {
    let run = state.runs.get_mut(&id).and_then(|runs| runs.values_mut().find(|run| run.plugin == *plugin));
    if let Some(run) = run {
        change(run);
        state.changed_runs.insert((id, run.place));
    }
}

fn turn(run: &mut Run, status: RunStatus, reason: Option<RunReason>, retry_at: Option<Timestamp>, recorded: &Recorded) {
    if (run.status, &run.reason) != (status, &reason) {
        (run.since, run.since_position) = (recorded.recorded_at, recorded.position);
    }
    (run.status, run.reason, run.retry_at) = (status, reason, retry_at);
    run.awaited.clear();
}
