//! The counts of current rows. The projector updates them with the rows; this module reads them, and computes them from the
//! rows.

use crate::database::pool::Pool;
use crate::error::Result;
use sqlx::PgExecutor;
use std::time::Duration;

/// The numbers of devices in use and of live deployments of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteTally {
    /// The site's code.
    pub site: String,
    /// Devices that are not decommissioned.
    pub devices: i64,
    /// Deployments that are being prepared.
    pub open: i64,
    /// Deployments whose servers boot and are being installed.
    pub in_progress: i64,
    /// Deployments of either kind that take longer than their boot image allows.
    pub overdue: i64,
}

/// The numbers of every site that has devices or live deployments, by site, from the current views.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn of_sites(executor: impl PgExecutor<'_>) -> Result<Vec<SiteTally>> {
    let rows = sqlx::query_as!(SiteTally, "SELECT site, devices, open, in_progress, overdue FROM site_tallies ORDER BY site");
    Ok(rows.fetch_all(executor).await?)
}

/// How long each statement may take. It reads all current rows, but only once, at the start of the service.
const LIMIT: Duration = Duration::from_mins(2);

/// How many units of each rack devices in use occupy, from the current views. A rack without any is left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn of_racks(executor: impl PgExecutor<'_>) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!("SELECT rack, units FROM rack_tallies");
    Ok(rows.fetch_all(executor).await?.into_iter().map(|row| (row.rack, row.units)).collect())
}

/// Computes the counts again while no projector is working. Needed at the start of a service: a projector of another version,
/// which maintains other counts or none, may have run before.
///
/// # Errors
/// Returns `Error::Database` if a statement fails or exceeds its limit, or if a projector holds the checkpoint for more than 10
/// s. The counts are then unchanged.
pub async fn recount(pool: &Pool) -> Result<()> {
    let mut transaction = pool.begin().await?;
    transaction.set_limit(LIMIT);
    // Another service may be running, or be stuck in the middle of a step.
    sqlx::query!("SET LOCAL lock_timeout = '10s'").execute(&mut *transaction).await?;
    sqlx::query!("SELECT position FROM checkpoint FOR UPDATE").fetch_one(&mut *transaction).await?;
    sqlx::query!("DELETE FROM role_tallies").execute(&mut *transaction).await?;
    sqlx::query!(
        "INSERT INTO role_tallies (venture, role, devices, open, in_progress, overdue)
         SELECT venture, role, sum(devices), sum(open), sum(in_progress), sum(overdue)
           FROM (SELECT venture, role, 1 AS devices, 0 AS open, 0 AS in_progress, 0 AS overdue FROM devices
                  WHERE valid_to IS NULL AND NOT decommissioned AND venture IS NOT NULL AND role IS NOT NULL
                 UNION ALL
                 SELECT venture, role, 0, (status = 'open')::integer, (status = 'in_progress')::integer, overdue::integer
                   FROM deployments WHERE valid_to IS NULL AND status IN ('open', 'in_progress')) AS counted
          GROUP BY venture, role"
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!("DELETE FROM site_tallies").execute(&mut *transaction).await?;
    sqlx::query!(
        "INSERT INTO site_tallies (site, devices, open, in_progress, overdue)
         SELECT site, sum(devices), sum(open), sum(in_progress), sum(overdue)
           FROM (SELECT site, 1 AS devices, 0 AS open, 0 AS in_progress, 0 AS overdue FROM devices
                  WHERE valid_to IS NULL AND NOT decommissioned
                 UNION ALL
                 SELECT site, 0, (status = 'open')::integer, (status = 'in_progress')::integer, overdue::integer
                   FROM deployments WHERE valid_to IS NULL AND status IN ('open', 'in_progress')) AS counted
          GROUP BY site"
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!("DELETE FROM rack_tallies").execute(&mut *transaction).await?;
    sqlx::query!(
        "INSERT INTO rack_tallies (rack, units)
         SELECT rack, count(DISTINCT unit) FROM devices, generate_series(rack_position, rack_position + height - 1) AS unit
          WHERE valid_to IS NULL AND NOT decommissioned AND rack IS NOT NULL AND rack_position IS NOT NULL GROUP BY rack"
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!("DELETE FROM address_tallies").execute(&mut *transaction).await?;
    sqlx::query!(
        "INSERT INTO address_tallies (part, held)
         SELECT ((ip - '0.0.0.0'::inet) / 256)::integer, count(*) FROM holdings
          WHERE valid_to IS NULL AND ip IS NOT NULL GROUP BY 1"
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}
