//! Tests of the addresses of routers and servers.

use super::*;
use crate::samples::{device_id, parsed};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a value of the domain")
}

#[test]
fn every_address_of_a_router_or_server_is_known_and_no_other() {
    let addresses = |name: &str, ips: &[&str]| json!({"name": name, "value": {"addresses": ips}});
    let route = json!({"routes": [{"destination": "10.9.0.0/16", "router": "10.20.0.13"}, {"destination": "10.8.0.0/16", "router": "0.0.0.0"}]});
    let full = read(json!({
        "cidr": "10.20.0.0/23", "site": "dc1", "gateway": "10.20.0.1",
        "dns_servers": ["10.20.0.3", "127.0.0.53"],
        "dhcp_options": [
            addresses("ntp-servers", &["10.20.0.7", "10.20.0.8"]), addresses("broadcast-address", &["10.20.1.255"]),
            addresses("policy-filter", &["10.20.0.90", "255.255.0.0"]), addresses("static-routes", &["10.20.0.91", "10.20.0.14"]),
            {"name": "classless-static-routes", "value": route},
            {"name": "phones", "code": 150, "type": "ip-addresses", "value": {"addresses": ["10.20.0.15"]}},
        ],
    }));
    let zone = json!({
        "name": "dc1.example", "name_servers": ["ns1.dc1.example"], "mname": "ns0.dc1.example",
        "records": "ns0 A 10.20.0.20\nns1 A 10.20.0.21\nsub NS ns.sub\nns.sub A 10.20.0.22\nwww A 10.20.0.92"
    });
    let place = read(json!({
        "domain": "dc1.example", "next_server": "10.20.0.2", "dns_updates": {"primary": "10.20.0.53", "key": {"name": "k", "secret": "s"}},
        "boot_url": "https://10.20.0.2:8443/boot", "zones": [zone],
        "dhcp_header": [{"name": "tftp-server-name", "value": {"text": "10.20.0.16"}}, {"name": "root-path", "value": {"text": "/srv"}}],
    }));
    let server = read(json!({"site": "dc1", "kind": "kea", "address": "10.20.0.30"}));
    let all =
        [of_network(&parsed("prod"), &full), of_site(&parsed("dc1"), &place), of_dhcp_server(&parsed("kea-1"), &server)].concat();
    let found: BTreeSet<(&str, u8)> = all.iter().map(|one| (one.field, one.ip.octets()[3])).collect();
    let expected = [
        ("gateway", 1),
        ("dns_servers", 3),
        ("dhcp_options", 7),
        ("dhcp_options", 8),
        ("dhcp_options", 13),
        ("dhcp_options", 14),
        ("dhcp_options", 15),
        ("next_server", 2),
        ("boot_url", 2),
        ("dhcp_header", 16),
        ("dns_updates.primary", 53),
        ("zones", 20),
        ("zones", 21),
        ("zones", 22),
        ("address", 30),
    ];
    assert_eq!(found, expected.into());
    assert!(all.iter().any(|one| one.sentence() == "10.20.0.30 is the DHCP server kea-1 of site dc1"), "{all:?}");
}

#[test]
fn a_device_that_holds_the_address_of_a_server_keeps_it_and_no_device_gets_that_of_a_router() {
    let spec = read(json!({"cidr": "10.20.0.0/23", "site": "dc1", "gateway": "10.20.0.1", "dns_servers": ["10.20.0.3"]}));
    let [gateway, resolver] = &of_network(&parsed("prod"), &spec)[..] else { panic!("two addresses") };
    let (own, other) = (Holder::Device(device_id(1)), Holder::Device(device_id(2)));
    for (declared, holders, refused) in [
        (gateway, vec![], true),
        (gateway, vec![(Claim::Ip(gateway.ip), own)], true),
        (resolver, vec![], true),
        (resolver, vec![(Claim::Ip(resolver.ip), own)], false),
        (resolver, vec![(Claim::Ip(resolver.ip), other)], true),
        (resolver, vec![(Claim::Ip(gateway.ip), own)], true),
    ] {
        let why = declared.refuses(device_id(1), &holders);
        assert_eq!(why, refused.then(|| declared.sentence()), "{holders:?}");
        assert_eq!(declared.by(), "network prod");
    }
    assert!(gateway.advice().contains("another address") && !gateway.advice().contains("record"));
    assert!(resolver.advice().contains("another address") && resolver.advice().contains("record"));
}
