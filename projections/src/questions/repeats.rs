//! DHCP entries that a site's configuration leaves out because they repeat others: a DHCP server can assign an interface only
//! one address in a VLAN, and an address to only one interface.

use crate::error::Result;
use crate::rows::convert::{address, optional};
use crate::rows::dhcp_entries::{SiteEntry, without_repeats};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use ipnet::IpNet;
use sqlx::PgExecutor;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The maximum number of repeated entries that are read.
pub const MOST: i64 = 1_000;

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
    /// What the configuration contains instead, and what to do.
    pub problem: String,
}

impl LeftOut {
    /// A label such as `10.20.1.50 for 52:54:00:00:00:01`.
    pub fn named(&self) -> String {
        format!("{} for {}", self.ip, self.mac)
    }
}

/// A repeated entry, with the VLAN or network in which it must be unique.
struct Row {
    site: String,
    segment: String,
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
           SELECT n.spec ->> 'site' AS "site!", coalesce('vlan ' || (n.spec ->> 'vlan'), n.key) AS "segment!", e.ip AS "ip!",
                  e.mac AS "mac!", e.hostname, e.network AS "network!",
                  EXISTS (SELECT FROM deployments d WHERE d.mac = e.mac AND d.ip = e.ip AND d.status IN ('open', 'in_progress')
                          AND d.valid_to IS NULL) AS "live!"
             FROM repeated e
             JOIN catalogue n ON n.kind = 'network' AND n.key = e.network AND n.valid_to IS NULL AND NOT n.retired
            WHERE ($1::text IS NULL OR n.spec ->> 'site' = $1) AND coalesce((n.spec ->> 'dhcp')::boolean, true)
              AND e.ip <<= (n.spec ->> 'cidr')::inet
            ORDER BY 1, 2, e.ip, e.mac LIMIT $2"#,
        site.map(Name::as_str),
        MOST
    )
    .fetch_all(executor)
    .await?;
    let mut segments: BTreeMap<(String, String), Vec<SiteEntry>> = BTreeMap::new();
    for Row { site, segment, ip, mac, hostname, network, live } in rows {
        segments.entry((site, segment)).or_default().push(SiteEntry {
            ip: address(ip)?,
            mac: mac.parse()?,
            hostname: optional(hostname)?,
            network: network.parse()?,
            live,
            boot_chain: BootChain::default(),
        });
    }
    let mut found = vec![];
    for ((site, segment), entries) in segments {
        let (kept, left_out) = without_repeats(entries);
        for entry in left_out {
            let instead = kept.iter().find(|kept| kept.mac == entry.mac).or_else(|| kept.iter().find(|kept| kept.ip == entry.ip));
            let why = match instead {
                Some(kept) if kept.mac == entry.mac => format!("the interface already has {} in {segment}", kept.ip),
                Some(kept) => format!("the address is already used by {}", kept.mac),
                None => "another entry takes precedence".to_owned(),
            };
            let problem = format!("{why}, and a DHCP server can serve only one of them; remove one of the two entries");
            found.push(LeftOut { site: site.parse()?, ip: entry.ip, mac: entry.mac, network: entry.network, problem });
        }
    }
    Ok(found)
}

/// The labels of the first few entries, and the number of the others.
pub fn named(left_out: &[LeftOut]) -> String {
    const NAMED: usize = 5;
    let names: Vec<String> = left_out.iter().take(NAMED).map(LeftOut::named).collect();
    let more = left_out.len().saturating_sub(NAMED);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}
