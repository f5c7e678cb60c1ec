//! Deployments, live and archived.

use crate::error::{Error, Result};
use crate::rows::at::At;
use crate::rows::convert::{address, inet};
use bootledger_aggregates::boot_image::EndedBy;
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::notes::Notes;
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::values::ParseError;
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, ImportId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// The status of a deployment: `open` (preparing), `in_progress` (installing), `done` or `cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Preparing: the deployment assigns the role, publishes DNS records and adds DHCP entries.
    Open,
    /// Installing: the server restarts, boots from the network and runs the installer.
    InProgress,
    /// The server is installed, and the deployment is archived.
    Done,
    /// The deployment was cancelled before it was done.
    Cancelled,
}

impl Status {
    /// The status as it is written in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the deployment is neither done nor cancelled.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Open | Self::InProgress)
    }
}

impl std::str::FromStr for Status {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        [Self::Open, Self::InProgress, Self::Done, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| ParseError::new(format!("{text:?} is not one of open, in_progress, done, cancelled")))
    }
}

/// A deployment of a server for a role.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Deployment {
    /// The deployment's id.
    pub id: DeploymentId,
    /// The device id of the server.
    pub device: DeviceId,
    /// The MAC address of the interface that the server boots from.
    pub mac: MacAddress,
    /// The server's address.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// The server's host name.
    pub hostname: Hostname,
    /// The venture that the server is deployed for.
    pub venture: Name,
    /// The role that the server is deployed for.
    pub role: Name,
    /// The boot image that the server boots.
    pub boot_image: Name,
    /// The revision of the boot image.
    pub boot_image_revision: i32,
    /// The network of the server's address.
    pub network: Name,
    /// The site of the network and the server.
    pub site: Name,
    /// The bulk import that started it.
    pub import: Option<ImportId>,
    /// The status of the deployment.
    pub status: Status,
    /// When the deployment entered this status.
    pub status_since: Timestamp,
    /// Whether the deployment takes longer than its boot image allows.
    pub overdue: bool,
    /// After how many minutes the deployment is overdue while it is open.
    pub open_minutes: i32,
    /// After how many minutes the deployment is overdue while it is in progress.
    pub in_progress_minutes: i32,
    /// When the deployment was started.
    pub started_at: Timestamp,
    /// Who started the deployment.
    pub started_by: String,
    /// When preparation ended and the deployment went in progress.
    pub in_progress_at: Option<Timestamp>,
    /// When the deployment was done or cancelled.
    pub ended_at: Option<Timestamp>,
    /// Who marked the deployment done or cancelled it.
    #[serde(skip)]
    pub ended_by: Option<DoneBy>,
    /// Why the deployment was cancelled.
    pub reason: Option<String>,
    /// The plugins that the deployment runs, with their requirements and stages.
    pub plan: Plan,
    /// Who marks the deployment done: the server itself with its DONE request, or Puppet with its first successful run after
    /// that request.
    pub done_by: EndedBy,
    /// Since when the server is installed and boots from its disk, if Puppet marks the deployment done.
    pub installed_at: Option<Timestamp>,
    /// The last failed run of the server's Puppet agent while the deployment was in progress.
    pub puppet_failure: Option<PuppetFailure>,
    /// The boot image settings of the device, role, venture and site, each with its source.
    #[serde(skip_serializing_if = "ResolvedSettings::is_empty")]
    pub settings: ResolvedSettings,
    /// The boot loaders that the server's firmware starts, as chosen when the deployment was started.
    pub boot_chain: BootChain,
    /// What operators wrote about the deployment: `note` and `ticket`.
    #[serde(flatten)]
    pub notes: Notes,
}

impl Deployment {
    /// The server, with the address, name, owner, role and boot image that it gets.
    pub fn assignment(&self) -> Assignment {
        Assignment {
            device: self.device,
            mac: self.mac,
            ip: self.ip,
            hostname: self.hostname.clone(),
            venture: self.venture.clone(),
            role: self.role.clone(),
            boot_image: self.boot_image.clone(),
        }
    }
}

/// A failed run of a Puppet agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PuppetFailure {
    /// When the run was reported.
    pub at: Timestamp,
    /// The first errors that the agent reported.
    pub messages: Vec<Text>,
    /// The agent's identifier of the run; may be empty.
    pub transaction: Text,
}

