//! Which addresses the catalogue names as those of routers and servers.

use crate::at::At;
use crate::catalogue::DhcpServerView;
use crate::error::Result;
use crate::pool::Connection;
use bootledger_aggregates::placement::infrastructure::{Declared, of_dhcp_server, of_network, of_site};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// What these addresses are named as; lowest first.
pub async fn at(connection: &mut Connection, ips: &[Ipv4Addr], at: At) -> Result<Vec<Declared>> {
    if ips.is_empty() {
        return Ok(vec![]);
    }
    let wanted: BTreeSet<Ipv4Addr> = ips.iter().copied().collect();
    let prefixes: BTreeSet<String> = wanted.iter().map(|ip| prefix(*ip, 24)).collect();
    find(connection, prefixes, |ip| wanted.contains(&ip), at).await
}

/// What addresses of a network are named as; lowest first.
pub async fn within(connection: &mut Connection, network: Ipv4Net, at: At) -> Result<Vec<Declared>> {
    let prefixes = BTreeSet::from([prefix(network.network(), network.prefix_len())]);
    find(connection, prefixes, |ip| network.contains(&ip), at).await
}

/// The digits that the addresses of a network have in common.
fn prefix(ip: Ipv4Addr, length: u8) -> String {
    ip.octets().iter().take(usize::from(length.min(24) / 8)).map(|octet| format!("{octet}.")).collect()
}

/// Descriptions without such digits name none of the addresses: most are passed over without being read.
async fn find(
    connection: &mut Connection,
    prefixes: BTreeSet<String>,
    wanted: impl Fn(Ipv4Addr) -> bool,
    at: At,
) -> Result<Vec<Declared>> {
    let patterns: Vec<String> = prefixes.into_iter().map(|prefix| format!("%{prefix}%")).collect();
    let rows = sqlx::query!(
        "SELECT kind, key, spec FROM catalogue
          WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
            AND kind IN ('site', 'network', 'dhcp_server') AND NOT retired AND spec::text LIKE ANY($2)",
        at.position(),
        &patterns
    );
    let mut found = BTreeSet::new();
    for row in rows.fetch_all(&mut *connection).await? {
        let key = row.key.parse()?;
        let of_one = match row.kind.as_str() {
            "site" => of_site(&key, &serde_json::from_value(row.spec)?),
            "network" => of_network(&key, &serde_json::from_value(row.spec)?),
            _ => of_dhcp_server(&key, &serde_json::from_value::<DhcpServerView>(row.spec)?.spec),
        };
        found.extend(of_one.into_iter().filter(|one| wanted(one.ip)));
    }
    Ok(found.into_iter().collect())
}
