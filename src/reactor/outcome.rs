//! Executes one plugin run, from its start to its recorded outcome.

use crate::ledger::{Failure, Ledger};
use crate::plugins::{self, Outcome, Report, Work};
use crate::store::append::{NewEvent, Precondition};
use crate::store::draft::Draft;
use crate::store::leases::Lease;
use crate::store::repository::Terms;
use anyhow::{Context as _, bail};
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::Stage;
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::DeviceEvent;
use bootledger_aggregates::rules::{BrokenRule, Refused};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::Entry;
use bootledger_projections::deployments::{self, Status};
use bootledger_projections::devices;
use bootledger_web::auth::level::Level;
use bootledger_web::commands::{CommandError, Context};
use rand::RngExt;

/// How often a run is decided again while others change the same aggregates.
const TRIES: u32 = 8;

/// How long a waiting run rests if no event wakes it.
const REST_SECONDS: i64 = 60;

/// The longest time between two attempts of a failing plugin.
const LONGEST_SECONDS: i64 = 300;

/// Runs the plugin and records the outcome. Returns until when the lease rests, if it does.
pub(super) async fn reach(ledger: &Ledger, lease: &Lease, sites: &[Entry<SiteSpec>]) -> anyhow::Result<Option<Timestamp>> {
    for _ in 0..TRIES {
        let row = deployments::find(&ledger.views, lease.deployment, At::Now).await?;
        let row = row.context("the deployment is not in the views")?;
        let device = devices::find(&ledger.views, row.device, At::Now).await?.context("the device is not in the views")?;
        let now = (ledger.now)();
        let work = Work { deployment: &row, device: &device, ledger, sites, views: &ledger.views, now };
        let report = match plugins::run(lease.plugin.as_str(), &work).await {
            Ok(report) => report,
            Err(error) => return Ok(fail(ledger, lease, &format!("{error:#}")).await),
        };
        let waiting = matches!(report.outcome, Outcome::Waiting { .. });
        match record(ledger, lease, report, &work).await {
            Ok(()) if waiting => return Ok(Some(now.plus_seconds(REST_SECONDS))),
            Ok(()) => return Ok(None),
            Err(Failure::Conflict) => ledger.catch_up().await?,
            // The deployment ended in the meantime, and the run ends with it, as the views will show.
            Err(Failure::Refused(Refused(broken))) if broken.iter().any(|rule| rule.rule == "deployment_ended") => {
                return Ok(None);
            }
            Err(Failure::Refused(refused)) => return Ok(fail(ledger, lease, &refused.to_string()).await),
            Err(Failure::Claimed(claim, holder)) => {
                let (kind, value) = claim.parts();
                let mut rule = BrokenRule::new("", "claimed", format!("the {kind} {value} is held by {holder}")).held_by(holder);
                ledger.name_holders(std::iter::once(&mut rule)).await;
                return Ok(fail(ledger, lease, &rule.message).await);
            }
            Err(Failure::Closed(error) | Failure::Other(error)) => return Err(chain(error)),
        }
    }
    bail!("others changed the same things {TRIES} times in a row")
}

/// Appends the plugin's effect on the device and its outcome together, and with them those of subsequent plugins that need
/// nothing else. The deployment then passes them in one step instead of one step for each.
async fn record(ledger: &Ledger, lease: &Lease, mut report: Report, work: &Work<'_>) -> Result<(), Failure> {
    let mut deployment = Draft::<Deployment>::load(&ledger.log, lease.deployment.to_string()).await?;
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
                device = Draft::load(&ledger.log, work.deployment.device.to_string()).await?;
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
        let metadata = Ledger::metadata(&context(lease, &plugin));
        let parts = device.drafted().iter().find_map(|event| match event {
            DeviceEvent::SubDevicesDetached { devices, .. } => Some(devices.clone()),
            _ => None,
        });
        events.extend(device.take_events(&metadata)?);
        for part in parts.into_iter().flatten() {
            let mut part = Draft::<Device>::load(&ledger.log, part.to_string()).await?;
            let detach = DeviceCommand::DetachDevice { parent: work.device.id, deployment: Some(lease.deployment) };
            part.decide(|device| device.decide(detach))?;
            events.extend(part.into_events(&metadata)?);
        }
        events.extend(deployment.take_events(&metadata)?);
        let next = deployment.aggregate().next_due().filter(|_| succeeded);
        let Some((next, following)) = next.and_then(|next| Some((next.clone(), plugins::run_at_once(next.as_str(), work)?)))
        else {
            break;
        };
        (plugin, report) = (next, following);
    }
    ledger.append(lease.deployment, events, preconditions, &context(lease, &lease.plugin)).await.map(drop)
}

/// Records a failure. Returns until when the lease rests.
pub(super) async fn fail(ledger: &Ledger, lease: &Lease, reason: &str) -> Option<Timestamp> {
    tracing::warn!(reason, "a plugin failed and will be tried again");
    let retry_at = later(ledger, lease.attempts);
    let command = DeploymentCommand::PluginFailed { plugin: lease.plugin.clone(), reason: Text::fitted(reason), retry_at };
    match ledger.run::<Deployment>(lease.deployment, command, Terms::default(), &context(lease, &lease.plugin)).await {
        Ok(receipt) => ledger.feed.saw_appended(receipt.position),
        Err(failure) => {
            tracing::error!(error = %format!("{:#}", chain(failure.into())), "a plugin's failure could not be recorded");
        }
    }
    Some(retry_at)
}

/// Records that a stage takes longer than allowed.
pub(super) async fn mark_overdue(ledger: &Ledger, deployment: &deployments::Deployment, now: Timestamp) -> anyhow::Result<()> {
    let stage = if deployment.status == Status::Open { Stage::Open } else { Stage::InProgress };
    let command = DeploymentCommand::MarkOverdue { stage, since: deployment.status_since, now };
    let context = Context {
        actor: "reactor".to_owned(),
        correlation_id: deployment.id.to_string(),
        causation_id: None,
        idempotency_key: None,
        level: Level::Viewer,
    };
    match ledger.run::<Deployment>(deployment.id, command, Terms::default(), &context).await {
        Ok(receipt) => ledger.feed.saw_appended(receipt.position),
        // Another command changed the deployment. The next pass checks it again.
        Err(Failure::Conflict) => {}
        Err(failure) => return Err(chain(failure.into())),
    }
    Ok(())
}

/// When to retry: after 1 s, doubled with each failure up to 5 min, with up to a fifth of jitter.
pub(super) fn later(ledger: &Ledger, failures: u32) -> Timestamp {
    let seconds = 1_i64.checked_shl(failures.min(16)).unwrap_or(LONGEST_SECONDS).min(LONGEST_SECONDS);
    let jitter = rand::rng().random_range(0..=seconds * 200);
    Timestamp((ledger.now)().0 + time::Duration::milliseconds(seconds * 1000 + jitter))
}

fn context(lease: &Lease, plugin: &Name) -> Context {
    Context {
        actor: format!("plugin {plugin}"),
        correlation_id: lease.deployment.to_string(),
        causation_id: None,
        idempotency_key: None,
        level: Level::Viewer,
    }
}

/// A command's error with its cause, for the log.
fn chain(error: CommandError) -> anyhow::Error {
    match error {
        CommandError::Unavailable(cause) | CommandError::Internal(cause) => cause,
        other => other.into(),
    }
}
