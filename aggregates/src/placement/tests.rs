//! Tests of catalogue changes: every change is checked against everything that can be held, for what it would leave without a
//! valid place and for what it moves.

use super::*;
use crate::event::Event;
use crate::event::sampled;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a value of the domain")
}

fn name(text: &str) -> Name {
    text.parse().expect(text)
}

fn site(change: Value) -> SiteSpec {
    let mut value = json!({
        "domain": "dc1.example", "zones": ["dc1.example", "20.10.in-addr.arpa"], "next_server": "10.20.0.2",
        "dns_updates": {"primary": "10.20.0.53", "key": {"name": "k", "secret": "s"}}
    });
    merge(&mut value, change);
    read(value)
}

fn network(change: Value) -> NetworkSpec {
    let mut value = json!({"cidr": "10.20.0.0/23", "site": "dc1", "racks": ["r1"], "gateway": "10.20.0.1", "vlan": 120});
    merge(&mut value, change);
    read(value)
}

fn merge(value: &mut Value, change: Value) {
    if let (Value::Object(value), Value::Object(change)) = (value, change) {
        value.extend(change);
    }
}

fn catalogue() -> Catalogue {
    let image = |image: &str| json!({ "default_boot_image": image });
    Catalogue {
        sites: [(name("dc1"), site(json!({}))), (name("dc2"), site(json!({"domain": "dc2.example", "zones": ["dc2.example"]})))]
            .into(),
        racks: [("r1", "dc1"), ("r2", "dc1"), ("x1", "dc2")]
            .map(|(rack, site)| (name(rack), read(json!({ "site": site }))))
            .into(),
        networks: [(name("prod"), network(json!({})))].into(),
        dhcp_servers: [(name("kea-1"), read(json!({"site": "dc1", "kind": "kea"})))].into(),
        ventures: [(
            name("shop"),
            (read(image("debian")), [(name("web"), read(json!({}))), (name("db"), read(json!({})))].into()),
        )]
        .into(),
        boot_images: [name("debian"), name("alma")].into(),
    }
}

/// A server whose deployment is done, at 10.20.1.50 with the name h1.dc1.example.
fn done() -> Held {
    let mac = "52:54:00:00:00:01".parse().expect("a MAC");
    let ip = Ipv4Addr::new(10, 20, 1, 50);
    Held {
        device: DeviceId::default(),
        called: "R640 no. 1".to_owned(),
        site: name("dc1"),
        rack: Some(name("r1")),
        position: Some(40),
        venture: Some(name("shop")),
        role: Some(name("web")),
        macs: [mac].into(),
        addresses: [ip].into(),
        leases: [(ip, mac)].into(),
        records: [("h1.dc1.example".parse().expect("a name"), ip)].into(),
        live: None,
    }
}

/// A server that is being deployed and does not hold anything else yet.
fn deploying() -> Held {
    let done = done();
    let live = Live {
        id: DeploymentId::default(),
        ip: Ipv4Addr::new(10, 20, 1, 60),
        mac: *done.macs.first().expect("one"),
        hostname: "h2.dc1.example".parse().expect("a name"),
        network: name("prod"),
        venture: name("shop"),
        role: name("web"),
        boot_image: name("debian"),
    };
    let (addresses, leases, records) = Default::default();
    Held { called: "R640 no. 2".to_owned(), addresses, leases, records, live: Some(live), ..done }
}

/// A server that is registered in the rack and holds nothing.
fn idle() -> Held {
    let (addresses, leases, records) = Default::default();
    Held { addresses, leases, records, venture: None, role: None, ..done() }
}

fn weighed(change: &Change, held: Held) -> Consequences {
    let before = catalogue();
    let mut weighing = Weighing::of(change, &before);
    weighing.weigh([(held.clone(), held)]);
    weighing.consequences()
}

/// The invalidated items as `field rule`, each once.
fn lost(change: &Change, held: Held) -> BTreeSet<String> {
    let named = weighed(change, held).invalidated.into_iter().skip(1);
    named.map(|rule| format!("{} {}", rule.field, rule.rule).trim().to_owned()).collect()
}

