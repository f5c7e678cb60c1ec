//! Addresses that the catalogue assigns to routers and servers.

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::catalogue::DhcpServerView;
use bootledger_aggregates::infrastructure::{Declared, of_dhcp_server, of_network, of_site};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// What the catalogue currently uses these addresses for, lowest first. Every start of a deployment looks up its own address,
/// so an index finds them.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn at(connection: &mut Connection, ips: &[Ipv4Addr]) -> Result<Vec<Declared>> {
    if ips.is_empty() {
        return Ok(vec![]);
    }
    let wanted: BTreeSet<Ipv4Addr> = ips.iter().copied().collect();
    let texts: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT kind, key, spec FROM catalogue
          WHERE valid_to IS NULL AND kind IN ('site', 'network', 'dhcp_server') AND NOT retired
            AND public.addresses_in(spec::text) && $1",
        &texts
    );
    of_rows(rows.fetch_all(&mut *connection).await?, |ip| wanted.contains(&ip))
}

/// What the catalogue uses the addresses of a network for, lowest first. Descriptions that do not contain the digits shared by
/// the network's addresses are skipped without being parsed.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn within(connection: &mut Connection, network: Ipv4Net, at: At) -> Result<Vec<Declared>> {
    let octets = network.network().octets();
    let mut pattern = String::from("%");
    for octet in octets.iter().take(usize::from(network.prefix_len().min(24) / 8)) {
        pattern.push_str(&octet.to_string());
        pattern.push('.');
    }
    pattern.push('%');
    let rows = sqlx::query_as!(
        Row,
        "SELECT kind, key, spec FROM catalogue
          WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
            AND kind IN ('site', 'network', 'dhcp_server') AND NOT retired AND spec::text LIKE $2",
        at.position(),
        pattern
    );
    of_rows(rows.fetch_all(&mut *connection).await?, |ip| network.contains(&ip))
}

struct Row {
    kind: String,
    key: String,
    spec: serde_json::Value,
}

fn of_rows(rows: Vec<Row>, wanted: impl Fn(Ipv4Addr) -> bool) -> Result<Vec<Declared>> {
    let mut found = BTreeSet::new();
    for row in rows {
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
