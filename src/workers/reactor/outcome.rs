//! Executes one plugin run, from its start to its recorded outcome.

use crate::commands::context::metadata_text;
use crate::commands::{CommandService, Failure};
use crate::event_log::append::{NewEvent, Precondition};
use crate::event_log::draft::Draft;
use crate::event_log::leases::Lease;
use crate::event_log::store::Terms;
use crate::workers::reactor::steps::{self, Failed, Outcome, Report, Work};
use anyhow::{Context as _, bail};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::Stage;
use bootledger_aggregates::deployment::reason::PluginFailure;
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::DeviceEvent;
use bootledger_aggregates::rules::{Refused, Rule};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{CommandError, Context};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::Entry;
use bootledger_projections::rows::deployments::{self, Status};
use bootledger_projections::rows::devices;
use rand::RngExt;

/// How often a run is decided again while others change the same aggregates.
const TRIES: u32 = 8;

/// How long a waiting run rests if no event wakes it.
const REST_SECONDS: i64 = 60;

/// The longest time between two attempts of a failing plugin.
const LONGEST_SECONDS: i64 = 300;

/// Runs the plugin and records the outcome. Returns until when the lease rests, if it does.
pub(super) async fn reach(
    commands: &CommandService,
    lease: &Lease,
    sites: &[Entry<SiteSpec>],
) -> anyhow::Result<Option<Timestamp>> {
    for _ in 0..TRIES {
        let row = deployments::find(&commands.views, lease.deployment, At::Now).await?;
        let row = row.context("the deployment is not in the views")?;
        let device = devices::find(&commands.views, row.device, At::Now).await?.context("the device is not in the views")?;
        let now = (commands.now)();
        let work = Work { deployment: &row, device: &device, commands, sites, views: &commands.views, now };
        let report = match steps::run(&lease.plugin, &work).await {
            Ok(report) => report,
            Err(Failed(reason)) => return Ok(fail(commands, lease, reason).await),
        };
        let waiting = matches!(report.outcome, Outcome::Waiting { .. });
        match record(commands, lease, report, &work).await {
            Ok(()) if waiting => return Ok(Some(now.plus_seconds(REST_SECONDS))),
            Ok(()) => return Ok(None),
            Err(Failure::Conflict) => commands.catch_up().await?,
            // The deployment ended in the meantime, and the run ends with it, as the views will show.
            Err(Failure::Refused(Refused(broken))) if broken.iter().any(|rule| rule.is(Rule::DeploymentEnded)) => {
                return Ok(None);
            }
            Err(failure @ (Failure::Refused(_) | Failure::Claimed(..))) => {
                return Ok(fail(commands, lease, Failed::from(failure).0).await);
            }
            Err(Failure::Closed(error) | Failure::Other(error)) => return Err(chain(error)),
        }
    }
    bail!("others changed the same things {TRIES} times in a row")
}

