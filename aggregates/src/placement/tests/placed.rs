//! Misfits of a catalogue, the values that a device releases, and the holders that a refusal names.

use super::*;

fn lease(last: u8, mac: &str) -> (Ipv4Addr, crate::values::mac_address::MacAddress) {
    (Ipv4Addr::new(10, 20, 1, last), mac.parse().expect("a MAC address"))
}

/// The codes of the rules for the DHCP entries that this network does not serve.
fn unserved_by(change: Value) -> Vec<String> {
    let mut catalogue = catalogue();
    catalogue.networks.insert(name("prod"), network(change));
    unserved(&catalogue, &done()).into_iter().map(|broken| broken.rule).collect()
}

#[test]
fn a_dhcp_entry_is_served_by_a_network_of_its_site_at_an_address_for_hosts() {
    for (change, rules) in [
        (json!({}), &[][..]),
        (json!({"dhcp": false}), &["reservation_held"]),
        (json!({"cidr": "10.20.0.0/24"}), &["address_held"]),
        (json!({"site": "dc2", "racks": []}), &["address_held"]),
        (json!({"gateway": "10.20.1.50"}), &["address_of_infrastructure"]),
        (json!({"margin_bottom": 400}), &[]),
        (json!({"margin_top": 250}), &[]),
        (json!({"racks": ["r2"]}), &[]),
    ] {
        assert_eq!(unserved_by(change.clone()), rules, "{change}");
    }
}

#[test]
fn a_device_without_a_misfit_has_its_place() {
    let catalogue = catalogue();
    for held in [done(), deploying(), idle()] {
        assert_eq!(without_place(&catalogue, &held), BTreeSet::new(), "{}", held.called);
    }
    let (ip, mac) = lease(50, "52:54:00:00:00:09");
    let foreign = Held { leases: [(ip, mac)].into(), ..done() };
    assert_eq!(without_place(&catalogue, &foreign), [Misfit::Interface { ip, mac }].into());
}

#[test]
fn a_pointer_is_published_by_the_site_of_its_own_zone() {
    let mut catalogue = catalogue();
    catalogue.sites.insert(name("dc1"), site(json!({"zones": ["dc1.example"]})));
    let other = json!({"domain": "dc2.example", "zones": ["dc2.example", "20.10.in-addr.arpa"], "dns_updates": null});
    catalogue.sites.insert(name("dc2"), site(other));
    let ip = Ipv4Addr::new(10, 20, 1, 50);
    assert_eq!(without_place(&catalogue, &done()), [Misfit::UnpublishedPointer { ip }].into());
}

#[test]
fn a_device_fits_into_the_highest_unit_of_its_rack() {
    let rack = |units: u16| Change::Rack(name("r1"), Some(read(json!({"site": "dc1", "units": units}))));
    assert_eq!(weighed(&rack(40), idle()).count, 0);
    assert_eq!(weighed(&rack(39), idle()).count, 1);
}

#[test]
fn a_decommissioned_device_releases_its_addresses_and_names_and_says_which_are_reserved() {
    let released = Held { addresses: [50, 51].map(|last| Ipv4Addr::new(10, 20, 1, last)).into(), ..done() }.released();
    let expected = [("10.20.1.50", true), ("10.20.1.51", false), ("h1.dc1.example", false)];
    assert_eq!(released.len(), expected.len(), "{released:?}");
    for (text, (value, reserved)) in released.iter().zip(expected) {
        assert!(text.contains(value) && text.contains("reservation") == reserved, "{text}");
    }
}

#[test]
fn a_refusal_names_the_deployment_where_only_that_has_no_place() {
    let live = format!("deployment {}", DeploymentId::default());
    let device = format!("device {}", DeviceId::default());
    let holders = |change: &Change| {
        let rules = weighed(change, deploying()).invalidated.into_iter().skip(1);
        rules.map(|rule| (rule.rule, rule.holder.unwrap_or_default())).collect::<BTreeSet<_>>()
    };
    let expected = |pairs: &[(&str, &String)]| -> BTreeSet<(String, String)> {
        pairs.iter().map(|(rule, holder)| ((*rule).to_owned(), (*holder).clone())).collect()
    };
    let narrower = to_network(json!({"cidr": "10.20.0.0/24"}));
    assert_eq!(holders(&narrower), expected(&[("address_held", &device), ("deployment_live", &live)]));
    let image = Change::RetireBootImage(name("debian"));
    assert_eq!(holders(&image), expected(&[("deployment_live", &live), ("default_boot_image", &"venture shop".to_owned())]));
}

