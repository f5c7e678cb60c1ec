//! Detects a connection pooler that gives a client a different server connection for each transaction or statement.
//!
//! The service needs sessions that stay the same: it listens for notifications, keeps prepared statements, sets how its
//! statements are planned, and holds advisory locks while it changes the schema. With `PgBouncer`, that requires session mode.
//! In other modes these features fail late and rarely, or affect other clients' sessions, so such modes are refused at the
//! start.
//!
//! In session mode, a client keeps its server process (`pg_backend_pid`) and does not share it. So two connections that are
//! open at the same time must have different processes, and each must keep its own, regardless of the other.

use super::checks::{PATIENCE, connect, failed};
use anyhow::{Context, Result, bail};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Executor, Row};

/// How often the two connections are compared, because other clients of the pooler may hide the sharing from one comparison.
const ROUNDS: usize = 3;

/// What the operator has to change.
const ADVICE: &str = "Set pool_mode = session for this database in the pooler (PgBouncer: pgbouncer.ini), with a default_pool_size \
                      of at least 40 for each Bootledger instance, or name the PostgreSQL server itself in DATABASE_URL.";

/// Refuses the database if sessions are shared.
pub(super) async fn refuse_shared_sessions(first: &mut PgConnection, options: &PgConnectOptions) -> Result<()> {
    let compared = async {
        let mut second = connect(options).await?;
        let shared = shared(first, &mut second).await;
        super::checks::close(second).await;
        shared
    };
    let late = || {
        format!(
            "a second database connection got no answer within {} seconds: the connection pooler has too few server connections. \
             {ADVICE}",
            PATIENCE.as_secs()
        )
    };
    let shared = tokio::time::timeout(PATIENCE, compared).await.with_context(late)??;
    if shared {
        bail!(
            "the database is behind a connection pooler in transaction or statement mode, in which sessions do not keep their \
             settings, prepared statements and locks. {ADVICE}"
        );
    }
    Ok(())
}

async fn shared(first: &mut PgConnection, second: &mut PgConnection) -> Result<bool> {
    let (one, other) = (process(first).await?, process(second).await?);
    if one == other {
        return Ok(true);
    }
    for _ in 0..ROUNDS {
        // The second connection occupies its server connection, so that the first one may have to move to another.
        match (&mut *second).execute("BEGIN").await {
            Ok(_) => {}
            // Statement mode refuses transactions.
            Err(error) if error.as_database_error().is_some_and(|error| error.message().contains("pooling")) => return Ok(true),
            Err(error) => return Err(failed(error, "cannot begin a transaction")),
        }
        let (during, held) = (process(first).await?, process(second).await?);
        (&mut *second).execute("ROLLBACK").await.map_err(|error| failed(error, "cannot end a transaction"))?;
        let (after, later) = (process(second).await?, process(first).await?);
        if [during, later] != [one, one] || [held, after] != [other, other] {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The id of the server process that serves this connection. Uses the simple protocol, which every pooler passes on.
async fn process(connection: &mut PgConnection) -> Result<i32> {
    let row = connection.fetch_one("SELECT pg_backend_pid() AS process").await;
    Ok(row.map_err(|error| failed(error, "cannot query the database"))?.try_get("process")?)
}
