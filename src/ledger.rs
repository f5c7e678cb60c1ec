//! The command service. It looks up the facts that the rules need, lets the aggregate decide, and appends the events. If
//! another command has changed the same things first, it decides again. It makes no decisions itself.

mod accounts;
mod catalogue;
mod context;
mod controllers;
mod deployments;
mod devices;
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
pub(crate) mod secrets;
mod settings;
mod site_files;
mod start;
mod tokens;
mod webhooks;

pub use execute::Failure;

use crate::checkers::Checkers;
use crate::feed::Feed;
use crate::outbound::Outbound;
use crate::power::Questions;
use crate::secrets::Secrets;
use crate::store::EventLog;
use async_trait::async_trait;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::values::ids::{DeviceId, SessionId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::pool::Pool;
use bootledger_web::commands::{
    BootSecret, Command, CommandError, Commands, Concern, Context, Imported, NewDeployment, Ping, Power, Preview, Proposed,
    Receipt,
};
use reservations::Reservations;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{Instrument, info_span};

/// How often a command is decided again while others change the same things.
const TRIES: u32 = 64;

/// How long a command searches for an address or a name that is still free when it is appended.
const CHOOSING: Duration = Duration::from_secs(30);

/// How long a conflicting command waits for the views to show the change that it conflicts with.
const CATCH_UP: Duration = Duration::from_secs(5);

/// How long a command may take. Each of its statements has a limit of its own; this one is for all of them, and for conflicts
/// with other commands.
const LIMIT: Duration = Duration::from_mins(1);

/// How long a command of a booting server may take. An installer's script waits for the response, and repeats the request.
const SERVERS: Duration = Duration::from_secs(5);

fn limit(command: &Command) -> Duration {
    match command {
        Command::MarkDone { .. }
        | Command::RecordBoot { .. }
        | Command::ReportInstaller { .. }
        | Command::RecordInstallerLog { .. }
        | Command::ReportPuppetRun { .. } => SERVERS,
        _ => LIMIT,
    }
}

/// The command service. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) log: EventLog,
    pub(crate) views: Pool,
    pub(crate) feed: Feed,
    pub(crate) now: fn() -> Timestamp,
    pub(crate) secrets: Secrets,
    pub(crate) outbound: Outbound,
    pub(crate) questions: Questions,
    /// How many power orders are in progress.
    pub(crate) orders: watch::Sender<usize>,
    /// The programs on this machine that check the files of other servers.
    pub(crate) checkers: Checkers,
    reservations: Reservations,
    /// Whether nothing is appended: commands are only decided.
    dry: bool,
}

impl Ledger {
    /// Creates a command service for this log and these views.
    pub fn new(log: EventLog, views: impl Into<Pool>, feed: Feed, now: fn() -> Timestamp, secrets: Secrets) -> Self {
        let (outbound, questions) = (Outbound::default(), Questions::default());
        let (orders, reservations) = (watch::Sender::new(0), Reservations::default());
        let checkers = Checkers::default();
        let views = views.into();
        Self { log, views, feed, now, secrets, outbound, questions, orders, checkers, reservations, dry: false }
    }

    /// The same service, with the outgoing connections that the administrator of the machine allows.
    #[must_use]
    pub fn with_outbound(self, outbound: Outbound) -> Self {
        Self { outbound, ..self }
    }

    /// The same service, with these checkers for the files of other servers.
    #[must_use]
    pub fn with_checkers(self, checkers: Checkers) -> Self {
        Self { checkers, ..self }
    }

    /// The same service with other connections, for callers that must not use up the connections of others.
    #[must_use]
    pub fn over(&self, views: &Pool) -> Self {
        Self { views: views.clone(), ..self.clone() }
    }

