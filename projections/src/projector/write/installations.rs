//! Writes the table of installations.

use super::{column, end_rows};
use crate::error::Result;
use crate::projector::versions::Written;
use crate::rows::convert::inet;
use crate::rows::installations::Installation;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use sqlx::PgConnection;

pub(super) async fn write(
    connection: &mut PgConnection,
    Written { ended, begun }: Written<DeploymentId, Installation>,
) -> Result<()> {
    end_rows!(
        connection,
        ended,
        "UPDATE installations t SET valid_to = e.valid_to FROM UNNEST($1::uuid[], $2::bigint[]) AS e (deployment, valid_to)
             WHERE t.deployment = e.deployment AND t.valid_to IS NULL",
        id => id.0
    );
    if begun.is_empty() {
        return Ok(());
    }
    let reason = |row: &Installation| row.next_boot_reason.as_ref().map(serde_json::to_value).transpose();
    let reasons = begun.iter().map(|(_, row, ..)| reason(row)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query!(
        "INSERT INTO installations (deployment, stage, percent, text, failed, failing, reported_at, log_sha256, log_size, log_at,
                                    logs, last_file, last_file_at, last_client, next_boot, next_boot_reason, next_boot_at,
                                    valid_from, valid_to)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::bool[], $6::bool[], $7::timestamptz[],
                              $8::text[], $9::bigint[], $10::timestamptz[], $11::integer[], $12::text[], $13::timestamptz[],
                              $14::inet[], $15::text[], $16::jsonb[], $17::timestamptz[], $18::bigint[], $19::bigint[])",
        column!(begun, (id, ..) => id.0),
        column!(begun, (_, row, ..) => row.stage.as_ref().map(Name::as_str)) as _,
        column!(begun, (_, row, ..) => row.percent.map(|percent| i32::from(percent.get()))) as _,
        column!(begun, (_, row, ..) => row.text.as_str()) as _,
        column!(begun, (_, row, ..) => row.failed),
        column!(begun, (_, row, ..) => row.failing),
        column!(begun, (_, row, ..) => row.reported_at.map(|at| at.0)) as _,
        column!(begun, (_, row, ..) => row.log.map(|log| log.sha256.to_string())) as _,
        column!(begun, (_, row, ..) => row.log.map(|log| log.size)) as _,
        column!(begun, (_, row, ..) => row.log.map(|log| log.at.0)) as _,
        column!(begun, (_, row, ..) => row.logs),
        column!(begun, (_, row, ..) => row.last_file.as_ref().map(Name::as_str)) as _,
        column!(begun, (_, row, ..) => row.last_file_at.map(|at| at.0)) as _,
        column!(begun, (_, row, ..) => row.last_client.map(inet)) as _,
        column!(begun, (_, row, ..) => row.next_boot.as_str()) as _,
        &reasons as _,
        column!(begun, (_, row, ..) => row.next_boot_at.map(|at| at.0)) as _,
        column!(begun, (_, _, from, _) => *from),
        column!(begun, (_, _, _, to) => *to) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}
