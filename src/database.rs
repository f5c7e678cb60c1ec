//! The database: the one that `DATABASE_URL` names, else the embedded server, started or, where a
//! running service has it already, shared with that service.

use crate::config::StoreArguments;
use crate::data_directory;
use crate::postgres::{self, Postgres, Settings};
use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many connections one instance uses at most, beside the group writer's and the feed's.
const CONNECTIONS: u32 = 24;

/// How long a request waits for a connection before it is told that the database cannot be reached.
const ACQUIRE: Duration = Duration::from_secs(5);

/// After how long without use a connection is tested before it is used again.
const TESTED_AFTER: Duration = Duration::from_secs(1);

/// A database with its schema up to date.
pub struct Database {
    /// For everything but the group writer.
    pub pool: PgPool,
    /// How to make further connections.
    pub options: PgConnectOptions,
    /// The embedded server, if this program started it.
    pub embedded: Option<Postgres>,
}

impl Database {
    /// Connects and migrates. `may_share` allows the embedded server of a running service.
    pub async fn open(arguments: &StoreArguments, may_share: bool) -> Result<Self> {
        // The service's commands may be run by another user, unless they start the embedded server.
        if arguments.database_url.is_none() || !may_share {
            data_directory::protect(&arguments.data_dir, arguments.database_url.is_none())?;
        }
        let (options, embedded) = match &arguments.database_url {
            Some(url) => (url.parse().context("DATABASE_URL is no PostgreSQL URL")?, None),
            None => embedded(arguments, may_share).await?,
        };
        // Plans are made for each question, since one statement asks about now and about the past. To compile them takes
        // longer than any of them does.
        let options: PgConnectOptions = options.application_name("bootledger").options([
            ("search_path", "views,public"),
            ("plan_cache_mode", "force_custom_plan"),
            ("jit", "off"),
        ]);
        migrate(&options).await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            // A round trip before each question only where the connection may have been lost meanwhile.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > TESTED_AFTER {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(options.clone())
            .await
            .context("the database cannot be reached")?;
        Ok(Self { pool, options, embedded })
    }

    /// Closes all connections, then stops the embedded server.
    pub async fn close(self) -> Result<()> {
        self.pool.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
        }
        Ok(())
    }
}

/// Brings the schema up to date. With the views' schema first on the path, sqlx would keep its own
/// table of migrations there, and a rebuild would lose it.
async fn migrate(options: &PgConnectOptions) -> Result<()> {
    let mut connection =
        options.clone().options([("search_path", "public")]).connect().await.context("the database cannot be reached")?;
    let migrated = sqlx::migrate!("./migrations").run(&mut connection).await;
    migrated.context("the database's schema cannot be brought up to date")?;
    Ok(connection.close().await?)
}

async fn embedded(arguments: &StoreArguments, may_share: bool) -> Result<(PgConnectOptions, Option<Postgres>)> {
    let settings = Settings { binaries: arguments.postgres_bin.clone(), ..Settings::new(&arguments.data_dir)? };
    match Postgres::start(&settings).await {
        Ok(postgres) => {
            tokio::fs::write(url_file(&arguments.data_dir), postgres.url())
                .await
                .context("the data directory cannot be written")?;
            Ok((postgres.connect_options(), Some(postgres)))
        }
        Err(postgres::Error::InUse { .. }) if may_share => {
            let url = tokio::fs::read_to_string(url_file(&arguments.data_dir)).await;
            let url = url.context("a service is just starting in this data directory; try again in a moment")?;
            Ok((url.parse().context("the file postgres.url in the data directory is damaged")?, None))
        }
        Err(error) => Err(error.into()),
    }
}

/// Where the running service says how its embedded server is reached.
fn url_file(data_directory: &Path) -> PathBuf {
    data_directory.join("postgres.url")
}
