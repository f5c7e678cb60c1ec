//! What HTTP may ask of the domain. The root package answers; it looks up the facts that the
//! rules need, appends the events, and retries conflicts. This crate only knows the questions,
//! which is why the trait is here: `web` does not depend on the root package.

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

/// A deployment that somebody wants. What is left out is filled in: the MAC and the venture, role
/// and boot image from the device, role or venture; address and name with the next free ones,
/// claimed in the transaction that starts the deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeployment {
    /// The server.
    pub device: DeviceId,
    /// The interface that it boots from.
    pub mac: Option<MacAddress>,
    /// Its new address.
    #[schema(value_type = Option<Ipv4Address>)]
    pub ip: Option<Ipv4Addr>,
    /// The network to take the next free address of, where no address is given.
    pub network: Option<Name>,
    /// Its new name.
    pub hostname: Option<Hostname>,
    /// Its new owner.
    pub venture: Option<Name>,
    /// Its new role.
    pub role: Option<Name>,
    /// What it boots.
    pub boot_image: Option<Name>,
    /// What our own form suggested for fields that are left empty.
    #[serde(skip)]
    pub suggested: Suggested,
}

/// What a form filled in and nobody changed: it is taken if it is still free, and counts as left empty if it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggested {
    /// The interface.
    pub mac: Option<MacAddress>,
    /// The address.
    pub ip: Option<Ipv4Addr>,
    /// The name.
    pub hostname: Option<Hostname>,
}

/// A deployment with all that was left out filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The interface that it boots from.
    pub mac: MacAddress,
    /// Its address.
    pub ip: Ipv4Addr,
    /// The network of the address.
    pub network: Name,
    /// Its name.
    pub hostname: Hostname,
    /// Its owner.
    pub venture: Name,
    /// Its role.
    pub role: Name,
    /// What it boots.
    pub boot_image: Name,
}

