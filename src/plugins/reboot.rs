//! The `reboot` plugin: restarts the server through its management controller so that it boots from the network. Without a
//! controller, it waits for an operator to restart the server.
//!
//! A late restart would interrupt an installation, so the plugin first checks whether the server has fetched a boot file, which
//! means that it is booting already. A restart is ordered once. If its result is uncertain, the plugin waits for the server to
//! request its boot script, and only an operator can repeat the restart.

use super::{Outcome, Report, Work};
use crate::ledger::Failure;
use crate::ledger::power::Wanted;
use crate::power::Controller;
use crate::store::append::Precondition;
use crate::store::draft::Draft;
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::power::{LastRestart, PowerAction, PowerFacts, PowerOutcome, PowerState, Restart, Standing};
use bootledger_aggregates::rules::Refused;
use bootledger_aggregates::values::text::Text;
use bootledger_web::auth::level::Level;
use bootledger_web::commands::{CommandError, Context};
use std::time::Duration;
use tracing::warn;

/// How long the plugin waits for a restart. The order continues in the background, and its result wakes the plugin.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs if only an operator can restart the server.
pub(super) fn run_at_once(work: &Work<'_>) -> Option<Report> {
    let deployment = work.deployment;
    let missing = match &work.device.management {
        None => "the device has no management address".to_owned(),
        Some(Management { credentials: None, address, .. }) => format!("its management controller {address} has no credentials"),
        Some(_) => return None,
    };
    let reason = format!(
        "restart {} by hand and let it boot from the network by its interface {}: {missing}",
        deployment.hostname, deployment.mac
    );
    Some(waiting(&reason))
}

pub(super) async fn run(work: &Work<'_>) -> anyhow::Result<Report> {
    let deployment = Draft::<Deployment>::load(&work.ledger.log, work.deployment.id.to_string()).await?;
    if deployment.aggregate().has_booted() {
        return Ok(Report { device: None, outcome: Outcome::Succeeded, preconditions: vec![] });
    }
    if let Some(by_hand) = run_at_once(work) {
        return Ok(by_hand);
    }
    let device = Draft::<Device>::load(&work.ledger.log, work.deployment.device.to_string()).await?;
    let restart = Restart { deployment: work.deployment.id, turn: deployment.aggregate().retries(&"reboot".parse()?) };
    let last = device.aggregate().last_restart(restart.deployment).filter(|last| last.restart.turn == restart.turn);
    match last {
        Some(last) if last.standing == Standing::Confirmed => {
            Ok(Report { device: None, outcome: Outcome::Succeeded, preconditions: vec![] })
        }
        Some(last) if last.is_under_way(work.now) => Ok(under_way(work)),
        Some(last) if last.standing != Standing::Failed => {
            // A controller that does not respond is no reason not to wait.
            let found = controller(work, &device).await?.state().await.unwrap_or(PowerState::Unknown);
            if found == PowerState::Off {
                order(work, restart, true, deployment.sequence()).await
            } else {
                Ok(unknown(work, last))
            }
        }
        _ => {
            // The state is queried before anything is recorded, so that a controller that cannot be reached creates no orders.
            let found = controller(work, &device).await?.state().await.inspect_err(|trouble| {
                warn!(reason = trouble.reason, "a management controller did not say how the power is");
            })?;
            order(work, restart, found == PowerState::Off, deployment.sequence()).await
        }
    }
}

async fn controller(work: &Work<'_>, device: &Draft<Device>) -> anyhow::Result<Controller> {
    let controller = work.ledger.controller(device.aggregate()).await.map_err(CommandError::from)?;
    let controller = controller.ok_or_else(|| anyhow::anyhow!("the device has no management address"))?;
    // All users can read why a plugin fails; the log has the details.
    controller.map_err(|denied| anyhow::anyhow!(denied.words(Level::Viewer)))
}

async fn order(work: &Work<'_>, restart: Restart, found_off: bool, sequence: i64) -> anyhow::Result<Report> {
    let (live, device) = (Some(restart.deployment), work.deployment.device);
    let facts = PowerFacts { live, in_progress: true, interrupts: None, found_off };
    // Switching on does not affect a server that has been switched on in the meantime; another cycle would.
    let action = if found_off { PowerAction::On } else { PowerAction::Cycle };
    let wanted = Wanted { device, action, network_boot: true, restart: Some(restart), facts };
    // The server must not have booted, nor the deployment have been cancelled, in the meantime.
    let preconditions =
        vec![Precondition::Sequence { aggregate_type: "deployment", aggregate_id: restart.deployment.to_string(), sequence }];
    let given = match work.ledger.order_power(wanted, vec![], preconditions, &context(work)).await {
        Ok(given) => given,
        Err(failure) => return refused(work, failure),
    };
    let Some(task) = given.task else { return Ok(under_way(work)) };
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(Ok(PowerOutcome::Confirmed(_))) => Ok(Report { device: None, outcome: Outcome::Succeeded, preconditions: vec![] }),
        Ok(Ok(PowerOutcome::Failed(reason))) => anyhow::bail!("{reason}"),
        // The result is in the log, or will be, and wakes the plugin.
        _ => Ok(under_way(work)),
    }
}

/// Another command was faster, or the rules refuse the order.
fn refused(work: &Work<'_>, failure: Failure) -> anyhow::Result<Report> {
    match failure {
        // The next run finds what has changed.
        Failure::Conflict => Ok(under_way(work)),
        Failure::Refused(Refused(broken)) if broken.iter().all(|rule| rule.rule == "power_busy") => {
            Ok(waiting(&format!("the management controller of {} is busy with another order", work.deployment.hostname)))
        }
        failure => Err(CommandError::from(failure).into()),
    }
}

fn under_way(work: &Work<'_>) -> Report {
    let address = work.device.management.as_ref().map(|management| management.address.to_string()).unwrap_or_default();
    waiting(&format!("waiting for the management controller {address} to restart {}", work.deployment.hostname))
}

fn unknown(work: &Work<'_>, last: &LastRestart) -> Report {
    let why =
        if last.standing == Standing::Ordered { "the service ended meanwhile" } else { "its controller did not confirm it" };
    waiting(&format!(
        "waiting for {} to ask for its boot script: it was told to restart at {}, and it is not known whether it did, since {why}; \
         restart it by hand, or have the plugin try again",
        work.deployment.hostname, last.at
    ))
}

fn waiting(reason: &str) -> Report {
    let awaited = vec![Text::fitted("operator")];
    Report { device: None, outcome: Outcome::Waiting { reason: Text::fitted(reason), awaited }, preconditions: vec![] }
}

fn context(work: &Work<'_>) -> Context {
    Context {
        actor: "plugin reboot".to_owned(),
        correlation_id: work.deployment.id.to_string(),
        causation_id: None,
        idempotency_key: None,
        level: Level::Viewer,
    }
}
