//! Bulk actions: what was started, and the result of each row.

use crate::error::Result;
use crate::rows::at::At;
use crate::rows::catalogue::{Entry, Item};
use bootledger_aggregates::bulk::{Bulk, BulkCounts};
use bootledger_aggregates::values::ids::BulkId;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;

/// A bulk action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BulkView {
    /// The action and its rows.
    pub bulk: Bulk,
    /// How many rows have each outcome.
    pub counts: BulkCounts,
    /// The actor who started it, such as `user ada`.
    pub started_by: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When the last row got its outcome, or when it was stopped; `None` while it runs.
    pub ended_at: Option<Timestamp>,
}

/// The bulk action with this ID.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if the row cannot be parsed.
pub async fn find(executor: impl PgExecutor<'_>, id: BulkId, at: At) -> Result<Option<Entry<BulkView, BulkId>>> {
    crate::rows::catalogue::find(executor, "bulk", &id.to_string(), at).await?.map(Item::read_as).transpose()
}

/// Up to `limit` bulk actions without their rows, newest first, before the ID `before`.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn list(
    executor: impl PgExecutor<'_>,
    at: At,
    before: Option<BulkId>,
    limit: i64,
) -> Result<Vec<Entry<BulkView, BulkId>>> {
    let rows = sqlx::query_as!(
        Item,
        r#"SELECT key, sequence, spec #- '{bulk,started,rows}' AS "spec!", retired FROM catalogue
           WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
             AND kind = 'bulk' AND ($2::text IS NULL OR key < $2)
           ORDER BY key DESC LIMIT $3"#,
        at.position(),
        before.map(|id| id.to_string()),
        limit
    );
    rows.fetch_all(executor).await?.into_iter().map(Item::read_as).collect()
}

/// The IDs of all bulk actions that have rows to work through, oldest first. Their rows are not read, because a worker asks for
/// them after every change of the log.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if an ID cannot be parsed.
pub async fn running(executor: impl PgExecutor<'_>) -> Result<Vec<BulkId>> {
    let keys =
        sqlx::query_scalar!("SELECT key FROM catalogue WHERE kind = 'bulk' AND valid_to IS NULL AND NOT retired ORDER BY key");
    keys.fetch_all(executor).await?.iter().map(|key| Ok(key.parse()?)).collect()
}

/// The current attempt of a bulk action that has rows to work through; `None` if it has ended or was stopped.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::DamagedJson` if the attempt cannot be parsed.
pub async fn running_attempt(executor: impl PgExecutor<'_>, id: BulkId) -> Result<Option<u32>> {
    let attempt = sqlx::query_scalar!(
        r#"SELECT spec #> '{bulk,started,attempt}' AS "attempt!" FROM catalogue
           WHERE kind = 'bulk' AND key = $1 AND valid_to IS NULL AND NOT retired"#,
        id.to_string()
    );
    Ok(attempt.fetch_optional(executor).await?.map(serde_json::from_value).transpose()?)
}
