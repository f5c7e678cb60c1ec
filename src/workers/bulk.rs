//! Works through the rows of bulk actions. Each row has a command of its own, in the name of the user or token that started
//! the action; its result is recorded with the action.
//!
//! A row's command has an idempotency key of action, attempt and row. So a row whose outcome was not recorded, because the
//! service ended, is sent again without effect, and several instances may work through the same action.

use super::{BackgroundWork, Next};
use crate::commands::CommandService;
use crate::commands::administrator::by;
use anyhow::Result;
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::bulk::{BulkAction, BulkOutcome, BulkReason, BulkResult, RowState, Started};
use bootledger_aggregates::device::patch::Removable;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::values::ids::{BulkId, DeploymentId, DeviceId, ImportId};
use bootledger_aggregates::values::name::Name;
use bootledger_port::fingerprint::{Fingerprint, IdempotencyKey};
use bootledger_port::{
    BulkOrder, Command, CommandError, Commands, Context, DeploymentAction, DeviceAction, NewDeployment, Receipt,
};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::bulk::{self, BulkView};
use bootledger_projections::rows::catalogue::Entry;
use bootledger_projections::rows::devices;
use futures::StreamExt;
use std::time::Duration;
use tokio::sync::watch;

/// How many bulk actions share a pass.
const ACTIONS: i64 = 10;
/// How many rows of an action are worked through before their outcomes are recorded.
const ROWS: usize = 25;
/// How many rows are worked through at once.
const AT_ONCE: usize = 4;

/// The worker that works through bulk actions.
pub struct BulkWorker {
    commands: CommandService,
    projected: watch::Receiver<i64>,
}

impl BulkWorker {
    /// Creates a worker that sends its commands to this service.
    pub fn new(commands: CommandService) -> Self {
        let projected = commands.feed.projected();
        Self { commands, projected }
    }

    /// Works through some rows of an action. Returns whether any row has an outcome now.
    async fn advance(&self, entry: Entry<BulkView, BulkId>) -> Result<bool> {
        let (id, started_by) = (entry.key, entry.spec.started_by);
        let Some(started) = entry.spec.bulk.into_started() else { return Ok(false) };
        let actor = started.retried_by.clone().unwrap_or(started_by);
        let waiting: Vec<(u32, RowState)> =
            (0..).zip(started.rows.iter().cloned()).filter(|(_, row)| row.result.is_none()).take(ROWS).collect();
        let row = |(number, row): (u32, RowState)| {
            let context = row_context(id, &started, &actor, (number, row.attempt));
            let action = &started.action;
            async move { ((number, row.attempt), self.carry_out(id, action, &row, context).await) }
        };
        let outcomes: Vec<((u32, u32), Result<Option<DeploymentId>, CommandError>)> =
            futures::stream::iter(waiting.into_iter().map(row)).buffer_unordered(AT_ONCE).collect().await;
        let mut results = vec![];
        let mut late = None;
        for ((row, attempt), outcome) in outcomes {
            match outcome {
                Ok(deployment) => results.push(BulkResult { row, attempt, outcome: BulkOutcome::Done { deployment } }),
                // The row keeps waiting, and the next pass sends its command again.
                Err(error @ (CommandError::Unavailable(_) | CommandError::Busy(_))) => late = Some(error),
                Err(error) => results.push(BulkResult { row, attempt, outcome: refused(error) }),
            }
        }
        let progress = !results.is_empty();
        if progress {
            results.sort_by_key(|result| result.row);
            let order = BulkOrder::RecordBulkResults { bulk: id, results };
            let context = Context { correlation_id: id.to_string(), ..by(SystemActor::Service) };
            let receipt = self.commands.execute(Command::Bulk(order), context).await?;
            // The next pass must see these outcomes.
            self.commands.feed.saw_appended(receipt.position);
            self.commands.feed.wait_for(receipt.position, Duration::from_secs(5)).await;
        }
        match late {
            Some(error) if !progress => Err(error.into()),
            _ => Ok(progress),
        }
    }