/// Something to be done.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum Command {
    /// Makes a device known; the answer has its id. `venture` and `role` are set as well.
    RegisterDevice { spec: Box<DeviceSpec>, venture: Option<Name>, role: Option<Name> },
    /// Changes a device's description.
    ChangeDevice(DeviceId, Box<DeviceChange>),
    /// Records what was found on a device.
    RecordFacts(DeviceId, Box<Facts>),
    /// Says that a device was checked.
    VerifyDevice(DeviceId),
    /// Takes that back.
    UnverifyDevice(DeviceId),
    /// Takes a device out of use.
    DecommissionDevice { device: DeviceId, reason: Text },

    /// Has a device's management controller do something with its power; the answer has the order's id.
    OrderPower { device: DeviceId, action: PowerAction, network_boot: bool, interrupts: Option<DeploymentId> },

    /// Starts a deployment; the answer has its id.
    StartDeployment(Box<NewDeployment>),
    /// Gives a deployment up.
    CancelDeployment { deployment: DeploymentId, reason: Text },
    /// The server is installed.
    MarkDone { deployment: DeploymentId, by: DoneBy },
    /// Puppet's agent reported a run on a server.
    ReportPuppetRun { deployment: DeploymentId, run: PuppetRun, now: Timestamp },
    /// A plugin is to be tried now.
    RetryPlugin { deployment: DeploymentId, plugin: Name },
    /// A file was served to a server.
    RecordBoot { deployment: DeploymentId, file: Name, sha256: Sha256, client: Ipv4Addr, at: Timestamp, then_disk: bool },
    /// An installer reported what it is doing.
    ReportInstaller { deployment: DeploymentId, report: InstallerReport },
    /// The end of an installer's log is stored.
    RecordInstallerLog { deployment: DeploymentId, sha256: Sha256, size: u64 },
    /// A person sets what a server gets when it boots from the network next.
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
    /// Takes a role of a venture out of use.
    RetireRole { venture: Name, role: Name },
    /// Creates or changes a boot image.
    DefineBootImage(Name, BootImageSpec),
    /// Adds or replaces a file of a boot image; its content is already stored and checked.
    PutBootFile { image: Name, name: Name, file: BootFile },
    /// Removes a file of a boot image.
    RemoveBootFile { image: Name, name: Name },
    /// Makes a boot image this, with these files and no others, in one step; `revision` is the one that it was worked out from.
    ReplaceBootImage { image: Name, spec: Box<BootImageSpec>, files: BTreeMap<Name, BootFile>, revision: u32 },
    /// Says to which management controllers a secret may be sent.
    DefineSecret(Name, Box<SecretSpec>),
    /// Creates or changes a webhook.
    DefineWebhook(Name, Box<WebhookSpec>),
    /// Has a webhook told nothing for a while.
    PauseWebhook { webhook: Name, reason: Text },
    /// Has a webhook told again, from where it was.
    ResumeWebhook(Name),
    /// Has a webhook told what comes behind a position.
    SetWebhookPosition { webhook: Name, after: i64, reason: Text },
    /// Gives up an event that a webhook fails to take.
    SkipWebhookEvent { webhook: Name, position: i64, reason: Text },
    /// Takes something of the catalogue out of use.
    Retire(Kind, Name),

    /// A DHCP server runs this configuration.
    ConfirmConfiguration { server: Name, revision: Sha256, position: i64 },
    /// A DHCP server could not use a configuration.
    ReportConfigurationFailure { server: Name, revision: Option<Sha256>, message: Text },

    /// Has what differs at a site's servers brought to what the views say: these, or all that nobody else has made.
    RepairDrift { site: Name, keys: Option<Vec<DriftKey>> },

    /// Makes a token; the answer has its id. `secret_sha256` is the hash of its secret.
    CreateToken { name: Text, scope: Scope, expires: Option<Timestamp>, secret_sha256: Sha256 },
    /// Ends a token.
    RevokeToken(TokenId),

    /// Makes a user, who signs in with this password, or through the `OpenID` Connect provider.
    CreateUser { name: UserName, display_name: Text, role: Role, password: Option<NewPassword> },
    /// Somebody comes from the `OpenID` Connect provider, with what it says of them.
    AdmitUser { name: UserName, display_name: Text, role: Role, link: Link },
    /// Gives a user another role.
    ChangeUserRole { user: UserName, role: Role },
    /// Gives a user another password, and ends their sessions but one.
    SetPassword { user: UserName, password: NewPassword, keep: Option<SessionId> },
    /// Lets a user in no longer, and ends their sessions.
    DisableUser(UserName),
    /// Lets a user in again.
    EnableUser(UserName),
    /// Attempts to sign in as a user have to wait: from one address, or everywhere that the user has not signed in from before.
    LockOut { user: UserName, client: Option<IpAddr>, everywhere: bool, at: Timestamp },
    /// Attempts to sign in as a user need not wait any more.
    UnlockUser(UserName),
    /// Begins a session of a user who has had `user_sequence` events when they proved who they are.
    StartSession { session: SessionId, spec: Box<SessionSpec>, secret_sha256: Sha256, user_sequence: i64 },
    /// Ends a session.
    EndSession { session: SessionId, reason: EndReason },
}

/// A password to be set.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// What events name it by.
    pub id: PasswordId,
    /// What is stored of it.
    pub hash: Hash,
    /// Whether it has to be changed at the next sign-in, since somebody else has seen it.
    pub one_time: bool,
}

/// The kinds of things in the catalogue, as in the view `catalogue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `site`
    Site,
    /// `rack`
    Rack,
    /// `network`
    Network,
    /// `dhcp_server`
    DhcpServer,
    /// `venture`
    Venture,
    /// `boot_image`
    BootImage,
    /// `webhook`
    Webhook,
    /// `secret`: its scope
    Secret,
}

