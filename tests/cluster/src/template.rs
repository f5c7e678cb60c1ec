//! The migrated database that tests copy, created once per run by the test that runs first.
//!
//! It is marked `datistemplate` only when it is complete, so that what a killed process leaves is never mistaken for a
//! template. Its name contains a hash of the migrations: a changed migration creates another template.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use crate::Cluster;

/// The advisory lock held while the template is created; any number that nothing else in the cluster locks.
const ADVISORY_LOCK: i64 = 0x0b00_71ed_9e12;

/// Returns the name of a template with all of `migrations` applied, and creates it if it is missing.
pub(crate) async fn prepare(cluster: &Cluster, migrations: &Path) -> Result<String> {
    let migrator =
        Migrator::new(migrations).await.with_context(|| format!("cannot read the migrations in {}", migrations.display()))?;
    let name = name(&migrator);
    let mut connection = cluster.connect("postgres").await?;
    if !is_ready(&mut connection, &name).await? {
        sqlx::query("SELECT pg_advisory_lock($1)").bind(ADVISORY_LOCK).execute(&mut connection).await?;
        if !is_ready(&mut connection, &name).await? {
            make(cluster, &mut connection, &migrator, &name).await?;
        }
    }
    // The lock ends with its connection.
    connection.close().await?;
    Ok(name)
}

fn name(migrator: &Migrator) -> String {
    let mut hasher = DefaultHasher::new();
    for migration in migrator.iter() {
        (migration.version, &migration.checksum).hash(&mut hasher);
    }
    format!("template_{:016x}", hasher.finish())
}

async fn is_ready(connection: &mut PgConnection, name: &str) -> Result<bool> {
    let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

async fn make(cluster: &Cluster, connection: &mut PgConnection, migrator: &Migrator, name: &str) -> Result<()> {
    let run = async |connection: &mut PgConnection, statement: String| {
        connection.execute(statement.as_str()).await.with_context(|| format!("`{statement}` failed"))
    };
    run(connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    run(connection, format!("CREATE DATABASE {name}")).await?;
    // With `views` first on the search path, sqlx would keep a second table of applied migrations there as soon as a migration
    // has created that schema, and would apply everything again. Migrations therefore run with `public` alone.
    let mut template = cluster.connect(name).await?;
    migrator.run(&mut template).await.context("the migrations do not apply to an empty database")?;
    template.close().await?;
    let seal = format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true");
    run(connection, seal).await?;
    Ok(())
}
