//! Applies deployment events to the views.

use super::runs;
use super::state::State;
use crate::rows::boot_targets::BootTarget;
use crate::rows::deployments::{Deployment, PuppetFailure, Status};
use crate::rows::parked::ParkedReason;
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::event::{DeploymentEvent, DeploymentStarted, DoneBy};
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::event::Recorded;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::text::Text;

/// Whether the event fits the current state of the views.
pub(super) fn check(state: &State, id: DeploymentId, event: &DeploymentEvent) -> Result<(), ParkedReason> {
    use DeploymentEvent as E;
    let known = state.deployments.current(&id).is_some();
    match event {
        E::DeploymentStarted(_) if known => return Err(ParkedReason::Exists {}),
        E::DeploymentStarted(_) => {}
        _ if !known => return Err(ParkedReason::Unknown {}),
        E::PluginSucceeded { plugin }
        | E::PluginFailed { plugin, .. }
        | E::PluginWaiting { plugin, .. }
        | E::PluginRetryRequested { plugin }
            if !state.runs.get(&id).is_some_and(|runs| runs.values().any(|run| run.plugin == *plugin)) =>
        {
            return Err(ParkedReason::PluginUnknown { plugin: plugin.to_string() });
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn apply(state: &mut State, id: DeploymentId, event: &DeploymentEvent, recorded: &Recorded) {
    use DeploymentEvent as E;
    let (position, now) = (recorded.position, recorded.recorded_at);
    if let E::DeploymentStarted(started) = event {
        state.touch_site(&started.site, position);
        state.count(recorded, &started.site, "deployments_started", 1);
        runs::start(state, id, &started.plan, recorded);
        state.deployments.set(id, begun(id, started, recorded), position);
        return;
    }
    let Some(deployment) = state.deployments.current(&id) else { return };
    match event {
        // The view of installations applies these events.
        E::DeploymentStarted(_)
        | E::InstallerReported { .. }
        | E::InstallerFailed { .. }
        | E::InstallerLogReceived { .. }
        | E::NextBootSet { .. } => {}
        E::BootFileServed { .. } | E::RestartReported { .. } => runs::look_again(state, id, recorded),
        E::DeploymentNoted(notes) => {
            let row = Deployment { notes: notes.clone(), ..deployment.clone() };
            state.deployments.set(id, row, position);
        }
        E::PluginSucceeded { plugin } => {
            let status = deployment.status;
            runs::succeeded(state, id, plugin, status, recorded);
        }
        E::PluginFailed { plugin, attempt, reason, retry_at } => {
            let site = deployment.site.clone();
            state.count(recorded, &site, "plugin_failures", 1);
            runs::failed(state, id, plugin, *attempt, reason, *retry_at, recorded);
        }
        E::PluginWaiting { plugin, reason, awaited } => runs::waiting(state, id, plugin, reason, awaited, recorded),
        E::PluginRetryRequested { plugin } => runs::retry(state, id, plugin, recorded),
        E::DeploymentOverdue { .. } => {
            let row = Deployment { overdue: true, ..deployment.clone() };
            state.deployments.set(id, row, position);
        }
        E::DeploymentInProgress { .. } => {
            let seconds = (now.0 - deployment.started_at.0).whole_seconds();
            let row = Deployment {
                status: Status::InProgress,
                status_since: now,
                in_progress_at: Some(now),
                overdue: false,
                ..deployment.clone()
            };
            state.count(recorded, &row.site, "open_seconds", seconds);
            state.boot_targets.set((row.ip, id), target(&row), position);
            state.deployments.set(id, row, position);
            runs::release(state, id, Status::InProgress, recorded);
        }
        E::InstallationFinished { .. } => {
            // Puppet runs before this event were not on the installed server.
            let row = Deployment { installed_at: Some(now), puppet_failure: None, ..deployment.clone() };
            state.boot_targets.remove(&(row.ip, id), position);
            state.deployments.set(id, row, position);
            runs::stop(state, id, recorded);
        }
        E::PuppetRunFailed { messages, transaction, at, .. } => {
            let failure = PuppetFailure { at: *at, messages: messages.clone(), transaction: transaction.clone() };
            let row = Deployment { puppet_failure: Some(failure), ..deployment.clone() };
            state.deployments.set(id, row, position);
        }
        E::DeploymentDone { by, .. } => {
            let seconds = (now.0 - deployment.in_progress_at.unwrap_or(deployment.started_at).0).whole_seconds();
            let mut row = Deployment { status: Status::Done, ended_by: Some(by.clone()), ..deployment.clone() };
            if matches!(by, DoneBy::Puppet { .. }) {
                row.puppet_failure = None;
            }
            state.count(recorded, &row.site, "deployments_done", 1);
            state.count(recorded, &row.site, "in_progress_seconds", seconds);
            end(state, row, recorded);
        }
        E::DeploymentCancelled { by, reason, .. } => {
            let reason = (!reason.is_empty()).then(|| reason.to_string());
            let ended_by = Some(DoneBy::Operator { name: by.clone(), reason: Text::EMPTY });
            let row = Deployment { status: Status::Cancelled, ended_by, reason, ..deployment.clone() };
            state.count(recorded, &row.site, "deployments_cancelled", 1);
            end(state, row, recorded);
        }
    }
}

fn end(state: &mut State, mut row: Deployment, recorded: &Recorded) {
    (row.status_since, row.ended_at) = (recorded.recorded_at, Some(recorded.recorded_at));
    state.touch_site(&row.site, recorded.position);
    state.boot_targets.remove(&(row.ip, row.id), recorded.position);
    runs::stop(state, row.id, recorded);
    state.deployments.set(row.id, row, recorded.position);
}

fn begun(id: DeploymentId, started: &DeploymentStarted, recorded: &Recorded) -> Deployment {
    let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let Assignment { device, mac, ip, hostname, venture, role, boot_image } = started.assignment.clone();
    Deployment {
        id,
        device,
        mac,
        ip,
        hostname,
        venture,
        role,
        boot_image,
        boot_image_revision: whole(started.boot_image_revision),
        network: started.network.clone(),
        site: started.site.clone(),
        import: started.import,
        status: Status::Open,
        status_since: recorded.recorded_at,
        overdue: false,
        open_minutes: whole(started.limits.open_minutes),
        in_progress_minutes: whole(started.limits.in_progress_minutes),
        started_at: recorded.recorded_at,
        started_by: recorded.actor.clone(),
        in_progress_at: None,
        ended_at: None,
        ended_by: None,
        reason: None,
        plan: started.plan.clone(),
        done_by: started.done_by,
        boot_chain: started.boot_chain,
        installed_at: None,
        puppet_failure: None,
        settings: started.settings.clone(),
        notes: started.notes.clone(),
    }
}

/// The boot target of a deployment that goes in progress.
pub(super) fn target(row: &Deployment) -> BootTarget {
    let Assignment { device, mac, ip, hostname, venture, role, boot_image } = row.assignment();
    BootTarget {
        ip,
        deployment: row.id,
        device,
        mac,
        hostname,
        venture,
        role,
        boot_image,
        boot_image_revision: row.boot_image_revision,
        network: row.network.clone(),
        site: row.site.clone(),
        next_boot: NextBoot::default(),
        settings: row.settings.clone(),
    }
}