/// Who asks, and how repeats are recognised.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who acts, such as `user ada`, `token ops`, `plugin dns`, `server 10.0.0.7`; it is in every event.
    pub actor: String,
    /// What ties a request to everything that it leads to; a UUID made at the edge, or the caller's.
    pub correlation_id: String,
    /// The event that led to this, as its position.
    pub causation_id: Option<String>,
    /// The same request with the same key gets the first answer again, and nothing is done.
    pub idempotency_key: Option<IdempotencyKey>,
    /// What the caller may do. Rules that are for administrators alone look here; programs that act by themselves are viewers.
    pub level: Level,
}

impl Context {
    /// The key that the caller chose, if any.
    pub fn key(&self) -> Option<&str> {
        self.idempotency_key.as_ref().map(|known| known.key.as_str())
    }

    /// The same where a file of the request was stored while it arrived.
    #[must_use]
    pub(crate) fn with_file(mut self, sha256: &Sha256) -> Self {
        if let Some(known) = &mut self.idempotency_key {
            known.request = known.request.and(sha256.bytes());
        }
        self
    }

    /// The context of one of several commands of a request: with a key of its own, where the request has one.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        let part = |known: &IdempotencyKey| known.named(format!("{}:{name}", known.key));
        Self { idempotency_key: self.idempotency_key.as_ref().map(part), ..self.clone() }
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The position of the last event, or of the log where nothing had to be done.
    pub position: i64,
    /// The aggregate that was changed or created: a UUID or a key.
    pub id: String,
}

/// What a change would do that nobody has made yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// What has another place than before: addresses, records; the first of them.
    pub moves: Vec<String>,
    /// How many things that is.
    pub moved: usize,
}

/// Something that limits the service, or soon will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// Whether the service should get no requests while it lasts; otherwise it only works less well.
    pub not_ready: bool,
    /// What limits it, and what to do.
    pub sentence: String,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Rules are broken; never empty.
    #[error("{}", .0.iter().map(|broken| broken.message.as_str()).collect::<Vec<_>>().join("; "))]
    Refused(Vec<BrokenRule>),
    /// Others changed the same thing again and again; asking again may help.
    #[error("{0}")]
    Conflict(String),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used before for another request; use a new one")]
    KeyReused,
    /// The database, or a disk, did not take it; the same command may succeed later.
    #[error("{}", self.cause().sentence())]
    Unavailable(#[source] anyhow::Error),
    /// The caller, or all callers together, want more at once than there is room for; asking again later helps.
    #[error("{0}")]
    Busy(String),
    /// A management controller does not answer as it should.
    #[error("{reason}")]
    Controller {
        /// Why, in words.
        reason: String,
        /// Whether it took too long.
        slow: bool,
    },
    /// A defect.
    #[error("something is wrong inside")]
    Internal(#[source] anyhow::Error),
}

/// The power of a device, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// Whether the server has power.
    pub state: PowerState,
    /// When its management controller said so; `None` where it was never heard of.
    pub at: Option<Timestamp>,
    /// Whether the controller was asked for this answer.
    pub live: bool,
}

impl CommandError {
    /// The error of a database that did not do what it was sent, by its cause.
    pub fn of_database(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        match Cause::in_chain(error.chain()) {
            Some(Cause::Defect) => Self::Internal(error),
            _ => Self::Unavailable(error),
        }
    }

    /// Why the database, or a disk, did not do it, where that is the reason.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Unavailable(source) => Cause::in_chain(source.chain()).unwrap_or(Cause::Unreachable),
            _ => Cause::Defect,
        }
    }
}

/// What a webhook's receiver answered to a message that is no event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ping {
    /// The message's header `webhook-id`.
    pub webhook_id: String,
    /// Whether it would have taken an event: it answered with 2xx.
    pub taken: bool,
    /// The status that it answered with; null where it did not answer.
    pub status: Option<u16>,
    /// The first words of its answer, or what went wrong.
    pub message: Text,
    /// How long that took.
    pub milliseconds: u64,
}

