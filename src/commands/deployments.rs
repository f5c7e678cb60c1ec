//! Commands about deployments.

use super::execute::Failure;
use super::start::Choosing;
use super::{CommandService, context};
use crate::event_log::append::Precondition;
use crate::event_log::draft::Draft;
use crate::event_log::store::Terms;
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::DeploymentEvent;
use bootledger_aggregates::deployment::installer::{NextBoot, NextBootReason, installs_again};
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::lock;
use bootledger_aggregates::rules::{Refused, Rule};
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{CommandError, Context, DeploymentAction, Receipt};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{deployments, plugin_runs};

impl CommandService {
    pub(super) async fn deployment_command(
        &self,
        action: &DeploymentAction,
        choosing: &mut Choosing,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let terms = Terms::default();
        match action {
            DeploymentAction::StartDeployment(wanted) => self.start_deployment(wanted, choosing, context).await,
            DeploymentAction::CancelDeployment { deployment, reason } => self.cancel(*deployment, reason, context).await,
            DeploymentAction::MarkDone { deployment, by } => {
                self.run::<Deployment>(deployment, DeploymentCommand::MarkDone { by: by.clone() }, terms, context).await
            }
            DeploymentAction::ReportPuppetRun { deployment, run, now } => {
                let command = DeploymentCommand::ReportPuppetRun { run: run.clone(), now: *now };
                self.run::<Deployment>(deployment, command, terms, context).await
            }
            DeploymentAction::RetryPlugin { deployment, plugin } => {
                let preconditions = if installs_again(plugin) { self.unlocked(*deployment).await? } else { vec![] };
                let command = DeploymentCommand::RetryPlugin { plugin: plugin.clone() };
                self.run::<Deployment>(deployment, command, Terms { preconditions, ..terms }, context).await
            }
            DeploymentAction::RetryPlugins { deployment, plugins } => self.retry_plugins(*deployment, plugins, context).await,
            DeploymentAction::RecordBoot { deployment, file, sha256, client, at, then_disk } => {
                let (file, then_disk) = (file.clone(), *then_disk);
                let command = DeploymentCommand::RecordBoot { file, sha256: *sha256, client: *client, at: *at, then_disk };
                self.run::<Deployment>(deployment, command, terms, context).await
            }
            DeploymentAction::ReportInstaller { deployment, report } => {
                let command = DeploymentCommand::ReportInstaller { report: report.clone() };
                self.run::<Deployment>(deployment, command, terms, context).await
            }
            DeploymentAction::RecordInstallerLog { deployment, sha256, size } => {
                let command = DeploymentCommand::RecordInstallerLog { sha256: *sha256, size: *size };
                self.run::<Deployment>(deployment, command, terms, context).await
            }
            DeploymentAction::SetNextBoot { deployment, boot, by } => {
                let preconditions = match boot {
                    NextBoot::Network => self.unlocked(*deployment).await?,
                    NextBoot::Disk => vec![],
                };
                let reason = NextBootReason::Operator { name: by.clone() };
                let command = DeploymentCommand::SetNextBoot { boot: *boot, reason };
                self.run::<Deployment>(deployment, command, Terms { preconditions, ..terms }, context).await
            }
            DeploymentAction::ReportRestart { deployment, now } => {
                self.run::<Deployment>(deployment, DeploymentCommand::ReportRestart { now: *now }, terms, context).await
            }
            DeploymentAction::NoteDeployment { deployment, notes } => {
                let command = DeploymentCommand::NoteDeployment { notes: notes.clone() };
                self.run::<Deployment>(deployment, command, terms, context).await
            }
        }
    }

    /// Retries those of the plugins that have failed or wait. All are retried in one append with the key of the command: a
    /// repeated command retries none of them again, and does not fail because they no longer wait.
    async fn retry_plugins(&self, id: DeploymentId, plugins: &[Name], context: &Context) -> Result<Receipt, Failure> {
        let runs = plugin_runs::of(&self.views, id).await?;
        let stuck = |run: &&plugin_runs::Run| run.status.is_stuck() && plugins.contains(&run.plugin);
        let stuck: Vec<Name> = runs.iter().filter(stuck).map(|run| run.plugin.clone()).collect();
        let mut deployment = Draft::<Deployment>::load(&self.log, id.to_string()).await?;
        if stuck.is_empty() {
            // The same command may have been answered since its key was looked up, by another instance.
            if let Some(answered) = self.answered(context).await.map_err(Failure::Other)? {
                return Ok(answered);
            }
            // The deployment's rules say it better if it has ended, or if the plugin has succeeded.
            if let Some(plugin) = plugins.first().cloned() {
                deployment.decide(|deployment| deployment.decide(DeploymentCommand::RetryPlugin { plugin }))?;
            }
            let message = "no plugin has failed or waits among those that did when the action started; nothing is retried";
            return Err(Failure::Other(CommandError::Conflict(message.to_owned())));
        }
        let preconditions = if stuck.iter().any(installs_again) { self.unlocked(id).await? } else { vec![] };
        for plugin in stuck {
            deployment.decide(|deployment| deployment.decide(DeploymentCommand::RetryPlugin { plugin }))?;
        }
        self.append(id, deployment.into_events(&context::metadata_text(context))?, preconditions, context).await
    }

    /// Refuses to install a locked server again on an operator's request. Otherwise returns the precondition that no lock is
    /// added in the meantime. The deployment's own steps do not check this, because a deployment that has started goes on.
    async fn unlocked(&self, deployment: DeploymentId) -> Result<Vec<Precondition>, Failure> {
        let deployment = Draft::<Deployment>::load(&self.log, deployment.to_string()).await?;
        // Otherwise the deployment is unknown or has ended, and its own rules refuse the command.
        let Some(id) = deployment.aggregate().device() else { return Ok(vec![]) };
        let device = Draft::<Device>::load(&self.log, id.to_string()).await?;
        Refused::unless_empty(device.aggregate().lock().map(|lock| lock::installing(lock, "")).into_iter().collect())?;
        let (aggregate_id, sequence) = (id.to_string(), device.sequence());
        Ok(vec![Precondition::Sequence { aggregate_type: "device", aggregate_id, sequence }])
    }

    /// Cancels the deployment and, in the same transaction, removes what it created on the device.
    async fn cancel(&self, id: DeploymentId, reason: &Text, context: &Context) -> Result<Receipt, Failure> {
        let unknown = || Refused::because("", Rule::DeploymentUnknown, format!("there is no deployment {id}; check its ID"));
        let row = deployments::find(&self.views, id, At::Now).await?.ok_or_else(unknown)?;
        let mut deployment = Draft::<Deployment>::load(&self.log, id.to_string()).await?;
        let by = Text::fitted(&context.actor);
        let mut released = vec![];
        deployment.decide(|deployment| {
            let events = deployment.decide(DeploymentCommand::CancelDeployment { by, reason: reason.clone() })?;
            for event in &events {
                if let DeploymentEvent::DeploymentCancelled { released: claims, .. } = event {
                    released.clone_from(claims);
                }
            }
            Ok(events)
        })?;
        let metadata = context::metadata_text(context);
        let mut events = vec![];
        if !deployment.is_empty() {
            let mut device = Draft::<Device>::load(&self.log, row.device.to_string()).await?;
            let withdraw = DeviceCommand::WithdrawDeployment { deployment: id, ip: row.ip, hostname: row.hostname, released };
            device.decide(|device| device.decide(withdraw))?;
            events.extend(device.into_events(&metadata)?);
        }
        events.extend(deployment.into_events(&metadata)?);
        self.append(id, events, vec![], context).await
    }
}
