//! Plugin runs, the reactor's work queue: the status of each plugin of each deployment. Not temporal.

use crate::error::{Error, Result};
use crate::rows::convert::parsed;
use bootledger_aggregates::deployment::plan::PluginStage;
use bootledger_aggregates::deployment::reason::{PluginFailure, Waiting};
use bootledger_aggregates::values::ParseError;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// The status of a plugin run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Other plugins have to succeed first.
    Blocked,
    /// The plugin may run.
    Due,
    /// The plugin waits for an operator or another system; that is not a failure.
    Waiting,
    /// The plugin failed and will be retried.
    Failed,
    /// The plugin succeeded.
    Succeeded,
    /// The deployment ended before the plugin succeeded.
    Stopped,
}

impl RunStatus {
    /// The status as it is written in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Due => "due",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Succeeded => "succeeded",
            Self::Stopped => "stopped",
        }
    }

    /// Whether the plugin has failed or waits, so that a retry can help. A plugin that is due runs without one, and a retry of
    /// `reboot` would restart its server a second time.
    pub fn is_stuck(self) -> bool {
        matches!(self, Self::Failed | Self::Waiting)
    }
}

impl std::str::FromStr for RunStatus {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        [Self::Blocked, Self::Due, Self::Waiting, Self::Failed, Self::Succeeded, Self::Stopped]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| ParseError::new(format!("{text:?} is not a status of a plugin")))
    }
}

pub(crate) fn stage_text(stage: PluginStage) -> &'static str {
    match stage {
        PluginStage::Preparing => "preparing",
        PluginStage::InProgress => "in_progress",
    }
}

/// Why a plugin waits, or why it failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunReason {
    /// Why the plugin waits.
    Waiting(Waiting),
    /// Why the plugin failed.
    Failed(PluginFailure),
}

/// A plugin run: one plugin of one deployment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Run {
    /// The deployment that the plugin runs for.
    pub deployment: DeploymentId,
    /// The plugin's name.
    pub plugin: Name,
    /// The plugin's place in the plan, from 0.
    pub place: i32,
    /// The stage of the deployment in which the plugin runs.
    pub stage: PluginStage,
    /// The plugins that must have succeeded first.
    pub requires: Vec<Name>,
    /// The status of the run.
    pub status: RunStatus,
    /// How many attempts have failed.
    pub attempts: i32,
    /// Why the plugin failed or waits. A stopped run keeps the reason that it had.
    #[serde(skip)]
    pub reason: Option<RunReason>,
    /// What the plugin waits for, such as `dhcp-server:kea-1`.
    pub awaited: Vec<String>,
    /// Since when the run has had this status and reason.
    pub since: Timestamp,
    /// The position of the event that set this status and reason.
    pub since_position: i64,
    /// When the plugin may run next; `None` if it is blocked, has succeeded or was stopped.
    pub retry_at: Option<Timestamp>,
    /// The position of the last DHCP entry that was created for the deployment.
    #[serde(skip)]
    pub entry_position: Option<i64>,
}

impl Run {
    /// Why the plugin failed, if it did.
    pub fn failure(&self) -> Option<&PluginFailure> {
        match &self.reason {
            Some(RunReason::Failed(failure)) => Some(failure),
            _ => None,
        }
    }
}

struct Raw {
    deployment: Uuid,
    plugin: String,
    place: i32,
    stage: String,
    requires: Vec<String>,
    status: String,
    attempts: i32,
    reason: Option<String>,
    awaited: Vec<String>,
    since: OffsetDateTime,
    since_position: i64,
    retry_at: Option<OffsetDateTime>,
    entry_position: Option<i64>,
}

impl TryFrom<Raw> for Run {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self> {
        let stage = if raw.stage == "in_progress" { PluginStage::InProgress } else { PluginStage::Preparing };
        Ok(Self {
            deployment: DeploymentId(raw.deployment),
            plugin: raw.plugin.parse()?,
            place: raw.place,
            stage,
            requires: parsed(raw.requires)?,
            status: raw.status.parse()?,
            attempts: raw.attempts,
            reason: raw.reason.as_deref().map(serde_json::from_str).transpose()?,
            awaited: raw.awaited,
            since: Timestamp(raw.since),
            since_position: raw.since_position,
            retry_at: raw.retry_at.map(Timestamp),
            entry_position: raw.entry_position,
        })
    }
}

macro_rules! runs {
    ($condition:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Raw,
            "SELECT deployment, plugin, place, stage, requires, status, attempts, reason::text AS reason, awaited, since,
                    since_position, retry_at, entry_position
             FROM plugin_runs WHERE " + $condition
            $(, $argument)*
        )
    };
}

fn all(rows: Vec<Raw>) -> Result<Vec<Run>> {
    rows.into_iter().map(Run::try_from).collect()
}

/// The plugin runs of a deployment, in the order of its plan.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn of(executor: impl PgExecutor<'_>, deployment: DeploymentId) -> Result<Vec<Run>> {
    all(runs!("deployment = $1 ORDER BY place", deployment.0).fetch_all(executor).await?)
}