/// The number of deployments with a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StatusCount {
    /// The status that is counted.
    pub status: Status,
    /// How many deployments have the status.
    pub count: i64,
}

struct Raw {
    id: Uuid,
    device: Uuid,
    mac: String,
    ip: IpNet,
    hostname: String,
    venture: String,
    role: String,
    boot_image: String,
    boot_image_revision: i32,
    network: String,
    site: String,
    import: Option<Uuid>,
    status: String,
    status_since: OffsetDateTime,
    overdue: bool,
    open_minutes: i32,
    in_progress_minutes: i32,
    started_at: OffsetDateTime,
    started_by: String,
    in_progress_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    ended_by: Option<String>,
    reason: Option<String>,
    plan: String,
    done_by: String,
    installed_at: Option<OffsetDateTime>,
    puppet_failure: Option<String>,
    settings: Option<String>,
    boot_chain: String,
    note: String,
    ticket: String,
}

impl TryFrom<Raw> for Deployment {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self> {
        Ok(Self {
            id: DeploymentId(raw.id),
            device: DeviceId(raw.device),
            mac: raw.mac.parse()?,
            ip: address(raw.ip)?,
            hostname: raw.hostname.parse()?,
            venture: raw.venture.parse()?,
            role: raw.role.parse()?,
            boot_image: raw.boot_image.parse()?,
            boot_image_revision: raw.boot_image_revision,
            network: raw.network.parse()?,
            site: raw.site.parse()?,
            import: raw.import.map(ImportId),
            status: raw.status.parse()?,
            status_since: Timestamp(raw.status_since),
            overdue: raw.overdue,
            open_minutes: raw.open_minutes,
            in_progress_minutes: raw.in_progress_minutes,
            started_at: Timestamp(raw.started_at),
            started_by: raw.started_by,
            in_progress_at: raw.in_progress_at.map(Timestamp),
            ended_at: raw.ended_at.map(Timestamp),
            ended_by: raw.ended_by.as_deref().map(serde_json::from_str).transpose()?,
            reason: raw.reason,
            plan: serde_json::from_str(&raw.plan)?,
            done_by: raw.done_by.parse()?,
            installed_at: raw.installed_at.map(Timestamp),
            puppet_failure: raw.puppet_failure.as_deref().map(serde_json::from_str).transpose()?,
            settings: raw.settings.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default(),
            boot_chain: raw.boot_chain.parse()?,
            notes: Notes { note: stored(raw.note)?, ticket: stored(raw.ticket)? },
        })
    }
}

/// A text from an event, by the rules of all versions.
fn stored(text: String) -> Result<Text> {
    Ok(Text::try_from(text)?)
}

macro_rules! deployments {
    ($at:expr, $condition:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_as!(
            Raw,
            r#"SELECT id, device, mac, ip, hostname, venture, role, boot_image, boot_image_revision, network, site, import,
                    status, status_since, overdue, open_minutes, in_progress_minutes, started_at, started_by,
                    in_progress_at, ended_at, ended_by::text AS ended_by, reason, plan::text AS "plan!", done_by,
                    installed_at, puppet_failure::text AS puppet_failure, settings::text AS settings, boot_chain, note, ticket
             FROM deployments
             WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                    OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1))) AND "# + $condition $(+ $more)*,
            $at.position() $(, $argument)*
        )
    };
}

macro_rules! deployments_counted {
    ($at:expr, $condition:literal $(+ $more:literal)* $(, $argument:expr)*) => {
        sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM (
                 SELECT FROM deployments
                  WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                         OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1))) AND "# + $condition $(+ $more)*
                + ") AS found",
            $at.position() $(, $argument)*
        )
    };
}

mod list;

pub use list::{Cursor, Filter, Sort, count, list};

fn all(rows: Vec<Raw>) -> Result<Vec<Deployment>> {
    rows.into_iter().map(Deployment::try_from).collect()
}

/// The deployment with this id.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn find(executor: impl PgExecutor<'_>, id: DeploymentId, at: At) -> Result<Option<Deployment>> {
    deployments!(at, "id = $2", id.0).fetch_optional(executor).await?.map(Deployment::try_from).transpose()
}

