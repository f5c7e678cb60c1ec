//! Free addresses of a network and free names of a template. The present state is usually answered without reading everything
//! that is held, because a form queries it with every key press.

use crate::database::pool::Connection;
use crate::error::Result;
use crate::questions::infrastructure;
use crate::rows::at::At;
use crate::rows::convert::{address, inet};
use crate::rows::{devices, holdings};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::hostname_template::HostnameTemplate;
use std::collections::{BTreeSet, HashSet};
use std::net::Ipv4Addr;

/// How many parts of 256 addresses that are not completely held are searched first. If their addresses belong to controllers or
/// to infrastructure, four times as many are searched next, and so on.
/// times as many, and so on.
const PARTS: usize = 4;
/// The maximum number of parts that are searched together.
const MOST_PARTS: usize = 256;

/// Up to `count` free addresses of a network, lowest first. An address is free if it is not held, not the address of a
/// management controller, router or server of the catalogue, and not in `excluded`.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn addresses(
    connection: &mut Connection,
    network: &NetworkSpec,
    excluded: &BTreeSet<Ipv4Addr>,
    at: At,
    count: usize,
) -> Result<Vec<Ipv4Addr>> {
    if at != At::Now {
        let mut taken = excluded.clone();
        taken.extend(holdings::ips_in(&mut *connection, network.cidr, at).await?.into_iter().map(|(ip, _)| ip));
        taken.extend(devices::management_addresses_in(&mut *connection, network.cidr, at).await?);
        taken.extend(infrastructure::within(connection, network.cidr, at).await?.into_iter().map(|one| one.ip));
        return Ok(network.givable().filter(|ip| !taken.contains(ip)).take(count).collect());
    }
    let mut found = vec![];
    let Some((first, last)) = network.bounds() else { return Ok(found) };
    let full = full_parts(connection, first, last).await?;
    let mut parts = (part(first)..=part(last)).filter(|part| !full.contains(part));
    let mut looks = PARTS;
    while found.len() < count {
        let some: Vec<u32> = parts.by_ref().take(looks).collect();
        looks = MOST_PARTS.min(looks * 4);
        if some.is_empty() {
            break;
        }
        let in_parts = some.iter().flat_map(|part| (part << 8..=part << 8 | 0xff).map(Ipv4Addr::from));
        let candidates: Vec<Ipv4Addr> = in_parts.filter(|ip| network.reserved(*ip).is_none() && !excluded.contains(ip)).collect();
        let mut taken = held_of(connection, &candidates).await?;
        taken.extend(devices::managed_at(&mut *connection, &candidates).await?.into_iter().map(|(ip, _)| ip));
        taken.extend(infrastructure::at(&mut *connection, &candidates).await?.into_iter().map(|one| one.ip));
        found.extend(candidates.into_iter().filter(|ip| !taken.contains(ip)).take(count - found.len()));
    }
    Ok(found)
}

/// The part that contains an address: the address without its last eight bits.
fn part(ip: Ipv4Addr) -> u32 {
    u32::from(ip) >> 8
}

/// The parts from `first` to `last` in which every address is held.
async fn full_parts(connection: &mut Connection, first: Ipv4Addr, last: Ipv4Addr) -> Result<HashSet<u32>> {
    let parts = sqlx::query_scalar!(
        "SELECT part FROM address_tallies WHERE part BETWEEN $1::bigint AND $2::bigint AND held = 256",
        i64::from(part(first)),
        i64::from(part(last))
    );
    Ok(parts.fetch_all(connection).await?.into_iter().filter_map(|part| u32::try_from(part).ok()).collect())
}

async fn held_of(connection: &mut Connection, addresses: &[Ipv4Addr]) -> Result<HashSet<Ipv4Addr>> {
    let all: Vec<_> = addresses.iter().copied().map(inet).collect();
    let rows = sqlx::query_scalar!(
        r#"SELECT ip AS "ip!" FROM holdings WHERE valid_to IS NULL AND ip IS NOT NULL AND ip = ANY($1)"#,
        &all
    );
    rows.fetch_all(connection).await?.into_iter().map(address).collect()
}

/// Up to `count` free host names of a template, best first: neither held nor in `excluded`.
///
/// # Errors
/// Returns `Error::Database` if a query fails.
pub async fn hostnames(
    connection: &mut Connection,
    template: &HostnameTemplate,
    excluded: &BTreeSet<Hostname>,
    at: At,
    count: usize,
) -> Result<Vec<Hostname>> {
    let excluded = || excluded.iter().map(Hostname::as_str);
    if at == At::Now {
        let highest = held_by(connection, template, 1).await?;
        let behind: Vec<Hostname> = template.behind(highest.iter().map(String::as_str).chain(excluded())).take(count).collect();
        if behind.len() == count {
            return Ok(behind);
        }
    }
    // When all alternatives are used up to their ends, only gaps are left. Finding them needs every name.
    let taken = match at {
        At::Now => held_by(connection, template, i64::MAX).await?,
        At::Position(_) => holdings::hostnames(connection, at).await?,
    };
    Ok(template.free(taken.iter().map(String::as_str).chain(excluded())).take(count).collect())
}

/// The held names of each alternative of a template, up to `limit` for each, the highest numbers first.
async fn held_by(connection: &mut Connection, template: &HostnameTemplate, limit: i64) -> Result<Vec<String>> {
    let mut found = vec![];
    for spans in template.spans() {
        let mut left = limit;
        for span in spans {
            let length = i32::try_from(span.lowest.len()).unwrap_or(i32::MAX);
            let number = format!("^.{{{}}}[0-9]{{{}}}", span.prefix.len(), span.digits);
            // The domain begins after the name's first dot, if that follows the number.
            let domain = if span.prefix.contains('.') { None } else { span.suffix.split_once('.').map(|(_, domain)| domain) };
            let names = sqlx::query_scalar!(
                r#"SELECT value FROM holdings
                    WHERE valid_to IS NULL AND kind = 'hostname' AND length(value) = $1
                      AND ($2::text IS NULL OR right(value, -strpos(value, '.')) = $2)
                      AND value COLLATE "C" BETWEEN $3 AND $4 AND right(value, length($5)) = $5 AND value ~ $6
                    ORDER BY value COLLATE "C" DESC LIMIT $7"#,
                length,
                domain,
                span.lowest,
                span.highest,
                span.suffix,
                number,
                left
            );
            let names = names.fetch_all(&mut *connection).await?;
            left -= i64::try_from(names.len()).unwrap_or(left);
            found.extend(names);
            if left <= 0 {
                break;
            }
        }
    }
    Ok(found)
}