fn to_site(change: Value) -> Change {
    Change::Site(name("dc1"), Some(Box::new(site(change))))
}

fn to_network(change: Value) -> Change {
    Change::Network(name("prod"), Some(Box::new(network(change))))
}

/// Every change with what it invalidates for three servers: one whose deployment is done, one that is being deployed, and one
/// that is only registered in the rack.
#[expect(clippy::too_many_lines, reason = "one table, a line or two for each change")]
fn matrix() -> Vec<(&'static str, Change, [&'static [&'static str]; 3])> {
    let role = |spec: Option<Value>| Change::Role(name("shop"), name("web"), spec.map(|spec| Box::new(read(spec))));
    let venture = |spec: Value| Change::Venture(name("shop"), Some(Box::new(read(spec))));
    let rack = |spec: Value| Change::Rack(name("r1"), Some(read(spec)));
    let server = |spec: Value| Change::DhcpServer(name("kea-1"), Some(read(spec)));
    vec![
        ("the same network", to_network(json!({})), [&[], &[], &[]]),
        ("a wider network", to_network(json!({"cidr": "10.20.0.0/22"})), [&[], &[], &[]]),
        (
            "a narrower network",
            to_network(json!({"cidr": "10.20.0.0/24"})),
            [&["cidr address_held"], &["cidr address_held", "site deployment_live"], &[]],
        ),
        (
            "a network elsewhere",
            to_network(json!({"cidr": "10.30.0.0/23", "gateway": null})),
            [&["cidr address_held"], &["cidr address_held", "gateway deployment_live", "site deployment_live"], &[]],
        ),
        ("the gateway at a server", to_network(json!({"gateway": "10.20.1.50"})), [&["gateway address_held"], &[], &[]]),
        ("no gateway", to_network(json!({"gateway": null})), [&[], &["gateway deployment_live"], &[]]),
        ("another gateway", to_network(json!({"gateway": "10.20.1.254"})), [&[], &[], &[]]),
        (
            "a margin over a server",
            to_network(json!({"margin_bottom": 400})),
            [&["margin_bottom address_held"], &["margin_bottom address_held"], &[]],
        ),
        (
            "a margin over both from above",
            to_network(json!({"margin_top": 250})),
            [&["margin_top address_held"], &["margin_top address_held"], &[]],
        ),
        ("no DHCP", to_network(json!({"dhcp": false})), [&["dhcp reservation_held"], &["dhcp reservation_held"], &[]]),
        (
            "a network of another site",
            to_network(json!({"site": "dc2", "racks": []})),
            [
                &["site address_held", "site reservation_held", "domain name_held"],
                &["domain name_held", "site address_held", "site deployment_live", "site reservation_held"],
                &[],
            ],
        ),
        (
            "a network of other racks",
            to_network(json!({"racks": ["r2"]})),
            [&["racks address_held"], &["racks address_held"], &[]],
        ),
        ("another VLAN", to_network(json!({"vlan": 121})), [&[], &["vlan deployment_live"], &[]]),
        (
            "other resolvers",
            to_network(json!({"dns_servers": ["10.20.0.3"], "ip_only_done": false})),
            [&[], &["ip_only_done deployment_live"], &[]],
        ),
        (
            "a domain of its own",
            to_network(json!({"domain": "other.example"})),
            [&["domain name_held"], &["domain name_held"], &[]],
        ),
        ("a wider domain", to_network(json!({"domain": "example"})), [&[], &[], &[]]),
        ("no network", Change::Network(name("prod"), None), [&["address_held"], &["address_held", "deployment_live"], &[]]),
        ("the same site", to_site(json!({})), [&[], &[], &[]]),
        ("another domain", to_site(json!({"domain": "corp.example"})), [&["domain name_held"], &["domain name_held"], &[]]),
        ("no forward zone", to_site(json!({"zones": ["20.10.in-addr.arpa"]})), [&["zones name_held"], &["zones name_held"], &[]]),
        ("no reverse zone", to_site(json!({"zones": ["dc1.example"]})), [&["zones name_held"], &["zones name_held"], &[]]),
        ("a wider zone", to_site(json!({"zones": ["example", "10.in-addr.arpa"]})), [&[], &[], &[]]),
        ("no primary", to_site(json!({"dns_updates": null})), [&["dns_updates name_held"], &["dns_updates name_held"], &[]]),
        ("no next server", to_site(json!({"next_server": null})), [&[], &["next_server deployment_live"], &[]]),
        ("another next server", to_site(json!({"next_server": "10.20.0.4", "boot_url": "http://10.20.0.4"})), [&[], &[], &[]]),
        (
            "no site",
            Change::Site(name("dc1"), None),
            [
                &["device_placed", "dhcp_server_in_site", "name_held", "network_in_site", "rack_in_site"],
                &["deployment_live", "device_placed", "dhcp_server_in_site", "name_held", "network_in_site", "rack_in_site"],
                &["device_placed", "dhcp_server_in_site", "network_in_site", "rack_in_site"],
            ],
        ),
        ("a higher rack", rack(json!({"site": "dc1", "units": 48})), [&[], &[], &[]]),
        (
            "a lower rack",
            rack(json!({"site": "dc1", "units": 39})),
            [&["units device_placed"], &["units device_placed"], &["units device_placed"]],
        ),
        (
            "a rack of another site",
            rack(json!({"site": "dc2"})),
            [
                &["rack_of_network", "site device_placed"],
                &["rack_of_network", "site device_placed"],
                &["rack_of_network", "site device_placed"],
            ],
        ),
        (
            "no rack",
            Change::Rack(name("r1"), None),
            [&["device_placed", "rack_of_network"], &["device_placed", "rack_of_network"], &["device_placed", "rack_of_network"]],
        ),
        ("another kind of server", server(json!({"site": "dc1", "kind": "isc"})), [&[], &[], &[]]),
        (
            "a server of another site",
            server(json!({"site": "dc2", "kind": "kea"})),
            [&["site reservation_held"], &["site reservation_held"], &[]],
        ),
        ("no server", Change::DhcpServer(name("kea-1"), None), [&["reservation_held"], &["reservation_held"], &[]]),
        ("another default image", venture(json!({"default_boot_image": "alma"})), [&[], &[], &[]]),
        ("no venture", Change::Venture(name("shop"), None), [&["device_placed"], &["deployment_live", "device_placed"], &[]]),
        ("another role", role(Some(json!({"description": "web servers"}))), [&[], &[], &[]]),
        ("no role", role(None), [&["device_placed"], &["deployment_live", "device_placed"], &[]]),
        (
            "no default image",
            Change::RetireBootImage(name("debian")),
            [&["default_boot_image"], &["default_boot_image", "deployment_live"], &["default_boot_image"]],
        ),
        ("no other image", Change::RetireBootImage(name("alma")), [&[], &[], &[]]),
    ]
}

#[test]
fn each_change_is_weighed_against_each_thing_that_is_held() {
    for (what, change, expected) in matrix() {
        for (held, expected) in [done(), deploying(), idle()].into_iter().zip(expected) {
            let found = lost(&change, held.clone());
            assert_eq!(found, expected.iter().map(ToString::to_string).collect(), "{what}, {}", held.called);
        }
    }
}

/// The check only sees what is in the scope of a change. Where a change invalidates something, its scope must include the
/// device, and the start of a deployment in the same place must concern it.
#[test]
fn the_scope_of_a_change_has_whatever_it_takes() {
    let before = catalogue();
    for (what, change, [of_done, of_live, of_idle]) in matrix() {
        let scope = change.scope(&before);
        let in_scope = |held: &Held| {
            scope.sites.contains(&held.site)
                || held.rack.as_ref().is_some_and(|rack| scope.racks.contains(rack))
                || held.venture.as_ref().is_some_and(|venture| scope.ventures.contains(venture))
                || held.held_addresses().iter().any(|ip| scope.concerns(&Use::Address(*ip)))
                || held.live.iter().any(|live| scope.boot_images.contains(&live.boot_image))
        };
        let none = lost(&change, Held { site: name("dc2"), rack: None, ..idle() });
        for (held, rules) in [(done(), of_done), (deploying(), of_live), (idle(), of_idle)] {
            let beyond = rules.iter().any(|rule| !none.contains(*rule));
            assert!(!beyond || in_scope(&held), "{what}: {} is not looked at, {scope:?}", held.called);
        }
        if of_live.iter().any(|rule| !none.contains(*rule)) && !of_live.iter().all(|rule| of_idle.contains(rule)) {
            let started = [
                Use::Site(name("dc1")),
                Use::Venture(name("shop")),
                Use::BootImage(name("debian")),
                Use::Address([10, 20, 1, 60].into()),
            ];
            assert!(started.iter().any(|one| scope.concerns(one)), "{what}: a start in the meantime is missed");
        }
    }
}

#[test]
fn a_refusal_names_addresses_and_holders_and_says_what_to_do() {
    let rules = weighed(&to_network(json!({"cidr": "10.20.0.0/24"})), done()).invalidated;
    let told: Vec<&str> = rules.iter().map(|rule| rule.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "This change of network prod would invalidate 1 thing that is in use, so nothing was changed. Move these first: deploy \
             the servers elsewhere, cancel their deployments, or decommission them.",
            "10.20.1.50, held by R640 no. 1, would lie in no network"
        ]
    );
    assert_eq!(rules[1].holder.as_deref(), Some(format!("device {}", DeviceId::default()).as_str()));
}

