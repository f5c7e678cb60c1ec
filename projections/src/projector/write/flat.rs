//! Writes the tables that are not temporal.

use super::{array_literal, column};
use crate::error::Result;
use crate::projector::state::{State, TimelineRow};
use crate::rows::parked::Parked;
use crate::rows::plugin_runs::{Run, stage_text};
use sqlx::PgConnection;

pub(super) async fn plugin_runs(connection: &mut PgConnection, state: &State) -> Result<()> {
    let run = |(id, place)| state.runs.get(id)?.get(place);
    let rows: Vec<&Run> = state.changed_runs.iter().filter_map(|(id, place)| run((id, place))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let reasons = rows.iter().map(|run| run.reason.as_ref().map(serde_json::to_value).transpose());
    let reasons = reasons.collect::<Result<Vec<_>, _>>()?;
    sqlx::query!(
        "INSERT INTO plugin_runs (deployment, plugin, place, stage, requires, status, attempts, reason, awaited, since,
                                  since_position, retry_at, entry_position)
         SELECT deployment, plugin, place, stage, requires::text[], status, attempts, reason, awaited::text[], since,
                since_position, retry_at, entry_position
         FROM UNNEST($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::jsonb[],
                     $9::text[], $10::timestamptz[], $11::bigint[], $12::timestamptz[],
                     $13::bigint[])
              AS r (deployment, plugin, place, stage, requires, status, attempts, reason, awaited, since, since_position,
                    retry_at, entry_position)
         ON CONFLICT (deployment, plugin) DO UPDATE SET
             status = EXCLUDED.status, attempts = EXCLUDED.attempts, reason = EXCLUDED.reason, awaited = EXCLUDED.awaited,
             since = EXCLUDED.since, since_position = EXCLUDED.since_position, retry_at = EXCLUDED.retry_at,
             entry_position = EXCLUDED.entry_position",
        column!(rows, run => run.deployment.0),
        column!(rows, run => run.plugin.to_string()),
        column!(rows, run => run.place),
        column!(rows, run => stage_text(run.stage).to_owned()),
        column!(rows, run => array_literal(&run.requires)),
        column!(rows, run => run.status.as_str().to_owned()),
        column!(rows, run => run.attempts),
        &reasons as _,
        column!(rows, run => array_literal(&run.awaited)),
        column!(rows, run => run.since.0),
        column!(rows, run => run.since_position),
        column!(rows, run => run.retry_at.map(|at| at.0)) as _,
        column!(rows, run => run.entry_position) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn dhcp_sites(connection: &mut PgConnection, state: &State) -> Result<()> {
    let rows: Vec<_> = state.dhcp_sites.iter().collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO dhcp_sites (site, position) SELECT * FROM UNNEST($1::text[], $2::bigint[])
         ON CONFLICT (site) DO UPDATE SET position = EXCLUDED.position",
        column!(rows, (site, _) => site.to_string()),
        column!(rows, (_, position) => **position)
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn statistics(connection: &mut PgConnection, state: &State) -> Result<()> {
    let rows: Vec<_> = state.statistics.iter().collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO statistics AS s (day, site, measure, amount)
         SELECT * FROM UNNEST($1::date[], $2::text[], $3::text[], $4::bigint[])
         ON CONFLICT (day, site, measure) DO UPDATE SET amount = s.amount + EXCLUDED.amount",
        column!(rows, ((day, _, _), _) => *day),
        column!(rows, ((_, site, _), _) => site.to_string()),
        column!(rows, ((_, _, measure), _) => (*measure).to_owned()),
        column!(rows, (_, amount) => **amount)
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn timeline(connection: &mut PgConnection, rows: &[TimelineRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO timeline (position, recorded_at, aggregate_type, aggregate_id, event_type, actor, correlation_id,
                               device, deployment)
         SELECT * FROM UNNEST($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                              $8::uuid[], $9::uuid[])",
        column!(rows, row => row.position),
        column!(rows, row => row.recorded_at.0),
        column!(rows, row => row.aggregate_type.as_str()) as _,
        column!(rows, row => row.aggregate_id.as_str()) as _,
        column!(rows, row => row.event_type.as_str()) as _,
        column!(rows, row => row.actor.as_str()) as _,
        column!(rows, row => row.correlation_id.as_str()) as _,
        column!(rows, row => row.device.map(|id| id.0)) as _,
        column!(rows, row => row.deployment.map(|id| id.0)) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn parked(connection: &mut PgConnection, rows: &[Parked]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let reasons = rows.iter().map(|parked| serde_json::to_value(&parked.reason)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query!(
        "INSERT INTO parked (position, aggregate_type, aggregate_id, event_type, reason)
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::jsonb[])",
        column!(rows, parked => parked.position),
        column!(rows, parked => parked.aggregate_type.clone()),
        column!(rows, parked => parked.aggregate_id.clone()),
        column!(rows, parked => parked.event_type.clone()),
        &reasons
    )
    .execute(connection)
    .await?;
    Ok(())
}