#[test]
fn a_change_is_refused_with_each_reason_or_not_at_all() {
    let change = to_network(json!({"cidr": "10.20.0.0/24"}));
    let consequences = weighed(&change, done());
    assert_eq!(consequences.refuse(), Err(Refused(consequences.invalidated.clone())));
    assert_eq!(weighed(&change, idle()).refuse(), Ok(()));
}

#[test]
fn references_of_other_entries_are_named_and_those_of_the_changed_entry_have_rules_of_their_own() {
    let mut before = catalogue();
    before.ventures.insert(name("shop-eu"), (read(json!({"parent": "shop"})), [].into()));
    let named = |change: &Change| {
        let rules = Weighing::of(change, &before).consequences().invalidated.into_iter().skip(1);
        rules.map(|rule| (rule.rule, rule.holder.unwrap_or_default(), rule.message)).collect::<Vec<_>>()
    };
    let elsewhere = network(json!({"site": "dc9", "racks": ["r9"]}));
    assert_eq!(named(&Change::Network(name("prod"), Some(Box::new(elsewhere)))), []);
    let [(rule, holder, message)] = &named(&Change::Rack(name("r1"), None))[..] else { panic!("one reference") };
    assert_eq!((rule.as_str(), holder.as_str()), ("rack_of_network", "network prod"));
    assert!(message.contains("network prod refers to rack r1 in site dc1"), "{message}");
    let [(rule, holder, _)] = &named(&Change::Venture(name("shop"), None))[..] else { panic!("one reference") };
    assert_eq!((rule.as_str(), holder.as_str()), ("venture_has_parts", "venture shop-eu"));
}

#[test]
fn the_place_of_a_device_is_checked_by_the_rules_of_the_device() {
    let before = catalogue();
    let change = Change::Device(name("dc1"), DeviceId::default());
    let mut weighing = Weighing::of(&change, &before);
    weighing.weigh([(idle(), Held { rack: Some(name("x1")), ..idle() })]);
    assert_eq!(weighing.consequences().count, 0);
}

#[test]
fn what_a_lease_contains_is_listed_where_it_changes_and_where_it_is_removed() {
    let moved = |before: Value, after: Value| {
        let mut catalogue = catalogue();
        catalogue.networks.insert(name("prod"), network(before));
        let change = to_network(after);
        let mut weighing = Weighing::of(&change, &catalogue);
        weighing.weigh([(done(), done())]);
        weighing.consequences().moved
    };
    let resolvers = |servers: &[&str]| json!({ "dns_servers": servers });
    let of = "for 10.20.1.50 of R640 no. 1 moves from";
    for (before, after, expected) in [
        (json!({}), json!({"gateway": "10.20.1.254"}), format!("the gateway {of} 10.20.0.1 to 10.20.1.254")),
        (resolvers(&["10.20.0.3"]), resolvers(&["10.20.0.4"]), format!("the DNS servers {of} 10.20.0.3 to 10.20.0.4")),
        (resolvers(&["10.20.0.3"]), resolvers(&[]), format!("the DNS servers {of} 10.20.0.3 to none")),
    ] {
        assert_eq!(moved(before, after), [expected]);
    }
    assert_eq!(moved(resolvers(&[]), resolvers(&["10.20.0.4"])), [""; 0]);
}

#[test]
fn as_many_items_are_listed_as_the_limit_says() {
    let before = catalogue();
    let devices = |count: usize| {
        (0..count).map(|n| {
            let ip = Ipv4Addr::new(10, 20, 1, u8::try_from(n + 50).expect("small"));
            let (leases, records) = Default::default();
            let held = Held { addresses: [ip].into(), leases, records, ..done() };
            (held.clone(), held)
        })
    };
    let consequences = |change: &Change, count| {
        let mut weighing = Weighing::of(change, &before);
        weighing.weigh(devices(count));
        weighing.consequences()
    };
    let narrower = to_network(json!({"cidr": "10.20.0.0/24"}));
    for (count, listed) in [(NAMED, NAMED + 1), (NAMED + 1, NAMED + 2)] {
        assert_eq!(consequences(&narrower, count).invalidated.len(), listed, "the summary, the items, and the rest as one line");
    }
    let retagged = consequences(&to_network(json!({"vlan": 121})), NAMED + 5);
    assert_eq!((retagged.moved.len(), retagged.moved_count, retagged.count), (NAMED, NAMED + 5, 0));
}
