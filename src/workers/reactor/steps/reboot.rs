//! The `reboot` plugin: restarts the server through its management controller so that it boots from the network. Without a
//! controller, it waits for an operator to restart the server.
//!
//! A late restart would interrupt an installation, so the plugin first checks whether the server has fetched a boot file, which
//! means that it is booting already. A restart is ordered once. If its result is uncertain, the plugin waits for the server to
//! request its boot script, and only an operator can repeat the restart.

use super::{Failed, Outcome, Report, Work};
use crate::commands::Failure;
use crate::commands::power::Wanted;
use crate::event_log::append::Precondition;
use crate::event_log::draft::Draft;
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::reason::{MissingController, PluginFailure, UnknownResult, Waiting};
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::power::{LastRestart, PowerAction, PowerFacts, PowerOutcome, PowerState, Restart, Standing};
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::Context;
use bootledger_power::{Controller, Trouble};
use std::time::Duration;
use tracing::warn;

/// How long the plugin waits for a restart. The order continues in the background, and its result wakes the plugin.
const PATIENCE: Duration = Duration::from_secs(10);

/// For how many seconds after a reported restart the plugin waits for the boot script. Servers with much memory take minutes to
/// start their firmware.
const BOOTING_SECONDS: i64 = 15 * 60;

/// Runs if only an operator can restart the server.
pub(super) fn run_at_once(work: &Work<'_>) -> Option<Report> {
    host(work).err().map(|missing| manual(work, missing))
}

/// The management controller that can restart the server, or what is missing for that.
fn host<'a>(work: &Work<'a>) -> Result<&'a Host, MissingController> {
    match &work.device.management {
        None => Err(MissingController::Address {}),
        Some(Management { credentials: None, address, .. }) => {
            Err(MissingController::Credentials { controller: address.clone() })
        }
        Some(management) => Ok(&management.address),
    }
}

pub(super) async fn run(plugin: &Name, work: &Work<'_>) -> Result<Report, Failed> {
    let deployment = Draft::<Deployment>::load(&work.commands.log, work.deployment.id.to_string()).await?;
    if deployment.aggregate().has_booted() {
        return Ok(Report { device: None, outcome: Outcome::Succeeded, preconditions: vec![] });
    }
    let host = match host(work) {
        Ok(host) => host,
        Err(missing) => return Ok(reported(work, deployment.aggregate()).unwrap_or_else(|| manual(work, missing))),
    };
    let device = Draft::<Device>::load(&work.commands.log, work.deployment.device.to_string()).await?;
    let restart = Restart { deployment: work.deployment.id, turn: deployment.aggregate().retries(plugin) };
    let last = device.aggregate().last_restart(restart.deployment).filter(|last| last.restart.turn == restart.turn);
    match last {
        Some(last) if last.standing == Standing::Confirmed => {
            Ok(Report { device: None, outcome: Outcome::Succeeded, preconditions: vec![] })
        }
        Some(last) if last.is_under_way(work.now) => Ok(under_way(host)),
        Some(last) if last.standing != Standing::Failed => {
            // A controller that does not respond is no reason not to wait.
            let found = controller(work, &device).await?.state().await.unwrap_or(PowerState::Unknown);
            if found == PowerState::Off {
                order(work, host, restart, true, deployment.sequence()).await
            } else {
                Ok(reported(work, deployment.aggregate()).unwrap_or_else(|| unknown(last)))
            }
        }
        _ => {
            // The state is queried before anything is recorded, so that a controller that cannot be reached creates no orders.
            let found = controller(work, &device).await?.state().await.map_err(|trouble| unanswered(&trouble))?;
            order(work, host, restart, found == PowerState::Off, deployment.sequence()).await
        }
    }
}

