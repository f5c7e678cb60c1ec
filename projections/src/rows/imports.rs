//! Bulk imports, counted by the deployments that they started.

use crate::error::Result;
use crate::rows::at::At;
use crate::rows::deployments::StatusCount;
use bootledger_aggregates::values::ids::ImportId;
use sqlx::PgExecutor;

/// How many deployments of an import have each status; empty if the import is unknown.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn counts(executor: impl PgExecutor<'_>, import: ImportId, at: At) -> Result<Vec<StatusCount>> {
    let rows = sqlx::query!(
        r#"SELECT status, count(*) AS "count!" FROM deployments
           WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
             AND import = $2
           GROUP BY status ORDER BY status"#,
        at.position(),
        import.0
    );
    let rows = rows.fetch_all(executor).await?;
    rows.into_iter().map(|row| Ok(StatusCount { status: row.status.parse()?, count: row.count })).collect()
}
