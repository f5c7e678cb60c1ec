//! The counts of current rows: the projector keeps them with the rows, and here they are made from the rows.

use crate::error::Result;
use crate::pool::Pool;
use std::time::Duration;

/// How long each statement may take: it reads all current rows, and the service starts but once.
const LIMIT: Duration = Duration::from_mins(2);

/// Counts anew, while no projector is at work. For a service that starts: a projector of another version may have been at work
/// before, which keeps other counts or none.
pub async fn recount(pool: &Pool) -> Result<()> {
    let mut transaction = pool.begin().await?;
    transaction.set_limit(LIMIT);
    // Another service may be at work, or hang in the middle of it.
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