/// Appends the plugin's effect on the device and its outcome together, and with them those of subsequent plugins that need
/// nothing else. The deployment then passes them in one step instead of one step for each.
async fn record(commands: &CommandService, lease: &Lease, mut report: Report, work: &Work<'_>) -> Result<(), Failure> {
    let mut deployment = Draft::<Deployment>::load(&commands.log, lease.deployment.to_string()).await?;
    let mut device = Draft::<Device>::fresh(work.deployment.device.to_string());
    let mut plugin = lease.plugin.clone();
    // The device's events are only valid for a live deployment, so the deployment must be unchanged at the append.
    let mut preconditions = vec![Precondition::Sequence {
        aggregate_type: "deployment",
        aggregate_id: lease.deployment.to_string(),
        sequence: deployment.sequence(),
    }];
    let mut events: Vec<NewEvent> = vec![];
    loop {
        preconditions.append(&mut report.preconditions);
        if let Some(command) = report.device {
            if device.sequence() == 0 {
                device = Draft::load(&commands.log, work.deployment.device.to_string()).await?;
            }
            match device.decide(|device| device.decide(command)) {
                Ok(()) => {}
                // The events so far remain valid. This plugin has a run of its own, and fails there.
                Err(_) if plugin != lease.plugin => break,
                Err(refused) => return Err(refused.into()),
            }
        }
        let succeeded = report.outcome == Outcome::Succeeded;
        let command = match report.outcome {
            Outcome::Succeeded => DeploymentCommand::PluginSucceeded { plugin: plugin.clone() },
            Outcome::Waiting { reason, awaited } => DeploymentCommand::PluginWaiting { plugin: plugin.clone(), reason, awaited },
        };
        deployment.decide(|deployment| deployment.decide(command))?;
        let metadata = metadata_text(&context(lease, &plugin));
        let parts = device.drafted().iter().find_map(|event| match event {
            DeviceEvent::SubDevicesDetached { devices, .. } => Some(devices.clone()),
            _ => None,
        });
        events.extend(device.take_events(&metadata)?);
        for part in parts.into_iter().flatten() {
            let mut part = Draft::<Device>::load(&commands.log, part.to_string()).await?;
            let detach = DeviceCommand::DetachDevice { parent: work.device.id, deployment: Some(lease.deployment) };
            part.decide(|device| device.decide(detach))?;
            events.extend(part.into_events(&metadata)?);
        }
        events.extend(deployment.take_events(&metadata)?);
        let next = deployment.aggregate().next_due().filter(|_| succeeded);
        let Some((next, following)) = next.and_then(|next| Some((next.clone(), steps::run_at_once(next.as_str(), work)?))) else {
            break;
        };
        (plugin, report) = (next, following);
    }
    commands.append(lease.deployment, events, preconditions, &context(lease, &lease.plugin)).await.map(drop)
}

/// Records a failure. Returns until when the lease rests.
pub(super) async fn fail(commands: &CommandService, lease: &Lease, reason: PluginFailure) -> Option<Timestamp> {
    tracing::warn!(?reason, "a plugin failed; retrying");
    let retry_at = later(commands, lease.attempts);
    let command = DeploymentCommand::PluginFailed { plugin: lease.plugin.clone(), reason, retry_at };
    let recorded = commands.run::<Deployment>(lease.deployment, command, Terms::default(), &context(lease, &lease.plugin)).await;
    if let Err(failure) = recorded {
        tracing::error!(error = %format!("{:#}", chain(failure.into())), "a plugin's failure could not be recorded");
    }
    Some(retry_at)
}

/// Records that a stage takes longer than allowed.
pub(super) async fn mark_overdue(
    commands: &CommandService,
    deployment: &deployments::Deployment,
    now: Timestamp,
) -> anyhow::Result<()> {
    let stage = if deployment.status == Status::Open { Stage::Open } else { Stage::InProgress };
    let command = DeploymentCommand::MarkOverdue { stage, since: deployment.status_since, now };
    let context = Context {
        actor: SystemActor::Reactor.code().to_owned(),
        correlation_id: deployment.id.to_string(),
        causation_id: None,
        idempotency_key: None,
        level: Role::Viewer,
    };
    match commands.run::<Deployment>(deployment.id, command, Terms::default(), &context).await {
        // Another command changed the deployment. The next pass checks it again.
        Ok(_) | Err(Failure::Conflict) => {}
        Err(failure) => return Err(chain(failure.into())),
    }
    Ok(())
}

/// When to retry: after 1 s, doubled with each failure up to 5 min, with up to a fifth of jitter.
pub(super) fn later(commands: &CommandService, failures: u32) -> Timestamp {
    let seconds = 1_i64.checked_shl(failures.min(16)).unwrap_or(LONGEST_SECONDS).min(LONGEST_SECONDS);
    let jitter = rand::rng().random_range(0..=seconds * 200);
    Timestamp((commands.now)().0 + time::Duration::milliseconds(seconds * 1000 + jitter))
}

fn context(lease: &Lease, plugin: &Name) -> Context {
    Context {
        actor: format!("plugin {plugin}"),
        correlation_id: lease.deployment.to_string(),
        causation_id: None,
        idempotency_key: None,
        level: Role::Viewer,
    }
}

/// A command's error with its cause, for the log.
fn chain(error: CommandError) -> anyhow::Error {
    match error {
        CommandError::Unavailable(cause) | CommandError::Internal(cause) => cause,
        other => other.into(),
    }
}
