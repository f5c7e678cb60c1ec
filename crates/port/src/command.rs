//! The commands: one enum for each group that the command service handles together.

mod names;

use crate::password::Hash;
use bootledger_aggregates::boot_image::{BootFile, BootImageSpec};
use bootledger_aggregates::bulk::{BulkAction, BulkResult};
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::installer::{InstallerReport, NextBoot};
use bootledger_aggregates::deployment::notes::Notes;
use bootledger_aggregates::deployment::puppet::PuppetRun;
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::device::power::PowerAction;
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec};
use bootledger_aggregates::dhcp_server::DhcpServerSpec;
use bootledger_aggregates::drift::DriftKey;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::reservation::ReservationSpec;
use bootledger_aggregates::saved_view::SavedViewSpec;
use bootledger_aggregates::secret::SecretSpec;
use bootledger_aggregates::session::{EndReason, SessionSpec};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::{FailedSignIns, Link, Role};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{BulkId, DeploymentId, DeviceId, ImportId, PasswordId, SavedViewId, SessionId, TokenId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::schema::Ipv4Address;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_aggregates::venture::{RoleSpec, VentureSpec};
use bootledger_aggregates::webhook::WebhookSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use utoipa::ToSchema;
use uuid::Uuid;

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
    /// A note about the deployment, for people to read: at most 300 characters.
    pub note: Option<Text>,
    /// The reference of a ticket in another system, such as `OPS-1234`: at most 300 characters.
    pub ticket: Option<Text>,
    /// Values that Bootledger's own form suggested for fields that the operator left empty.
    #[serde(skip)]
    pub suggested: Suggested,
    /// The import or bulk action that the deployment belongs to.
    #[serde(skip)]
    pub import: Option<ImportId>,
}

impl NewDeployment {
    /// A request without any values: all are the device's own, or the next free ones.
    pub fn of_device(device: DeviceId) -> Self {
        Self {
            device,
            mac: None,
            ip: None,
            network: None,
            hostname: None,
            venture: None,
            role: None,
            boot_image: None,
            note: None,
            ticket: None,
            suggested: Suggested::default(),
            import: None,
        }
    }

    /// What the request says about the deployment.
    pub fn notes(&self) -> Notes {
        Notes { note: self.note.clone().unwrap_or_default(), ticket: self.ticket.clone().unwrap_or_default() }
    }
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
    /// The server, with the address, name, owner, role and boot image that it would get.
    pub assignment: Assignment,
    /// The network that contains the address.
    pub network: Name,
}

/// A change that a caller requests from the domain.
///
/// The command service has one handler for each group, which handles every action of its group.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum Command {
    /// Registers, changes or decommissions a device.
    Device(DeviceAction),
    /// Starts a deployment, changes it, or reports about it.
    Deployment(DeploymentAction),
    /// Changes the catalogue.
    Catalogue(CatalogueAction),
    /// Reserves or releases an address.
    Reservation(ReservationAction),
    /// Changes a webhook.
    Webhook(WebhookAction),
    /// Reports about a DHCP server.
    DhcpServer(DhcpServerAction),
    /// Starts a bulk action, or changes it.
    Bulk(BulkOrder),
    /// Creates or revokes a token.
    Token(TokenAction),
    /// Changes a user, or starts or ends a session.
    Account(AccountAction),
    /// Saves or deletes a view of a list. The receipt contains the view's ID.
    SavedView(SavedViewAction),
    /// Sends a power order to a device's management controller. The receipt contains the order's ID.
    OrderPower { device: DeviceId, action: PowerAction, network_boot: bool, interrupts: Option<DeploymentId> },
    /// Repairs differences between a site's servers and the views: those that `keys` names, or without keys all of them. Extra
    /// entries that another party created are repaired only if `keys` names them.
    RepairDrift { site: Name, keys: Option<Vec<DriftKey>> },
}

/// A change of a device's entry in the catalogue.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum DeviceAction {
    /// Registers a device and sets its venture and role, if given. The receipt contains the device's ID.
    RegisterDevice { spec: Box<DeviceSpec>, venture: Option<Name>, role: Option<Name> },
    /// Changes a device's description.
    ChangeDevice(DeviceId, Box<DeviceChange>),
    /// Records facts that an inventory collected about a device.
    RecordFacts(DeviceId, Box<Facts>),
    /// Marks a device as verified, so that it can be deployed.
    VerifyDevice(DeviceId),
    /// Revokes the verification of a device.
    UnverifyDevice(DeviceId),
    /// Locks a device, so that it is not installed again until an administrator unlocks it.
    LockDevice { device: DeviceId, reason: Text },
    /// Unlocks a device. The caller has checked that an administrator requests it.
    UnlockDevice(DeviceId),
    /// Decommissions a device.
    DecommissionDevice { device: DeviceId, reason: Text },
}

