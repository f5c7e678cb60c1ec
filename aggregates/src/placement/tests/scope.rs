//! The scope of each change: what has to be looked at, and which events have to be compared with it.

use super::*;
use crate::values::hostname::DomainName;
use crate::zone::range::AddressRange;
use ipnet::Ipv4Net;

fn domain(text: &str) -> DomainName {
    text.parse().expect(text)
}

fn range(text: &str) -> AddressRange {
    text.parse().expect(text)
}

fn net(text: &str) -> Ipv4Net {
    text.parse().expect(text)
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect(text)
}

/// The scope as texts, such as `site dc1`.
fn texts(scope: &ChangeScope) -> BTreeSet<String> {
    let ChangeScope { sites, racks, ventures, boot_images, ranges, zones, declared, managed, zones_defined } = scope;
    let named =
        |noun: &'static str, names: &BTreeSet<Name>| names.iter().map(|name| format!("{noun} {name}")).collect::<Vec<_>>();
    [
        named("site", sites),
        named("rack", racks),
        named("venture", ventures),
        named("image", boot_images),
        ranges.iter().map(|range| format!("range {range}")).collect(),
        zones.iter().map(|zone| format!("zone {zone}")).collect(),
        declared.iter().map(|ip| format!("declared {ip}")).collect(),
        managed.iter().map(|ip| format!("managed {ip}")).collect(),
        zones_defined.iter().map(|(zone, _)| format!("defines {zone}")).collect(),
    ]
    .concat()
    .into_iter()
    .collect()
}

fn check(before: &Catalogue, cases: Vec<(&str, Change, &[&str])>) {
    for (what, change, expected) in cases {
        let scope = change.scope(before);
        assert_eq!(texts(&scope), expected.iter().map(ToString::to_string).collect(), "{what}");
        assert_eq!(scope.is_empty(), expected.is_empty(), "{what}");
    }
}

#[test]
fn the_scope_of_a_network_has_its_addresses_and_the_racks_that_it_leaves() {
    let before = catalogue();
    let spare = || Some(Box::new(network(json!({"cidr": "10.30.0.0/24", "gateway": null}))));
    check(
        &before,
        vec![
            ("the same network", to_network(json!({})), &[]),
            ("first resolvers", to_network(json!({"dns_servers": ["10.20.0.3"]})), &["managed 10.20.0.3", "range 10.20.0.3/32"]),
            ("a wider network", to_network(json!({"cidr": "10.20.0.0/22"})), &["range 10.20.0.0/22", "range 10.20.0.0/23"]),
            ("a longer margin", to_network(json!({"margin_top": 5})), &["range 10.20.0.0/23"]),
            ("another rack", to_network(json!({"racks": ["r1", "r2"]})), &["range 10.20.0.0/23"]),
            ("a rack less", to_network(json!({"racks": ["r2"]})), &["range 10.20.0.0/23", "rack r1"]),
            ("no network", Change::Network(name("prod"), None), &["range 10.20.0.0/23", "rack r1"]),
            ("a new network", Change::Network(name("spare"), spare()), &["range 10.30.0.0/24"]),
        ],
    );
}

#[test]
fn the_scope_of_a_network_with_resolvers_has_its_addresses_when_they_are_replaced() {
    let mut before = catalogue();
    before.networks.insert(name("prod"), network(json!({"dns_servers": ["10.20.0.3"]})));
    let option = json!([{"name": "root-path", "value": {"text": "/srv"}}]);
    check(
        &before,
        vec![
            ("the same resolvers", to_network(json!({"dns_servers": ["10.20.0.3"], "dhcp_options": option})), &[]),
            ("no resolvers", to_network(json!({})), &["range 10.20.0.0/23"]),
            (
                "other resolvers",
                to_network(json!({"dns_servers": ["10.20.0.4"]})),
                &["managed 10.20.0.4", "range 10.20.0.0/23", "range 10.20.0.4/32"],
            ),
        ],
    );
}

#[test]
fn the_scope_of_a_rack_is_the_rack_where_it_loses_units_or_its_site() {
    let rack = |key: &str, spec: Value| Change::Rack(name(key), Some(read(spec)));
    check(
        &catalogue(),
        vec![
            ("another description", rack("r1", json!({"site": "dc1", "description": "by the door"})), &[]),
            ("a higher rack", rack("r1", json!({"site": "dc1", "units": 43})), &[]),
            ("a lower rack", rack("r1", json!({"site": "dc1", "units": 41})), &["rack r1"]),
            ("another site", rack("r1", json!({"site": "dc2"})), &["rack r1"]),
            ("no rack", Change::Rack(name("r1"), None), &["rack r1"]),
            ("a new rack", rack("r7", json!({"site": "dc1"})), &[]),
        ],
    );
}

#[test]
fn the_scope_of_the_last_dhcp_server_has_the_networks_of_its_site() {
    let server = |key: &str, site: &str| Change::DhcpServer(name(key), Some(read(json!({"site": site, "kind": "isc"}))));
    let retired = || Change::DhcpServer(name("kea-1"), None);
    let both: &[&str] = &["range 10.20.0.0/23", "site dc1"];
    let mut before = catalogue();
    before.dhcp_servers.insert(name("kea-2"), read(json!({"site": "dc2", "kind": "kea"})));
    check(
        &before,
        vec![
            ("another kind", server("kea-1", "dc1"), &[]),
            ("a new server", server("kea-3", "dc1"), &[]),
            ("another site", server("kea-1", "dc2"), both),
            ("no server", retired(), both),
        ],
    );
    before.dhcp_servers.insert(name("kea-3"), read(json!({"site": "dc1", "kind": "kea"})));
    check(&before, vec![("one of two servers", retired(), &["site dc1"])]);
}

