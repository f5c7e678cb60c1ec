//! The serial number of a zone's file, computed from the zone's changes, so that the same position has the same number.

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::dns_records::zone_changed_at;
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::zone::Zone;
use bootledger_aggregates::zone::serial::{Change, SerialPolicy, natural, serial};
use time::OffsetDateTime;

/// A site's settings for a zone's serial numbers between two positions.
struct Version {
    from: i64,
    to: Option<i64>,
    stated: bool,
    policy: SerialPolicy,
    floor: Option<u32>,
}

/// The zone's serial number at a position.
///
/// # Errors
/// Returns `Error::Database` if a query fails.
pub async fn of_zone(connection: &mut Connection, zone: &Zone, at: At) -> Result<u32> {
    let named = zone.above();
    let versions = versions(connection, &zone.name, at).await?;
    if versions.iter().all(|version| version.policy == SerialPolicy::Position && version.floor.is_none()) {
        let changed = zone_changed_at(&mut *connection, &named, at).await?;
        return Ok(natural(SerialPolicy::Position, changed, OffsetDateTime::UNIX_EPOCH));
    }
    let rows = sqlx::query!(
        r#"SELECT e.position, e.recorded_at FROM events e
            WHERE e.position IN (
                SELECT valid_from FROM dns_records WHERE name = $2 OR right(name, length($2) + 1) = '.' || $2
                UNION SELECT valid_to FROM dns_records WHERE name = $2 OR right(name, length($2) + 1) = '.' || $2
                UNION SELECT valid_from FROM catalogue WHERE kind = 'site')
              AND ($1::bigint IS NULL OR e.position <= $1)
            ORDER BY e.position"#,
        at.position(),
        named.as_str()
    )
    .fetch_all(connection)
    .await?;
    let changes = rows.into_iter().filter_map(|row| {
        let holds = |version: &&Version| version.from <= row.position && version.to.is_none_or(|to| row.position < to);
        // Before a site managed the zone, no serial number was published.
        let version = versions.iter().filter(holds).max_by_key(|version| version.stated)?;
        Some(Change { position: row.position, at: row.recorded_at, policy: version.policy, floor: version.floor })
    });
    Ok(serial(changes).unwrap_or_default())
}

/// The settings of all sites for a zone's serial numbers.
async fn versions(connection: &mut Connection, zone: &DomainName, at: At) -> Result<Vec<Version>> {
    let rows = sqlx::query!(
        r#"SELECT c.valid_from, c.valid_to, z.zone IS NOT NULL AS "stated!", z.zone ->> 'serial' AS serial,
                  (z.zone ->> 'serial_floor')::bigint AS floor
             FROM catalogue c
             LEFT JOIN LATERAL (
                 SELECT e AS zone FROM jsonb_array_elements(c.spec -> 'zones') e WHERE e ->> 'name' = $2 LIMIT 1
             ) z ON true
            WHERE c.kind = 'site' AND NOT c.retired AND ($1::bigint IS NULL OR c.valid_from <= $1)
              AND (z.zone IS NOT NULL OR c.spec -> 'zones' @> to_jsonb($2::text))"#,
        at.position(),
        zone.as_str()
    );
    let rows = rows.fetch_all(connection).await?;
    let policy = |name: Option<String>| SerialPolicy::ALL.iter().find(|(_, known)| Some(*known) == name.as_deref());
    let version = rows.into_iter().map(|row| Version {
        from: row.valid_from,
        to: row.valid_to,
        stated: row.stated,
        policy: policy(row.serial).map(|(policy, _)| *policy).unwrap_or_default(),
        floor: row.floor.and_then(|floor| u32::try_from(floor).ok()),
    });
    Ok(version.collect())
}
