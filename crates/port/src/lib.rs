//! The commands that the HTTP layer can run against the domain, and the trait [`Commands`] that runs them. The root package
//! implements the trait: it looks up the facts that the rules need, appends the events, and retries conflicts. The trait is
//! defined here because `web` does not depend on the root package. [`library`] has the same for the library of boot images.

mod command;
pub mod fingerprint;
pub mod library;
pub mod password;

pub use command::{
    AccountAction, BulkOrder, CatalogueAction, Command, DeploymentAction, DeviceAction, DhcpServerAction, Kind, NewDeployment,
    NewPassword, Proposed, ReservationAction, SavedViewAction, Suggested, TokenAction, WebhookAction,
};

use crate::fingerprint::IdempotencyKey;
use async_trait::async_trait;
use bootledger_aggregates::device::power::PowerState;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, ImportId, SessionId, TokenId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::cause::Cause;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// The caller of a command, and how repeated requests are recognised.
#[derive(Clone, Debug)]
pub struct Context {
    /// The actor, such as `user ada`, `token ops`, `plugin dns`, `server 10.0.0.7` or the code of a
    /// [`SystemActor`](bootledger_aggregates::actor::SystemActor). Every event contains it.
    pub actor: String,
    /// Links a request to everything that results from it. A UUID generated when the request arrives, or the
    /// caller's own value.
    pub correlation_id: String,
    /// The position of the event that caused this command.
    pub causation_id: Option<String>,
    /// The idempotency key. The same request with the same key gets the first response again, and nothing is done.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The caller's role, for rules about changes that only administrators may make. Bootledger's own workers have
    /// the role viewer.
    pub level: Role,
}

impl Context {
    /// The idempotency key that the caller chose, if any.
    pub fn key(&self) -> Option<&str> {
        self.idempotency_key.as_ref().map(|known| known.key.as_str())
    }

    /// This context with the hash of a file added to the request's fingerprint. The file was stored while the request arrived.
    #[must_use]
    pub fn with_file(mut self, sha256: &Sha256) -> Self {
        if let Some(known) = &mut self.idempotency_key {
            known.request = known.request.and(sha256.bytes());
        }
        self
    }
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The position of the command's last event, or of the end of the log if nothing had to be done.
    pub position: i64,
    /// The ID of the aggregate that was changed or created: a UUID or a key.
    pub id: String,
    /// Whether this is the answer to an earlier request with the same idempotency key: this command changed nothing. It is not
    /// part of the API's answer, which is the same as the first one.
    #[serde(skip)]
    pub repeated: bool,
}

/// The effects of a change that has not been made yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// The values that would change, such as addresses and records; only the first of them are listed.
    pub moves: Vec<String>,
    /// The total number of values that would change.
    pub moved: usize,
}

/// A condition that limits the service, or soon will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// Whether the service should get no requests while the condition lasts. If not, the service only works less well.
    pub not_ready: bool,
    /// What limits the service, and what to do about it.
    pub sentence: String,
}

/// The reasons why a command is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The thing that the command names does not exist.
    #[error("{0}")]
    NotFound(String),
    /// Validation failed. The list is never empty.
    #[error("{}", .0.iter().map(|broken| broken.message.as_str()).collect::<Vec<_>>().join("; "))]
    Refused(Vec<BrokenRule>),
    /// Others changed the same thing repeatedly. Retrying may help.
    #[error("{0}")]
    Conflict(String),
    /// The idempotency key was already used for a different request.
    #[error("the idempotency key was used before for another request; use a new one")]
    KeyReused,
    /// The database or a disk failed. The same command may succeed later.
    #[error("{}", self.cause().sentence())]
    Unavailable(#[source] anyhow::Error),
    /// The caller, or all callers together, have too many requests running. Retrying later helps.
    #[error("{0}")]
    Busy(String),
    /// A management controller gave an unexpected answer or none.
    #[error("{reason}")]
    Controller {
        /// The failure as text.
        reason: String,
        /// Whether the controller took too long.
        slow: bool,
    },
    /// An internal error: a defect of the program.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

/// The last known power state of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// Whether the server has power.
    pub state: PowerState,
    /// When the management controller reported the state; `None` if it never has.
    pub at: Option<Timestamp>,
    /// Whether the controller was queried for this answer.
    pub live: bool,
}

