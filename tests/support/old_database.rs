//! A database as an earlier version of the program left it: with the migrations, the events and the claims of that version.
//!
//! Tests write events and claims as that version stored them. The remaining migrations run when the service starts on the
//! database, so these tests need no change when a migration is added.

use super::service::Service;
use anyhow::{Context, Result, ensure};
use bootledger::event_log::chain::{self, Link};
use bootledger_test_cluster::TestDatabase;
use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection, Executor};
use std::net::Ipv4Addr;
use std::path::Path;
use tempfile::TempDir;
use time::OffsetDateTime;

/// A database on which this version of the service has not started yet.
pub(crate) struct OldDatabase {
    database: TestDatabase,
    pool: PgPool,
    /// The end of the log: its last position and chain value.
    position: i64,
    chain: [u8; 32],
}

impl OldDatabase {
    /// Creates a database with the migrations before this one, and nothing else.
    pub(crate) async fn before(migration: i64) -> Result<Self> {
        let database = TestDatabase::create_with(migrations_before(migration)?.path()).await?;
        let pool = database.pool(2).await?;
        Ok(Self { database, pool, position: 0, chain: chain::START })
    }

    /// Appends an event whose payload has the form of version 1.
    pub(crate) async fn append(&mut self, aggregate_type: &str, aggregate_id: &str, payload: &Value) -> Result<()> {
        let event_type = payload["type"].as_str().context("a payload without a type")?;
        let payload = payload.to_string();
        let metadata = json!({ "actor": "user ada", "correlation_id": "" }).to_string();
        let last = "SELECT coalesce(max(sequence), 0) FROM public.events WHERE aggregate_type = $1 AND aggregate_id = $2";
        let last: i64 = sqlx::query_scalar(last).bind(aggregate_type).bind(aggregate_id).fetch_one(&self.pool).await?;
        let link = Link {
            position: self.position + 1,
            sequence: last + 1,
            recorded_at: OffsetDateTime::now_utc(),
            aggregate_type,
            aggregate_id,
            event_type,
            event_version: "1",
            payload: &payload,
            metadata: &metadata,
        };
        let chain = chain::next(&self.chain, &link);
        let insert = "INSERT INTO public.events (position, sequence, recorded_at, aggregate_type, aggregate_id, event_type, \
                      event_version, payload, metadata, chain) VALUES ($1, $2, $3, $4, $5, $6, $7, $8::json, $9::json, $10)";
        sqlx::query(insert)
            .bind(link.position)
            .bind(link.sequence)
            .bind(link.recorded_at)
            .bind(link.aggregate_type)
            .bind(link.aggregate_id)
            .bind(link.event_type)
            .bind(link.event_version)
            .bind(link.payload)
            .bind(link.metadata)
            .bind(&chain[..])
            .execute(&self.pool)
            .await?;
        let head = "UPDATE public.log_head SET position = $1, chain = $2";
        sqlx::query(head).bind(link.position).bind(&chain[..]).execute(&self.pool).await?;
        (self.position, self.chain) = (link.position, chain);
        Ok(())
    }

    /// Stores a claim that the last event took. The holder is stored as text, such as `device 0192…`.
    pub(crate) async fn claim(&self, kind: &str, value: &str, holder: &str) -> Result<()> {
        let insert = "INSERT INTO public.claims (kind, value, holder, position) VALUES ($1, $2, $3, $4)";
        sqlx::query(insert).bind(kind).bind(value).bind(holder).bind(self.position).execute(&self.pool).await?;
        Ok(())
    }

    /// Deletes a claim that the last event released.
    pub(crate) async fn release(&self, kind: &str, value: &str) -> Result<()> {
        let deleted = sqlx::query("DELETE FROM public.claims WHERE kind = $1 AND value = $2").bind(kind).bind(value);
        let deleted = deleted.execute(&self.pool).await?.rows_affected();
        ensure!(deleted == 1, "nothing holds the {kind} {value}");
        Ok(())
    }

    /// Connections for other rows that the earlier version stored, and for queries.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Applies those of the remaining migrations that come before this one, without starting the service.
    pub(crate) async fn migrate_before(&self, migration: i64) -> Result<()> {
        let folder = migrations_before(migration)?;
        let mut connection = PgConnection::connect_with(&self.database.connect_options()).await?;
        // With `views` first on the search path, sqlx would create a second table of applied migrations there.
        connection.execute("SET search_path TO public").await?;
        Migrator::new(folder.path()).await?.run(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Starts this version of the service on the database, which applies the remaining migrations and creates the
    /// administrator.
    pub(crate) async fn start(self, address: Ipv4Addr) -> Result<Service> {
        self.pool.close().await;
        Service::start_on(address, self.database).await
    }
}

/// A folder with the project's migrations before this one.
fn migrations_before(migration: i64) -> Result<TempDir> {
    let (folder, mut is_known) = (tempfile::tempdir()?, false);
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"))? {
        let file = file?;
        let name = file.file_name();
        let version = name.to_string_lossy().split_once('_').and_then(|(version, _)| version.parse::<i64>().ok());
        // Other files, such as those of an editor, are not migrations.
        let Some(version) = version else { continue };
        is_known |= version == migration;
        if version < migration {
            std::fs::copy(file.path(), folder.path().join(name))?;
        }
    }
    ensure!(is_known, "there is no migration {migration}");
    Ok(folder)
}
