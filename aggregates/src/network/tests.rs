//! Tests of the rules of a network, one for each, and of its assignable addresses.

use super::*;
use crate::samples::{broken, network, outcome, parsed};
use proptest::prelude::*;

fn define(spec: NetworkSpec) -> NetworkCommand {
    NetworkCommand::DefineNetwork {
        spec: Box::new(spec),
        site_exists: true,
        foreign_racks: vec![],
        overlaps: vec![],
        reservations: vec![],
    }
}

fn defined() -> Vec<NetworkEvent> {
    vec![NetworkEvent::NetworkDefined { spec: Box::new(network("10.0.0.0/24")) }]
}

/// A network without margins and without a router.
fn bare(cidr: &str) -> NetworkSpec {
    NetworkSpec { margin_bottom: 0, ..network(cidr) }
}

fn given(spec: &NetworkSpec) -> Vec<String> {
    spec.givable().map(|ip| ip.to_string()).collect()
}

#[test]
fn a_network_is_defined_and_the_same_again_writes_nothing() {
    assert_eq!(outcome::<Network>(&[], define(network("10.0.0.0/24"))), Ok(defined()));
    assert_eq!(outcome::<Network>(&defined(), define(network("10.0.0.0/24"))), Ok(vec![]));
    assert_eq!(outcome::<Network>(&defined(), define(network("10.0.0.0/23"))).map(|e| e.len()), Ok(1));
}

#[test]
fn every_broken_rule_of_a_network_is_reported_at_once() {
    let spec = NetworkSpec { gateway: Some(parsed("192.0.2.1")), vlan: Some(4095), ..network("4.0.0.1/6") };
    let command = NetworkCommand::DefineNetwork {
        spec: Box::new(spec),
        site_exists: false,
        foreign_racks: vec![parsed("r1"), parsed("r2")],
        overlaps: vec![parsed("other")],
        reservations: vec![],
    };
    let expected = [
        "site_unknown",
        "rack_unknown",
        "rack_unknown",
        "network_overlaps",
        "cidr_host_bits",
        "cidr_too_wide",
        "gateway_outside",
        "vlan_range",
    ];
    assert_eq!(broken::<Network>(&[], command), expected);
}

#[test]
fn a_vlan_is_one_of_4094() {
    let vlan = |vlan| define(NetworkSpec { vlan: Some(vlan), ..network("10.0.0.0/24") });
    for wrong in [0, 4095, u16::MAX] {
        assert_eq!(broken::<Network>(&[], vlan(wrong)), ["vlan_range"]);
    }
    assert!(outcome::<Network>(&[], vlan(1)).is_ok() && outcome::<Network>(&[], vlan(4094)).is_ok());
}

#[test]
fn a_gateway_is_a_host_of_its_network() {
    let gateway = |cidr: &str, ip: &str| define(NetworkSpec { gateway: Some(parsed(ip)), ..bare(cidr) });
    assert_eq!(broken::<Network>(&[], gateway("10.0.0.0/24", "10.0.1.1")), ["gateway_outside"]);
    assert_eq!(broken::<Network>(&[], gateway("10.0.0.0/24", "10.0.0.0")), ["gateway_not_a_host"]);
    assert_eq!(broken::<Network>(&[], gateway("10.0.0.0/24", "10.0.0.255")), ["gateway_not_a_host"]);
    for (cidr, ip) in [("10.0.0.0/24", "10.0.0.1"), ("10.0.0.0/31", "10.0.0.0"), ("10.0.0.0/31", "10.0.0.1")] {
        assert!(outcome::<Network>(&[], gateway(cidr, ip)).is_ok(), "{ip} of {cidr}");
    }
}

#[test]
fn a_network_in_use_is_not_retired() {
    assert_eq!(broken::<Network>(&defined(), NetworkCommand::RetireNetwork { used: 1 }), ["network_in_use"]);
    let retire = NetworkCommand::RetireNetwork { used: 0 };
    assert_eq!(outcome::<Network>(&defined(), retire.clone()), Ok(vec![NetworkEvent::NetworkRetired {}]));
    assert_eq!(outcome::<Network>(&[], retire.clone()), Ok(vec![]));
    let retired: Vec<_> = defined().into_iter().chain([NetworkEvent::NetworkRetired {}]).collect();
    assert_eq!(outcome::<Network>(&retired, retire), Ok(vec![]));
}

