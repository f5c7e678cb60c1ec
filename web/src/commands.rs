//! The commands that the HTTP layer can run against the domain, and the trait [`Commands`] that runs them. The root package
//! implements the trait: it looks up the facts that the rules need, appends the events, and retries conflicts. The trait is
//! defined here because `web` does not depend on the root package.

use crate::auth::level::Level;
use crate::auth::password::Hash;
use crate::request::fingerprint::IdempotencyKey;
use async_trait::async_trait;
use bootledger_aggregates::boot_image::{BootFile, BootImageSpec};
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::installer::{InstallerReport, NextBoot};
use bootledger_aggregates::deployment::puppet::PuppetRun;
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec};
use bootledger_aggregates::dhcp_server::DhcpServerSpec;
use bootledger_aggregates::drift::DriftKey;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::secret::SecretSpec;
use bootledger_aggregates::session::{EndReason, SessionSpec};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::token::Scope;
use bootledger_aggregates::user::{Link, Role};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, ImportId, PasswordId, SessionId, TokenId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::schema::Ipv4Address;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_aggregates::venture::{RoleSpec, VentureSpec};
use bootledger_aggregates::webhook::WebhookSpec;
use bootledger_projections::cause::Cause;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use utoipa::ToSchema;

/// A request to start a deployment. Missing values are filled in: the MAC comes from the device; the venture, role and boot
/// image come from the device, role or venture; the address and host name are the next free ones. They are claimed in the
/// transaction that starts the deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeployment {
    /// The server to deploy.
    pub device: DeviceId,
    /// The network interface that the server boots from.
    pub mac: Option<MacAddress>,
    /// The server's new IPv4 address.
    #[schema(value_type = Option<Ipv4Address>)]
    pub ip: Option<Ipv4Addr>,
    /// The network that the next free address is taken from if no address is given.
    pub network: Option<Name>,
    /// The server's new host name.
    pub hostname: Option<Hostname>,
    /// The venture that will own the server.
    pub venture: Option<Name>,
    /// The role that the server will have, one of the venture's roles.
    pub role: Option<Name>,
    /// The boot image to install.
    pub boot_image: Option<Name>,
    /// Values that Bootledger's own form suggested for fields that the operator left empty.
    #[serde(skip)]
    pub suggested: Suggested,
}

/// Values that a form suggested and the operator did not change. A suggested value is used if it is still free; otherwise the
/// field counts as empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggested {
    /// The suggested network interface.
    pub mac: Option<MacAddress>,
    /// The suggested IPv4 address.
    pub ip: Option<Ipv4Addr>,
    /// The suggested host name.
    pub hostname: Option<Hostname>,
}

/// A deployment with every missing value filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The network interface that the server boots from.
    pub mac: MacAddress,
    /// The server's IPv4 address.
    pub ip: Ipv4Addr,
    /// The network that contains the address.
    pub network: Name,
    /// The server's host name.
    pub hostname: Hostname,
    /// The venture that will own the server.
    pub venture: Name,
    /// The role that the server will have.
    pub role: Name,
    /// The boot image to install.
    pub boot_image: Name,
}

