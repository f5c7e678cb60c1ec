//! Parked events: those that could not be applied, and the later ones of the same aggregate.

use crate::error::Result;
use serde::Serialize;
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
    pub reason: String,
}

/// Parked events after a position, oldest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn list(executor: impl PgExecutor<'_>, after: i64, limit: i64) -> Result<Vec<Parked>> {
    Ok(sqlx::query_as!(
        Parked,
        "SELECT position, aggregate_type, aggregate_id, event_type, reason
         FROM parked WHERE position > $1 ORDER BY position LIMIT $2",
        after,
        limit
    )
    .fetch_all(executor)
    .await?)
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
