//! DHCP entries that a site's configuration leaves out because they repeat others: a DHCP server can assign an interface only
//! one address in a VLAN, and an address to only one interface.

use crate::error::Result;
use crate::rows::convert::{address, optional};
use crate::rows::dhcp_entries::{SiteEntry, without_repeats};
use bootledger_aggregates::drift::{RepeatConflict, RepeatedEntries, RepeatedEntry, Segment};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use ipnet::IpNet;
use sqlx::PgExecutor;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The maximum number of repeated entries that are read.
pub const MOST: i64 = 1_000;

/// How many entries a message names.
const NAMED: usize = 5;

/// A DHCP entry that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The site whose configuration lacks the entry.
    pub site: Name,
    /// The reserved address.
    pub ip: Ipv4Addr,
    /// The MAC address that the address is reserved for.
    pub mac: MacAddress,
    /// The network of the address.
    pub network: Name,
    /// What the configuration contains instead.
    pub conflict: RepeatConflict,
}

/// A repeated entry, with the VLAN of its network.
struct Row {
    site: String,
    vlan: Option<i32>,
    ip: IpNet,
    mac: String,
    hostname: Option<String>,
    network: String,
    live: bool,
}

/// The current entries that are left out, of one site or of all, by site and address. Reads all current entries.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn list(executor: impl PgExecutor<'_>, site: Option<&Name>) -> Result<Vec<LeftOut>> {
    // Few entries repeat, so only those are joined with the other tables.
    let rows = sqlx::query_as!(
        Row,
        r#"WITH repeated AS MATERIALIZED (
               SELECT e.ip, e.mac, e.hostname, e.network FROM (
                   SELECT ip, mac, hostname, network, count(*) OVER (PARTITION BY mac) AS macs, count(*) OVER (PARTITION BY ip) AS ips
                     FROM dhcp_entries WHERE valid_to IS NULL) e
                WHERE e.macs > 1 OR e.ips > 1)
           SELECT n.spec ->> 'site' AS "site!", (n.spec ->> 'vlan')::int AS vlan, e.ip AS "ip!",
                  e.mac AS "mac!", e.hostname, e.network AS "network!",
                  EXISTS (SELECT FROM deployments d WHERE d.mac = e.mac AND d.ip = e.ip AND d.status IN ('open', 'in_progress')
                          AND d.valid_to IS NULL) AS "live!"
             FROM repeated e
             JOIN catalogue n ON n.kind = 'network' AND n.key = e.network AND n.valid_to IS NULL AND NOT n.retired
            WHERE ($1::text IS NULL OR n.spec ->> 'site' = $1) AND coalesce((n.spec ->> 'dhcp')::boolean, true)
              AND e.ip <<= (n.spec ->> 'cidr')::inet
            ORDER BY 1, 2, CASE WHEN n.spec ->> 'vlan' IS NULL THEN e.network END, e.ip, e.mac LIMIT $2"#,
        site.map(Name::as_str),
        MOST
    )
    .fetch_all(executor)
    .await?;
    let mut segments: BTreeMap<(String, Segment), Vec<SiteEntry>> = BTreeMap::new();
    for Row { site, vlan, ip, mac, hostname, network, live } in rows {
        let network: Name = network.parse()?;
        let vlan = vlan.and_then(|vlan| u16::try_from(vlan).ok());
        let segment = vlan.map_or_else(|| Segment::Network(network.clone()), Segment::Vlan);
        segments.entry((site, segment)).or_default().push(SiteEntry {
            ip: address(ip)?,
            mac: mac.parse()?,
            hostname: optional(hostname)?,
            network,
            live,
            boot_chain: BootChain::default(),
        });
    }
    let mut found = vec![];
    for ((site, segment), entries) in segments {
        let (kept, left_out) = without_repeats(entries);
        for entry in left_out {
            let instead = kept.iter().find(|kept| kept.mac == entry.mac).or_else(|| kept.iter().find(|kept| kept.ip == entry.ip));
            let conflict = match instead {
                Some(kept) if kept.mac == entry.mac => RepeatConflict::Interface { ip: kept.ip, segment: segment.clone() },
                Some(kept) => RepeatConflict::Address { mac: kept.mac },
                None => RepeatConflict::Precedence {},
            };
            found.push(LeftOut { site: site.parse()?, ip: entry.ip, mac: entry.mac, network: entry.network, conflict });
        }
    }
    Ok(found)
}

/// The entries that the configuration of a site leaves out, for a message or an event; `None` if there are none.
pub fn repeated(left_out: &[LeftOut]) -> Option<RepeatedEntries> {
    let first = left_out.first()?;
    let named = left_out.iter().take(NAMED);
    Some(RepeatedEntries {
        entries: named.map(|entry| RepeatedEntry { ip: entry.ip, mac: entry.mac }).collect(),
        more: left_out.len().saturating_sub(NAMED),
        conflict: first.conflict.clone(),
    })
}
