//! Reservations of addresses: entries of the catalogue whose key is the address. The view of holdings says which addresses are
//! reserved now.

use super::at::At;
use super::catalogue::Item;
use super::holdings;
use crate::database::pool::Connection;
use crate::error::Result;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::reservation::ReservationSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::schema::Ipv4Address;
use bootledger_aggregates::values::timestamp::Timestamp;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// A reservation, as the view stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReservationView {
    /// The network of the address.
    pub network: Name,
    /// Why the address is reserved, and for how long.
    pub spec: ReservationSpec,
    /// Who reserved the address, such as `user ada`.
    pub reserved_by: String,
    /// When the address was reserved, or its reservation was last changed.
    pub reserved_at: Timestamp,
}

/// The reservation of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// The reserved address.
    #[schema(value_type = Ipv4Address)]
    pub ip: Ipv4Addr,
    /// The network, the note, the end and the operator.
    #[serde(flatten)]
    pub view: ReservationView,
}

impl Reservation {
    /// The reservation's note and who made it, for sentences about the holder of the address.
    pub fn called(&self) -> String {
        format!("\"{}\" by {}", self.view.spec.note, self.view.reserved_by)
    }
}

/// The reservations of these addresses, by address as text. An address that is not reserved is left out.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::DamagedJson` if a row cannot be parsed.
pub async fn find_many(executor: impl PgExecutor<'_>, ips: &[Ipv4Addr], at: At) -> Result<Vec<Reservation>> {
    if ips.is_empty() {
        return Ok(vec![]);
    }
    let keys: Vec<String> = ips.iter().map(ToString::to_string).collect();
    let rows = sqlx::query_as!(
        Item,
        "SELECT key, sequence, spec, retired FROM catalogue
          WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
            AND kind = 'reservation' AND key = ANY($2) AND NOT retired ORDER BY key",
        at.position(),
        &keys
    );
    rows.fetch_all(executor).await?.into_iter().map(read).collect()
}

fn read(item: Item) -> Result<Reservation> {
    let wrong = |_| {
        crate::error::Error::Damaged(bootledger_aggregates::values::ParseError::new(format!("{:?} is not an address", item.key)))
    };
    Ok(Reservation { ip: item.key.parse().map_err(wrong)?, view: serde_json::from_value(item.spec)? })
}

/// The reservations in a range of addresses, lowest first.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn within(connection: &mut Connection, range: Ipv4Net, at: At) -> Result<Vec<Reservation>> {
    let held = holdings::ips_in(&mut *connection, range, at).await?;
    let reserved: Vec<Ipv4Addr> =
        held.into_iter().filter_map(|(ip, holder)| matches!(holder, Holder::Reservation(_)).then_some(ip)).collect();
    let mut found = find_many(&mut *connection, &reserved, at).await?;
    found.sort_by_key(|reservation| reservation.ip);
    Ok(found)
}

/// Up to `limit` addresses whose reservations have expired, from the current views.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn expired(executor: impl PgExecutor<'_>, now: Timestamp, limit: i64) -> Result<Vec<Ipv4Addr>> {
    let rows = sqlx::query_as!(
        Item,
        "SELECT key, sequence, spec, retired FROM catalogue
          WHERE valid_to IS NULL AND kind = 'reservation' AND NOT retired
            AND (spec #>> '{spec,expires}')::timestamptz <= $1 ORDER BY key LIMIT $2",
        now.0,
        limit
    );
    rows.fetch_all(executor).await?.into_iter().map(|item| Ok(read(item)?.ip)).collect()
}
