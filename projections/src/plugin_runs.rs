//! The work queue of the reactor: where each plugin of each deployment stands. Not temporal.

use crate::convert::parsed;
use crate::error::{Error, Result};
use bootledger_aggregates::deployment::plan::PluginStage;
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

/// How a plugin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Others come first.
    Blocked,
    /// It may run.
    Due,
    /// It waits for somebody; that is no failure.
    Waiting,
    /// It failed and will try again.
    Failed,
    /// It did its work.
    Succeeded,
    /// Its deployment ended before it did.
    Stopped,
}

impl RunStatus {
    /// As in the database and in JSON.
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
}

impl std::str::FromStr for RunStatus {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        [Self::Blocked, Self::Due, Self::Waiting, Self::Failed, Self::Succeeded, Self::Stopped]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| ParseError::new(format!("{text:?} is no status of a plugin")))
    }
}

pub(crate) fn stage_text(stage: PluginStage) -> &'static str {
    match stage {
        PluginStage::Preparing => "preparing",
        PluginStage::InProgress => "in_progress",
    }
}

/// A plugin of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Run {
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// Which plugin.
    pub plugin: Name,
    /// Its place in the plan, from 0.
    pub place: i32,
    /// When it runs.
    pub stage: PluginStage,
    /// The plugins that must have succeeded before.
    pub requires: Vec<Name>,
    /// How it stands.
    pub status: RunStatus,
    /// How often it failed.
    pub attempts: i32,
    /// Why it failed or waits.
    pub reason: Option<String>,
    /// What it waits for, such as `dhcp-server:kea-1`.
    pub awaited: Vec<String>,
    /// Since when it has this status and reason.
    pub since: Timestamp,
    /// The position of the event that gave it this status and reason.
    pub since_position: i64,
    /// When it may run; `None` while blocked, succeeded or stopped.
    pub retry_at: Option<Timestamp>,
    /// The position of the last DHCP entry that was made for the deployment.
    #[serde(skip)]
    pub entry_position: Option<i64>,
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
            reason: raw.reason,
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
            "SELECT deployment, plugin, place, stage, requires, status, attempts, reason, awaited, since, since_position,
                    retry_at, entry_position
             FROM plugin_runs WHERE " + $condition
            $(, $argument)*
        )
    };
}

fn all(rows: Vec<Raw>) -> Result<Vec<Run>> {
    rows.into_iter().map(Run::try_from).collect()
}

/// The plugins of a deployment, in the order of its plan.
pub async fn of(executor: impl PgExecutor<'_>, deployment: DeploymentId) -> Result<Vec<Run>> {
    all(runs!("deployment = $1 ORDER BY place", deployment.0).fetch_all(executor).await?)
}

/// The plugins of these deployments, by deployment and in the order of its plan.
pub async fn of_many(executor: impl PgExecutor<'_>, deployments: &[DeploymentId]) -> Result<Vec<Run>> {
    let ids: Vec<Uuid> = deployments.iter().map(|id| id.0).collect();
    all(runs!("deployment = ANY($1) ORDER BY deployment, place", &ids).fetch_all(executor).await?)
}

/// The plugins that wait for any of these, such as `dhcp-server:kea-1`, and whose DHCP entry is not after `confirmed`.
pub async fn waiting_for(executor: impl PgExecutor<'_>, awaited: &[String], confirmed: i64) -> Result<Vec<Run>> {
    let rows = runs!(
        "status = 'waiting' AND awaited && $1 AND coalesce(entry_position, 0) <= $2 ORDER BY deployment, place",
        awaited,
        confirmed
    );
    all(rows.fetch_all(executor).await?)
}

/// How many deployments wait for the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Awaited {
    /// What they wait for, such as `dhcp-server:kea-1`.
    pub key: String,
    /// How many deployments.
    pub deployments: i64,
    /// Since when the one has waited that waits longest.
    pub since: Timestamp,
}

/// What is waited for now, that first which most wait for.
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

/// How many plugins of a name stand so, and how long altogether.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Standing {
    /// Which plugin.
    pub plugin: String,
    /// How they stand: waiting or failed.
    pub status: RunStatus,
    /// How many deployments.
    pub deployments: i64,
    /// Since when the first of them has stood so.
    pub since: Timestamp,
    /// How long all of them together have stood so, in seconds.
    pub seconds: i64,
}

/// Where time is lost now: the plugins that wait or failed, with the time that they all together have stood so.
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

/// Plugins that failed, those first that have stood so longest.
pub async fn failed(executor: impl PgExecutor<'_>, limit: i64) -> Result<Vec<Run>> {
    all(runs!("status = 'failed' ORDER BY since, deployment LIMIT $1", limit).fetch_all(executor).await?)
}

/// A deployment one of whose plugins waits for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUp {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The host name that its server gets.
    pub hostname: Hostname,
    /// The plugin.
    pub plugin: Name,
    /// Since when it waits for that.
    pub since: Timestamp,
    /// Why, in its words.
    pub reason: String,
}

/// Up to `limit` deployments that wait for something, such as `dhcp-server:kea-1`, the longest waiting first.
pub async fn held_up_by(executor: impl PgExecutor<'_>, awaited: &str, limit: i64) -> Result<Vec<HeldUp>> {
    let rows = sqlx::query!(
        "SELECT r.deployment, d.hostname, r.plugin, r.since, r.reason FROM plugin_runs r
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
            reason: row.reason.unwrap_or_default(),
        })
    })
    .collect()
}