impl CommandError {
    /// Converts a database error to a command error, according to the error's cause.
    pub fn of_database(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        match Cause::in_chain(error.chain()) {
            Some(Cause::Defect) => Self::Internal(error),
            _ => Self::Unavailable(error),
        }
    }

    /// The cause of a failure of the database or a disk, if that is why the command failed.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Unavailable(source) => Cause::in_chain(source.chain()).unwrap_or(Cause::Unreachable),
            _ => Cause::Defect,
        }
    }
}

/// The answer of a webhook's receiver to a test message, which is not an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ping {
    /// The `webhook-id` header of the test message.
    pub webhook_id: String,
    /// Whether the receiver would have accepted an event: it answered with a 2xx status.
    pub taken: bool,
    /// The HTTP status of the receiver's response; null if the receiver did not respond.
    pub status: Option<u16>,
    /// The beginning of the receiver's response, or the error.
    pub message: Text,
    /// The duration of the request in milliseconds.
    pub milliseconds: u64,
}

/// A row of an import with the values that were filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedRow {
    /// The line in the file, counted from 1.
    pub row: u64,
    /// The device, if it is already registered.
    pub device: Option<DeviceId>,
    /// The deployment, once it has started.
    pub deployment: Option<DeploymentId>,
    /// The network interface that the server boots from.
    pub mac: MacAddress,
    /// The server's IPv4 address.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// The server's host name.
    pub hostname: Hostname,
    /// The network that contains the address.
    pub network: Name,
    /// The rack that the server is in.
    pub rack: Option<Name>,
    /// The venture that will own the server.
    pub venture: Name,
    /// The role that the server will have.
    pub role: Name,
    /// The boot image to install.
    pub boot_image: Name,
    /// The parts of the row that were ignored, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// An error in a row of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowError {
    /// The line in the file, counted from 1; 0 if the error concerns the whole file.
    pub row: u64,
    /// The column's name, which is also the field that the rule names.
    pub column: String,
    /// The rule that the row violates.
    #[serde(flatten)]
    pub broken: BrokenRule,
}

/// The result of an import.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum Imported {
    /// A dry run: the deployments that would be started.
    Planned(Vec<PlannedRow>),
    /// Every row's deployment has started.
    Started { import: ImportId, receipt: Receipt, rows: Vec<PlannedRow> },
    /// No deployment has started. Lists every error of every row.
    Refused(Vec<RowError>),
}

/// A secret that is rendered into a boot file. It is never shown, and is kept only while the file is rendered.
#[derive(Clone)]
pub struct BootSecret(String);

impl BootSecret {
    /// Wraps the text of a secret.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text of the secret. Use it for rendering only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for BootSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BootSecret(…)")
    }
}

