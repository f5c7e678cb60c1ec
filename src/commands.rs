//! The command service. It looks up the facts that the rules need, lets the aggregate decide, and appends the events. If
//! another command has changed the same things first, it decides again. It makes no decisions itself.

mod accounts;
mod address_reservations;
pub mod administrator;
mod bulk;
mod catalogue;
pub(crate) mod context;
mod controllers;
mod deployments;
mod devices;
mod dhcp_servers;
mod drift;
mod execute;
mod facts;
mod guard;
mod holders;
pub mod import;
mod infrastructure;
mod parts;
pub(crate) mod power;
mod reservations;
pub(crate) mod saved_views;
mod secrets;
mod service;
mod settings;
mod site_files;
mod start;
mod tokens;
pub mod trial;
pub mod users;
pub mod webhook_message;
pub(crate) mod webhook_receiver;
mod webhooks;

pub use execute::Failure;
pub use service::CommandService;
pub(crate) use service::{CATCH_UP, CHOOSING, TRIES};

use crate::event_log::verification;
use async_trait::async_trait;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::values::ids::{DeviceId, SessionId, TokenId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_port::{
    BootSecret, CatalogueAction, Command, CommandError, Commands, Concern, Context, DeploymentAction, DeviceAction, Imported,
    NewDeployment, Ping, Power, Preview, Proposed, Receipt,
};
use bootledger_projections::database::pool::Pool;
use std::time::Duration;
use tracing::{Instrument, info_span};

/// How long a command may take. Each of its statements has a limit of its own; this one is for all of them, and for conflicts
/// with other commands.
const LIMIT: Duration = Duration::from_mins(1);

/// How long a command of a booting server may take. An installer's script waits for the response, and repeats the request.
const SERVERS: Duration = Duration::from_secs(5);

fn limit(command: &Command) -> Duration {
    use DeploymentAction as A;
    match command {
        Command::Deployment(
            A::MarkDone { .. }
            | A::RecordBoot { .. }
            | A::ReportInstaller { .. }
            | A::RecordInstallerLog { .. }
            | A::ReportPuppetRun { .. },
        ) => SERVERS,
        _ => LIMIT,
    }
}

impl CommandService {
    async fn attempt(&self, command: &Command, context: &Context, choosing: &mut start::Choosing) -> Result<Receipt, Failure> {
        match command {
            // These change what others refer to, so they are checked first against everything that is in use.
            Command::Device(action) => {
                let completed = self.with_controller(action).await?;
                let (action, unchanged) = match &completed {
                    Some((action, unchanged)) => (action, Some(unchanged.clone())),
                    None => (action, None),
                };
                let (mut preconditions, _) = self.guard_device(action).await?;
                preconditions.extend(unchanged);
                self.device_command(action, preconditions, context).await
            }
            Command::Catalogue(action) => {
                let (preconditions, _) = self.guard_catalogue(action).await?;
                self.catalogue_command(action, preconditions, context).await
            }
            // The rest cannot make anything in use invalid: deployments and power orders have rules of their own, and no server
            // uses webhooks, tokens, accounts or saved views.
            Command::Deployment(action) => self.deployment_command(action, choosing, context).await,
            Command::OrderPower { device, action, network_boot, interrupts } => {
                self.power_command(*device, *action, *network_boot, *interrupts, context).await
            }
            Command::DhcpServer(action) => self.dhcp_server_command(action, context).await,
            Command::RepairDrift { site, keys } => self.order_repairs(site, keys.as_deref(), context).await,
            Command::Reservation(action) => self.reservation_command(action, context).await,
            Command::Bulk(order) => self.bulk_command(order, context).await,
            Command::Webhook(action) => self.webhook_command(action, context).await,
            Command::Token(action) => self.token_command(action, context).await,
            Command::Account(action) => self.account_command(action, context).await,
            Command::SavedView(action) => self.saved_view_command(action, context).await,
        }
    }

    /// Runs a command whose idempotency key, if it has one, is in the stored form. The keys of callers begin with their names and
    /// a slash, so a key without a slash is not one that a caller can choose.
    pub(crate) async fn execute_keyed(&self, command: Command, context: Context) -> Result<Receipt, CommandError> {
        let span =
            info_span!("command", command.name = command.name(), actor = context.actor, correlation_id = context.correlation_id);
        let limit = limit(&command);
        let executed = async {
            if let Some(answered) = self.answered(&context).await? {
                return Ok(answered);
            }
            let mut choosing = start::Choosing::default();
            let mut read_again = false;
            for _ in 0..TRIES {
                match self.attempt(&command, &context, &mut choosing).await {
                    Ok(receipt) => return Ok(receipt),
                    // For a controller: another device has claimed it first, and the rules name that device once the views show
                    // it. For a closed connection: a database that was restarted closes every connection, so the others are
                    // tested before they are used.
                    Err(Failure::Closed(_)) if !read_again => {
                        read_again = true;
                        self.views.liveness().doubt();
                    }
                    Err(Failure::Conflict | Failure::Claimed(Claim::Controller(_), _)) => self.catch_up().await?,
                    // A repeated command may be refused because of its own first attempt, which was committed after the key was
                    // looked up. Then the command has succeeded and must not be refused.
                    Err(failure @ (Failure::Refused(_) | Failure::Claimed(..))) => {
                        return match self.answered(&context).await? {
                            Some(answered) => Ok(answered),
                            None => Err(self.with_names(failure.into()).await),
                        };
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
            Err(CommandError::Conflict(format!(
                "other requests changed the same objects {TRIES} times in a row; nothing was changed. Try again"
            )))
        };
        let late = |_| CommandError::Unavailable(anyhow::anyhow!("the command did not finish within {} s", limit.as_secs()));
        tokio::time::timeout(limit, executed).instrument(span).await.map_err(late)?
    }

    /// The result for the caller: a failure names the holders of the values that it is about.
    async fn named<T>(&self, result: Result<T, Failure>) -> Result<T, CommandError> {
        match result {
            Ok(done) => Ok(done),
            Err(failure) => Err(self.with_names(failure.into()).await),
        }
    }
}

/// The holders of those claims that are held, for programs that load data which may already exist.
///
/// # Errors
/// Returns an error if the query fails, or if a row cannot be parsed.
pub async fn holders(views: &Pool, claims: &[Claim]) -> Result<Vec<(Claim, Holder)>, CommandError> {
    facts::holders(views, claims).await.map_err(CommandError::from)
}

#[async_trait]
impl Commands for CommandService {
    async fn execute(&self, command: Command, context: Context) -> Result<Receipt, CommandError> {
        self.execute_keyed(command, context::with_own_key(context)).await
    }

    async fn check_deployment(&self, wanted: &NewDeployment) -> Result<Proposed, CommandError> {
        let span = info_span!("check deployment", device.id = %wanted.device);
        self.named(self.check(wanted).instrument(span).await).await
    }

    async fn preview_device(&self, action: DeviceAction, context: Context) -> Result<Preview, CommandError> {
        let span = info_span!("preview", command.name = action.name(), actor = context.actor);
        self.named(self.weigh_device_only(&action, &context).instrument(span).await).await
    }

    async fn preview_catalogue(&self, action: CatalogueAction, context: Context) -> Result<Preview, CommandError> {
        let span = info_span!("preview", command.name = action.name(), actor = context.actor);
        self.named(self.weigh_catalogue_only(&action, &context).instrument(span).await).await
    }

    async fn power_state(&self, device: DeviceId, context: Context) -> Result<Power, CommandError> {
        let span = info_span!("power state", device.id = %device, actor = context.actor);
        Ok(self.query_power(device, &context).instrument(span).await?)
    }

    async fn check_drift(&self, site: &Name) -> Result<(), CommandError> {
        Ok(self.request_check(site).await?)
    }

    async fn verify_log(&self, whole: bool, context: Context) -> Result<(), CommandError> {
        let pool = self.log.pool().clone();
        let taken = verification::take(&pool, &context.actor, whole).await.map_err(CommandError::of_database)?;
        let run = taken.ok_or_else(|| {
            CommandError::Conflict("a verification of the log is in progress; wait until it has ended".to_owned())
        })?;
        // The run ends with the service, and another one may start soon after: see the table.
        tokio::spawn(async move { verification::run(&pool, run).await });
        Ok(())
    }

    async fn ping_webhook(&self, webhook: &Name) -> Result<Ping, CommandError> {
        self.ping(webhook).instrument(info_span!("ping", webhook = %webhook)).await
    }

    async fn saw_session(&self, session: SessionId, newest: bool) -> Result<(), CommandError> {
        Ok(self.note_session(session, newest).await?)
    }

    async fn saw_token(&self, token: TokenId) -> Result<(), CommandError> {
        Ok(self.note_token(token).await?)
    }

    async fn rotate_session(&self, session: SessionId, presented: Sha256, next: Sha256) -> Result<bool, CommandError> {
        Ok(self.rotate(session, presented, next).await?)
    }

    fn concerns(&self) -> Vec<Concern> {
        self.log.condition().concerns()
    }

    fn secret_problem(&self, name: &Name) -> Option<String> {
        self.secrets.problem(name)
    }

    fn boot_secret(&self, name: &Name) -> Result<BootSecret, String> {
        self.secrets.read_for_boot(name).map(|secret| BootSecret::new(secret.expose())).map_err(|problem| problem.to_string())
    }

    async fn import(&self, csv: &[u8], dry_run: bool, rack: Option<&Name>, context: Context) -> Result<Imported, CommandError> {
        let span =
            info_span!("import", bytes = csv.len(), dry_run, actor = context.actor, correlation_id = context.correlation_id);
        let mut imported = import::run(self, csv, dry_run, rack, context).instrument(span).await?;
        if let Imported::Refused(errors) = &mut imported {
            self.name_holders(errors.iter_mut().map(|error| &mut error.broken)).await;
        }
        Ok(imported)
    }
}
