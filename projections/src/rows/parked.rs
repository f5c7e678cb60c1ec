//! Parked events: those that could not be applied, and the later ones of the same aggregate.

use crate::error::Result;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use utoipa::ToSchema;

/// An event that the views do not show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Parked {
    /// The event's position in the log.
    pub position: i64,
    /// The type of the event's aggregate.
    pub aggregate_type: String,
    /// The key of the event's aggregate.
    pub aggregate_id: String,
    /// The event's type.
    pub event_type: String,
    /// Why the event could not be applied.
    pub reason: ParkedReason,
}

/// Why an event could not be applied. Displayed for the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum ParkedReason {
    /// An earlier event of the aggregate is parked.
    #[error("it follows the parked event {position}")]
    Follows {
        /// The position of that event.
        position: i64,
    },
    /// The event cannot be read.
    #[error("it cannot be read: {detail}")]
    Unreadable {
        /// The error message.
        detail: String,
    },
    /// The first event of an aggregate that the views have already.
    #[error("the views have its aggregate already")]
    Exists {},
    /// The views do not have the event's aggregate.
    #[error("the views do not have its aggregate")]
    Unknown {},
    /// The plan of the deployment does not have the plugin.
    #[error("the deployment's plan has no plugin {plugin}")]
    PluginUnknown {
        /// The plugin.
        plugin: String,
    },
    /// Another holder has the value that the event claims.
    #[error("it gives {kind} {value} to {taker}, but {holder} holds that")]
    Claimed {
        /// The kind of the claimed value.
        kind: String,
        /// The claimed value.
        value: String,
        /// Who claims the value.
        taker: String,
        /// Who holds the value.
        holder: String,
    },
    /// The row of the aggregate in the views cannot be read.
    #[error("its aggregate in the views cannot be read: {detail}")]
    Damaged {
        /// The error message.
        detail: String,
    },
    /// The row of the aggregate cannot be written.
    #[error("its aggregate cannot be written as JSON: {detail}")]
    Unwritable {
        /// The error message.
        detail: String,
    },
    /// The sentence that was stored before reasons had codes.
    #[error("{text}")]
    Text {
        /// The sentence.
        text: String,
    },
}

/// Parked events after a position, oldest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::DamagedJson` if a reason cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, after: i64, limit: i64) -> Result<Vec<Parked>> {
    let rows = sqlx::query!(
        "SELECT position, aggregate_type, aggregate_id, event_type, reason
         FROM parked WHERE position > $1 ORDER BY position LIMIT $2",
        after,
        limit
    )
    .fetch_all(executor)
    .await?;
    let parked = rows.into_iter().map(|row| {
        Ok(Parked {
            position: row.position,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            event_type: row.event_type,
            reason: serde_json::from_value(row.reason)?,
        })
    });
    parked.collect()
}

/// How many events are parked.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn count(executor: impl PgExecutor<'_>) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM parked"#).fetch_one(executor).await?)
}

/// Whether an aggregate has a parked event, so that its rows in the views are outdated.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn is_blocked(executor: impl PgExecutor<'_>, aggregate_type: &str, aggregate_id: &str) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM parked WHERE aggregate_type = $1 AND aggregate_id = $2) AS "blocked!""#,
        aggregate_type,
        aggregate_id
    )
    .fetch_one(executor)
    .await?)
}