/// The deployments with these ids, in no order; unknown ids are left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn find_many(executor: impl PgExecutor<'_>, ids: &[DeploymentId], at: At) -> Result<Vec<Deployment>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    all(deployments!(at, "id = ANY($2)", &ids).fetch_all(executor).await?)
}

/// The live deployment of a device, which is at most one.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn live_of_device(executor: impl PgExecutor<'_>, device: DeviceId, at: At) -> Result<Option<Deployment>> {
    let row = deployments!(at, "device = $2 AND status IN ('open', 'in_progress') LIMIT 1", device.0);
    row.fetch_optional(executor).await?.map(Deployment::try_from).transpose()
}

/// The live deployment of an address, from the current views.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn live_of_ip(executor: impl PgExecutor<'_>, ip: Ipv4Addr) -> Result<Option<Deployment>> {
    let live = deployments!(At::Now, "ip = $2 AND valid_to IS NULL AND status IN ('open', 'in_progress') LIMIT 1", inet(ip));
    live.fetch_optional(executor).await?.map(Deployment::try_from).transpose()
}

/// Live deployments of devices with any of these ids, in no order.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn live_of_devices(executor: impl PgExecutor<'_>, devices: &[DeviceId], at: At) -> Result<Vec<Deployment>> {
    let devices: Vec<Uuid> = devices.iter().map(|id| id.0).collect();
    all(deployments!(at, "device = ANY($2) AND status IN ('open', 'in_progress')", &devices).fetch_all(executor).await?)
}

/// Live deployments that have exceeded the time limit of their stage and are not yet marked overdue, oldest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn due_overdue(executor: impl PgExecutor<'_>, now: Timestamp) -> Result<Vec<Deployment>> {
    let rows = deployments!(
        At::Now,
        "status IN ('open', 'in_progress') AND NOT overdue
         AND status_since + make_interval(mins => CASE status WHEN 'open' THEN open_minutes ELSE in_progress_minutes END) <= $2
         ORDER BY id LIMIT 1000",
        now.0
    );
    all(rows.fetch_all(executor).await?)
}

/// How many live deployments keep each revision of a boot image, the newest revision first.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn live_revisions(executor: impl PgExecutor<'_>, image: &Name, at: At) -> Result<Vec<(i32, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT boot_image_revision, count(*) AS "count!" FROM deployments
           WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
             AND status IN ('open', 'in_progress') AND boot_image = $2
           GROUP BY boot_image_revision ORDER BY boot_image_revision DESC"#,
        at.position(),
        image.as_str()
    );
    Ok(rows.fetch_all(executor).await?.into_iter().map(|row| (row.boot_image_revision, row.count)).collect())
}

/// Up to `limit` overdue deployments, those that have been in their status longest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn overdue(executor: impl PgExecutor<'_>, limit: i64) -> Result<Vec<Deployment>> {
    let rows = deployments!(At::Now, "overdue AND status IN ('open', 'in_progress') ORDER BY status_since, id LIMIT $2", limit);
    all(rows.fetch_all(executor).await?)
}

/// How many deployments have each status; a status without deployments is left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn counts(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<StatusCount>> {
    let rows = sqlx::query!(
        r#"SELECT status, count(*) AS "count!" FROM deployments
           WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
           GROUP BY status ORDER BY status"#,
        at.position()
    );
    let rows = rows.fetch_all(executor).await?;
    rows.into_iter().map(|row| Ok(StatusCount { status: row.status.parse()?, count: row.count })).collect()
}

/// How many live deployments there are, and how many of them are overdue, from the current views.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn live_counts(executor: impl PgExecutor<'_>) -> Result<LiveCounts> {
    let counts = sqlx::query_as!(
        LiveCounts,
        r#"SELECT coalesce(sum(open), 0)::bigint AS "open!", coalesce(sum(in_progress), 0)::bigint AS "in_progress!",
                  coalesce(sum(overdue), 0)::bigint AS "overdue!"
           FROM role_tallies"#
    );
    Ok(counts.fetch_one(executor).await?)
}

/// The numbers of live deployments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// Deployments that are being prepared.
    pub open: i64,
    /// Deployments whose servers boot and are being installed.
    pub in_progress: i64,
    /// Deployments of either kind that take longer than their boot image allows.
    pub overdue: i64,
}
