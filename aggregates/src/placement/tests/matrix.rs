//! Every change of the catalogue, with what it invalidates.

use super::*;

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
fn each_change_is_checked_against_each_claim() {
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
fn the_scope_of_a_change_contains_everything_it_affects() {
    let before = catalogue();
    for (what, change, [of_done, of_live, of_idle]) in matrix() {
        let scope = change.scope(&before);
        let in_scope = |held: &Held| {
            scope.sites.contains(&held.site)
                || held.rack.as_ref().is_some_and(|rack| scope.racks.contains(rack))
                || held.venture.as_ref().is_some_and(|venture| scope.ventures.contains(venture))
                || held.held_addresses().iter().any(|ip| scope.concerns(&Use::Address(*ip)))
                || held.live.iter().any(|live| scope.boot_images.contains(&live.assignment.boot_image))
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