/// Runs commands for the HTTP layer. This trait is the only way from HTTP to the domain.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Runs a command.
    ///
    /// # Errors
    /// Returns the reason why the command was not carried out. After [`CommandError::Unavailable`], it may have been carried
    /// out nevertheless; repeating it with its idempotency key gives the result.
    async fn execute(&self, command: Command, context: Context) -> Result<Receipt, CommandError>;

    /// Checks a deployment without starting it. Returns the deployment with its missing values filled in. What is free now may
    /// be taken before the deployment starts.
    ///
    /// # Errors
    /// Returns [`CommandError::Refused`] with every rule that the deployment violates, or another error if the facts cannot be
    /// looked up.
    async fn check_deployment(&self, wanted: &NewDeployment) -> Result<Proposed, CommandError>;

    /// Checks a change of a device without making it. Returns the values that would change with it.
    ///
    /// # Errors
    /// Returns the error that the change itself would return.
    async fn preview_device(&self, action: DeviceAction, context: Context) -> Result<Preview, CommandError> {
        drop((action, context));
        Ok(Preview::default())
    }

    /// Checks a change of the catalogue without making it. Returns the values that would change with it.
    ///
    /// # Errors
    /// Returns the error that the change itself would return.
    async fn preview_catalogue(&self, action: CatalogueAction, context: Context) -> Result<Preview, CommandError> {
        drop((action, context));
        Ok(Preview::default())
    }

    /// Whether a server has power. For an operator, this queries the management controller now. For a viewer, it sends nothing
    /// and returns the last reported state.
    ///
    /// # Errors
    /// Returns [`CommandError::NotFound`] if there is no such device, [`CommandError::Refused`] if the device is decommissioned
    /// or has no controller that may be queried, [`CommandError::Busy`] if too many queries are in progress, and
    /// [`CommandError::Controller`] if the controller does not respond correctly.
    async fn power_state(&self, device: DeviceId, context: Context) -> Result<Power, CommandError>;

    /// Requests a comparison of a site's servers with the views as soon as possible. Any instance may carry it out.
    ///
    /// # Errors
    /// Returns [`CommandError::NotFound`] if the site is not in use, or another error if the database fails.
    async fn check_drift(&self, site: &Name) -> Result<(), CommandError>;

    /// Starts to verify the hash chain of the log in the background: behind the event that was verified last or, if `whole`, from
    /// the first event.
    ///
    /// # Errors
    /// Returns [`CommandError::Conflict`] if a verification is in progress, or another error if the database fails.
    async fn verify_log(&self, whole: bool, context: Context) -> Result<(), CommandError> {
        drop((whole, context));
        Ok(())
    }

    /// Sends a test message, which is not an event, to the receiver of a webhook: once and immediately.
    ///
    /// # Errors
    /// Returns [`CommandError::NotFound`] if the webhook is not in use, and [`CommandError::Refused`] if the message cannot be
    /// sent, for example without its secret. A receiver that does not respond is not an error: the [`Ping`] says so.
    async fn ping_webhook(&self, webhook: &Name) -> Result<Ping, CommandError>;

    /// Records that a session is in use, and whether the request had the session's newest secret.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    async fn saw_session(&self, session: SessionId, newest: bool) -> Result<(), CommandError>;

    /// Records that a token is in use, to the minute.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    async fn saw_token(&self, token: TokenId) -> Result<(), CommandError> {
        let _ = token;
        Ok(())
    }

    /// Replaces a session's presented secret with a new one, whose hash is `next`. Returns false if another request has
    /// replaced it already.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    async fn rotate_session(&self, session: SessionId, presented: Sha256, next: Sha256) -> Result<bool, CommandError>;

    /// The conditions that limit the service at the moment; empty if there are none.
    fn concerns(&self) -> Vec<Concern> {
        vec![]
    }

    /// What is wrong with the secret of this name, and what to do about it. The text contains nothing of the secret's content.
    fn secret_problem(&self, name: &Name) -> Option<String>;

    /// Reads the secret of this name for a boot file. Only secrets whose names begin with `boot-` can be read.
    ///
    /// # Errors
    /// Returns a description of the problem, and what to do about it. The text contains nothing of the secret's content.
    fn boot_secret(&self, name: &Name) -> Result<BootSecret, String>;

    /// Starts a deployment for every row of a CSV text (RFC 4180 with `;` or `,`), or for none. If `rack` is given, all rows are
    /// for that rack: it is the rack of rows that name none, and rows that name another one are refused.
    ///
    /// # Errors
    /// Returns an error if the facts cannot be looked up or the events cannot be appended. Refused rows are not an error, but
    /// [`Imported::Refused`].
    async fn import(&self, csv: &[u8], dry_run: bool, rack: Option<&Name>, context: Context) -> Result<Imported, CommandError>;
}
