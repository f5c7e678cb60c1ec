//! Special addresses, which no host of a data centre has: those that IANA's "IPv4 Special-Purpose Address Registry" (RFC 6890)
//! and RFC 1112 reserve for other purposes. Private, shared (100.64.0.0/10), documentation (for example 192.0.2.0/24) and
//! benchmarking addresses (198.18.0.0/15) are allowed, because operators use them in their networks.

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// The first address of a range, its prefix length, and the purpose of its addresses.
const SPECIAL: [(Ipv4Addr, u8, &str); 5] = [
    (Ipv4Addr::UNSPECIFIED, 8, "\"this network\" (RFC 791), which no host has"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback (RFC 1122), which each host has for itself"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local (RFC 3927), which hosts choose themselves"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast (RFC 5771), which addresses groups of hosts"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved (RFC 1112), which no host has"),
];

/// The special addresses within a network, and their purpose; `None` if there are none.
pub fn in_network(cidr: Ipv4Net) -> Option<String> {
    special()
        .find(|(range, _)| range.contains(&cidr.network()) || cidr.contains(&range.network()))
        .map(|(range, what)| format!("{range} is {what}"))
}

/// Why no server that others connect to can have this address. Kea rejects a file whose next server is the broadcast address,
/// and dnsmasq sends its own address instead of 0.0.0.0.
pub fn of_no_server(address: Ipv4Addr) -> Option<String> {
    special().find(|(range, _)| range.contains(&address)).map(|(_, what)| format!("{address} is {what}"))
}

fn special() -> impl Iterator<Item = (Ipv4Net, &'static str)> {
    SPECIAL.into_iter().filter_map(|(first, length, what)| Some((Ipv4Net::new(first, length).ok()?, what)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_without_hosts_are_special_and_usable_networks_are_not() {
        let found = |cidr: &str| in_network(cidr.parse().expect(cidr)).is_some();
        for cidr in [
            "0.0.0.0/0",
            "0.0.0.0/8",
            "0.1.0.0/16",
            "127.0.0.0/8",
            "127.0.0.1/32",
            "126.0.0.0/7",
            "169.254.0.0/16",
            "169.254.9.0/24",
            "169.0.0.0/8",
            "224.0.0.0/4",
            "239.1.0.0/16",
            "240.0.0.0/4",
            "255.255.255.255/32",
            "255.255.255.0/24",
        ] {
            assert!(found(cidr), "{cidr}");
        }
        for cidr in [
            "1.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "126.0.0.0/8",
            "128.0.0.0/8",
            "169.253.0.0/16",
            "169.255.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "223.255.255.0/24",
        ] {
            assert!(!found(cidr), "{cidr}");
        }
    }
}
