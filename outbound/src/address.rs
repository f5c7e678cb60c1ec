//! Special addresses, in any notation: which addresses the guard refuses unless the administrator allows them.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(s: [u16; 8], prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), prefix))
}

/// Networks whose addresses belong to this machine, its link, many machines at once, or a cloud's metadata service.
const SPECIAL: [IpNet; 20] = [
    // This host and its network (RFC 1122), loopback, link-local (including most metadata services), protocol assignments (RFC
    // 6890, including Oracle's metadata service), multicast, and all reserved addresses, including the limited broadcast.
    v4(0, 0, 0, 0, 8),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(192, 0, 0, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
    // The metadata services of Alibaba and Azure.
    v4(100, 100, 100, 200, 32),
    v4(168, 63, 129, 16, 32),
    // Unspecified, loopback, link-local, site-local (deprecated by RFC 3879), multicast.
    v6([0; 8], 128),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
    // NAT64 with a local prefix (RFC 8215): only the network knows the embedded IPv4 address.
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    // Teredo (RFC 4380), which conceals an IPv4 address; discard-only (RFC 6666).
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
    // The metadata services of Amazon (for instances, and the DNS service beside it), Google and Scaleway.
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253], 128),
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128),
];

/// Whether an address, or the IPv4 address embedded in it, belongs to this machine, its link, many machines, or a metadata
/// service.
pub fn is_special(address: IpAddr) -> bool {
    let special = |address: IpAddr| SPECIAL.iter().any(|network| network.contains(&address));
    special(address) || embedded(address).is_some_and(special)
}

/// The IPv4 address that is embedded in an IPv6 address, if there is one.
pub fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let of = |high: u16, low: u16| Some(IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))));
    match address.segments() {
        // IPv4-mapped (RFC 4291), IPv4-translated (RFC 7915), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // ISATAP (RFC 5214), with any prefix.
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low]
        // 6to4 (RFC 3056).
        | [0x2002, high, low, ..] => of(high, low),
        // IPv4-compatible (RFC 4291, deprecated); `::` and `::1` are not IPv4-compatible.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => of(high, low),
        _ => None,
    }
}
