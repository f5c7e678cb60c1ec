//! Checks the database before it is used. A problem that would fail or lose data later is refused or
//! reported at the start.

use anyhow::{Context, Result, anyhow, bail, ensure};
use bootledger_projections::database::cause::Cause;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use std::collections::BTreeSet;
use std::time::Duration;

/// The oldest supported version of PostgreSQL, in the form of `server_version_num`.
const OLDEST: i32 = 140_000;

/// How long the first connections may take. A server that is recovering from a crash refuses them at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A timeout setting below this, in milliseconds, may cancel the service's own statements.
const SHORTEST_TIMEOUT: i64 = 60_000;

/// All facts in one statement. A statement without parameters uses the simple protocol, which works through every connection
/// pooler.
const FACTS: &str = "
    SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_name,
           current_database()::text AS database, current_user::text AS role,
           current_setting('server_encoding') AS server_encoding, current_setting('client_encoding') AS client_encoding,
           pg_is_in_recovery() AS recovering, current_setting('transaction_read_only')::bool AS read_only,
           to_regclass('public._sqlx_migrations') IS NOT NULL AS migrated,
           to_regclass('public.events') IS NOT NULL OR to_regclass('public.log_head') IS NOT NULL
               OR to_regnamespace('views') IS NOT NULL AS occupied,
           COALESCE(has_table_privilege(to_regclass('public.events')::oid, 'INSERT')
               AND has_table_privilege(to_regclass('public.log_head')::oid, 'UPDATE')
               AND has_table_privilege(to_regclass('views.checkpoint')::oid, 'UPDATE'), true) AS may_write,
           (SELECT string_agg(name || ' = ' || setting, ', ' ORDER BY name) FROM pg_settings
             WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off') AS unsafe_settings,
           (SELECT string_agg(name || ' = ' || setting || ' ms', ', ' ORDER BY name) FROM pg_settings
             WHERE CASE WHEN name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout',
                                      'idle_in_transaction_session_timeout')
                        THEN setting::bigint BETWEEN 1 AND $SHORTEST ELSE false END) AS short_timeouts";

/// The facts about the database that are checked.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are columns of one row")]
pub(crate) struct Facts {
    version: i32,
    version_name: String,
    database: String,
    role: String,
    server_encoding: String,
    client_encoding: String,
    recovering: bool,
    read_only: bool,
    migrated: bool,
    occupied: bool,
    may_write: bool,
    unsafe_settings: Option<String>,
    short_timeouts: Option<String>,
}

