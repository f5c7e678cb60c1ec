//! The A and PTR records of all devices.

use crate::error::Result;
use crate::rows::at::At;
use crate::rows::convert::{cursor, part};
use bootledger_aggregates::values::hostname::{DomainName, Hostname, reverse_name};
use bootledger_aggregates::values::ids::DeviceId;
use serde::Serialize;
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A DNS record of a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
pub struct DnsRecord {
    /// The record's name, without the final dot.
    pub name: String,
    /// The record's type: `A` or `PTR`.
    #[serde(rename = "type")]
    pub r#type: String,
    /// The record's value: an address, or a name without the final dot.
    pub value: String,
    /// The device that the record belongs to.
    pub device: DeviceId,
}

impl DnsRecord {
    /// The record's cursor in a list, for `after` of the next page.
    pub fn cursor(&self) -> String {
        format!("{} {} {} {}", self.name, self.r#type, self.value, self.device)
    }
}

/// A filter for records. Fields that are `None` match every record.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only records with this name.
    pub name: Option<String>,
    /// Only records of this type: `A` or `PTR`.
    pub r#type: Option<String>,
    /// Only records of this device.
    pub device: Option<DeviceId>,
    /// Only records in this zone, at its apex or below it.
    pub zone: Option<DomainName>,
    /// Only records with this text in name or value.
    pub q: Option<String>,
    /// Only records after the one with this cursor.
    pub after: Option<String>,
}

struct Raw {
    name: String,
    r#type: String,
    value: String,
    device: Uuid,
}

impl From<Raw> for DnsRecord {
    fn from(raw: Raw) -> Self {
        Self { name: raw.name, r#type: raw.r#type, value: raw.value, device: DeviceId(raw.device) }
    }
}

/// Up to `limit` records by name, type, value and device.
///
/// # Errors
/// Returns `Error::Cursor` if `after` is not a cursor of this list, and `Error::Database` if the query fails.
pub async fn list(executor: impl PgExecutor<'_>, filter: &Filter, at: At, limit: i64) -> Result<Vec<DnsRecord>> {
    let after = cursor::<4>(filter.after.as_deref())?;
    let device = after.as_ref().map(|parts| part::<Uuid>(&parts[3])).transpose()?;
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT name, type AS "type", value, device FROM dns_records
           WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
             AND ($2::text IS NULL OR name = $2) AND ($3::text IS NULL OR type = $3)
             AND ($4::uuid IS NULL OR device = $4)
             AND ($5::text IS NULL OR name = $5 OR right(name, length($5) + 1) = '.' || $5)
             AND ($6::text IS NULL OR strpos(name || ' ' || value, lower($6)) > 0)
             AND ($7::text IS NULL OR (name, type, value, device) > ($7, $8, $9, $10::uuid))
           ORDER BY name, type, value, device LIMIT $11"#,
        at.position(),
        filter.name.as_deref(),
        filter.r#type.as_deref(),
        filter.device.map(|id| id.0),
        filter.zone.as_ref().map(DomainName::as_str),
        filter.q.as_deref(),
        after.as_ref().map(|parts| parts[0].as_str()),
        after.as_ref().map(|parts| parts[1].as_str()),
        after.as_ref().map(|parts| parts[2].as_str()),
        device,
        limit
    );
    Ok(rows.fetch_all(executor).await?.into_iter().map(DnsRecord::from).collect())
}

/// The position at which a host's A and PTR records were complete: that of the later one; `None` unless both exist.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn made_at(executor: impl PgExecutor<'_>, device: DeviceId, hostname: &Hostname, ip: Ipv4Addr) -> Result<Option<i64>> {
    let made = sqlx::query_scalar!(
        r#"SELECT max(valid_from) FROM dns_records
            WHERE device = $1 AND valid_to IS NULL
              AND (name = $2 AND type = 'A' AND value = $3 OR name = $4 AND type = 'PTR' AND value = $2)
           HAVING count(*) = 2"#,
        device.0,
        hostname.as_str(),
        ip.to_string(),
        reverse_name(ip)
    );
    Ok(made.fetch_optional(executor).await?.flatten())
}

/// Up to `limit` records whose name is one of these names or is below one of the `cuts`, by name, type and value.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn beside(
    executor: impl PgExecutor<'_>,
    names: &[String],
    cuts: &[String],
    at: At,
    limit: i64,
) -> Result<Vec<DnsRecord>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT name AS "name!", type AS "type!", value AS "value!", device AS "device!" FROM (
               SELECT name, type, value, device, valid_from, valid_to FROM dns_records WHERE name = ANY($2)
               UNION
               SELECT r.name, r.type, r.value, r.device, r.valid_from, r.valid_to
                 FROM unnest($3::text[]) AS cut CROSS JOIN LATERAL (
                   SELECT * FROM dns_records
                    WHERE right(name, length(cut) + 1) = '.' || cut
                      AND (($1::bigint IS NULL AND valid_to IS NULL)
                           OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1))) LIMIT $4
                 ) AS r
           ) AS found
           WHERE ($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1))
           ORDER BY name, type, value, device LIMIT $4"#,
        at.position(),
        names,
        cuts,
        limit
    );
    Ok(rows.fetch_all(executor).await?.into_iter().map(DnsRecord::from).collect())
}

/// Every record of a zone, by name, type and value.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn of_zone(executor: impl PgExecutor<'_>, zone: &DomainName, at: At) -> Result<Vec<DnsRecord>> {
    let filter = Filter { zone: Some(zone.clone()), ..Filter::default() };
    list(executor, &filter, at, i64::MAX).await
}

/// The position of the last event that may have changed a zone's file: the change of a record or of a site.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn zone_changed_at(executor: impl PgExecutor<'_>, zone: &DomainName, at: At) -> Result<i64> {
    let position = sqlx::query_scalar!(
        r#"SELECT COALESCE(GREATEST(
               (SELECT max(valid_from) FROM dns_records
                WHERE (name = $2 OR right(name, length($2) + 1) = '.' || $2) AND ($1::bigint IS NULL OR valid_from <= $1)),
               (SELECT max(valid_to) FROM dns_records
                WHERE (name = $2 OR right(name, length($2) + 1) = '.' || $2) AND ($1::bigint IS NULL OR valid_to <= $1)),
               (SELECT max(valid_from) FROM catalogue WHERE kind = 'site' AND ($1::bigint IS NULL OR valid_from <= $1))
           ), 0) AS "position!""#,
        at.position(),
        zone.as_str()
    );
    Ok(position.fetch_one(executor).await?)
}
