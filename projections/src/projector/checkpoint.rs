//! The checkpoint: the position of the log that all views show.

use crate::error::Result;
use sqlx::PgExecutor;

/// The position of the last event that the views show; 0 before the first event.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn position(executor: impl PgExecutor<'_>) -> Result<i64> {
    Ok(sqlx::query_scalar!("SELECT position FROM checkpoint").fetch_one(executor).await?)
}