async fn controller(work: &Work<'_>, device: &Draft<Device>) -> Result<Controller, Failed> {
    let controller = work.commands.controller(device.aggregate()).await?.ok_or_else(|| {
        let missing = BrokenRule::new("management", Rule::ManagementMissing, "the device has no management address");
        Failed(PluginFailure::rules(&[missing]))
    })?;
    // All users can read why a plugin fails; the log has the details.
    controller.map_err(|_| Failed(PluginFailure::CredentialsRefused {}))
}

/// The failure of a query: what all users may know. The log has the details.
fn unanswered(trouble: &Trouble) -> Failed {
    warn!(reason = trouble.reason, "a management controller did not say how the power is");
    Failed(PluginFailure::Controller { failure: trouble.failure.clone() })
}

async fn order(work: &Work<'_>, host: &Host, restart: Restart, found_off: bool, sequence: i64) -> Result<Report, Failed> {
    let (live, device) = (Some(restart.deployment), work.deployment.device);
    let facts = PowerFacts { live, in_progress: true, interrupts: None, found_off };
    // Switching on does not affect a server that has been switched on in the meantime; another cycle would.
    let action = if found_off { PowerAction::On } else { PowerAction::Cycle };
    let wanted = Wanted { device, action, network_boot: true, restart: Some(restart), facts };
    // The server must not have booted, nor the deployment have been cancelled, in the meantime.
    let preconditions =
        vec![Precondition::Sequence { aggregate_type: "deployment", aggregate_id: restart.deployment.to_string(), sequence }];
    let given = match work.commands.order_power(wanted, vec![], preconditions, &context(work)).await {
        Ok(given) => given,
        Err(failure) => return refused(host, failure),
    };
    let Some(task) = given.task else { return Ok(under_way(host)) };
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(Ok(PowerOutcome::Confirmed(_))) => Ok(Report { device: None, outcome: Outcome::Succeeded, preconditions: vec![] }),
        Ok(Ok(PowerOutcome::Failed(failure))) => Err(Failed(PluginFailure::Controller { failure: Box::new(failure) })),
        // The result is in the log, or will be, and wakes the plugin.
        _ => Ok(under_way(host)),
    }
}

/// Another command was faster, or the rules refuse the order.
fn refused(host: &Host, failure: Failure) -> Result<Report, Failed> {
    match failure {
        // The next run finds what has changed.
        Failure::Conflict => Ok(under_way(host)),
        Failure::Refused(Refused(broken)) if broken.iter().all(|rule| rule.is(Rule::PowerBusy)) => {
            Ok(waiting(Waiting::ControllerBusy {}))
        }
        failure => Err(failure.into()),
    }
}

fn under_way(host: &Host) -> Report {
    waiting(Waiting::ControllerRestart { controller: host.clone() })
}

fn unknown(last: &LastRestart) -> Report {
    let unknown = if last.standing == Standing::Ordered { UnknownResult::ServiceStopped } else { UnknownResult::NotConfirmed };
    waiting(Waiting::BootScript { ordered_at: last.at, unknown })
}

fn manual(work: &Work<'_>, missing: MissingController) -> Report {
    waiting(Waiting::ManualRestart { mac: work.deployment.mac, missing })
}

/// The wait for the boot script of a server that an operator has restarted. After a while, the plugin waits for a restart again.
fn reported(work: &Work<'_>, deployment: &Deployment) -> Option<Report> {
    let at = deployment.restarted_at().filter(|at| work.now < at.plus_seconds(BOOTING_SECONDS))?;
    let outcome = Outcome::Waiting { reason: Waiting::RestartReported { at }, awaited: vec![Text::fitted("server")] };
    Some(Report { device: None, outcome, preconditions: vec![] })
}

fn waiting(reason: Waiting) -> Report {
    let awaited = vec![Text::fitted("operator")];
    Report { device: None, outcome: Outcome::Waiting { reason, awaited }, preconditions: vec![] }
}

fn context(work: &Work<'_>) -> Context {
    Context {
        actor: "plugin reboot".to_owned(),
        correlation_id: work.deployment.id.to_string(),
        causation_id: None,
        idempotency_key: None,
        level: Role::Viewer,
    }
}
