//! DHCP entries that a site's configuration leaves out, since a server can give an interface one address in a VLAN, and an
//! address to one interface.

use crate::convert::{address, optional};
use crate::dhcp_entries::{SiteEntry, without_repeats};
use crate::error::Result;
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use ipnet::IpNet;
use sqlx::PgExecutor;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// How many repeated entries are looked at.
pub const MOST: i64 = 1_000;

/// An entry that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The site whose configuration lacks it.
    pub site: Name,
    /// The address that is reserved.
    pub ip: Ipv4Addr,
    /// For which interface.
    pub mac: MacAddress,
    /// In which network.
    pub network: Name,
    /// What is in the configuration instead, and what to do.
    pub problem: String,
}

impl LeftOut {
    /// `10.20.1.50 for 52:54:00:00:00:01`
    pub fn named(&self) -> String {
        format!("{} for {}", self.ip, self.mac)
    }
}

/// A repeated entry with what it is alone in, a VLAN or a network.
struct Row {
    site: String,
    segment: String,
    ip: IpNet,
    mac: String,
    hostname: Option<String>,
    network: String,
    live: bool,
}

/// The entries of now that are left out, of a site or of all, by site and address. Reads all entries of now.
pub async fn list(executor: impl PgExecutor<'_>, site: Option<&Name>) -> Result<Vec<LeftOut>> {
    // Few entries repeat, so that only those meet the tables beside them.
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
                Some(kept) if kept.mac == entry.mac => format!("the interface has {} in {segment} already", kept.ip),
                Some(kept) => format!("the address is that of {} already", kept.mac),
                None => "another entry goes before it".to_owned(),
            };
            let problem = format!("{why}, and a DHCP server gives one; remove one of the two entries");
            found.push(LeftOut { site: site.parse()?, ip: entry.ip, mac: entry.mac, network: entry.network, problem });
        }
    }
    Ok(found)
}

/// These by name, the first few, and how many more.
pub fn named(left_out: &[LeftOut]) -> String {
    const NAMED: usize = 5;
    let names: Vec<String> = left_out.iter().take(NAMED).map(LeftOut::named).collect();
    let more = left_out.len().saturating_sub(NAMED);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}
