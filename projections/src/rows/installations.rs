//! Installations: what installers report, which file each server fetched last, and what its next network boot gets.

use crate::error::{Error, Result};
use crate::rows::at::At;
use crate::rows::convert::{address, optional};
use bootledger_aggregates::deployment::installer::{NextBoot, NextBootReason};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::percent::Percent;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use ipnet::IpNet;
use serde::Serialize;
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// From how many completed deployments the usual duration of an installation is computed.
const SAMPLES: i64 = 20;

/// The minimum number of deployments for that computation.
const ENOUGH_SAMPLES: i64 = 3;

/// The installation of a server, derived from the events of its deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Installation {
    /// The deployment that the installation belongs to.
    #[serde(skip)]
    pub deployment: DeploymentId,
    /// The installer's current stage, as last reported.
    pub stage: Option<Name>,
    /// The progress of the stage, in percent.
    pub percent: Option<Percent>,
    /// The installer's message; may be empty.
    pub text: Text,
    /// Whether the installer's last report is a failure.
    pub failed: bool,
    /// Whether an operator has to handle the installer's failure: the deployment continues, and the server is not installed.
    #[serde(skip)]
    pub failing: bool,
    /// When the installer last reported.
    pub reported_at: Option<Timestamp>,
    /// The last log that the installer sent.
    pub log: Option<InstallerLog>,
    /// How many logs the installer has sent.
    pub logs: i32,
    /// The file that the server fetched last; `local-disk` if it booted from the network and was sent to its disk.
    pub last_file: Option<Name>,
    /// When the server fetched its last file.
    pub last_file_at: Option<Timestamp>,
    /// The client address from which the server fetched its last file.
    #[schema(value_type = Option<String>)]
    pub last_client: Option<Ipv4Addr>,
    /// What the server's next network boot gets during the installation.
    pub next_boot: NextBoot,
    /// Why the next network boot was last set, if it was.
    pub next_boot_reason: Option<NextBootReason>,
    /// When the next network boot was last set.
    pub next_boot_at: Option<Timestamp>,
}

/// The stored end of an installer's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InstallerLog {
    /// SHA-256 of the log, which is its name in the file store.
    pub sha256: Sha256,
    /// The length of the log in bytes.
    pub size: i64,
    /// When the log was received.
    pub at: Timestamp,
}

struct Raw {
    deployment: Uuid,
    stage: Option<String>,
    percent: Option<i32>,
    text: String,
    failed: bool,
    failing: bool,
    reported_at: Option<OffsetDateTime>,
    log_sha256: Option<String>,
    log_size: Option<i64>,
    log_at: Option<OffsetDateTime>,
    logs: i32,
    last_file: Option<String>,
    last_file_at: Option<OffsetDateTime>,
    last_client: Option<IpNet>,
    next_boot: String,
    next_boot_reason: Option<String>,
    next_boot_at: Option<OffsetDateTime>,
}

impl TryFrom<Raw> for Installation {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self> {
        let log = match (raw.log_sha256, raw.log_size, raw.log_at) {
            (Some(sha256), Some(size), Some(at)) => Some(InstallerLog { sha256: sha256.parse()?, size, at: Timestamp(at) }),
            _ => None,
        };
        Ok(Self {
            deployment: DeploymentId(raw.deployment),
            stage: optional(raw.stage)?,
            percent: raw.percent.and_then(|percent| u8::try_from(percent).ok()?.try_into().ok()),
            text: raw.text.parse()?,
            failed: raw.failed,
            failing: raw.failing,
            reported_at: raw.reported_at.map(Timestamp),
            log,
            logs: raw.logs,
            last_file: optional(raw.last_file)?,
            last_file_at: raw.last_file_at.map(Timestamp),
            last_client: raw.last_client.map(address).transpose()?,
            next_boot: raw.next_boot.parse()?,
            next_boot_reason: raw.next_boot_reason.as_deref().map(serde_json::from_str).transpose()?,
            next_boot_at: raw.next_boot_at.map(Timestamp),
        })
    }
}

