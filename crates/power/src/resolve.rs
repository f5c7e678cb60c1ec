//! Resolves the host of a controller. The addresses are looked up once for each power order, checked, and connected to, so that
//! a name that resolves differently a moment later has no effect.

use bootledger_aggregates::device::controller::Host;
use std::net::IpAddr;
use std::time::Duration;

/// How long resolving a name may take.
const LIMIT: Duration = Duration::from_secs(3);

/// The maximum number of addresses of one name that are used.
const MOST: usize = 16;

/// The addresses of a host, sorted.
///
/// # Errors
/// Returns a sentence for administrators and the log if the name cannot be looked up in time, or if it has no address.
pub async fn resolve(host: &Host) -> Result<Vec<IpAddr>, String> {
    let name = match host {
        Host::Address(address) => return Ok(vec![*address]),
        Host::Name(name) => name,
    };
    let what = format!("the host name {name} of the management controller");
    let looked_up = tokio::time::timeout(LIMIT, tokio::net::lookup_host((name.as_str(), 0))).await;
    let found = looked_up.map_err(|_| format!("{what} was not resolved within {} s", LIMIT.as_secs()))?.map_err(|error| {
        format!("{what} cannot be resolved: {error}. Correct the name or its DNS record, or enter an address")
    })?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip().to_canonical()).collect();
    addresses.sort();
    addresses.dedup();
    addresses.truncate(MOST);
    if addresses.is_empty() {
        return Err(format!("{what} has no address. Correct the name or its DNS record, or enter an address"));
    }
    Ok(addresses)
}
