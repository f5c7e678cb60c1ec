//! A copy of log and views in which commands can be tried: the same rules apply as in the service, and no changes remain.
//!
//! The copy is a schema of the same database, as for a rebuild, which the search path of the trial's connections finds first.
//! Streams are not copied: a view shows the log up to the moment of the copy, followed by the events that the trial appends to
//! a table of its own. Notifications do not leave the trial. A dry run holds a lease. The schema of an interrupted one is
//! removed by the next one, and by each program that opens the database.

use crate::commands::CommandService;
use crate::database::Database;
use crate::database::trial_schema::{LEASE, SCHEMA, lease};
use crate::event_log::EventLog;
use crate::event_log::feed::Feed;
use anyhow::{Context, Result, bail};
use bootledger_projections::database::pool::{Limits, Pool};
use sqlx::{Connection, Executor, PgConnection};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The search path of a trial's connections. The system's functions come last, so that the trial's own function takes
/// precedence.
const SEARCH_PATH: &str = "import_trial, views, public, pg_catalog";

/// Tables whose rows no rule needs: history, which is long, and secrets, which must not be copied.
const EMPTY: [&str; 7] =
    ["timeline", "commands", "token_secrets", "user_passwords", "session_secrets", "service_key", "known_clients"];

/// How long a dry run waits for another one that is ending or was killed.
const PATIENCE: Duration = Duration::from_secs(3);

/// The maximum size of the copied tables, with their indexes and past rows, in bytes.
const LARGEST: i64 = 16 << 30;

/// How long a statement of a trial may take.
const STATEMENT: Duration = Duration::from_secs(30);

/// A copy, with the parts that use it.
pub struct Trial {
    /// The pool of the copied views.
    pub views: Pool,
    /// The command service on the copy.
    pub commands: CommandService,
    connection: PgConnection,
    stopping: watch::Sender<bool>,
}

impl Trial {
    /// Copies the current state.
    ///
    /// # Errors
    /// Returns an error if the database accepts no writes, or if another trial is in progress.
    pub async fn open(database: &Database, commands: &CommandService) -> Result<Self> {
        if let Some(why) = &database.read_only {
            bail!("a dry run needs a copy inside the database, and {why}. Run it when the database is writable");
        }
        let mut connection = database.pool.connect_beside().await?;
        // A dry run that is killed during a long statement would hold the lease until the statement ends. PostgreSQL rejects
        // this setting on systems that do not support it, and the dry run works without it.
        if let Err(error) = connection.execute("SET client_connection_check_interval = '1s'").await {
            tracing::debug!("if this dry run is killed, the database notices only when the current statement ends: {error}");
        }
        let requested = Instant::now();
        while !lease(&mut connection).await? {
            if requested.elapsed() > PATIENCE {
                bail!("another dry run is running in this database. Wait until it has ended");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        limit(&mut connection).await?;
        copy(&mut connection).await.context("the log and the views cannot be copied for the dry run")?;
        let sessions = database.sessions.clone().with([("search_path", SEARCH_PATH), ("synchronous_commit", "off")]);
        let limits = Limits { connections: 8, acquire: Duration::from_secs(10), statement: STATEMENT };
        let views = Pool::new(sessions.clone(), limits);
        let (stopping, stop) = watch::channel(false);
        let mut copied = commands.clone();
        copied.feed = Feed::of_copy(views.clone(), stop).await?;
        copied.log = EventLog::start(views.clone(), sessions).notifying(copied.feed.clone());
        copied.views = views.clone();
        Ok(Self { views, commands: copied, connection, stopping })
    }

    /// Removes the copy.
    ///
    /// # Errors
    /// Returns an error if the copy cannot be removed. The next dry run removes it then.
    pub async fn close(mut self) -> Result<()> {
        self.stopping.send_replace(true);
        drop(self.commands);
        self.views.close_within(Duration::from_secs(5)).await;
        self.connection.execute(format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE").as_str()).await?;
        // The server ends a session some time after the client disconnects, and the next dry run must not have to wait for
        // that.
        self.connection.execute(format!("SELECT pg_advisory_unlock({LEASE})").as_str()).await?;
        Ok(self.connection.close().await?)
    }
}

/// Refuses a copy that would use too much of the database's disk.
async fn limit(connection: &mut PgConnection) -> Result<()> {
    let mut bytes = 0;
    for (table, source, ..) in tables(connection).await? {
        if !EMPTY.contains(&table.as_str()) {
            let size: i64 = sqlx::query_scalar("SELECT pg_total_relation_size($1::regclass)")
                .bind(source)
                .fetch_one(&mut *connection)
                .await?;
            bytes += size;
        }
    }
    if bytes > LARGEST {
        bail!(
            "a dry run copies the tables of the present state, which have {} MiB with their past, more than the {} MiB that it may take \
             of the database's disk. Import without --dry-run, or try the file with a copy of the database",
            bytes >> 20,
            LARGEST >> 20
        );
    }
    Ok(())
}

async fn copy(connection: &mut PgConnection) -> Result<()> {
    // All table names are qualified, so the search path does not matter. A crash would lose only the copy, so its commit need
    // not wait for the disk.
    connection.execute("SET synchronous_commit = off").await?;
    let mut transaction = connection.begin().await?;
    transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    transaction.execute(format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}").as_str()).await?;
    for (table, source, columns, temporal) in tables(&mut transaction).await? {
        let create = format!("CREATE TABLE {SCHEMA}.{table} (LIKE {source} INCLUDING ALL)");
        transaction.execute(create.as_str()).await?;
        if EMPTY.contains(&table.as_str()) {
            continue;
        }
        // Rules need only the present state.
        let now = if temporal { " WHERE valid_to IS NULL" } else { "" };
        let fill = format!("INSERT INTO {SCHEMA}.{table} ({columns}) SELECT {columns} FROM {source}{now}");
        transaction.execute(fill.as_str()).await.with_context(|| format!("table {table}"))?;
        transaction.execute(format!("ANALYZE {SCHEMA}.{table}").as_str()).await?;
    }
    let last: i64 = sqlx::query_scalar("SELECT position FROM public.log_head").fetch_one(&mut *transaction).await?;
    let events = format!(
        "CREATE TABLE {SCHEMA}.new_events (LIKE public.events INCLUDING ALL);
         CREATE VIEW {SCHEMA}.events AS
             SELECT * FROM public.events WHERE position <= {last} UNION ALL SELECT * FROM {SCHEMA}.new_events;
         CREATE FUNCTION {SCHEMA}.append_event() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO {SCHEMA}.new_events SELECT NEW.*; RETURN NEW; END $$;
         CREATE TRIGGER append INSTEAD OF INSERT ON {SCHEMA}.events FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.append_event();
         CREATE FUNCTION {SCHEMA}.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT';"
    );
    transaction.execute(events.as_str()).await?;
    Ok(transaction.commit().await?)
}

/// Each table with its qualified name, its columns that are not generated, and whether it has past rows.
async fn tables(connection: &mut PgConnection) -> Result<Vec<(String, String, String, bool)>> {
    let rows = sqlx::query_as(
        "SELECT quote_ident(c.relname), quote_ident(n.nspname) || '.' || quote_ident(c.relname),
                string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''),
                bool_or(a.attname = 'valid_to')
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE n.nspname IN ('views', 'public') AND c.relkind = 'r' AND c.relname NOT IN ('events', '_sqlx_migrations')
          GROUP BY n.nspname, c.relname ORDER BY c.relname",
    );
    Ok(rows.fetch_all(connection).await?)
}