impl Facts {
    /// Reads the facts from the database.
    pub(crate) async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let statement = FACTS.replace("$SHORTEST", &(SHORTEST_TIMEOUT - 1).to_string());
        let row: PgRow = connection.fetch_one(statement.as_str()).await?;
        Ok(Self {
            version: row.try_get("version")?,
            version_name: row.try_get("version_name")?,
            database: row.try_get("database")?,
            role: row.try_get("role")?,
            server_encoding: row.try_get("server_encoding")?,
            client_encoding: row.try_get("client_encoding")?,
            recovering: row.try_get("recovering")?,
            read_only: row.try_get("read_only")?,
            migrated: row.try_get("migrated")?,
            occupied: row.try_get("occupied")?,
            may_write: row.try_get("may_write")?,
            unsafe_settings: row.try_get("unsafe_settings")?,
            short_timeouts: row.try_get("short_timeouts")?,
        })
    }

    /// Why nothing can be written, or `None` if writing is possible.
    pub(crate) fn read_only(&self) -> Option<String> {
        if self.recovering {
            return Some("the database server is a standby: it becomes writable when it is promoted".to_owned());
        }
        if self.read_only {
            return Some(format!("sessions of the database {} are read-only (default_transaction_read_only)", self.database));
        }
        (!self.may_write).then(|| format!("the role {} has no privilege to write to the tables of {}", self.role, self.database))
    }

    /// Refuses a database that cannot hold the event log, and warns of settings that may lose data.
    pub(super) fn check(&self) -> Result<()> {
        let database = &self.database;
        ensure!(
            self.version >= OLDEST,
            "the database server is PostgreSQL {}, and at least version {} is needed: upgrade the server, or name another one in \
             DATABASE_URL",
            self.version_name,
            OLDEST / 10_000
        );
        ensure!(
            self.server_encoding == "UTF8",
            "the database {database} has the encoding {}, in which names such as Łódź cannot be stored. Create one with UTF-8 and \
             name it in DATABASE_URL:\n  createdb -E UTF8 -T template0 --locale=C bootledger_utf8\nTo move the data, stop all instances and run \
             `pg_dump {database} | psql bootledger_utf8`.",
            self.server_encoding
        );
        ensure!(
            self.client_encoding == "UTF8",
            "the connection to the database uses client_encoding {} and not UTF8: remove client_encoding from DATABASE_URL, \
             PGOPTIONS and the connection pooler's settings",
            self.client_encoding
        );
        ensure!(
            self.migrated || !self.occupied,
            "the database {database} has tables named like Bootledger's that Bootledger did not create. Create a database of its \
             own and name it in DATABASE_URL:\n  createdb -E UTF8 -T template0 bootledger"
        );
        if let Some(settings) = &self.unsafe_settings {
            tracing::warn!(
                "the database server runs with {settings}: a crash or a power failure can lose accepted commands; turn these on"
            );
        }
        if let Some(timeouts) = &self.short_timeouts {
            tracing::warn!(
                "the database cancels slow work early ({timeouts}): imports and rebuilds may fail; raise these or set 0"
            );
        }
        Ok(())
    }

    /// Refuses a schema of a newer program or of a different one. Returns whether the schema is complete.
    pub(super) async fn check_schema(&self, connection: &mut PgConnection, known: &BTreeSet<i64>) -> Result<bool> {
        if !self.migrated {
            return Ok(false);
        }
        let rows = connection.fetch_all("SELECT version FROM public._sqlx_migrations").await;
        let rows = rows.map_err(|error| failed(error, "the database's schema version cannot be read"))?;
        let applied = rows.iter().map(|row| row.try_get("version")).collect::<Result<BTreeSet<i64>, _>>()?;
        let database = &self.database;
        if !applied.is_empty() && applied.is_disjoint(known) {
            bail!(
                "the database {database} belongs to another program, which keeps its own migrations in it. Create a database for \
                 Bootledger and name it in DATABASE_URL:\n  createdb -E UTF8 -T template0 bootledger"
            );
        }
        if let Some(newest) = applied.difference(known).max() {
            bail!(
                "the schema of the database {database} is newer than this program (it has migration {newest}): install the version \
                 of Bootledger that wrote it, or a later one"
            );
        }
        Ok(known.is_subset(&applied))
    }
}

/// Connects, within a time limit.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(refused(error)),
        Err(_) => bail!("the database did not accept a connection within {} seconds", PATIENCE.as_secs()),
    }
}

/// The connection's error, with an explanation where a connection pooler rejects what PostgreSQL accepts.
fn refused(error: sqlx::Error) -> anyhow::Error {
    let message = error.as_database_error().map(sqlx::error::DatabaseError::message).unwrap_or_default();
    if message.contains("unsupported startup parameter") {
        let parameter = message.rsplit(": ").next().unwrap_or_default().to_owned();
        return anyhow!(error).context(format!(
            "the database is behind a connection pooler that refuses the startup parameter {parameter}: remove it from DATABASE_URL \
             (`options=` there) and from PGOPTIONS, and set it with ALTER ROLE … SET; or list it in the pooler's \
             ignore_startup_parameters, which ignores it"
        ));
    }
    failed(error, "cannot connect to the database")
}

/// An error with the failed operation and, if known, an explanation of its cause.
pub(super) fn failed(error: sqlx::Error, what: &str) -> anyhow::Error {
    match Cause::of(&error) {
        Cause::Defect => anyhow!(error).context(what.to_owned()),
        cause => anyhow!(error).context(format!("{what}: {}", cause.sentence())),
    }
}

/// Closes a connection that is no longer needed. A failure at this point is irrelevant, since the connection has done its work.
pub(super) async fn close(connection: PgConnection) {
    drop(tokio::time::timeout(Duration::from_secs(1), connection.close()).await);
}

/// The work's result, or an error if the database takes too long.
pub(super) async fn within<T>(work: impl Future<Output = Result<T>>, what: &str) -> Result<T> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .with_context(|| format!("{what}: the database did not answer within {} seconds", PATIENCE.as_secs()))?
}