    /// Sends the command of a row. Returns the deployment that it started.
    async fn carry_out(
        &self,
        id: BulkId,
        action: &BulkAction,
        row: &RowState,
        context: Context,
    ) -> Result<Option<DeploymentId>, CommandError> {
        let (device, deployment) = (DeviceId(row.row.target), DeploymentId(row.row.target));
        let command = match action {
            BulkAction::Verify {} => Command::Device(DeviceAction::VerifyDevice(device)),
            BulkAction::Unverify {} => Command::Device(DeviceAction::UnverifyDevice(device)),
            BulkAction::Deploy { network, venture, role, boot_image } => {
                let wanted = NewDeployment {
                    network: network.clone(),
                    venture: venture.clone(),
                    role: role.clone(),
                    boot_image: boot_image.clone(),
                    import: Some(ImportId(id.0)),
                    ..NewDeployment::of_device(device)
                };
                let start = Command::Deployment(DeploymentAction::StartDeployment(Box::new(wanted)));
                let Receipt { id, .. } = self.commands.execute_keyed(start, context).await?;
                return Ok(id.parse().ok());
            }
            BulkAction::Edit { rack, venture, role, credentials } => {
                let change = self.change(device, rack.as_ref(), venture.as_ref(), role.as_ref(), credentials.as_ref()).await?;
                Command::Device(DeviceAction::ChangeDevice(device, Box::new(change)))
            }
            BulkAction::Power { power, network_boot } => {
                Command::OrderPower { device, action: *power, network_boot: *network_boot, interrupts: None }
            }
            BulkAction::Cancel { reason } => {
                Command::Deployment(DeploymentAction::CancelDeployment { deployment, reason: reason.clone() })
            }
            BulkAction::Retry {} => {
                Command::Deployment(DeploymentAction::RetryPlugins { deployment, plugins: row.row.plugins.clone() })
            }
        };
        self.commands.execute_keyed(command, context).await.map(|_| None)
    }

    /// The change of a device's description. Its rack unit belongs to its old rack; its controller keeps its address.
    async fn change(
        &self,
        id: DeviceId,
        rack: Option<&Name>,
        venture: Option<&Name>,
        role: Option<&Name>,
        credentials: Option<&Name>,
    ) -> Result<DeviceChange, CommandError> {
        let found = devices::find_many(&self.commands.views, &[id], At::Now).await.map_err(CommandError::of_database)?;
        let device = found.into_iter().next().ok_or_else(|| CommandError::NotFound(format!("there is no device {id}")))?;
        let (venture, role, credentials) = (venture.cloned(), role.cloned(), credentials.cloned());
        let mut change = DeviceChange { venture, role, credentials, ..DeviceChange::default() };
        if let Some(rack) = rack.filter(|rack| device.rack.as_ref() != Some(*rack)) {
            change.rack = Some(rack.clone());
            change.removed.extend(device.rack_position.map(|_| Removable::Position));
        }
        Ok(change)
    }
}

/// The context of a row's command. The key does not contain the actor, because the command of a row without a result stays the
/// same when another user retries the action.
fn row_context(id: BulkId, started: &Started, actor: &str, (row, attempt): (u32, u32)) -> Context {
    let key = format!("bulk:{id}:{attempt}:{row}");
    let request = Fingerprint::of("", &key, "", b"", b"");
    Context {
        actor: actor.to_owned(),
        correlation_id: id.to_string(),
        causation_id: None,
        idempotency_key: Some(IdempotencyKey { key, request }),
        level: started.level,
    }
}

/// The outcome of a row whose command failed.
fn refused(error: CommandError) -> BulkOutcome {
    match error {
        CommandError::Refused(broken) => BulkOutcome::refused(broken),
        other => BulkOutcome::Refused { reasons: vec![BulkReason { rule: String::new(), message: other.to_string() }] },
    }
}

impl BackgroundWork for BulkWorker {
    const NAME: &'static str = "bulk_actions";
    const PERIOD: Duration = Duration::from_secs(5);

    async fn pass(&mut self) -> Result<Next> {
        self.projected.mark_unchanged();
        let mut progress = false;
        let mut failed = None;
        for entry in bulk::running(&self.commands.views, ACTIONS).await? {
            match self.advance(entry).await {
                Ok(advanced) => progress |= advanced,
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if !progress => Err(error),
            _ => Ok(if progress { Next::Now } else { Next::Later }),
        }
    }

    async fn wake(&mut self) {
        drop(self.projected.changed().await);
    }
}
