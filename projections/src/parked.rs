//! Events that could not be applied, and the later ones of the same aggregate.

use crate::error::Result;
use serde::Serialize;
use sqlx::PgExecutor;
use utoipa::ToSchema;

/// An event that no view shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Parked {
    /// Its position in the log.
    pub position: i64,
    /// The type of its aggregate.
    pub aggregate_type: String,
    /// The key of its aggregate.
    pub aggregate_id: String,
    /// Its type.
    pub event_type: String,
    /// Why it could not be applied.
    pub reason: String,
}

/// Parked events after a position, oldest first.
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
pub async fn count(executor: impl PgExecutor<'_>) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM parked"#).fetch_one(executor).await?)
}

/// Whether an aggregate has a parked event, so that what the views show of it is old.
pub async fn is_blocked(executor: impl PgExecutor<'_>, aggregate_type: &str, aggregate_id: &str) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM parked WHERE aggregate_type = $1 AND aggregate_id = $2) AS "blocked!""#,
        aggregate_type,
        aggregate_id
    )
    .fetch_one(executor)
    .await?)
}