/// The installations of these deployments, in no order; deployments without any are left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn find_many(executor: impl PgExecutor<'_>, deployments: &[DeploymentId], at: At) -> Result<Vec<Installation>> {
    let ids: Vec<Uuid> = deployments.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT deployment, stage, percent, text, failed, failing, reported_at, log_sha256, log_size, log_at, logs, last_file,
                  last_file_at, last_client, next_boot, next_boot_reason::text AS next_boot_reason, next_boot_at
           FROM installations
           WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
             AND deployment = ANY($2)"#,
        at.position(),
        &ids
    );
    rows.fetch_all(executor).await?.into_iter().map(Installation::try_from).collect()
}

/// The installation of a deployment; an empty one if nothing is known.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn find(executor: impl PgExecutor<'_>, deployment: DeploymentId, at: At) -> Result<Installation> {
    let found = find_many(executor, &[deployment], at).await?.pop();
    Ok(found.unwrap_or_else(|| Installation { deployment, ..Installation::default() }))
}

/// Whether a deployment may receive another log, from the views: the number of its logs, and whether the deployment continues.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn logs(executor: impl PgExecutor<'_>, deployment: DeploymentId) -> Result<Option<(i32, bool)>> {
    let row = sqlx::query!(
        r#"SELECT coalesce(i.logs, 0) AS "logs!", d.status = 'in_progress' AS "in_progress!"
           FROM deployments d LEFT JOIN installations i ON i.deployment = d.id AND i.valid_to IS NULL
           WHERE d.id = $1 AND d.valid_to IS NULL"#,
        deployment.0
    );
    Ok(row.fetch_optional(executor).await?.map(|row| (row.logs, row.in_progress)))
}

/// A deployment whose installer failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedInstallation {
    /// The deployment of the server.
    pub deployment: DeploymentId,
    /// The host name that the deployment gives the server.
    pub hostname: Hostname,
    /// The stage in which the installer failed.
    pub stage: Option<Name>,
    /// The installer's message.
    pub text: Text,
    /// Since when the installation is failing.
    pub since: Option<Timestamp>,
}

/// How many failed installers need attention, and up to `limit` of them, the one that failed first first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn failing(executor: impl PgExecutor<'_>, limit: i64) -> Result<(i64, Vec<FailedInstallation>)> {
    let rows = sqlx::query!(
        r#"SELECT i.deployment, d.hostname, i.stage, i.text, i.reported_at, count(*) OVER () AS "all!"
           FROM installations i JOIN deployments d ON d.id = i.deployment AND d.valid_to IS NULL
           WHERE i.valid_to IS NULL AND i.failing ORDER BY i.reported_at, i.deployment LIMIT $1"#,
        limit
    );
    let rows = rows.fetch_all(executor).await?;
    let all = rows.first().map_or(0, |row| row.all);
    let failed = rows.into_iter().map(|row| {
        Ok(FailedInstallation {
            deployment: DeploymentId(row.deployment),
            hostname: row.hostname.parse()?,
            stage: optional(row.stage)?,
            text: row.text.parse()?,
            since: row.reported_at.map(Timestamp),
        })
    });
    Ok((all, failed.collect::<Result<_>>()?))
}

/// The usual duration, in seconds, from a server's last fetch of a file to the end of its installation: the median over recent
/// deployments of an image. `None` if fewer than three of the last twenty completed deployments fetched the file.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn usual_seconds(executor: impl PgExecutor<'_>, boot_image: &Name, file: &Name) -> Result<Option<i64>> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "samples!",
                  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM done.at - fetched.at))::bigint AS seconds
           FROM (SELECT id, coalesce(installed_at, ended_at) AS at FROM deployments
                  WHERE valid_to IS NULL AND status = 'done' AND boot_image = $1 ORDER BY status_since DESC LIMIT $3) AS done
           CROSS JOIN LATERAL (SELECT max(last_file_at) AS at FROM installations
                                WHERE deployment = done.id AND last_file = $2) AS fetched
           WHERE fetched.at <= done.at"#,
        boot_image.as_str(),
        file.as_str(),
        SAMPLES
    );
    let row = row.fetch_one(executor).await?;
    Ok(row.seconds.filter(|_| row.samples >= ENOUGH_SAMPLES))
}
