//! When a site's DHCP configuration may last have changed, so that an unchanged one is never rendered again.

use crate::error::Result;
use bootledger_aggregates::values::name::Name;
use sqlx::PgExecutor;

/// The position of the last event that may have changed the site's DHCP configuration; 0 where none has.
pub async fn changed_at(executor: impl PgExecutor<'_>, site: &Name) -> Result<i64> {
    let position = sqlx::query_scalar!("SELECT position FROM dhcp_sites WHERE site = $1", site.as_str());
    Ok(position.fetch_optional(executor).await?.unwrap_or(0))
}
