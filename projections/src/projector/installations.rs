//! Applies deployment events to the deployment's installation and to its boot target.

use super::state::State;
use crate::rows::boot_targets::BootTarget;
use crate::rows::installations::{Installation, InstallerLog};
use bootledger_aggregates::deployment::event::DeploymentEvent;
use bootledger_aggregates::event::Recorded;
use bootledger_aggregates::values::ids::DeploymentId;

pub(super) fn apply(state: &mut State, id: DeploymentId, event: &DeploymentEvent, recorded: &Recorded) {
    use DeploymentEvent as E;
    let now = recorded.recorded_at;
    let known = state.installations.current(&id);
    let mut row = known.cloned().unwrap_or_else(|| Installation { deployment: id, ..Installation::default() });
    match event {
        E::InstallerReported { stage, percent, text } => {
            (row.stage, row.percent, row.text) = (Some(stage.clone()), *percent, text.clone());
            (row.failed, row.failing, row.reported_at) = (false, false, Some(now));
        }
        E::InstallerFailed { stage, text } => {
            if row.stage != *stage {
                row.percent = None;
            }
            (row.stage, row.text) = (stage.clone(), text.clone());
            (row.failed, row.failing, row.reported_at) = (true, true, Some(now));
        }
        E::InstallerLogReceived { sha256, size } => {
            let size = i64::try_from(*size).unwrap_or(i64::MAX);
            row.log = Some(InstallerLog { sha256: *sha256, size, at: now });
            row.logs = row.logs.saturating_add(1);
        }
        E::BootFileServed { file, client, at, .. } => {
            (row.last_file, row.last_file_at, row.last_client) = (Some(file.clone()), Some(*at), Some(*client));
        }
        E::NextBootSet { boot, reason } => {
            (row.next_boot, row.next_boot_reason, row.next_boot_at) = (*boot, Some(reason.clone()), Some(now));
            if let Some(deployment) = state.deployments.current(&id) {
                let key = (deployment.ip, id);
                if let Some(target) = state.boot_targets.current(&key) {
                    let target = BootTarget { next_boot: *boot, ..target.clone() };
                    state.boot_targets.set(key, target, recorded.position);
                }
            }
        }
        // The server reports that it is installed, which is later than its installer's last report.
        E::InstallationFinished { .. } => (row.failed, row.failing) = (false, false),
        E::DeploymentDone { .. } | E::DeploymentCancelled { .. } => row.failing = false,
        _ => return,
    }
    if state.installations.current(&id).is_some() || row != (Installation { deployment: id, ..Installation::default() }) {
        state.installations.set(id, row, recorded.position);
    }
}