#[test]
fn a_long_list_is_cut_and_says_how_many_more_there_are() {
    let (change, before) = (to_network(json!({"cidr": "10.20.0.0/24"})), catalogue());
    let mut weighing = Weighing::of(&change, &before);
    weighing.weigh((0..100).map(|n| {
        let held =
            Held { addresses: [Ipv4Addr::new(10, 20, 1, n)].into(), leases: BTreeSet::new(), records: BTreeSet::new(), ..done() };
        (held.clone(), held)
    }));
    let found = weighing.consequences();
    assert_eq!((found.count, found.invalidated.len()), (100, NAMED + 2));
    assert_eq!(found.invalidated[NAMED + 1].message, "80 more are not named here");
}

#[test]
fn what_moves_along_is_said_beforehand() {
    let moved = |change: &Change| weighed(change, done()).moved;
    assert_eq!(
        moved(&to_network(json!({"vlan": 121}))),
        ["the address 10.20.1.50 of R640 no. 1 moves from network prod, VLAN 120 to network prod, VLAN 121"]
    );
    let narrower = to_site(json!({"zones": ["dc1.example", "20.10.in-addr.arpa", "1.20.10.in-addr.arpa"]}));
    assert_eq!(
        moved(&narrower),
        ["the record 50.1.20.10.in-addr.arpa of R640 no. 1 moves from zone 20.10.in-addr.arpa at 10.20.0.53 to zone \
          1.20.10.in-addr.arpa at 10.20.0.53"]
    );
    assert_eq!(moved(&to_network(json!({"cidr": "10.20.0.0/22"}))), [""; 0]);
}