    async fn attempt(&self, command: &Command, context: &Context, choosing: &mut start::Choosing) -> Result<Receipt, Failure> {
        match command {
            Command::RegisterDevice { .. }
            | Command::ChangeDevice(..)
            | Command::RecordFacts(..)
            | Command::VerifyDevice(_)
            | Command::UnverifyDevice(_)
            | Command::DecommissionDevice { .. } => {
                let (preconditions, _) = self.guard(command).await?;
                self.device_command(command, preconditions, context).await
            }
            Command::StartDeployment(wanted) => self.start_deployment(wanted, choosing, context).await,
            Command::CancelDeployment { .. }
            | Command::MarkDone { .. }
            | Command::ReportPuppetRun { .. }
            | Command::RetryPlugin { .. }
            | Command::RecordBoot { .. }
            | Command::ReportInstaller { .. }
            | Command::RecordInstallerLog { .. }
            | Command::SetNextBoot { .. } => self.deployment_command(command, context).await,
            Command::OrderPower { device, action, network_boot, interrupts } => {
                self.power_command(*device, *action, *network_boot, *interrupts, context).await
            }
            Command::RepairDrift { site, keys } => self.order_repairs(site, keys.as_deref(), context).await,
            Command::DefineWebhook(..)
            | Command::PauseWebhook { .. }
            | Command::ResumeWebhook(_)
            | Command::SetWebhookPosition { .. }
            | Command::SkipWebhookEvent { .. } => self.webhook_command(command, context).await,
            Command::CreateToken { .. } | Command::RevokeToken(_) => self.token_command(command, context).await,
            Command::CreateUser { .. }
            | Command::AdmitUser { .. }
            | Command::ChangeUserRole { .. }
            | Command::SetPassword { .. }
            | Command::DisableUser(_)
            | Command::EnableUser(_)
            | Command::LockOut { .. }
            | Command::UnlockUser(_)
            | Command::StartSession { .. }
            | Command::EndSession { .. } => self.account_command(command, context).await,
            _ => {
                let (preconditions, _) = self.guard(command).await?;
                self.catalogue_command(command, preconditions, context).await
            }
        }
    }
}

/// The holders of those claims that are held, for programs that load data which may already exist.
pub async fn holders(views: &Pool, claims: &[Claim]) -> Result<Vec<(Claim, Holder)>, CommandError> {
    facts::holders(views, claims).await.map_err(CommandError::from)
}

#[async_trait]
impl Commands for Ledger {
    async fn execute(&self, command: Command, context: Context) -> Result<Receipt, CommandError> {
        let span = info_span!(
            "command",
            command.name = context::name(&command),
            actor = context.actor,
            correlation_id = context.correlation_id
        );
        let context = context::with_own_key(context);
        let limit = limit(&command);
        let executed = async {
            if let Some(answered) = self.answered(&context).await? {
                return Ok(answered);
            }
            let mut choosing = start::Choosing::default();
            let mut read_again = false;
            for _ in 0..TRIES {
                match self.attempt(&command, &context, &mut choosing).await {
                    Ok(receipt) => {
                        self.feed.saw_appended(receipt.position);
                        return Ok(receipt);
                    }
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
                "others changed the same things {TRIES} times in a row; nothing was done, try again"
            )))
        };
        let late = |_| CommandError::Unavailable(anyhow::anyhow!("the command was not done within {} s", limit.as_secs()));
        tokio::time::timeout(limit, executed).instrument(span).await.map_err(late)?
    }

    async fn check_deployment(&self, wanted: &NewDeployment) -> Result<Proposed, CommandError> {
        let span = info_span!("check deployment", device.id = %wanted.device);
        match self.check(wanted).instrument(span).await {
            Ok(proposed) => Ok(proposed),
            Err(failure) => Err(self.with_names(failure.into()).await),
        }
    }

    async fn preview(&self, command: Command, context: Context) -> Result<Preview, CommandError> {
        let span = info_span!("preview", command.name = context::name(&command), actor = context.actor);
        match self.weigh_only(&command, &context).instrument(span).await {
            Ok(preview) => Ok(preview),
            Err(failure) => Err(self.with_names(failure.into()).await),
        }
    }

    async fn power_state(&self, device: DeviceId, context: Context) -> Result<Power, CommandError> {
        let span = info_span!("power state", device.id = %device, actor = context.actor);
        Ok(self.ask_power(device, &context).instrument(span).await?)
    }

    async fn check_drift(&self, site: &Name) -> Result<(), CommandError> {
        Ok(self.request_check(site).await?)
    }

    async fn ping_webhook(&self, webhook: &Name) -> Result<Ping, CommandError> {
        self.ping(webhook).instrument(info_span!("ping", webhook = %webhook)).await
    }

    async fn saw_session(&self, session: SessionId, newest: bool) -> Result<(), CommandError> {
        Ok(self.note_session(session, newest).await?)
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

    async fn import(&self, csv: &[u8], dry_run: bool, context: Context) -> Result<Imported, CommandError> {
        let span =
            info_span!("import", bytes = csv.len(), dry_run, actor = context.actor, correlation_id = context.correlation_id);
        let mut imported = import::run(self, csv, dry_run, context).instrument(span).await?;
        if let Imported::Refused(errors) = &mut imported {
            self.name_holders(errors.iter_mut().map(|error| &mut error.broken)).await;
        }
        Ok(imported)
    }
}