/// One row of an import with what was worked out for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedRow {
    /// The line of the file, from 1.
    pub row: u64,
    /// The device, where it is known already.
    pub device: Option<DeviceId>,
    /// The deployment, once it is started.
    pub deployment: Option<DeploymentId>,
    /// The interface that it boots from.
    pub mac: MacAddress,
    /// Its address.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// Its name.
    pub hostname: Hostname,
    /// The network of the address.
    pub network: Name,
    /// The rack.
    pub rack: Option<Name>,
    /// Its owner.
    pub venture: Name,
    /// Its role.
    pub role: Name,
    /// What it boots.
    pub boot_image: Name,
    /// What of the row was passed over, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A broken rule of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowError {
    /// The line of the file, from 1; 0 for the file as a whole.
    pub row: u64,
    /// The column's name, which is also the field of the rule.
    pub column: String,
    /// The rule.
    #[serde(flatten)]
    pub broken: BrokenRule,
}

/// What an import came to.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum Imported {
    /// A dry run: what would be started.
    Planned(Vec<PlannedRow>),
    /// All rows are started.
    Started { import: ImportId, receipt: Receipt, rows: Vec<PlannedRow> },
    /// Nothing is started; every error of every row.
    Refused(Vec<RowError>),
}

/// A secret that is rendered into a boot file; never shown, and kept no longer than the file is rendered.
#[derive(Clone)]
pub struct BootSecret(String);

impl BootSecret {
    /// The secret with this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The secret itself, for rendering only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for BootSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BootSecret(…)")
    }
}

/// The one way from HTTP to the domain.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Does it, or says why not.
    async fn execute(&self, command: Command, context: Context) -> Result<Receipt, CommandError>;

    /// What would become of a deployment were it started now: what would be filled in, or every rule that it breaks. Nothing
    /// is started, and what is free now may be taken before it is.
    async fn check_deployment(&self, wanted: &NewDeployment) -> Result<Proposed, CommandError>;

    /// What a change of the catalogue or of a device would do, without doing it: refused as it would be, else what moves along.
    async fn preview(&self, command: Command, context: Context) -> Result<Preview, CommandError> {
        drop((command, context));
        Ok(Preview::default())
    }

    /// Whether a server has power. For an operator, its management controller is asked, now. For a viewer nothing is sent
    /// anywhere: the answer is what was heard last.
    async fn power_state(&self, device: DeviceId, context: Context) -> Result<Power, CommandError>;

    /// Has the servers of a site compared with the views at once, by whichever instance gets to it.
    async fn check_drift(&self, site: &Name) -> Result<(), CommandError>;

    /// Sends the receiver of a webhook a message that is no event, now and once.
    async fn ping_webhook(&self, webhook: &Name) -> Result<Ping, CommandError>;

    /// Notes that a session is in use, and whether with its newest secret.
    async fn saw_session(&self, session: SessionId, newest: bool) -> Result<(), CommandError>;

    /// Gives a session a new secret with the hash `next` in the place of the presented one; whether it did, which it does not
    /// where another request was faster.
    async fn rotate_session(&self, session: SessionId, presented: Sha256, next: Sha256) -> Result<bool, CommandError>;

    /// What limits the service at the moment; empty where nothing does.
    fn concerns(&self) -> Vec<Concern> {
        vec![]
    }

    /// What is wrong with the secret of this name, if anything, and what to do; nothing of its content.
    fn secret_problem(&self, name: &Name) -> Option<String>;

    /// Reads the secret of this name for a boot file; `Err` says what is wrong and what to do. No secret is given whose name
    /// does not begin with `boot-`.
    fn boot_secret(&self, name: &Name) -> Result<BootSecret, String>;

    /// Starts a deployment for every row of a CSV text (RFC 4180 with `;` or `,`), or for none.
    async fn import(&self, csv: &[u8], dry_run: bool, context: Context) -> Result<Imported, CommandError>;
}