/// The plugin runs of these deployments, by deployment and in the order of its plan.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn of_many(executor: impl PgExecutor<'_>, deployments: &[DeploymentId]) -> Result<Vec<Run>> {
    let ids: Vec<Uuid> = deployments.iter().map(|id| id.0).collect();
    all(runs!("deployment = ANY($1) ORDER BY deployment, place", &ids).fetch_all(executor).await?)
}

/// The plugin runs that wait for any of these, such as `dhcp-server:kea-1`, and whose DHCP entry is not after `confirmed`.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn waiting_for(executor: impl PgExecutor<'_>, awaited: &[String], confirmed: i64) -> Result<Vec<Run>> {
    let rows = runs!(
        "status = 'waiting' AND awaited && $1 AND coalesce(entry_position, 0) <= $2 ORDER BY deployment, place",
        awaited,
        confirmed
    );
    all(rows.fetch_all(executor).await?)
}

/// The number of deployments that wait for the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Awaited {
    /// What the deployments wait for, such as `dhcp-server:kea-1`.
    pub key: String,
    /// How many deployments wait for this.
    pub deployments: i64,
    /// Since when the longest-waiting deployment has waited.
    pub since: Timestamp,
}

/// What deployments currently wait for, sorted by the number of deployments, largest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn awaited(executor: impl PgExecutor<'_>, limit: i64) -> Result<Vec<Awaited>> {
    let rows = sqlx::query!(
        r#"SELECT key AS "key!", count(*) AS "deployments!", min(since) AS "since!"
           FROM plugin_runs CROSS JOIN unnest(awaited) AS key
           WHERE status = 'waiting' GROUP BY key ORDER BY count(*) DESC, key LIMIT $1"#,
        limit
    );
    let rows = rows.fetch_all(executor).await?;
    Ok(rows.into_iter().map(|row| Awaited { key: row.key, deployments: row.deployments, since: Timestamp(row.since) }).collect())
}

/// The number of runs of a plugin that have a status, and their total duration in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Standing {
    /// The plugin's name.
    pub plugin: String,
    /// The status of the runs: waiting or failed.
    pub status: RunStatus,
    /// How many deployments have such a run.
    pub deployments: i64,
    /// Since when the longest-standing of the runs has had the status.
    pub since: Timestamp,
    /// The total time that all of these runs have had the status, in seconds.
    pub seconds: i64,
}

/// Where deployments currently lose time: the plugins that wait or have failed, with the total time in that status.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn standing(executor: impl PgExecutor<'_>, now: Timestamp) -> Result<Vec<Standing>> {
    let rows = sqlx::query!(
        r#"SELECT plugin, status, count(*) AS "deployments!", min(since) AS "since!",
                  greatest(0, sum(extract(epoch FROM $1 - since)))::bigint AS "seconds!"
           FROM plugin_runs WHERE status IN ('waiting', 'failed') GROUP BY plugin, status ORDER BY 5 DESC, plugin, status"#,
        now.0
    );
    let rows = rows.fetch_all(executor).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Standing {
                plugin: row.plugin,
                status: row.status.parse()?,
                deployments: row.deployments,
                since: Timestamp(row.since),
                seconds: row.seconds,
            })
        })
        .collect()
}

/// Up to `limit` failed plugin runs, those that failed longest ago first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn failed(executor: impl PgExecutor<'_>, limit: i64) -> Result<Vec<Run>> {
    all(runs!("status = 'failed' ORDER BY since, deployment LIMIT $1", limit).fetch_all(executor).await?)
}

/// A deployment with a plugin that waits for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUp {
    /// The deployment's id.
    pub deployment: DeploymentId,
    /// The host name that the deployment gives the server.
    pub hostname: Hostname,
    /// The plugin that waits.
    pub plugin: Name,
    /// Since when the plugin has waited.
    pub since: Timestamp,
    /// Why the plugin waits.
    pub reason: Option<Waiting>,
}

/// Up to `limit` deployments that wait for something, such as `dhcp-server:kea-1`, the longest-waiting first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn held_up_by(executor: impl PgExecutor<'_>, awaited: &str, limit: i64) -> Result<Vec<HeldUp>> {
    let rows = sqlx::query!(
        "SELECT r.deployment, d.hostname, r.plugin, r.since, (r.reason -> 'waiting')::text AS reason FROM plugin_runs r
           JOIN deployments d ON d.id = r.deployment AND d.valid_to IS NULL
          WHERE r.status = 'waiting' AND r.awaited @> ARRAY[$1::text] ORDER BY r.since, r.deployment LIMIT $2",
        awaited,
        limit
    );
    let rows = rows.fetch_all(executor).await?.into_iter();
    rows.map(|row| {
        Ok(HeldUp {
            deployment: DeploymentId(row.deployment),
            hostname: row.hostname.parse()?,
            plugin: row.plugin.parse()?,
            since: Timestamp(row.since),
            reason: row.reason.as_deref().map(serde_json::from_str).transpose()?,
        })
    })
    .collect()
}