/// A change that a caller requests from the domain.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum Command {
    /// Registers a device and sets its venture and role, if given. The receipt contains the device's ID.
    RegisterDevice { spec: Box<DeviceSpec>, venture: Option<Name>, role: Option<Name> },
    /// Changes a device's description.
    ChangeDevice(DeviceId, Box<DeviceChange>),
    /// Records facts that an inventory collected about a device.
    RecordFacts(DeviceId, Box<Facts>),
    /// Marks a device as verified, so that it can be deployed.
    VerifyDevice(DeviceId),
    /// Removes the verified mark from a device.
    UnverifyDevice(DeviceId),
    /// Decommissions a device.
    DecommissionDevice { device: DeviceId, reason: Text },

    /// Sends a power order to a device's management controller. The receipt contains the order's ID.
    OrderPower { device: DeviceId, action: PowerAction, network_boot: bool, interrupts: Option<DeploymentId> },

    /// Starts a deployment. The receipt contains the deployment's ID.
    StartDeployment(Box<NewDeployment>),
    /// Cancels a deployment.
    CancelDeployment { deployment: DeploymentId, reason: Text },
    /// Marks a deployment as done: the server is installed.
    MarkDone { deployment: DeploymentId, by: DoneBy },
    /// Records a run that the server's Puppet agent reported.
    ReportPuppetRun { deployment: DeploymentId, run: PuppetRun, now: Timestamp },
    /// Retries a plugin now.
    RetryPlugin { deployment: DeploymentId, plugin: Name },
    /// Records that a file was served to a server.
    RecordBoot { deployment: DeploymentId, file: Name, sha256: Sha256, client: Ipv4Addr, at: Timestamp, then_disk: bool },
    /// Records the progress, failure or success that an installer reported.
    ReportInstaller { deployment: DeploymentId, report: InstallerReport },
    /// Records that the end of an installer's log is stored.
    RecordInstallerLog { deployment: DeploymentId, sha256: Sha256, size: u64 },
    /// Sets what a server gets at its next network boot. An operator requests this.
    SetNextBoot { deployment: DeploymentId, boot: NextBoot, by: Text },

    /// Creates or changes a site.
    DefineSite(Name, Box<SiteSpec>),
    /// Creates or changes a rack.
    DefineRack(Name, RackSpec),
    /// Creates or changes a network.
    DefineNetwork(Name, Box<NetworkSpec>),
    /// Creates or changes a DHCP server.
    DefineDhcpServer(Name, DhcpServerSpec),
    /// Creates or changes a venture.
    DefineVenture(Name, VentureSpec),
    /// Creates or changes a role of a venture.
    DefineRole { venture: Name, role: Name, spec: RoleSpec },
    /// Retires a role of a venture.
    RetireRole { venture: Name, role: Name },
    /// Creates or changes a boot image.
    DefineBootImage(Name, BootImageSpec),
    /// Adds or replaces a file of a boot image. The file's content is already stored and checked.
    PutBootFile { image: Name, name: Name, file: BootFile },
    /// Removes a file of a boot image.
    RemoveBootFile { image: Name, name: Name },
    /// Replaces a boot image's description and its whole set of files in one step. `revision` is the revision that the new
    /// image was computed from.
    ReplaceBootImage { image: Name, spec: Box<BootImageSpec>, files: BTreeMap<Name, BootFile>, revision: u32 },
    /// Sets the management controllers that a secret may be sent to.
    DefineSecret(Name, Box<SecretSpec>),
    /// Creates or changes a webhook.
    DefineWebhook(Name, Box<WebhookSpec>),
    /// Pauses the deliveries of a webhook.
    PauseWebhook { webhook: Name, reason: Text },
    /// Resumes the deliveries of a webhook from where they stopped.
    ResumeWebhook(Name),
    /// Makes a webhook deliver every event after a position.
    SetWebhookPosition { webhook: Name, after: i64, reason: Text },
    /// Skips an event that a webhook fails to deliver.
    SkipWebhookEvent { webhook: Name, position: i64, reason: Text },
    /// Retires an entry of the catalogue.
    Retire(Kind, Name),

    /// Confirms the configuration that a DHCP server runs.
    ConfirmConfiguration { server: Name, revision: Sha256, position: i64 },
    /// Records that a DHCP server could not use a configuration.
    ReportConfigurationFailure { server: Name, revision: Option<Sha256>, message: Text },

    /// Repairs differences between a site's servers and the views: those that `keys` names, or without keys all of them. Extra
    /// entries that another party created are repaired only if `keys` names them.
    RepairDrift { site: Name, keys: Option<Vec<DriftKey>> },

    /// Creates a token; `secret_sha256` is the hash of its secret. The receipt contains the token's ID.
    CreateToken { name: Text, scope: Scope, expires: Option<Timestamp>, secret_sha256: Sha256 },
    /// Revokes a token.
    RevokeToken(TokenId),

    /// Creates a user, who signs in with this password or, without one, through the `OpenID` Connect provider.
    CreateUser { name: UserName, display_name: Text, role: Role, password: Option<NewPassword> },
    /// Signs in a user through the `OpenID` Connect provider, with the name and role that the provider reports.
    AdmitUser { name: UserName, display_name: Text, role: Role, link: Link },
    /// Changes a user's role.
    ChangeUserRole { user: UserName, role: Role },
    /// Sets a user's password, and ends all of the user's sessions except `keep`.
    SetPassword { user: UserName, password: NewPassword, keep: Option<SessionId> },
    /// Disables a user: the user can no longer sign in, and the user's sessions end.
    DisableUser(UserName),
    /// Enables a user: the user can sign in again.
    EnableUser(UserName),
    /// Locks a user out: attempts to sign in as the user have to wait, either from one address, or from every address that the
    /// user has not signed in from before.
    LockOut { user: UserName, client: Option<IpAddr>, everywhere: bool, at: Timestamp },
    /// Ends the lock-out of a user: attempts to sign in as the user no longer have to wait.
    UnlockUser(UserName),
    /// Starts a session for a user. `user_sequence` is the number of events that the user had when the user authenticated.
    StartSession { session: SessionId, spec: Box<SessionSpec>, secret_sha256: Sha256, user_sequence: i64 },
    /// Ends a session.
    EndSession { session: SessionId, reason: EndReason },
}

/// A password to set.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// The ID by which events refer to the password.
    pub id: PasswordId,
    /// The hash of the password. Only the hash is stored.
    pub hash: Hash,
    /// Whether the user must change the password at the next sign-in, because someone else has seen it.
    pub one_time: bool,
}

