//! The PostgreSQL of a run: the service's own embedded server, durable, in a folder that is removed afterwards.

use anyhow::{Context, Result, ensure};
use bootledger::config::{FileChecks, StoreArguments};
use bootledger::database::Database;
use bootledger_embedded_postgres::{Postgres, Settings};
use sqlx::{ConnectOptions, Executor};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

/// A running PostgreSQL server.
pub(crate) struct Cluster {
    postgres: Postgres,
    folder: TempDir,
}

impl Cluster {
    /// Starts the server.
    pub(crate) async fn start() -> Result<Self> {
        // The folder is beside the build, on the disk that holds the project: /tmp may be in memory.
        let folder = tempfile::Builder::new().prefix("bench.").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        // When the bench runs as root, PostgreSQL runs as another user, who needs access to the folder.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let settings = Settings {
            data_directory: folder.path().to_owned(),
            binaries: None,
            guard: PathBuf::from(env!("CARGO_BIN_EXE_bootledger")),
        };
        Ok(Self { postgres: Postgres::start(&settings).await?, folder })
    }

    /// Creates an empty database and returns its URL.
    pub(crate) async fn database(&self, name: &str) -> Result<String> {
        let mut connection = self.postgres.connect_options().database("postgres").connect().await?;
        connection.execute(format!("CREATE DATABASE {name}").as_str()).await?;
        Ok(self.postgres.url().replacen("///bootledger?", &format!("///{name}?"), 1))
    }

    /// Opens a database as the service does.
    pub(crate) async fn open(&self, url: &str) -> Result<Database> {
        let data_dir = self.folder.path().to_owned();
        Database::open(
            &StoreArguments {
                database_url: Some(url.to_owned()),
                data_dir,
                postgres_bin: None,
                secrets_dir: None,
                outbound_allow: vec![],
                file_checks: FileChecks::default(),
            },
            false,
        )
        .await
    }

    /// A folder for other files, on the same disk as the database.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// One-row INSERTs per second that pgbench reaches with prepared statements and this many connections.
    pub(crate) async fn pgbench(&self, url: &str, clients: u32) -> Result<f64> {
        let database = self.open(url).await?;
        database
            .pool
            .execute("CREATE TABLE IF NOT EXISTS public.bench_rows (id bigserial PRIMARY KEY, payload text NOT NULL)")
            .await?;
        database.close().await?;
        let script = self.folder.path().join("insert.sql");
        let payload = "x".repeat(200);
        std::fs::write(&script, format!("INSERT INTO public.bench_rows (payload) VALUES ('{payload}');\n"))?;
        let mut command = tokio::process::Command::new("pgbench");
        command.args(["--no-vacuum", "--protocol=prepared", "--time=10", "--jobs=2"]).arg(format!("--client={clients}"));
        command.arg("--file").arg(&script).arg(url).stdin(Stdio::null());
        let output = command.output().await.context("pgbench cannot be started")?;
        let message = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        let line = message.lines().find_map(|line| line.strip_prefix("tps = ")).context("pgbench reported no tps")?;
        Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
    }

    /// Stops the server.
    pub(crate) async fn stop(self) -> Result<()> {
        Ok(self.postgres.stop().await?)
    }
}
