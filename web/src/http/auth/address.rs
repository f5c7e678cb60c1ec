//! The addresses by which attempts to sign in are counted.

use std::net::IpAddr;

/// The address by which attempts are counted. An IPv6 address counts as its /64 network, because one host may have all
/// of its addresses.
pub fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}