/// The kinds of catalogue entries, as in the view `catalogue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A data centre; stored as `site`.
    Site,
    /// A rack of a site; stored as `rack`.
    Rack,
    /// An IPv4 network; stored as `network`.
    Network,
    /// A DHCP server; stored as `dhcp_server`.
    DhcpServer,
    /// A venture, which owns servers and defines roles; stored as `venture`.
    Venture,
    /// A boot image; stored as `boot_image`.
    BootImage,
    /// A webhook; stored as `webhook`.
    Webhook,
    /// The scope of a secret; stored as `secret`.
    Secret,
}

/// The caller of a command, and how repeated requests are recognised.
#[derive(Clone, Debug)]
pub struct Context {
    /// The actor, such as `user ada`, `token ops`, `plugin dns` or `server 10.0.0.7`. Every event contains it.
    pub actor: String,
    /// Links a request to everything that results from it. A UUID generated when the request arrives, or the
    /// caller's own value.
    pub correlation_id: String,
    /// The position of the event that caused this command.
    pub causation_id: Option<String>,
    /// The idempotency key. The same request with the same key gets the first answer again, and nothing is done.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The caller's role, for rules about changes that only administrators may make. Bootledger's own workers have
    /// the level viewer.
    pub level: Level,
}

impl Context {
    /// The idempotency key that the caller chose, if any.
    pub fn key(&self) -> Option<&str> {
        self.idempotency_key.as_ref().map(|known| known.key.as_str())
    }

    /// This context with the hash of a file added to the request's fingerprint. The file was stored while the request arrived.
    #[must_use]
    pub(crate) fn with_file(mut self, sha256: &Sha256) -> Self {
        if let Some(known) = &mut self.idempotency_key {
            known.request = known.request.and(sha256.bytes());
        }
        self
    }

    /// The context of one of several commands of a request. If the request has an idempotency key, each command gets
    /// its own key.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        let part = |known: &IdempotencyKey| known.named(format!("{}:{name}", known.key));
        Self { idempotency_key: self.idempotency_key.as_ref().map(part), ..self.clone() }
    }
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The position of the command's last event, or of the end of the log if nothing had to be done.
    pub position: i64,
    /// The ID of the aggregate that was changed or created: a UUID or a key.
    pub id: String,
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
    #[error("something is wrong inside")]
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
    /// The HTTP status of the receiver's answer; null if the receiver did not answer.
    pub status: Option<u16>,
    /// The beginning of the receiver's answer, or the error.
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
    pub(crate) fn expose(&self) -> &str {
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
    /// Runs a command, or returns the reason why it was not carried out.
    async fn execute(&self, command: Command, context: Context) -> Result<Receipt, CommandError>;

    /// Checks a deployment without starting it. Returns the deployment with its missing values filled in, or every rule that it
    /// violates. What is free now may be taken before the deployment starts.
    async fn check_deployment(&self, wanted: &NewDeployment) -> Result<Proposed, CommandError>;

    /// Checks a change of the catalogue or of a device without making it. Returns the error that the change itself would
    /// return, or the values that would change with it.
    async fn preview(&self, command: Command, context: Context) -> Result<Preview, CommandError> {
        drop((command, context));
        Ok(Preview::default())
    }

    /// Whether a server has power. For an operator, this queries the management controller now. For a viewer, it sends nothing
    /// and returns the last reported state.
    async fn power_state(&self, device: DeviceId, context: Context) -> Result<Power, CommandError>;

    /// Requests a comparison of a site's servers with the views as soon as possible. Any instance may carry it out.
    async fn check_drift(&self, site: &Name) -> Result<(), CommandError>;

    /// Sends a test message, which is not an event, to the receiver of a webhook: once and immediately.
    async fn ping_webhook(&self, webhook: &Name) -> Result<Ping, CommandError>;

    /// Records that a session is in use, and whether the request had the session's newest secret.
    async fn saw_session(&self, session: SessionId, newest: bool) -> Result<(), CommandError>;

    /// Replaces a session's presented secret with a new one, whose hash is `next`. Returns false if another request has
    /// replaced it already.
    async fn rotate_session(&self, session: SessionId, presented: Sha256, next: Sha256) -> Result<bool, CommandError>;

    /// The conditions that limit the service at the moment; empty if there are none.
    fn concerns(&self) -> Vec<Concern> {
        vec![]
    }

    /// What is wrong with the secret of this name, and what to do about it. The text contains nothing of the secret's content.
    fn secret_problem(&self, name: &Name) -> Option<String>;

    /// Reads the secret of this name for a boot file. `Err` describes the problem and what to do about it. Only secrets whose
    /// names begin with `boot-` can be read.
    fn boot_secret(&self, name: &Name) -> Result<BootSecret, String>;

    /// Starts a deployment for every row of a CSV text (RFC 4180 with `;` or `,`), or for none.
    async fn import(&self, csv: &[u8], dry_run: bool, context: Context) -> Result<Imported, CommandError>;
}
