//! A PostgreSQL database of its own for each test, so that tests run concurrently and never see each other's rows.
//!
//! `scripts/with-postgres` starts one throw-away cluster per run and names it in `BOOTLEDGER_TEST_POSTGRES`. The first test
//! that runs migrates a template database there; every test gets a copy of it, which takes some tens of milliseconds. This
//! crate must not use `sqlx::query!`, because it creates the database against which those macros are checked.

pub mod proxy;
mod template;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor};

/// The environment variable with the URL of the test run's cluster.
pub const VARIABLE: &str = "BOOTLEDGER_TEST_POSTGRES";

/// The schemas that unqualified table names are resolved in: the views first, then the event store.
const SEARCH_PATH: &str = "views,public";

/// The folder of the workspace's SQL files. They are read when a test runs, so a changed file needs no rebuild.
const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");

/// A migrated, otherwise empty database. It is dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    cluster: Cluster,
    dropped_at_end: bool,
}

impl TestDatabase {
    /// Creates a database and applies the workspace's migrations.
    ///
    /// # Errors
    /// Returns an error without a cluster (run through `scripts/with-postgres` or `make test`) and with a broken migration.
    pub async fn create() -> Result<Self> {
        Self::create_with(Path::new(MIGRATIONS)).await
    }

    /// Creates a database and applies the migrations of another directory, for tests of migrations themselves.
    ///
    /// # Errors
    /// Returns an error without a cluster, and with a broken migration.
    pub async fn create_with(migrations: &Path) -> Result<Self> {
        let cluster = Cluster::from_environment()?;
        let template = template::prepare(&cluster, migrations).await?;
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let mut connection = cluster.connect("postgres").await?;
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template}");
        connection
            .execute(statement.as_str())
            .await
            .with_context(|| format!("copy of the template database {template} failed"))?;
        connection.close().await?;
        Ok(Self { name, cluster, dropped_at_end: true })
    }

    /// The database's URL, with the service's search path, for programs that take a `DATABASE_URL`.
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// The same as [`url`](Self::url), for code that opens its own connections.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.cluster.options.clone().database(&self.name).options([("search_path", SEARCH_PATH)])
    }

    /// Where the cluster listens, for a [`proxy`] in front of it.
    pub fn target(&self) -> proxy::Target {
        proxy::Target::Unix(self.cluster.folder().join(".s.PGSQL.5432"))
    }

    /// The database's URL through a proxy that leads to [`target`](Self::target).
    pub fn url_through(&self, proxy: &proxy::Proxy) -> String {
        let (address, name) = (proxy.address(), &self.name);
        format!("postgres://postgres@{address}/{name}?sslmode=disable&options=-c%20search_path%3D{SEARCH_PATH}")
    }

    /// A pool of at most `max_connections`; all tests of a run share the cluster's 300.
    ///
    /// # Errors
    /// Returns an error if the database cannot be reached.
    pub async fn pool(&self, max_connections: u32) -> Result<PgPool> {
        PgPoolOptions::new()
            .max_connections(max_connections)
            .connect_with(self.connect_options())
            .await
            .with_context(|| format!("cannot connect to the test database {}", self.name))
    }

    /// Leaves the database in the cluster, for another process to use, and returns its URL.
    pub fn keep(mut self) -> String {
        self.dropped_at_end = false;
        self.url()
    }
}

impl Drop for TestDatabase {
    /// Drops the database even if it has connections. A failure is ignored, because the whole cluster is discarded soon.
    fn drop(&mut self) {
        if !self.dropped_at_end {
            return;
        }
        let cluster = self.cluster.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A runtime cannot be started or blocked on inside the test's own runtime, so this needs a thread.
        let dropped = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = cluster.connect("postgres").await?;
                connection.execute(statement.as_str()).await?;
                Ok(connection.close().await?)
            })
        });
        drop(dropped.join());
    }
}

/// The cluster of this test run.
#[derive(Clone, Debug)]
struct Cluster {
    url: String,
    options: PgConnectOptions,
}

impl Cluster {
    fn from_environment() -> Result<Self> {
        Self::parse(std::env::var(VARIABLE).unwrap_or_default())
    }

    fn parse(url: String) -> Result<Self> {
        ensure!(
            !url.is_empty(),
            "{VARIABLE} is not set, so there is no PostgreSQL to test with: run the tests through `make test`, or \
             put `scripts/with-postgres` before the command, as in `scripts/with-postgres cargo nextest run`"
        );
        ensure!(
            url.starts_with("postgres:///postgres?"),
            "{VARIABLE} is `{url}`, but must look like `postgres:///postgres?host=DIRECTORY&user=postgres`, as \
             `scripts/with-postgres` sets it"
        );
        let options = url
            .parse::<PgConnectOptions>()
            .with_context(|| format!("{VARIABLE} is not a PostgreSQL URL"))?
            .disable_statement_logging();
        Ok(Self { url, options })
    }

    /// The folder of its Unix socket.
    fn folder(&self) -> PathBuf {
        let host = self.url.split(['?', '&']).find_map(|part| part.strip_prefix("host="));
        PathBuf::from(host.unwrap_or_default())
    }

    fn url(&self, database: &str) -> String {
        let query = self.url.trim_start_matches("postgres:///postgres?");
        format!("postgres:///{database}?{query}&options=-c%20search_path%3D{SEARCH_PATH}")
    }

    /// Connects as the cluster's owner, with PostgreSQL's own search path.
    async fn connect(&self, database: &str) -> Result<PgConnection> {
        let options = self.options.clone().database(database);
        PgConnection::connect_with(&options)
            .await
            .with_context(|| format!("cannot connect to the test cluster at {VARIABLE}; was it stopped?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_cluster_is_explained() {
        let error = Cluster::parse(String::new()).unwrap_err().to_string();
        assert!(error.contains("scripts/with-postgres"), "{error}");
        assert!(error.contains("make test"), "{error}");
    }

    #[test]
    fn the_url_names_the_database_and_keeps_the_socket() {
        let cluster = Cluster::parse("postgres:///postgres?host=/tmp/x&user=postgres".to_owned());
        assert_eq!(
            cluster.unwrap().url("test_1"),
            "postgres:///test_1?host=/tmp/x&user=postgres&options=-c%20search_path%3Dviews,public"
        );
    }
}
