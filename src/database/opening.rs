//! The order of a start: inspect the database, refuse an unsuitable one, migrate the schema. A database that accepts no writes
//! is used as it is, if its schema is complete.

use super::checks::{Facts, close, connect, failed, within};
use super::{pooler, trial_schema};
use anyhow::{Result, anyhow, bail, ensure};
use bootledger_projections::database::cause::Cause;
use sqlx::Executor;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use std::collections::BTreeSet;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Checks the database and migrates its schema. Returns why it accepts no writes, if it accepts none.
///
/// `own` is whether the server is the embedded one, which has no pooler in front of it. `may_create` is whether an empty
/// database becomes an installation; otherwise it is refused.
pub(super) async fn prepare(options: &PgConnectOptions, own: bool, may_create: bool) -> Result<Option<String>> {
    let mut connection = connect(options).await?;
    let looked = async {
        let facts = Facts::read(&mut connection).await.map_err(|error| failed(error, "cannot query the database"))?;
        facts.check()?;
        if !own {
            pooler::refuse_shared_sessions(&mut connection, options).await?;
        }
        // If the views' schema came first, as `options` in DATABASE_URL may specify, sqlx would keep its table of migrations
        // there, and a rebuild would lose it.
        let path = connection.execute("SET search_path TO public").await;
        path.map_err(|error| failed(error, "the search path cannot be set"))?;
        let complete = facts.check_schema(&mut connection, &known()).await?;
        Ok((facts.read_only(), complete))
    };
    let (read_only, complete) = within(looked, "the database cannot be checked").await?;
    match &read_only {
        Some(why) if complete => {
            tracing::warn!("{why}: reads and boots are served, and changes are refused until the database is writable");
        }
        Some(why) => bail!(
            "{why}, and the schema in it is not that of this program: start one instance on the writable server first, which brings \
             the schema up to date"
        ),
        None => {
            if !may_create {
                refuse_empty(&mut connection).await?;
            }
            if let Err(error) = trial_schema::clear(&mut connection).await {
                tracing::warn!("what an interrupted dry run left in the database cannot be removed: {error}");
            }
            migrate(&mut connection).await?;
        }
    }
    close(connection).await;
    Ok(read_only)
}

/// Refuses a database on which no service has ever started.
async fn refuse_empty(connection: &mut PgConnection) -> Result<()> {
    let query = sqlx::query_scalar("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL").fetch_one(connection);
    let is_installed: bool = query.await.map_err(|error| failed(error, "cannot query the database"))?;
    ensure!(
        is_installed,
        "there is no installation of Bootledger in this database. Name the database of the service with --database-url or \
         DATABASE_URL; `bootledger serve` creates a new installation"
    );
    Ok(())
}

/// The migrations of this program.
fn known() -> BTreeSet<i64> {
    MIGRATOR.iter().map(|migration| migration.version).collect()
}

async fn migrate(connection: &mut PgConnection) -> Result<()> {
    MIGRATOR.run(connection).await.map_err(|error| {
        let what = "the database's schema cannot be brought up to date";
        match error {
            MigrateError::VersionMismatch(version) => anyhow!(
                "{what}: migration {version} was applied by another build of Bootledger, with other statements; use that build, or \
                 restore the database from a backup"
            ),
            MigrateError::Dirty(version) => {
                anyhow!("{what}: migration {version} was interrupted; restore the database from a backup, then start again")
            }
            error => match Cause::in_error(&error) {
                Some(Cause::AccessDenied) => anyhow!(error).context(format!(
                    "{what}: the role may not create tables. Make it the owner of the database: ALTER DATABASE … OWNER TO …"
                )),
                Some(cause) if cause.passes() => anyhow!(error).context(format!("{what}: {}", cause.sentence())),
                _ => anyhow!(error).context(what),
            },
        }
    })
}
