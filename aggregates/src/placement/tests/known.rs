//! Misfits of before: what had no place cannot lose it.

use super::*;
use crate::values::hostname::Hostname;
use crate::values::mac_address::MacAddress;

fn host(text: &str) -> Hostname {
    text.parse().expect(text)
}

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 20, 1, last)
}

fn mac(last: u8) -> MacAddress {
    format!("52:54:00:00:00:{last:02x}").parse().expect("a MAC address")
}

fn domain(host_name: &str, last: u8, domain: &str) -> Misfit {
    let domain = domain.parse().expect("a domain");
    Misfit::Domain { hostname: host(host_name), ip: ip(last), network: name("prod"), domain }
}

fn other_site(last: u8) -> Misfit {
    Misfit::OtherSite { ip: ip(last), network: name("prod"), site: name("dc2") }
}

fn no_dhcp(last: u8, network: &str) -> Misfit {
    Misfit::NoDhcp { ip: ip(last), network: name(network) }
}

fn no_server(last: u8) -> Misfit {
    Misfit::NoServer { ip: ip(last), site: name("dc1") }
}

fn unreached(last: u8) -> Misfit {
    Misfit::Unreached { ip: ip(last), network: name("prod"), rack: name("r1") }
}

fn rack(rack: &str) -> Misfit {
    Misfit::Rack { rack: name(rack), site: name("dc1") }
}

#[test]
fn a_misfit_is_known_where_the_same_value_had_no_place_before() {
    let no_zone = || Misfit::NoZone { hostname: host("h1.dc1.example") };
    let unpublished = |text: &str| Misfit::Unpublished { hostname: host(text) };
    let no_reverse = |last| Misfit::NoReverseZone { ip: ip(last) };
    let pointer = |last| Misfit::UnpublishedPointer { ip: ip(last) };
    let interface = |last, number| Misfit::Interface { ip: ip(last), mac: mac(number) };
    for (known, old, new) in [
        (true, no_zone(), no_zone()),
        (true, no_zone(), unpublished("h1.dc1.example")),
        (false, no_zone(), unpublished("h2.dc1.example")),
        (true, no_zone(), domain("h1.dc1.example", 50, "example")),
        (false, no_zone(), domain("h2.dc1.example", 50, "example")),
        (false, unpublished("h1.dc1.example"), unpublished("h2.dc1.example")),
        (true, domain("h1.dc1.example", 50, "a.example"), domain("h1.dc1.example", 50, "b.example")),
        (false, domain("h1.dc1.example", 50, "a.example"), domain("h2.dc1.example", 50, "a.example")),
        (true, interface(50, 1), interface(50, 1)),
        (false, interface(50, 1), interface(51, 1)),
        (false, interface(50, 1), interface(50, 2)),
        (true, Misfit::NoNetwork { ip: ip(50) }, domain("h1.dc1.example", 50, "example")),
        (false, Misfit::NoNetwork { ip: ip(50) }, domain("h1.dc1.example", 51, "example")),
        (true, Misfit::NoNetwork { ip: ip(50) }, no_dhcp(50, "prod")),
        (false, Misfit::NoNetwork { ip: ip(50) }, no_dhcp(51, "prod")),
        (true, other_site(50), unreached(50)),
        (false, other_site(50), unreached(51)),
        (true, no_dhcp(50, "prod"), no_dhcp(50, "spare")),
        (false, no_dhcp(50, "prod"), no_dhcp(51, "prod")),
        (false, no_dhcp(50, "prod"), no_server(50)),
        (true, no_reverse(50), pointer(50)),
        (false, no_reverse(50), pointer(51)),
        (false, no_reverse(50), no_reverse(51)),
        (false, pointer(50), no_reverse(50)),
        (true, rack("r1"), rack("r2")),
        (false, rack("r1"), Misfit::Site { site: name("dc1") }),
    ] {
        assert_eq!(new.is_known(&[old.clone()].into()), known, "{old:?}, then {new:?}");
        assert!(!new.is_known(&BTreeSet::new()), "{new:?}");
    }
}