#[test]
fn the_scope_of_a_retired_venture_role_or_image_is_that_entry() {
    let venture = Change::Venture(name("shop"), Some(Box::new(read(json!({})))));
    let role = |spec: Option<Value>| Change::Role(name("shop"), name("web"), spec.map(|spec| Box::new(read(spec))));
    check(
        &catalogue(),
        vec![
            ("another venture", venture, &[]),
            ("no venture", Change::Venture(name("shop"), None), &["venture shop"]),
            ("an unknown venture", Change::Venture(name("bank"), None), &[]),
            ("another role", role(Some(json!({"description": "web servers"}))), &[]),
            ("no role", role(None), &["venture shop"]),
            ("no image", Change::RetireBootImage(name("debian")), &["image debian"]),
            ("a device", Change::Device(name("dc1"), DeviceId::default()), &[]),
        ],
    );
}

#[test]
fn the_scope_of_a_site_has_its_devices_and_networks_and_the_zones_that_change() {
    let site_alone: &[&str] = &["range 10.20.0.0/23", "site dc1"];
    let other = json!({"domain": "dc3.example", "zones": ["dc3.example"], "next_server": null, "dns_updates": null});
    let dated = json!([{"name": "dc1.example", "serial": "date"}, "20.10.in-addr.arpa"]);
    check(
        &catalogue(),
        vec![
            ("the same site", to_site(json!({})), &[]),
            ("another name", to_site(json!({"name": "Frankfurt"})), &[]),
            ("no next server", to_site(json!({"next_server": null})), site_alone),
            ("another next server", to_site(json!({"next_server": "10.20.0.4"})), &["managed 10.20.0.4", "range 10.20.0.4/32"]),
            ("no primary", to_site(json!({"dns_updates": null})), site_alone),
            ("another domain", to_site(json!({"domain": "corp.example"})), site_alone),
            (
                "a zone less",
                to_site(json!({"zones": ["dc1.example"]})),
                &["range 10.20.0.0/23", "site dc1", "zone 20.10.in-addr.arpa"],
            ),
            (
                "a zone more",
                to_site(json!({"zones": ["dc1.example", "20.10.in-addr.arpa", "example"]})),
                &["defines example", "range 10.20.0.0/23", "site dc1", "zone example"],
            ),
            ("other serial numbers", to_site(json!({"zones": dated})), &["defines dc1.example"]),
            (
                "no site",
                Change::Site(name("dc1"), None),
                &["range 10.20.0.0/23", "site dc1", "zone 20.10.in-addr.arpa", "zone dc1.example"],
            ),
            ("a new site", Change::Site(name("dc3"), Some(Box::new(site(other)))), &["defines dc3.example", "zone dc3.example"]),
        ],
    );
}

#[test]
fn an_event_concerns_a_scope_that_has_what_it_uses() {
    let scope = ChangeScope {
        sites: [name("dc1")].into(),
        racks: [name("r1")].into(),
        ventures: [name("shop")].into(),
        boot_images: [name("debian")].into(),
        ranges: [net("10.20.0.0/23")].into(),
        zones: [domain("corp.example")].into(),
        declared: [ip("10.20.0.2")].into(),
        managed: [ip("10.20.0.9")].into(),
        zones_defined: [(domain("dc1.example"), None), (domain("rev.example"), Some(range("192.0.2.0/25")))].into(),
    };
    let zone = |text: &str, addresses: Option<&str>| Use::Zone(domain(text), addresses.map(range));
    for (one, concerned) in [
        (Use::Site(name("dc1")), true),
        (Use::Site(name("dc2")), false),
        (Use::Rack(name("r1")), true),
        (Use::Rack(name("r2")), false),
        (Use::Venture(name("shop")), true),
        (Use::Venture(name("bank")), false),
        (Use::BootImage(name("debian")), true),
        (Use::BootImage(name("alma")), false),
        (Use::Unit, true),
        (Use::Address(ip("10.20.1.255")), true),
        (Use::Address(ip("10.20.2.0")), false),
        (Use::Range(net("10.20.1.0/24")), true),
        (Use::Range(net("10.0.0.0/8")), true),
        (Use::Range(net("10.20.2.0/24")), false),
        (Use::Declared(ip("10.20.0.2")), true),
        (Use::Declared(ip("10.20.0.9")), false),
        (Use::Managed(ip("10.20.0.9")), true),
        (Use::Managed(ip("10.20.0.2")), false),
        (zone("dc1.example", None), true),
        (zone("lab.dc1.example", None), true),
        (zone("example", None), true),
        (zone("dc2.example", None), false),
        (zone("x.2.0.192.in-addr.arpa", Some("192.0.2.64/26")), true),
        (zone("x.2.0.192.in-addr.arpa", Some("192.0.2.128/26")), false),
        (zone("x.2.0.192.in-addr.arpa", None), false),
    ] {
        assert_eq!(scope.concerns(&one), concerned, "{one:?}");
        assert!(!ChangeScope::default().concerns(&one), "{one:?}");
    }
}

#[test]
fn a_scope_of_addresses_of_routers_servers_and_controllers_is_of_infrastructure() {
    let address = ip("10.20.0.2");
    let free = ChangeScope::free_of_infrastructure([address]);
    assert_eq!(texts(&free), ["declared 10.20.0.2", "managed 10.20.0.2"].map(str::to_owned).into());
    assert!(free.is_of_infrastructure() && !free.is_empty());
    let site = ChangeScope { sites: [name("dc1")].into(), ..free };
    assert!(!site.is_of_infrastructure() && !site.is_empty());
    assert!(ChangeScope::default().is_empty());
}