#[test]
fn an_address_is_reserved_for_the_first_reason_that_holds() {
    let spec = NetworkSpec { gateway: Some(parsed("10.0.0.5")), margin_bottom: 10, margin_top: 4, ..network("10.0.0.0/24") };
    for (ip, expected) in [
        ("9.255.255.255", Some(Reserved::Outside)),
        ("10.0.0.0", Some(Reserved::Network)),
        ("10.0.0.1", Some(Reserved::Margin(Edge::Start))),
        ("10.0.0.5", Some(Reserved::Gateway)),
        ("10.0.0.10", Some(Reserved::Margin(Edge::Start))),
        ("10.0.0.11", None),
        ("10.0.0.250", None),
        ("10.0.0.251", Some(Reserved::Margin(Edge::End))),
        ("10.0.0.254", Some(Reserved::Margin(Edge::End))),
        ("10.0.0.255", Some(Reserved::Broadcast)),
        ("10.0.1.0", Some(Reserved::Outside)),
    ] {
        assert_eq!(spec.reserved(parsed(ip)), expected, "{ip}");
    }
}

#[test]
fn addresses_are_assigned_between_the_margins_without_the_gateway() {
    let spec = NetworkSpec { gateway: Some(parsed("10.0.0.12")), margin_top: 241, ..network("10.0.0.0/24") };
    assert_eq!(given(&spec), ["10.0.0.11", "10.0.0.13"]);
    assert_eq!(network("10.0.0.0/24").givable().count(), 244);
}