#[test]
fn what_has_no_place_already_keeps_nobody_from_changing_the_rest() {
    // A log from an earlier version: the network was narrowed although the server is in it.
    let mut before = catalogue();
    before.networks.insert(name("prod"), network(json!({"cidr": "10.20.0.0/24"})));
    let invalidated = |change: &Change| {
        let mut weighing = Weighing::of(change, &before);
        weighing.weigh([(done(), done())]);
        weighing.consequences().count
    };
    for change in
        [json!({"cidr": "10.20.0.0/25"}), json!({"cidr": "10.20.0.0/23"}), json!({"cidr": "10.20.0.0/24", "dhcp": false})]
    {
        assert_eq!(invalidated(&to_network(change.clone())), 0, "{change}");
    }
    assert_eq!(
        invalidated(&Change::Network(
            name("spare"),
            Some(Box::new(network(json!({"cidr": "10.20.1.0/24", "site": "dc2", "racks": []}))))
        )),
        0
    );
    assert!(invalidated(&to_site(json!({"zones": []}))) > 0, "its name still has a place to lose");
}

#[test]
fn a_device_keeps_to_the_networks_that_hold_its_addresses() {
    let before = catalogue();
    let moved = |held: Held, site: &str, rack: Option<&str>| {
        let change = Change::Device(held.site.clone(), held.device);
        let then = Held { site: name(site), rack: rack.map(name), ..held.clone() };
        let mut weighing = Weighing::of(&change, &before);
        weighing.weigh([(held, then)]);
        let rules = weighing.consequences().invalidated.into_iter().skip(1);
        rules.map(|rule| format!("{}: {}", rule.field, rule.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        moved(done(), "dc2", Some("x1")),
        ["site: 10.20.1.50, held by R640 no. 1, would lie in network prod of site dc1, where the device is not"]
    );
    assert_eq!(
        moved(done(), "dc1", Some("r2")),
        ["rack: 10.20.1.50, held by R640 no. 1, is of network prod, which would not reach the device's rack r2"]
    );
    assert_eq!(moved(idle(), "dc2", Some("x1")), [""; 0]);
    assert_eq!(moved(done(), "dc1", Some("r1")), [""; 0]);
}

#[test]
fn another_sites_zone_that_takes_a_name_from_its_primary_is_refused() {
    let taking = |updates: Value| {
        let zone = json!({"domain": "dc2.example", "zones": ["dc2.example", "dc1.example"], "dns_updates": updates});
        Change::Site(name("dc2"), Some(Box::new(site(zone))))
    };
    let mut before = catalogue();
    before.sites.insert(name("dc1"), site(json!({"zones": ["example", "20.10.in-addr.arpa"]})));
    let found = |change: Change| {
        assert!(change.scope(&before).zones.contains(&"dc1.example".parse().expect("a zone")));
        let mut weighing = Weighing::of(&change, &before);
        weighing.weigh([(done(), done())]);
        let found = weighing.consequences();
        (found.count, found.moved)
    };
    assert_eq!(found(taking(Value::Null)).0, 1, "it is published no more");
    let (count, moved) = found(taking(json!({"primary": "10.30.0.53", "key": {"name": "k", "secret": "s"}})));
    assert_eq!((count, moved.len()), (0, 1), "it moves along: {moved:?}");
}

#[test]
fn every_event_that_uses_something_is_looked_for() {
    let key = || name("some-key");
    let mut events: Vec<Event> = vec![];
    events.extend(sampled::deployment().into_iter().map(|event| Event::Deployment(DeploymentId::default(), event)));
    events.extend(sampled::device().into_iter().map(|event| Event::Device(DeviceId::default(), event)));
    events.extend(sampled::site().into_iter().map(|event| Event::Site(key(), event)));
    events.extend(sampled::rack().into_iter().map(|event| Event::Rack(key(), event)));
    events.extend(sampled::network().into_iter().map(|event| Event::Network(key(), event)));
    events.extend(sampled::dhcp_server().into_iter().map(|event| Event::DhcpServer(key(), event)));
    events.extend(sampled::venture().into_iter().map(|event| Event::Venture(key(), event)));
    events.extend(sampled::boot_image().into_iter().map(|event| Event::BootImage(key(), event)));
    let mut using = BTreeSet::new();
    for event in events.iter().filter(|event| !event.uses().is_empty()) {
        let text = format!("{event:?}");
        let kind = Use::EVENTS.iter().find(|kind| text.contains(*kind));
        using.insert(*kind.unwrap_or_else(|| panic!("{text} is not in Use::EVENTS")));
    }
    assert_eq!(using, Use::EVENTS.into_iter().collect(), "an event uses nothing, or has no sample");
}

/// A site and a network that give servers a value of every kind.
fn giving() -> Catalogue {
    let option = |name: &str, ip: &str| json!({"name": name, "value": {"addresses": [ip]}});
    let mut before = catalogue();
    let options = [option("ntp-servers", "10.20.0.7"), option("log-servers", "10.20.0.8")];
    let spec = network(json!({"dns_servers": ["10.20.0.3", "10.20.0.4"], "dhcp_options": options}));
    before.networks.insert(name("prod"), spec);
    before.sites.insert(name("dc1"), site(json!({"dhcp_header": [option("time-servers", "10.20.0.9")]})));
    before
}

#[test]
fn what_a_server_that_is_being_installed_was_given_may_be_replaced_and_not_taken_away() {
    let before = giving();
    let with = |key: &str, value: Value, of_site: bool| {
        let (network, site) = (&before.networks[&name("prod")], &before.sites[&name("dc1")]);
        let mut spec = if of_site { serde_json::to_value(site) } else { serde_json::to_value(network) }.expect("JSON");
        spec[key] = value;
        if of_site {
            Change::Site(name("dc1"), Some(Box::new(read(spec))))
        } else {
            Change::Network(name("prod"), Some(Box::new(read(spec))))
        }
    };
    let cases = [
        ("gateway", json!(null), false, true),
        ("gateway", json!("10.20.0.254"), false, false),
        ("dns_servers", json!([]), false, true),
        ("dns_servers", json!(["10.20.0.4"]), false, false),
        ("dns_servers", json!(["10.20.0.5", "10.20.0.6"]), false, false),
        ("dns_servers", json!(["10.20.0.3", "10.20.0.4", "10.20.0.5"]), false, false),
        ("dhcp_options", json!([]), false, false),
        ("dhcp_header", json!([]), true, false),
        ("next_server", json!("10.20.0.4"), true, false),
        ("boot_url", json!("http://10.20.0.4"), true, false),
    ];
    for (field, value, of_site, refused) in cases {
        let (what, change) = (format!("{field} {value}"), with(field, value, of_site));
        for (held, refused) in [(done(), false), (idle(), false), (deploying(), refused)] {
            let mut weighing = Weighing::of(&change, &before);
            weighing.weigh([(held.clone(), held.clone())]);
            let found = weighing.consequences();
            let mut named: Vec<_> =
                found.invalidated.iter().skip(1).map(|rule| (rule.field.as_str(), rule.rule.as_str())).collect();
            named.dedup();
            assert_eq!(named, if refused { vec![(field, "deployment_live")] } else { vec![] }, "{what}, {}", held.called);
        }
        let scope = change.scope(&before);
        let looked_at = scope.sites.contains(&name("dc1")) || scope.concerns(&Use::Address([10, 20, 1, 60].into()));
        assert!(!refused || looked_at, "{what}: a deployment that starts at the same moment is missed");
    }
}

#[test]
fn every_address_of_a_router_or_server_is_known_and_no_other() {
    use infrastructure::{of_dhcp_server, of_network, of_site};
    let addresses = |name: &str, ips: &[&str]| json!({"name": name, "value": {"addresses": ips}});
    let route = json!({"routes": [{"destination": "10.9.0.0/16", "router": "10.20.0.13"}, {"destination": "10.8.0.0/16", "router": "0.0.0.0"}]});
    let full = network(json!({
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
    let place = site(json!({
        "boot_url": "https://10.20.0.2:8443/boot", "zones": [zone],
        "dhcp_header": [{"name": "tftp-server-name", "value": {"text": "10.20.0.16"}}, {"name": "root-path", "value": {"text": "/srv"}}],
    }));
    let server = read(json!({"site": "dc1", "kind": "kea", "address": "10.20.0.30"}));
    let all = [of_network(&name("prod"), &full), of_site(&name("dc1"), &place), of_dhcp_server(&name("kea-1"), &server)].concat();
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
