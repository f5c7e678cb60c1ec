//! Writes the counts of current rows. Zero counts are deleted, so that the table does not depend on rows that existed only for
//! a time.

use super::column;
use crate::error::Result;
use crate::projector::state::State;
use crate::projector::tallies;
use sqlx::PgConnection;
use std::collections::BTreeSet;

pub(super) async fn write(connection: &mut PgConnection, state: &State) -> Result<()> {
    of_roles(connection, state).await?;
    of_sites(connection, state).await?;
    of_addresses(connection, state).await
}

async fn of_roles(connection: &mut PgConnection, state: &State) -> Result<()> {
    let rows = tallies::of_roles(state);
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO role_tallies AS t (venture, role, devices, open, in_progress, overdue)
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
         ON CONFLICT (venture, role) DO UPDATE SET
             devices = t.devices + EXCLUDED.devices, open = t.open + EXCLUDED.open,
             in_progress = t.in_progress + EXCLUDED.in_progress, overdue = t.overdue + EXCLUDED.overdue",
        column!(rows, ((venture, _), _) => venture.to_string()),
        column!(rows, ((_, role), _) => role.to_string()),
        column!(rows, (_, tally) => tally.devices),
        column!(rows, (_, tally) => tally.open),
        column!(rows, (_, tally) => tally.in_progress),
        column!(rows, (_, tally) => tally.overdue)
    )
    .execute(&mut *connection)
    .await?;
    let none = sqlx::query!("DELETE FROM role_tallies WHERE devices = 0 AND open = 0 AND in_progress = 0 AND overdue = 0");
    none.execute(connection).await?;
    Ok(())
}

async fn of_sites(connection: &mut PgConnection, state: &State) -> Result<()> {
    let rows = tallies::of_sites(state);
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO site_tallies AS t (site, devices, open, in_progress, overdue)
         SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
         ON CONFLICT (site) DO UPDATE SET
             devices = t.devices + EXCLUDED.devices, open = t.open + EXCLUDED.open,
             in_progress = t.in_progress + EXCLUDED.in_progress, overdue = t.overdue + EXCLUDED.overdue",
        column!(rows, (site, _) => site.to_string()),
        column!(rows, (_, tally) => tally.devices),
        column!(rows, (_, tally) => tally.open),
        column!(rows, (_, tally) => tally.in_progress),
        column!(rows, (_, tally) => tally.overdue)
    )
    .execute(&mut *connection)
    .await?;
    let none = sqlx::query!("DELETE FROM site_tallies WHERE devices = 0 AND open = 0 AND in_progress = 0 AND overdue = 0");
    none.execute(connection).await?;
    Ok(())
}

/// Counts the occupied units of these racks again. The devices must be written already.
pub(super) async fn of_racks(connection: &mut PgConnection, racks: &BTreeSet<String>) -> Result<()> {
    if racks.is_empty() {
        return Ok(());
    }
    let racks: Vec<String> = racks.iter().cloned().collect();
    sqlx::query!("DELETE FROM rack_tallies WHERE rack = ANY($1)", &racks).execute(&mut *connection).await?;
    sqlx::query!(
        "INSERT INTO rack_tallies (rack, units)
         SELECT rack, count(DISTINCT unit) FROM devices, generate_series(rack_position, rack_position + height - 1) AS unit
          WHERE valid_to IS NULL AND NOT decommissioned AND rack IS NOT NULL AND rack_position IS NOT NULL AND rack = ANY($1)
          GROUP BY rack",
        &racks
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn of_addresses(connection: &mut PgConnection, state: &State) -> Result<()> {
    let rows = tallies::of_addresses(state);
    if rows.is_empty() {
        return Ok(());
    }
    let parts = column!(rows, (part, _) => *part);
    sqlx::query!(
        "INSERT INTO address_tallies AS t (part, held) SELECT * FROM UNNEST($1::integer[], $2::bigint[])
         ON CONFLICT (part) DO UPDATE SET held = t.held + EXCLUDED.held",
        parts,
        column!(rows, (_, held) => *held)
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM address_tallies WHERE part = ANY($1) AND held = 0", parts).execute(connection).await?;
    Ok(())
}
