//! DHCP entries that no network serves, which a site's configuration would have to leave out.
//!
//! No change that is accepted today leads to one; logs of earlier versions can contain them.

use crate::error::Result;
use crate::rows::at::At;
use crate::rows::convert::address;
use bootledger_aggregates::deployment::reason::{HeldBack, NetworkProblem, UnservedEntry};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use ipnet::IpNet;
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// The maximum number of entries that are read for a site.
pub const MOST: i64 = 1_000;

/// How many entries a message names.
const NAMED: usize = 5;

/// A DHCP entry that no network serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The site whose configuration lacks the entry.
    pub site: Name,
    /// The reserved address.
    pub ip: Ipv4Addr,
    /// The MAC address that the address is reserved for.
    pub mac: MacAddress,
    /// The device that the entry belongs to.
    pub device: DeviceId,
    /// The label of the device.
    pub called: String,
    /// The network that the entry was created for.
    pub network: Name,
    /// Why that network does not serve the entry.
    pub cause: NetworkProblem,
    /// The position of the event since which no network serves the entry, as far as it can be determined.
    pub since: i64,
}

/// A DHCP entry, with the data that explains why no network serves it.
struct Row {
    site: String,
    ip: IpNet,
    mac: String,
    network: String,
    device: Uuid,
    called: String,
    known: bool,
    retired: bool,
    dhcp: bool,
    cidr: Option<String>,
    since: i64,
}

/// The stray entries of a site, or of all sites, by site and address; up to [`MOST`].
///
/// For the present, the query needs two index lookups for each network that has entries, regardless of their number.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, site: Option<&Name>, at: At) -> Result<Vec<Stray>> {
    let rows = match at.position() {
        None => now(executor, site).await?,
        Some(position) => then(executor, site, position).await?,
    };
    rows.into_iter().map(Row::stray).collect()
}

/// The codes of the sites in use.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn sites(executor: impl PgExecutor<'_>) -> Result<Vec<Name>> {
    let keys =
        sqlx::query_scalar!("SELECT key FROM catalogue WHERE kind = 'site' AND NOT retired AND valid_to IS NULL ORDER BY key");
    keys.fetch_all(executor).await?.into_iter().map(|key| Ok(key.parse()?)).collect()
}

/// Reads the present state. An index skips from one network with entries to the next; the entries of each that are before its
/// first or after its last address are read, or all if the network serves none.
async fn now(executor: impl PgExecutor<'_>, site: Option<&Name>) -> Result<Vec<Row>> {
    let rows = sqlx::query_as!(
        Row,
        r#"WITH RECURSIVE used AS (
               SELECT min(network) AS network FROM dhcp_entries WHERE valid_to IS NULL
               UNION ALL
               SELECT (SELECT min(e.network) FROM dhcp_entries e WHERE e.valid_to IS NULL AND e.network > used.network)
                 FROM used WHERE used.network IS NOT NULL
           ), networks AS (
               SELECT u.network, n.key IS NOT NULL AS known, coalesce(n.retired, false) AS retired,
                      coalesce((n.spec ->> 'dhcp')::boolean, true) AS dhcp, n.spec ->> 'site' AS site, n.spec ->> 'cidr' AS cidr,
                      host(network((n.spec ->> 'cidr')::inet))::inet AS first,
                      host(broadcast((n.spec ->> 'cidr')::inet))::inet AS last, n.valid_from
                 FROM used u LEFT JOIN catalogue n ON n.kind = 'network' AND n.key = u.network AND n.valid_to IS NULL
                WHERE u.network IS NOT NULL
           )
           SELECT coalesce(n.site, v.site) AS "site!", e.ip AS "ip!", e.mac AS "mac!", n.network AS "network!",
                  e.device AS "device!",
                  coalesce(nullif(v.name, ''), v.hostnames[1], v.serial, v.asset, v.macs[1], v.id::text) AS "called!",
                  n.known AS "known!", n.retired AS "retired!", n.dhcp AS "dhcp!", n.cidr,
                  greatest(e.valid_from, n.valid_from) AS "since!"
             FROM networks n
            CROSS JOIN LATERAL (
                (SELECT ip, mac, device, valid_from FROM dhcp_entries
                  WHERE valid_to IS NULL AND network = n.network AND (NOT n.known OR n.retired OR NOT n.dhcp)
                  ORDER BY ip LIMIT $2)
                UNION ALL
                (SELECT ip, mac, device, valid_from FROM dhcp_entries
                  WHERE valid_to IS NULL AND network = n.network AND n.known AND NOT n.retired AND n.dhcp AND ip < n.first
                  ORDER BY ip LIMIT $2)
                UNION ALL
                (SELECT ip, mac, device, valid_from FROM dhcp_entries
                  WHERE valid_to IS NULL AND network = n.network AND n.known AND NOT n.retired AND n.dhcp AND ip > n.last
                  ORDER BY ip LIMIT $2)
            ) e
            -- One by one: there are few entries here, and the planner expects many.
            CROSS JOIN LATERAL (
                SELECT d.* FROM devices d WHERE d.id = e.device AND d.valid_to IS NULL LIMIT 1
            ) v
            WHERE $1::text IS NULL OR coalesce(n.site, v.site) = $1
            ORDER BY 1, e.ip, e.mac, e.device LIMIT $2"#,
        site.map(Name::as_str),
        MOST
    );
    Ok(rows.fetch_all(executor).await?)
}

