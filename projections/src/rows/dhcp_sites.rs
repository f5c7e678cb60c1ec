//! When each site's DHCP configuration may last have changed, so that an unchanged configuration is not rendered again.

use super::timeline::{self, Line};
use crate::database::pool::Connection;
use crate::error::Result;
use bootledger_aggregates::values::name::Name;
use sqlx::PgExecutor;
use std::collections::HashMap;

/// The position of the last event that may have changed the site's DHCP configuration; 0 if there is none.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn changed_at(executor: impl PgExecutor<'_>, site: &Name) -> Result<i64> {
    let position = sqlx::query_scalar!("SELECT position FROM dhcp_sites WHERE site = $1", site.as_str());
    Ok(position.fetch_optional(executor).await?.unwrap_or(0))
}

/// The last event that may have changed a site's DHCP configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct LastChange {
    /// The site's code.
    pub site: Name,
    /// The event's line in the timeline.
    pub line: Line,
}

/// The last event that may have changed the DHCP configuration, for each site.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn last_changes(connection: &mut Connection) -> Result<Vec<LastChange>> {
    let rows = sqlx::query!("SELECT site, position FROM dhcp_sites").fetch_all(&mut *connection).await?;
    let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
    let lines: HashMap<i64, Line> =
        timeline::at(connection, &positions).await?.into_iter().map(|line| (line.position, line)).collect();
    let changes = rows.into_iter().filter_map(|row| Some((row.site, lines.get(&row.position)?.clone())));
    changes.map(|(site, line)| Ok(LastChange { site: site.parse()?, line })).collect()
}
