//! What a refusal says, what a change moves, and what it does not refuse.

use super::*;

#[test]
fn a_refusal_names_addresses_and_holders_and_says_what_to_do() {
    let rules = weighed(&to_network(json!({"cidr": "10.20.0.0/24"})), done()).invalidated;
    let reported: Vec<&str> = rules.iter().map(|rule| rule.message.as_str()).collect();
    assert_eq!(
        reported,
        [
            "This change of network prod would invalidate 1 item in use, so nothing was changed. Move these first: deploy \
             the servers elsewhere, cancel their deployments, or decommission them.",
            "10.20.1.50, held by R640 no. 1, would be in no network"
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
    assert_eq!(found.invalidated[NAMED + 1].message, "80 more are not listed here");
}

#[test]
fn a_preview_lists_what_moves_with_a_change() {
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
fn a_misfit_of_before_does_not_prevent_other_changes() {
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
        ["site: 10.20.1.50, held by R640 no. 1, would be in network prod of site dc1, where the device is not"]
    );
    assert_eq!(
        moved(done(), "dc1", Some("r2")),
        ["rack: 10.20.1.50, held by R640 no. 1, is in network prod, which would not reach the device's rack r2"]
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