/// A change of a deployment, or a report about it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum DeploymentAction {
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
    /// Retries those of these plugins that have failed or wait, all in one step.
    RetryPlugins { deployment: DeploymentId, plugins: Vec<Name> },
    /// Records that a file was served to a server.
    RecordBoot { deployment: DeploymentId, file: Name, sha256: Sha256, client: Ipv4Addr, at: Timestamp, then_disk: bool },
    /// Records the progress, failure or success that an installer reported.
    ReportInstaller { deployment: DeploymentId, report: InstallerReport },
    /// Records that the end of an installer's log is stored.
    RecordInstallerLog { deployment: DeploymentId, sha256: Sha256, size: u64 },
    /// Sets what a server gets at its next network boot. An operator requests this.
    SetNextBoot { deployment: DeploymentId, boot: NextBoot, by: Text },
    /// Records that an operator restarted the server, for which the deployment waits.
    ReportRestart { deployment: DeploymentId, now: Timestamp },
    /// Sets the note and the ticket of a deployment.
    NoteDeployment { deployment: DeploymentId, notes: Notes },
}

/// A change of the catalogue: sites, racks, networks, DHCP servers, ventures, roles, boot images and the scopes of secrets.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum CatalogueAction {
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
    /// Retires an entry of the catalogue.
    Retire(Kind, Name),
}

/// A change of the reservation of an address.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum ReservationAction {
    /// Reserves an address of a network or, if `replaces` is set, changes the note and the end of its reservation.
    ReserveAddress { network: Name, ip: Ipv4Addr, spec: ReservationSpec, replaces: bool },
    /// Ends the reservation of an address.
    ReleaseAddress(Ipv4Addr),
    /// Ends the reservation of an address if it has expired.
    ExpireReservation(Ipv4Addr),
}

/// A change of a webhook, or of what it delivers next.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum WebhookAction {
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
}

/// A change of a bulk action.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum BulkOrder {
    /// Starts a bulk action. The rows are fixed by ID; unknown IDs are refused. The receipt contains the action's ID.
    StartBulk { action: Box<BulkAction>, ids: Vec<Uuid>, list: String },
    /// Records the results of some rows.
    RecordBulkResults { bulk: BulkId, results: Vec<BulkResult> },
    /// Works through the refused rows of a bulk action again, in the name and with the role of the caller.
    RetryBulk(BulkId),
    /// Stops a bulk action: the rows without an outcome stay as they are. The service gives a reason, a user does not.
    StopBulk { bulk: BulkId, reason: Option<Text> },
}

/// A report about the configuration that a DHCP server runs.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum DhcpServerAction {
    /// Confirms the configuration that a DHCP server runs.
    ConfirmConfiguration { server: Name, revision: Sha256, position: i64 },
    /// Records that a DHCP server could not use a configuration.
    ReportConfigurationFailure { server: Name, revision: Option<Sha256>, message: Text },
}

/// A change of an access token.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum TokenAction {
    /// Creates a token; `secret_sha256` is the hash of its secret. The receipt contains the token's ID.
    CreateToken { name: Text, scope: TokenScope, expires: Option<Timestamp>, secret_sha256: Sha256 },
    /// Revokes a token.
    RevokeToken(TokenId),
}

/// A change of a user or of a user's session.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum AccountAction {
    /// Creates a user, who signs in with this password or, without one, through the OpenID Connect provider.
    CreateUser { name: UserName, display_name: Text, role: Role, password: Option<NewPassword> },
    /// Signs in a user through the OpenID Connect provider, with the name and role that the provider reports.
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
    /// Records attempts to sign in that failed: as a user, or with user names that do not exist, for which `session` is a new ID.
    RecordFailedSignIns { user: Option<UserName>, session: SessionId, failed: FailedSignIns },
    /// Ends the lock-out of a user: attempts to sign in as the user no longer have to wait.
    UnlockUser(UserName),
    /// Starts a session for a user. `user_sequence` is the number of events that the user had when the user authenticated.
    StartSession { session: SessionId, spec: Box<SessionSpec>, secret_sha256: Sha256, user_sequence: i64 },
    /// Ends a session.
    EndSession { session: SessionId, reason: EndReason },
}

/// A change of a saved view of a list. The actor of the command is the owner of the view.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant has its sentence, and the names and types of the fields say the rest")]
pub enum SavedViewAction {
    /// Saves a view, or replaces the one with this ID.
    SaveView { view: SavedViewId, spec: Box<SavedViewSpec> },
    /// Deletes a view.
    DeleteView(SavedViewId),
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