/// Reads the state at an earlier position, which needs all entries.
async fn then(executor: impl PgExecutor<'_>, site: Option<&Name>, position: i64) -> Result<Vec<Row>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT coalesce(n.spec ->> 'site', v.site) AS "site!", e.ip, e.mac, e.network, e.device,
                  coalesce(nullif(v.name, ''), v.hostnames[1], v.serial, v.asset, v.macs[1], v.id::text) AS "called!",
                  n.key IS NOT NULL AS "known!", coalesce(n.retired, false) AS "retired!",
                  coalesce((n.spec ->> 'dhcp')::boolean, true) AS "dhcp!", n.spec ->> 'cidr' AS cidr,
                  greatest(e.valid_from, n.valid_from) AS "since!"
             FROM dhcp_entries e
             JOIN devices v ON v.id = e.device AND v.valid_from <= $1 AND (v.valid_to IS NULL OR v.valid_to > $1)
             LEFT JOIN catalogue n ON n.kind = 'network' AND n.key = e.network
                  AND n.valid_from <= $1 AND (n.valid_to IS NULL OR n.valid_to > $1)
            WHERE e.valid_from <= $1 AND (e.valid_to IS NULL OR e.valid_to > $1)
              AND ($2::text IS NULL OR coalesce(n.spec ->> 'site', v.site) = $2)
              AND (n.key IS NULL OR n.retired OR NOT coalesce((n.spec ->> 'dhcp')::boolean, true)
                   OR NOT e.ip <<= (n.spec ->> 'cidr')::inet)
            ORDER BY 1, e.ip, e.mac, e.device LIMIT $3"#,
        position,
        site.map(Name::as_str),
        MOST
    );
    Ok(rows.fetch_all(executor).await?)
}

impl Row {
    fn stray(self) -> Result<Stray> {
        let cause = if !self.known {
            NetworkProblem::Unknown {}
        } else if self.retired {
            NetworkProblem::Retired {}
        } else if !self.dhcp {
            NetworkProblem::WithoutDhcp {}
        } else {
            NetworkProblem::AddressOutside { cidr: Text::fitted(self.cidr.as_deref().unwrap_or_default()) }
        };
        Ok(Stray {
            site: self.site.parse()?,
            ip: address(self.ip)?,
            mac: self.mac.parse()?,
            device: DeviceId(self.device),
            called: self.called,
            network: self.network.parse()?,
            cause,
            since: self.since,
        })
    }
}

/// Why the configuration of a site with these entries is held back; `None` if there are no entries.
pub fn held_back(strays: &[Stray]) -> Option<HeldBack> {
    let first = strays.first()?;
    let named = strays.iter().take(NAMED);
    Some(HeldBack {
        site: first.site.clone(),
        entries: named.map(|stray| UnservedEntry { ip: stray.ip, device: Text::fitted(&stray.called) }).collect(),
        more: strays.len().saturating_sub(NAMED),
        network: first.network.clone(),
        problem: first.cause.clone(),
    })
}