#[test]
fn small_networks_assign_all_their_addresses() {
    assert_eq!(given(&bare("10.0.0.0/30")), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(given(&bare("10.0.0.0/31")), ["10.0.0.0", "10.0.0.1"]);
    assert_eq!(given(&bare("10.0.0.7/32")), ["10.0.0.7"]);
    assert_eq!(given(&NetworkSpec { gateway: Some(parsed("10.0.0.0")), ..bare("10.0.0.0/31") }), ["10.0.0.1"]);
}

#[test]
fn margins_larger_than_the_network_leave_nothing_and_are_no_panic() {
    for (bottom, top) in [(u32::MAX, 0), (0, u32::MAX), (u32::MAX, u32::MAX), (200, 200)] {
        for cidr in ["10.0.0.0/24", "10.0.0.0/31", "10.0.0.0/32", "255.255.255.0/24", "0.0.0.0/24"] {
            let spec = NetworkSpec { margin_bottom: bottom, margin_top: top, ..network(cidr) };
            assert_eq!(spec.givable().count(), 0, "{cidr} with {bottom} and {top}");
        }
    }
}

#[test]
fn the_ends_of_all_addresses_are_no_special_case() {
    assert_eq!(given(&bare("255.255.255.252/30")), ["255.255.255.253", "255.255.255.254"]);
    assert_eq!(given(&bare("255.255.255.255/32")), ["255.255.255.255"]);
    assert_eq!(given(&bare("0.0.0.0/31")), ["0.0.0.0", "0.0.0.1"]);
    assert_eq!(bare("0.0.0.0/0").reserved(parsed("255.255.255.255")), Some(Reserved::Broadcast));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_addresses_that_are_not_reserved_are_assigned(
        base in any::<u32>(), prefix in 23..=32u8, bottom in 0..600u32, top in 0..600u32, gateway in proptest::option::of(0..512u32),
    ) {
        let cidr = Ipv4Net::new(Ipv4Addr::from(base), prefix).expect("a prefix").trunc();
        let first = u32::from(cidr.network());
        let gateway = gateway.map(|offset| Ipv4Addr::from(first.saturating_add(offset)));
        let spec = NetworkSpec { cidr, margin_bottom: bottom, margin_top: top, gateway, ..network("10.0.0.0/24") };
        let last = u32::from(cidr.broadcast());
        let around = first.saturating_sub(2)..=last.saturating_add(2);
        let expected: Vec<Ipv4Addr> = around.map(Ipv4Addr::from).filter(|ip| spec.reserved(*ip).is_none()).collect();
        prop_assert_eq!(spec.givable().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn the_capacity_is_the_number_of_addresses_that_may_be_given() {
    for (cidr, gateway, bottom, top) in [
        ("10.0.0.0/24", None, 10, 0),
        ("10.0.0.0/24", Some("10.0.0.254"), 10, 0),
        ("10.0.0.0/24", Some("10.0.0.254"), 10, 5),
        ("10.0.0.0/24", Some("10.0.0.3"), 10, 0),
        ("10.0.0.0/22", Some("10.0.2.1"), 0, 0),
        ("10.0.0.0/31", Some("10.0.0.0"), 0, 0),
        ("10.0.0.0/32", None, 0, 0),
        ("10.0.0.0/29", None, 10, 0),
    ] {
        let spec = NetworkSpec { gateway: gateway.map(parsed), margin_bottom: bottom, margin_top: top, ..network(cidr) };
        assert_eq!(spec.capacity(), spec.givable().count() as u64, "{cidr} {gateway:?} {bottom} {top}");
    }
}

/// A network in a request that contains only the required fields.
fn written(cidr: &str) -> NetworkSpec {
    serde_json::from_value(serde_json::json!({ "cidr": cidr, "site": "dc1" })).expect(cidr)
}

#[test]
fn the_default_margin_fits_every_network() {
    let margins = ["10.0.0.0/24", "10.0.0.0/27", "10.99.6.0/28", "10.99.6.0/29", "10.99.6.0/30", "10.99.6.0/31", "10.99.6.7/32"];
    assert_eq!(margins.map(|cidr| written(cidr).margin_bottom), [10, 10, 3, 1, 0, 0, 0]);
    for prefix in 8..=32 {
        let spec = written(&format!("10.0.0.0/{prefix}"));
        assert!(spec.capacity() * 2 >= hosts(spec.cidr), "/{prefix}");
        assert!(outcome::<Network>(&[], define(spec)).is_ok(), "/{prefix}");
    }
    assert_eq!(given(&written("10.99.6.0/29")), ["10.99.6.2", "10.99.6.3", "10.99.6.4", "10.99.6.5", "10.99.6.6"]);
}

#[test]
fn a_margin_that_leaves_no_address_is_refused_with_the_reason() {
    let refused = |spec: NetworkSpec| match outcome::<Network>(&[], define(spec)) {
        Err(Refused(broken)) => broken.into_iter().map(|rule| format!("{}: {}", rule.field, rule.message)).collect::<Vec<_>>(),
        Ok(_) => vec![],
    };
    let margin = |cidr: &str, bottom, top| NetworkSpec { margin_bottom: bottom, margin_top: top, ..written(cidr) };
    let mut messages = refused(margin("10.99.6.0/29", 10, 0));
    assert_eq!(messages.len(), 1);
    assert_eq!(refused(margin("10.99.6.0/30", 1, 1)).len(), 1);
    assert_eq!(refused(margin("10.99.6.0/31", 0, 2)).len(), 1);
    assert_eq!(refused(margin("10.0.0.0/8", u32::MAX, u32::MAX)).len(), 1);
    assert_eq!(refused(margin("10.99.6.0/31", 0, 1)), [""; 0]);
    let gateway = |cidr: &str, gateway: &str, bottom| NetworkSpec { gateway: Some(parsed(gateway)), ..margin(cidr, bottom, 0) };
    messages.extend(refused(gateway("10.99.6.7/32", "10.99.6.7", 0)));
    assert_eq!(refused(gateway("10.99.6.0/31", "10.99.6.0", 0)), [""; 0]);
    messages.extend(refused(gateway("10.99.6.0/29", "10.99.6.6", 5)));
    let fields: Vec<&str> = messages.iter().filter_map(|message| Some(message.split_once(": ")?.0)).collect();
    assert_eq!(fields, ["margin_bottom", "gateway", "margin_bottom"]);
    insta::assert_snapshot!("networks_without_an_address", messages.join("\n"));
}

#[test]
fn a_network_that_would_be_refused_today_stays_as_it_is() {
    let old = NetworkSpec { margin_bottom: 10, ..written("10.99.6.0/29") };
    let given = [NetworkEvent::NetworkDefined { spec: Box::new(old.clone()) }];
    assert_eq!(outcome::<Network>(&given, define(old.clone())), Ok(vec![]));
    assert_eq!(broken::<Network>(&given, define(NetworkSpec { vlan: Some(5), ..old })), ["network_without_addresses"]);
}

#[test]
fn resolvers_and_options_are_such_as_every_dhcp_server_takes() {
    let with =
        |servers: Vec<&str>| NetworkSpec { dns_servers: servers.into_iter().map(parsed).collect(), ..network("10.0.0.0/24") };
    for wrong in
        [vec!["0.0.0.0"], vec!["127.0.0.53"], vec!["169.254.1.1"], vec!["10.0.0.53", "255.255.255.255"], vec!["10.0.0.53"; 57]]
    {
        assert_eq!(broken::<Network>(&[], define(with(wrong))), ["dns_servers_unusable"]);
    }
    assert!(outcome::<Network>(&[], define(with(vec!["10.0.0.53"; 56]))).is_ok());
    let option = serde_json::json!([{"name": "rooters", "value": {"addresses": ["10.0.0.2"]}}]);
    let spec = NetworkSpec { dhcp_options: serde_json::from_value(option).expect("options"), ..network("10.0.0.0/24") };
    assert_eq!(broken::<Network>(&[], define(spec)), ["dhcp_option_unknown"]);
}

#[test]
fn a_network_is_not_in_a_range_that_no_server_can_be_in() {
    for wrong in ["0.0.0.0/8", "127.0.0.0/24", "169.254.0.0/16", "224.0.0.0/8", "240.0.0.0/24", "255.255.255.0/24"] {
        assert_eq!(broken::<Network>(&[], define(network(wrong))), ["cidr_special"], "{wrong}");
        // A network from an earlier version can stay as it is, and its other fields can be changed.
        let given = [NetworkEvent::NetworkDefined { spec: Box::new(network(wrong)) }];
        assert!(outcome::<Network>(&given, define(NetworkSpec { vlan: Some(5), ..network(wrong) })).is_ok(), "{wrong}");
        let moved = [NetworkEvent::NetworkDefined { spec: Box::new(network("10.0.0.0/24")) }];
        assert_eq!(broken::<Network>(&moved, define(network(wrong))), ["cidr_special"], "{wrong}");
    }
    for fine in ["100.64.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "192.168.0.0/16"] {
        assert!(outcome::<Network>(&[], define(network(fine))).is_ok(), "{fine}");
    }
}

#[test]
fn the_lowest_and_the_highest_address_are_those_between_the_margins() {
    let bounds = |spec: NetworkSpec| spec.bounds().map(|(lowest, highest)| format!("{lowest} {highest}"));
    let margins = |cidr: &str, bottom, top| NetworkSpec { margin_bottom: bottom, margin_top: top, ..network(cidr) };
    assert_eq!(bounds(margins("10.0.0.0/24", 10, 4)).as_deref(), Some("10.0.0.11 10.0.0.250"));
    assert_eq!(bounds(bare("10.0.0.7/32")).as_deref(), Some("10.0.0.7 10.0.0.7"));
    assert_eq!(bounds(bare("255.255.255.254/31")).as_deref(), Some("255.255.255.254 255.255.255.255"));
    assert_eq!(bounds(margins("10.0.0.0/24", 200, 200)), None);
}

#[test]
fn the_smallest_networks_have_two_hosts_and_one() {
    let counts = ["10.0.0.0/24", "10.0.0.0/30", "10.0.0.0/31", "10.0.0.0/32"].map(|cidr| hosts(parsed(cidr)));
    assert_eq!(counts, [254, 2, 2, 1]);
}

#[test]
fn unusable_resolvers_of_an_earlier_version_stay_and_new_ones_are_refused() {
    let with = |server: &str| NetworkSpec { dns_servers: vec![parsed(server)], ..network("10.0.0.0/24") };
    let old = [NetworkEvent::NetworkDefined { spec: Box::new(with("0.0.0.0")) }];
    assert!(outcome::<Network>(&old, define(NetworkSpec { vlan: Some(5), ..with("0.0.0.0") })).is_ok());
    assert_eq!(broken::<Network>(&old, define(with("127.0.0.53"))), ["dns_servers_unusable"]);
}

#[test]
fn a_refusal_names_the_kind_of_the_gateway_and_the_larger_margin() {
    let refused = |spec: NetworkSpec| {
        let Refused(mut broken) = outcome::<Network>(&[], define(spec)).expect_err("refused");
        assert_eq!(broken.len(), 1, "{broken:?}");
        broken.remove(0)
    };
    let gateway = |ip: &str| refused(NetworkSpec { gateway: Some(parsed(ip)), ..bare("10.0.0.0/24") }).message;
    assert!(gateway("10.0.0.0").contains("own address") && gateway("10.0.0.255").contains("broadcast address"));
    for (bottom, top, field) in [(200, 100, "margin_bottom"), (200, 200, "margin_bottom"), (100, 200, "margin_top")] {
        let spec = NetworkSpec { margin_bottom: bottom, margin_top: top, ..network("10.0.0.0/24") };
        assert_eq!(refused(spec).field, field);
    }
}

#[test]
fn a_network_is_not_taken_away_from_its_reservations() {
    let reservations = vec![parsed("10.0.0.20"), parsed("10.0.0.200"), parsed("10.0.0.5")];
    let define = |spec| NetworkCommand::DefineNetwork {
        spec: Box::new(spec),
        site_exists: true,
        foreign_racks: vec![],
        overlaps: vec![],
        reservations: reservations.clone(),
    };
    let mut defined = Network::default();
    defined.evolve(NetworkEvent::NetworkDefined { spec: Box::new(network("10.0.0.0/24")) });
    let refused = |spec| {
        let Refused(broken) = defined.decide(define(spec)).expect_err("it is refused");
        broken.into_iter().map(|broken| (broken.field, broken.rule, broken.holder.unwrap_or_default())).collect::<Vec<_>>()
    };
    let held = |field: &str, ip: &str| (field.to_owned(), "address_held".to_owned(), format!("reservation {ip}"));
    assert_eq!(refused(network("10.0.0.0/25")), [held("cidr", "10.0.0.200")]);
    let gateway = NetworkSpec { gateway: Some(parsed("10.0.0.20")), ..network("10.0.0.0/24") };
    assert_eq!(refused(gateway), [held("gateway", "10.0.0.20")]);
    assert!(defined.decide(define(NetworkSpec { vlan: Some(7), ..network("10.0.0.0/24") })).is_ok());
}
