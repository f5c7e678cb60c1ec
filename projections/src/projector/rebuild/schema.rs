//! The schema `views_next`: created like `views`, compared with it, and switched into its place.
//!
//! Names of tables come from the database's own catalogue, never from outside, so building statements from them is safe.

use super::Difference;
use crate::error::Result;
use sqlx::{Executor, PgConnection};

/// Indexes that the projector's queries need in addition to the unique ones. All others are created once the tables are full,
/// which takes a fraction of the time.
const NEEDED: [&str; 5] =
    ["plugin_runs_waiting", "holdings_now_holder", "dns_records_now_device", "parked_aggregates", "devices_now_by_unit"];

/// The tables whose current rows the projector queries.
pub(super) const ANALYZED: [&str; 7] =
    ["deployments", "devices", "dhcp_entries", "dns_records", "holdings", "installations", "plugin_runs"];

struct Index {
    name: String,
    definition: String,
    /// The table and constraint of a primary key.
    primary: Option<(String, String)>,
}

/// Creates the tables of `views` in `views_next`, empty, at position 0.
pub(super) async fn create(connection: &mut PgConnection) -> Result<()> {
    connection.execute("DROP SCHEMA IF EXISTS views_old CASCADE").await?;
    drop_next(connection).await?;
    connection.execute("CREATE SCHEMA views_next").await?;
    for table in tables(connection).await? {
        let statement = format!("CREATE TABLE views_next.{table} (LIKE views.{table} INCLUDING ALL EXCLUDING INDEXES)");
        connection.execute(statement.as_str()).await?;
    }
    for index in indexes(connection, "views").await? {
        if index.definition.starts_with("CREATE UNIQUE") || NEEDED.contains(&index.name.as_str()) {
            copy(connection, &index).await?;
        }
    }
    connection.execute("INSERT INTO views_next.checkpoint (position) VALUES (0)").await?;
    Ok(())
}

/// Creates the other indexes and gathers statistics, so that the first queries are as fast as later ones.
pub(super) async fn finish(connection: &mut PgConnection) -> Result<()> {
    let made: Vec<String> = indexes(connection, "views_next").await?.into_iter().map(|index| index.name).collect();
    for index in indexes(connection, "views").await? {
        if !made.contains(&index.name) {
            copy(connection, &index).await?;
        }
    }
    let tables = tables(connection).await?;
    analyze(connection, &tables.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// Gathers statistics about some of the new tables.
pub(super) async fn analyze(connection: &mut PgConnection, tables: &[&str]) -> Result<()> {
    for table in tables {
        connection.execute(format!("ANALYZE views_next.{table}").as_str()).await?;
    }
    Ok(())
}

/// Replaces the old views with the new ones.
pub(super) async fn switch(connection: &mut PgConnection) -> Result<()> {
    connection.execute("ALTER SCHEMA views RENAME TO views_old; ALTER SCHEMA views_next RENAME TO views").await?;
    Ok(())
}

/// Drops the old views. This is separate from the switch, because it waits for every reader.
pub(super) async fn drop_old(connection: &mut PgConnection) -> Result<()> {
    connection.execute("DROP SCHEMA views_old CASCADE").await?;
    Ok(())
}

/// Drops what an interrupted rebuild or a comparison has left.
pub(super) async fn drop_next(connection: &mut PgConnection) -> Result<()> {
    connection.execute("DROP SCHEMA IF EXISTS views_next CASCADE").await?;
    Ok(())
}

/// The differences between the old and the new tables.
pub(super) async fn differences(connection: &mut PgConnection) -> Result<Vec<Difference>> {
    let mut found = vec![];
    for table in tables(connection).await? {
        let (old, new) = (format!("SELECT * FROM views.{table}"), format!("SELECT * FROM views_next.{table}"));
        found.extend(difference(connection, &table, &old, &new).await?);
    }
    Ok(found)
}

/// The differences between the claims and the new holdings.
pub(super) async fn claims(connection: &mut PgConnection) -> Result<Option<Difference>> {
    let old = "SELECT kind, value, holder FROM public.claims";
    let new = "SELECT kind, value, holder FROM views_next.holdings WHERE valid_to IS NULL";
    difference(connection, "claims", old, new).await
}

async fn difference(connection: &mut PgConnection, table: &str, old: &str, new: &str) -> Result<Option<Difference>> {
    let mut sides = vec![];
    for (one, other) in [(old, new), (new, old)] {
        let statement = format!("SELECT count(*), min(to_jsonb(r)::text) FROM (({one}) EXCEPT ALL ({other})) AS r");
        sides.push(sqlx::query_as::<_, (i64, Option<String>)>(&statement).fetch_one(&mut *connection).await?);
    }
    let [(only_old, old_sample), (only_new, new_sample)] = sides.as_slice() else { return Ok(None) };
    let (only_old, only_new, sample) = (*only_old, *only_new, old_sample.clone().or_else(|| new_sample.clone()));
    Ok((only_old + only_new > 0).then(|| Difference { table: table.to_owned(), only_old, only_new, sample }))
}

async fn tables(connection: &mut PgConnection) -> Result<Vec<String>> {
    let names = sqlx::query_scalar!(
        r#"SELECT quote_ident(tablename) AS "name!" FROM pg_tables WHERE schemaname = 'views' ORDER BY tablename"#
    );
    Ok(names.fetch_all(connection).await?)
}

/// The indexes of a schema. The search path must not contain the schema, so that the names are qualified.
async fn indexes(connection: &mut PgConnection, schema: &str) -> Result<Vec<Index>> {
    let rows = sqlx::query!(
        r#"SELECT i.relname::text AS "name!", pg_get_indexdef(i.oid) AS "definition!", t.relname::text AS "table!",
                  c.conname::text AS "constraint?"
           FROM pg_index x
           JOIN pg_class i ON i.oid = x.indexrelid
           JOIN pg_class t ON t.oid = x.indrelid
           LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype = 'p'
           WHERE t.relnamespace = to_regnamespace($1) ORDER BY i.relname"#,
        schema
    );
    let index = |name, definition, table, constraint: Option<String>| Index {
        name,
        definition,
        primary: constraint.map(|constraint| (table, constraint)),
    };
    let rows = rows.fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| index(row.name, row.definition, row.table, row.constraint)).collect())
}

/// Creates an index of `views` in `views_next` under the same name, which later migrations may rely on.
async fn copy(connection: &mut PgConnection, index: &Index) -> Result<()> {
    connection.execute(index.definition.replacen(" ON views.", " ON views_next.", 1).as_str()).await?;
    if let Some((table, constraint)) = &index.primary {
        let statement =
            format!("ALTER TABLE views_next.{table} ADD CONSTRAINT {constraint} PRIMARY KEY USING INDEX {}", index.name);
        connection.execute(statement.as_str()).await?;
    }
    Ok(())
}
