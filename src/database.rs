//! Opens the database: the one that `DATABASE_URL` names, otherwise the embedded server. The embedded server is started, or
//! shared with a service that already runs it.

pub(crate) mod canary;
pub(crate) mod checks;
pub mod data_directory;
pub mod instance;
pub mod key;
mod opening;
mod pooler;
mod settings;
pub(crate) mod trial_schema;

use crate::config::StoreArguments;
use anyhow::{Context, Result, ensure};
use bootledger_embedded_postgres::{self as embedded_postgres, Postgres, Settings};
use bootledger_projections::database::pool::sessions::Sessions;
use bootledger_projections::database::pool::{Limits, Pool};
use sqlx::postgres::PgConnectOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// The maximum number of connections of one instance, in addition to those of the group writer, the stream reader, the
/// listener, the canary and the heartbeat. Each group of callers has its own pool, so that none can exhaust another's.
const PEOPLE: u32 = 10;
const AGENTS: u32 = 6;
const WORKERS: u32 = 8;

/// How long a caller waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);

/// The time limit of a statement. Agents get half of it, because their queries are small and their scripts wait.
const STATEMENT: Duration = Duration::from_secs(10);

/// How long closing waits for connections that are in use.
const CLOSE: Duration = Duration::from_secs(1);

/// An open database whose schema is up to date.
pub struct Database {
    /// The pool for pages and the API.
    pub people: Pool,
    /// The pool for machines: DHCP agents, DNS, Puppet, booting servers and monitoring.
    pub agents: Pool,
    /// The pool for the service's own workers, and for commands that run once.
    pub pool: Pool,
    /// Opens further connections.
    pub sessions: Sessions,
    /// The embedded server, if this process started it.
    pub embedded: Option<Postgres>,
    /// Why the database accepts no writes, if it accepted none when it was opened.
    pub read_only: Option<String>,
}

impl Database {
    /// Connects and migrates. With `may_share`, the embedded server of a running service may be used; such a program needs an
    /// existing installation and never creates one.
    ///
    /// # Errors
    /// Returns an error if there is no existing installation and one is needed, if the data folder cannot be protected, if
    /// the embedded server does not start, or if the database cannot be reached, is not suitable or cannot be migrated.
    pub async fn open(arguments: &StoreArguments, may_share: bool) -> Result<Self> {
        if may_share && arguments.database_url.is_none() {
            refuse_missing(&arguments.data_dir)?;
        }
        // A different user may run the service's commands, unless they start the embedded server.
        if arguments.database_url.is_none() || !may_share {
            data_directory::protect(&arguments.data_dir, arguments.database_url.is_none())?;
        }
        let (options, embedded) = match &arguments.database_url {
            Some(url) => (url.parse().context("DATABASE_URL is not a PostgreSQL URL")?, None),
            None => embedded(arguments, may_share).await?,
        };
        // PgBouncer rejects this parameter, whose value is PostgreSQL's default anyway.
        let options = options.application_name("bootledger").extra_float_digits(None);
        let read_only = opening::prepare(&options, embedded.is_some(), !may_share).await?;
        let sessions = settings::of_sessions(options);
        let pool = |connections, statement| Pool::new(sessions.clone(), Limits { connections, acquire: ACQUIRE, statement });
        let (people, workers) = (pool(PEOPLE, STATEMENT), pool(WORKERS, STATEMENT));
        let agents = pool(AGENTS, STATEMENT / 2);
        drop(workers.acquire().await.context("the database cannot be reached")?);
        Ok(Self { people, agents, pool: workers, sessions, embedded, read_only })
    }

    /// Closes all connections, then stops the embedded server; for commands that run once.
    ///
    /// # Errors
    /// Returns an error if the embedded server did not end properly.
    pub async fn close(self) -> Result<()> {
        self.close_by(Instant::now() + CLOSE * 2).await
    }

    /// Closes all connections, then stops the embedded server. Both have ended by `until`, regardless of the database's state:
    /// connections that do not respond are dropped, and a server that is still running is left to its guard.
    ///
    /// # Errors
    /// Returns an error if the embedded server did not end properly. If it has not ended by `until`, this function only writes
    /// a warning to the log.
    pub async fn close_by(self, until: Instant) -> Result<()> {
        let limit = CLOSE.min(until.saturating_duration_since(Instant::now()) / 2);
        futures::future::join_all([&self.people, &self.agents, &self.pool].map(|pool| pool.close_within(limit))).await;
        if let Some(embedded) = self.embedded {
            if let Ok(stopped) = tokio::time::timeout_at(until, embedded.stop()).await {
                stopped?;
            } else {
                tracing::warn!("PostgreSQL has not stopped yet; its guard process continues to stop it");
            }
        }
        Ok(())
    }
}

/// Refuses a data folder in which no service has ever started.
fn refuse_missing(data_directory: &Path) -> Result<()> {
    // The cluster of another user cannot be inspected. In that case, opening it reports what is missing.
    let is_missing = matches!(embedded_postgres::version_file(data_directory).try_exists(), Ok(false));
    ensure!(
        !is_missing,
        "there is no installation of Bootledger in the folder {}. Name the service's folder with --data-dir, or its database with \
         --database-url; `bootledger serve` creates a new installation",
        std::path::absolute(data_directory).unwrap_or_else(|_| data_directory.to_owned()).display()
    );
    Ok(())
}

async fn embedded(arguments: &StoreArguments, may_share: bool) -> Result<(PgConnectOptions, Option<Postgres>)> {
    let settings = Settings { binaries: arguments.postgres_bin.clone(), ..Settings::new(&arguments.data_dir)? };
    match Postgres::start(&settings).await {
        Ok(postgres) => {
            tokio::fs::write(url_file(&arguments.data_dir), postgres.url()).await.context("the data folder cannot be written")?;
            Ok((postgres.connect_options(), Some(postgres)))
        }
        Err(embedded_postgres::Error::InUse { .. }) if may_share => {
            let url = tokio::fs::read_to_string(url_file(&arguments.data_dir)).await;
            let url = url.context("a service is just starting in this data folder; try again in a moment")?;
            Ok((url.parse().context("the file postgres.url in the data folder is damaged")?, None))
        }
        Err(error) => Err(error.into()),
    }
}

/// The file in which a running service publishes the URL of its embedded server.
fn url_file(data_directory: &Path) -> PathBuf {
    data_directory.join("postgres.url")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_an_installation_is_refused_and_stays_as_it_is() {
        let around = tempfile::tempdir().expect("a folder");
        for folder in [around.path().join("typo"), around.path().to_owned()] {
            let refused = refuse_missing(&folder).expect_err("refused").to_string();
            assert!(refused.contains(&folder.display().to_string()) && refused.contains("--data-dir"), "{refused}");
        }
        assert_eq!(std::fs::read_dir(around.path()).expect("a folder").count(), 0, "nothing was made");
        let version = embedded_postgres::version_file(around.path());
        std::fs::create_dir_all(version.parent().expect("a folder")).expect("folders");
        std::fs::write(version, "15").expect("a file");
        refuse_missing(around.path()).expect("an installation");
    }
}
