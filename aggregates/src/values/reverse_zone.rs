//! Reverse names: the address that a name under `in-addr.arpa` belongs to (RFC 1035, 3.5). `zone` determines the zone that
//! holds it.

use std::net::Ipv4Addr;

/// The address that a reverse name belongs to.
pub fn reversed(name: &str) -> Option<Ipv4Addr> {
    let octets = name.strip_suffix(".in-addr.arpa")?;
    let octets: Vec<u8> = octets.rsplit('.').map(|octet| octet.parse().ok()).collect::<Option<_>>()?;
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?))
}
