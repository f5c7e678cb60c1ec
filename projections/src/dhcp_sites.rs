//! When each site's DHCP configuration may last have changed, so that an unchanged configuration is not rendered again.

use crate::error::Result;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use sqlx::PgExecutor;

/// The position of the last event that may have changed the site's DHCP configuration; 0 if there is none.
pub async fn changed_at(executor: impl PgExecutor<'_>, site: &Name) -> Result<i64> {
    let position = sqlx::query_scalar!("SELECT position FROM dhcp_sites WHERE site = $1", site.as_str());
    Ok(position.fetch_optional(executor).await?.unwrap_or(0))
}

/// The last event that may have changed a site's DHCP configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChange {
    /// The site's code.
    pub site: Name,
    /// The event's position in the log.
    pub position: i64,
    /// When the event was recorded.
    pub at: Timestamp,
    /// The event's sentence in the timeline.
    pub sentence: String,
}

/// The last event that may have changed the DHCP configuration, for each site.
pub async fn last_changes(executor: impl PgExecutor<'_>) -> Result<Vec<LastChange>> {
    let rows = sqlx::query!(
        "SELECT site, d.position, recorded_at, sentence FROM dhcp_sites d JOIN timeline t ON t.position = d.position"
    );
    let rows = rows.fetch_all(executor).await?.into_iter();
    rows.map(|row| {
        Ok(LastChange { site: row.site.parse()?, position: row.position, at: Timestamp(row.recorded_at), sentence: row.sentence })
    })
    .collect()
}
