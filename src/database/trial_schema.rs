//! The schema of a dry run's copy: its name, its lock, and the removal of one that was interrupted. The copy itself is made by
//! `commands::trial`.

use sqlx::{Executor, PgConnection};

/// The schema of the copy.
pub(crate) const SCHEMA: &str = "import_trial";

/// The advisory lock of a dry run.
pub(crate) const LEASE: i64 = 7_267_832_002;

/// Takes the lock of a dry run. Returns false if another one holds it.
pub(crate) async fn lease(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEASE).fetch_one(connection).await
}

/// Removes the schema of an interrupted dry run, unless one is in progress. The views in it depend on the log's table, and
/// would block a migration that changes that table.
pub(super) async fn clear(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let is_there: bool =
        sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(SCHEMA).fetch_one(&mut *connection).await?;
    if !is_there || !lease(connection).await? {
        return Ok(());
    }
    let dropped = connection.execute(format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE").as_str()).await;
    connection.execute(format!("SELECT pg_advisory_unlock({LEASE})").as_str()).await?;
    dropped.map(drop)
}
