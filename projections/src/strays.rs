//! DHCP entries that no network serves: what a site's configuration would have to leave out.
//!
//! No change that is accepted today leads to one; the log of an earlier version can have them.

use crate::at::At;
use crate::convert::address;
use crate::error::Result;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use serde::Serialize;
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// How many are looked up of a site.
pub const MOST: i64 = 1_000;

/// A DHCP entry that no network serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stray {
    /// The site whose configuration lacks it.
    #[schema(value_type = String)]
    pub site: Name,
    /// The address that is reserved.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// For which interface.
    #[schema(value_type = String)]
    pub mac: MacAddress,
    /// Of which device.
    pub device: DeviceId,
    /// What people call the device.
    pub called: String,
    /// Why it fits nowhere, and what to do.
    pub problem: String,
    /// The position of the event since which it fits nowhere, as far as that can be said.
    #[serde(skip)]
    pub since: i64,
}

impl Stray {
    /// `10.20.1.50 of R640 no. 1`
    pub fn named(&self) -> String {
        format!("{} of {}", self.ip, self.called)
    }
}

/// The stray entries of a site, or of all sites, by site and address; up to [`MOST`].
pub async fn list(executor: impl PgExecutor<'_>, site: Option<&Name>, at: At) -> Result<Vec<Stray>> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(n.spec ->> 'site', v.site) AS "site!", e.ip, e.mac, e.network, e.device,
                  coalesce(nullif(v.name, ''), v.hostnames[1], v.serial, v.asset, v.macs[1], v.id::text) AS "called!",
                  n.key IS NOT NULL AS "known!", coalesce(n.retired, false) AS "retired!",
                  coalesce((n.spec ->> 'dhcp')::boolean, true) AS "dhcp!", n.spec ->> 'cidr' AS cidr,
                  greatest(e.valid_from, n.valid_from) AS "since!"
             FROM dhcp_entries e
             JOIN devices v ON v.id = e.device
                  AND (($1::bigint IS NULL AND v.valid_to IS NULL)
                       OR (v.valid_from <= $1 AND (v.valid_to IS NULL OR v.valid_to > $1)))
             LEFT JOIN catalogue n ON n.kind = 'network' AND n.key = e.network
                  AND (($1::bigint IS NULL AND n.valid_to IS NULL)
                       OR (n.valid_from <= $1 AND (n.valid_to IS NULL OR n.valid_to > $1)))
            WHERE (($1::bigint IS NULL AND e.valid_to IS NULL)
                   OR (e.valid_from <= $1 AND (e.valid_to IS NULL OR e.valid_to > $1)))
              AND ($2::text IS NULL OR coalesce(n.spec ->> 'site', v.site) = $2)
              AND (n.key IS NULL OR n.retired OR NOT coalesce((n.spec ->> 'dhcp')::boolean, true)
                   OR NOT e.ip <<= (n.spec ->> 'cidr')::inet)
            ORDER BY 1, e.ip, e.mac, e.device LIMIT $3"#,
        at.position(),
        site.map(Name::as_str),
        MOST
    );
    let rows = rows.fetch_all(executor).await?.into_iter();
    rows.map(|row| {
        let (network, cidr) = (row.network, row.cidr.unwrap_or_default());
        let problem = if !row.known {
            format!("there is no network {network}; define it, or remove the entry")
        } else if row.retired {
            format!("its network {network} is retired; define the network again, or remove the entry")
        } else if !row.dhcp {
            format!("its network {network} has no DHCP; turn that on, or remove the entry")
        } else {
            format!("it does not lie in its network {network}, {cidr}; widen the network, or remove the entry")
        };
        Ok(Stray {
            site: row.site.parse()?,
            ip: address(row.ip)?,
            mac: row.mac.parse()?,
            device: DeviceId(row.device),
            called: row.called,
            problem,
            since: row.since,
        })
    })
    .collect()
}

/// These by name, the first few, and how many more.
pub fn named(strays: &[Stray]) -> String {
    const NAMED: usize = 5;
    let names: Vec<String> = strays.iter().take(NAMED).map(Stray::named).collect();
    let more = strays.len().saturating_sub(NAMED);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}
