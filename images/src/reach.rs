//! Which addresses downloads may go to.
//!
//! A URL that arrives over the API must not make the service fetch from itself, from its neighbours on the link, or from a
//! cloud's metadata service. The command line has no such limit: its user can reach these addresses anyway.

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// Which addresses downloads may go to.
#[derive(Clone, Debug)]
pub enum Reach {
    /// All.
    Anywhere,
    /// All but this machine, the link, and metadata services; and these networks all the same.
    Guarded(Arc<[IpNet]>),
}

/// An address that downloads may not go to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is a loopback, link-local, metadata or otherwise special address. Choose another mirror, or allow its network with --image-mirror-allow when the service is started"
)]
pub struct Unreachable(pub String);

/// Metadata services of clouds that are outside the link-local networks.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

impl Reach {
    /// Whether downloads may go to an address.
    ///
    /// # Errors
    /// Where they may not.
    pub fn check(&self, address: IpAddr) -> Result<(), Unreachable> {
        let Self::Guarded(allowed) = self else { return Ok(()) };
        let real = embedded(address);
        let refused = special(real) || METADATA.contains(&real);
        let allowed = allowed.iter().any(|network| network.contains(&real) || network.contains(&address));
        if refused && !allowed { Err(Unreachable(address.to_string())) } else { Ok(()) }
    }

    /// Whether downloads may go to a URL, as far as its host is an address. Names are checked when they are resolved.
    ///
    /// # Errors
    /// Where they may not.
    pub fn check_url(&self, url: &Url) -> Result<(), Unreachable> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            _ => Ok(()),
        }
    }
}

/// The IPv4 address that an IPv6 address stands for, if it stands for one.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    let segments = v6.segments();
    let [.., a, b] = segments;
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match segments {
        // NAT64, IPv4-compatible addresses, 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4(a, b),
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => v4(a, b),
        [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

fn special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || first == 0 || first >= 240
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || first & 0xffc0 == 0xfe80
        }
    }
}

/// Resolves names to addresses that downloads may go to. An answer with a refused address is refused as a whole.
pub(crate) struct Resolver(pub(crate) Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                reach
                    .check(address.ip())
                    .map_err(|error| Unreachable(format!("{}, the address of {},", error.0, name.as_str())))?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_neither_this_machine_nor_the_link_nor_a_metadata_service() {
        let guarded = Reach::Guarded(Arc::new([]));
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "100.100.100.200",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::127.0.0.1",
        ] {
            assert!(guarded.check(address.parse().expect("an address")).is_err(), "{address} was let through");
        }
        for address in ["10.0.0.2", "192.168.1.1", "151.101.2.132", "2a04:4e42::644", "fd00::1", "64:ff9b::a00:2"] {
            guarded.check(address.parse().expect("an address")).expect("a usual address");
        }
    }

    #[test]
    fn the_operator_of_the_service_can_allow_a_network() {
        let allowed = Reach::Guarded(Arc::new(["127.0.0.0/8".parse().expect("a network")]));
        allowed.check("127.0.0.1".parse().expect("an address")).expect("allowed");
        allowed.check("::ffff:127.0.0.1".parse().expect("an address")).expect("allowed");
        assert!(allowed.check("169.254.169.254".parse().expect("an address")).is_err());
        Reach::Anywhere.check("127.0.0.1".parse().expect("an address")).expect("the command line is free");
    }

    #[test]
    fn addresses_in_urls_are_checked_in_every_notation() {
        let guarded = Reach::Guarded(Arc::new([]));
        for url in ["http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://[::1]/", "http://[::ffff:7f00:1]/"] {
            assert!(guarded.check_url(&Url::parse(url).expect("a URL")).is_err(), "{url} was let through");
        }
    }
}
