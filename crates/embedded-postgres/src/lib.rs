//! A private PostgreSQL server for a service without a `DATABASE_URL`, so that the program and the distribution's package are
//! sufficient to start.
//!
//! ```text
//! service ──pipe──▶ guard (bootledger postgres-guard) ──▶ postgres ──▶ its own processes
//! ```
//!
//! The guard stops the server when the service's end of the pipe closes, which happens however the service dies. Two locks
//! prevent runs from overlapping. `<data-dir>/lock` belongs to the service and refuses a second one at once.
//! `<data-dir>/postgres/lock` is inherited by the guard, the server and all of its processes, so it is free only when no
//! process of an earlier run is left; a start waits for it.
//!
//! The service connects to the cluster through a Unix socket in a folder that only its owner (and root) can enter, so no
//! password is needed. Nothing here may make a commit less durable than PostgreSQL's defaults do.

mod binaries;
mod cluster;
mod error;
pub mod guard;
mod leftover;
mod lock;
mod owner;
mod server;

use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub use error::{Error, Result};

use binaries::Binaries;
use cluster::{Cluster, NAME};
use lock::Lock;
use server::Server;

/// A file that exists in the cluster of a data folder once the cluster has been created.
pub fn version_file(data_directory: &Path) -> PathBuf {
    data_directory.join("postgres").join("cluster").join("PG_VERSION")
}

/// The settings of the embedded server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The service's data folder, created if missing. The embedded server uses `postgres/`, `postgres.log` and `lock` in it.
    pub data_directory: PathBuf,
    /// The folder with `initdb` and `postgres`; searched for if `None`.
    pub binaries: Option<PathBuf>,
    /// The program that provides the `postgres-guard` subcommand.
    pub guard: PathBuf,
}

impl Settings {
    /// Settings for the running program, which must pass `postgres-guard` on to [`guard::run`].
    ///
    /// # Errors
    /// Returns an error if the path of the running program cannot be determined.
    pub fn new(data_directory: impl Into<PathBuf>) -> Result<Self> {
        let guard = std::env::current_exe().map_err(error::io("find this program's own file"))?;
        Ok(Self { data_directory: data_directory.into(), binaries: None, guard })
    }
}

/// A running server. Dropping it begins a fast shutdown; [`stop`](Self::stop) also waits until that has ended.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    socket_directory: PathBuf,
    _lock: Lock,
}

impl Postgres {
    /// Starts the server, with a new cluster at the first start, and returns when it accepts connections.
    ///
    /// Waits for a server left by a crash to end.
    ///
    /// # Errors
    /// Returns an error if another service uses the data folder, if the server's user cannot reach it, if the cluster
    /// belongs to a different user or major version, if the server programs are missing, or if the server does not accept
    /// connections in time. See [`Error`].
    pub async fn start(settings: &Settings) -> Result<Self> {
        let directory = cluster::make_data_directory(&settings.data_directory)?;
        let lock = Lock::take(&directory)?;
        let cluster = Cluster::open(&directory)?;
        let binaries = Binaries::find(settings.binaries.as_deref(), &cluster)?;
        let alive = leftover::wait_for_end(&cluster).await?;
        cluster.initialise(&binaries, &alive).await?;
        let socket_directory = cluster.socket_directory()?;
        let server = Server::start(&settings.guard, &binaries, &cluster, &socket_directory, alive)?;
        let mut postgres = Self { server, socket_directory, _lock: lock };
        let maintenance = postgres.connect_options().database("postgres");
        postgres.server.wait_until_ready(&maintenance).await?;
        tracing::info!(directory = %cluster.directory().display(), "PostgreSQL is ready");
        Ok(postgres)
    }

    /// The connection options, as the owner of the service's own database.
    pub fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_directory)
            .port(5432)
            .username(NAME)
            .database(NAME)
            .ssl_mode(PgSslMode::Disable)
    }

    /// The same as a URL, for `psql` and other programs.
    pub fn url(&self) -> String {
        let host = self.socket_directory.to_string_lossy();
        let host = utf8_percent_encode(&host, NON_ALPHANUMERIC);
        format!("postgres:///{NAME}?host={host}&port=5432&user={NAME}")
    }

    /// The folder with the server's Unix socket, `.s.PGSQL.5432`.
    pub fn socket_directory(&self) -> &Path {
        &self.socket_directory
    }

    /// Returns with the reason when the server has ended unexpectedly, so that the service can end as well.
    pub async fn ended(&mut self) -> Error {
        self.server.ended().await
    }

    /// Shuts the server down (open connections are closed, committed data is written) and waits for its end.
    ///
    /// # Errors
    /// Returns [`Error::Failed`], with the end of the server's log, if the server did not end properly.
    pub async fn stop(self) -> Result<()> {
        self.server.stop().await
    }
}
