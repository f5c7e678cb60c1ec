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

/// Up to `limit` bulk actions that have rows to work through, oldest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn running(executor: impl PgExecutor<'_>, limit: i64) -> Result<Vec<Entry<BulkView, BulkId>>> {
    let rows = sqlx::query_as!(
        Item,
        "SELECT key, sequence, spec, retired FROM catalogue
         WHERE kind = 'bulk' AND valid_to IS NULL AND NOT retired ORDER BY key LIMIT $1",
        limit
    );
    rows.fetch_all(executor).await?.into_iter().map(Item::read_as).collect()
}
