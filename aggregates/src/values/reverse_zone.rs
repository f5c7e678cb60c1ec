//! Reverse zones: which holds the PTR record of an address, and under which name (RFC 1035, 3.5; RFC 2317).

use super::hostname::{DomainName, reverse_name};
use std::net::Ipv4Addr;

/// The name under which a zone has the PTR record of an address; `None` where the zone is not for that address.
///
/// A zone on the boundary of an octet, such as `0.10.in-addr.arpa`, has it under the address's own reverse name. One of a
/// smaller network is named `0/25.2.0.192.in-addr.arpa` (first address and prefix length) or `0-127.2.0.192.in-addr.arpa`
/// (first and last address), and the zone above it refers there.
pub fn pointer_name(zone: &DomainName, ip: Ipv4Addr) -> Option<String> {
    let reverse = reverse_name(ip);
    if zone.contains(&reverse) {
        return Some(reverse);
    }
    let (part, above) = zone.as_str().split_once('.')?;
    let (last, network) = reverse.split_once('.')?;
    let last: u8 = last.parse().ok()?;
    (above == network && range(part)?.contains(&last)).then(|| format!("{last}.{zone}"))
}

/// The address that a reverse name is of.
pub fn reversed(name: &str) -> Option<Ipv4Addr> {
    let octets = name.strip_suffix(".in-addr.arpa")?;
    let octets: Vec<u8> = octets.rsplit('.').map(|octet| octet.parse().ok()).collect::<Option<_>>()?;
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?))
}

/// The zone whose names a zone's PTR records have by themselves: the zone above it for one of a smaller network, else itself.
pub fn above(zone: &DomainName) -> DomainName {
    let above = zone.as_str().split_once('.').filter(|(part, _)| range(part).is_some());
    above.and_then(|(_, above)| above.parse().ok()).unwrap_or_else(|| zone.clone())
}

/// The last octets that a part such as `0/25` or `0-127` is for.
fn range(part: &str) -> Option<std::ops::RangeInclusive<u8>> {
    if let Some((first, length)) = part.split_once('/') {
        let (first, length): (u8, u32) = (first.parse().ok()?, length.parse().ok()?);
        let size = 1_u16 << 32_u32.checked_sub(length).filter(|bits| (1..8).contains(bits))?;
        let last = u8::try_from(u16::from(first) + size - 1).ok()?;
        return u16::from(first).is_multiple_of(size).then_some(first..=last);
    }
    let (first, last) = part.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first < last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(zone: &str, ip: [u8; 4]) -> Option<String> {
        pointer_name(&zone.parse().expect(zone), Ipv4Addr::from(ip))
    }

    #[test]
    fn zones_of_whole_octets_have_the_address_under_its_own_reverse_name() {
        for zone in ["10.in-addr.arpa", "0.10.in-addr.arpa", "3.0.10.in-addr.arpa"] {
            assert_eq!(name(zone, [10, 0, 3, 20]).as_deref(), Some("20.3.0.10.in-addr.arpa"), "{zone}");
            assert_eq!(name(zone, [11, 0, 3, 20]), None, "{zone}");
        }
        assert_eq!(name("dc1.example", [10, 0, 3, 20]), None);
    }

    #[test]
    fn zones_of_smaller_networks_have_it_under_their_own_name() {
        assert_eq!(name("0/25.2.0.192.in-addr.arpa", [192, 0, 2, 127]).as_deref(), Some("127.0/25.2.0.192.in-addr.arpa"));
        assert_eq!(name("128/26.2.0.192.in-addr.arpa", [192, 0, 2, 191]).as_deref(), Some("191.128/26.2.0.192.in-addr.arpa"));
        assert_eq!(name("8-11.2.0.192.in-addr.arpa", [192, 0, 2, 11]).as_deref(), Some("11.8-11.2.0.192.in-addr.arpa"));
        for (zone, ip) in [
            ("0/25.2.0.192.in-addr.arpa", [192, 0, 2, 128]),
            ("0/25.2.0.192.in-addr.arpa", [192, 0, 3, 5]),
            ("8-11.2.0.192.in-addr.arpa", [192, 0, 2, 12]),
            ("3/25.2.0.192.in-addr.arpa", [192, 0, 2, 5]),
            ("0/33.2.0.192.in-addr.arpa", [192, 0, 2, 0]),
            ("0/24.2.0.192.in-addr.arpa", [192, 0, 2, 0]),
            ("x/25.2.0.192.in-addr.arpa", [192, 0, 2, 0]),
            ("9-5.2.0.192.in-addr.arpa", [192, 0, 2, 7]),
        ] {
            assert_eq!(name(zone, ip), None, "{zone} {ip:?}");
        }
    }
}
