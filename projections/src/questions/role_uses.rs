//! How many devices and deployments each role has: those that a change or the retirement of the role would affect.

use crate::error::Result;
use crate::rows::at::At;
use bootledger_aggregates::values::name::Name;
use sqlx::PgExecutor;

/// The use of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleUse {
    /// The venture that the role belongs to.
    pub venture: Name,
    /// The role's name.
    pub role: Name,
    /// How many devices in use have the role.
    pub devices: i64,
    /// How many live deployments assign the role.
    pub live: i64,
}

/// The use of each role that is in use; of one venture, if given.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, venture: Option<&Name>, at: At) -> Result<Vec<RoleUse>> {
    match at {
        At::Now => now(executor, venture).await,
        At::Position(position) => then(executor, venture, position).await,
    }
}

async fn now(executor: impl PgExecutor<'_>, venture: Option<&Name>) -> Result<Vec<RoleUse>> {
    let rows = sqlx::query!(
        r#"SELECT venture, role, devices, open + in_progress AS "live!" FROM role_tallies
            WHERE $1::text IS NULL OR venture = $1 ORDER BY venture, role"#,
        venture.map(Name::as_str)
    );
    let rows = rows.fetch_all(executor).await?.into_iter();
    rows.map(|row| Ok(RoleUse { venture: row.venture.parse()?, role: row.role.parse()?, devices: row.devices, live: row.live }))
        .collect()
}

/// Counts for the past are not stored. They are computed for each query.
async fn then(executor: impl PgExecutor<'_>, venture: Option<&Name>, position: i64) -> Result<Vec<RoleUse>> {
    let rows = sqlx::query!(
        r#"SELECT venture AS "venture!", role AS "role!", sum(devices)::bigint AS "devices!", sum(live)::bigint AS "live!"
             FROM (SELECT venture, role, count(*) AS devices, 0 AS live FROM devices
                    WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)
                      AND NOT decommissioned AND venture IS NOT NULL AND role IS NOT NULL
                      AND ($2::text IS NULL OR venture = $2)
                    GROUP BY venture, role
                   UNION ALL
                   SELECT venture, role, 0, count(*) FROM deployments
                    WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)
                      AND status IN ('open', 'in_progress') AND ($2::text IS NULL OR venture = $2)
                    GROUP BY venture, role) AS u
            GROUP BY venture, role ORDER BY venture, role"#,
        position,
        venture.map(Name::as_str)
    );
    let rows = rows.fetch_all(executor).await?.into_iter();
    rows.map(|row| Ok(RoleUse { venture: row.venture.parse()?, role: row.role.parse()?, devices: row.devices, live: row.live }))
        .collect()
}
