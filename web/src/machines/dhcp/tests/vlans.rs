//! Tests networks of one VLAN in every format, for sites of every shape. `tests/shared_vlans.rs` tests what clients get.

use super::{check, configuration, entry, network, render, site_with};
use crate::machines::dhcp::configuration::Configuration;
use crate::machines::dhcp::format::Format;
use bootledger_aggregates::network::NetworkSpec;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const FORMATS: [Format; 3] = [Format::Isc, Format::Kea, Format::Dnsmasq];

/// Networks by their number, each with the length of its prefix and its VLAN.
fn networks() -> impl Strategy<Value = BTreeMap<u8, (u8, Option<u16>)>> {
    let vlan = prop_oneof![Just(None), Just(Some(1)), Just(Some(12)), Just(Some(4094))];
    proptest::collection::btree_map(1..30_u8, (20..=31_u8, vlan), 0..12)
}

/// A site with these networks, and in each a host; every third host has a live deployment.
fn site(networks: &BTreeMap<u8, (u8, Option<u16>)>) -> Configuration {
    let specs: Vec<(String, NetworkSpec)> = networks
        .iter()
        .map(|(number, (prefix, vlan))| {
            // Some networks have a name that looks like that of a shared network.
            let spec = network(&format!("10.{number}.0.0/{prefix}"), &json!({ "vlan": vlan, "gateway": null }));
            (format!("vlan-{number}"), spec)
        })
        .collect();
    let entries = networks.keys().map(|number| {
        let name = format!("h{number}.dc1.example");
        entry(
            &format!("10.{number}.0.1"),
            &format!("52:54:00:00:00:{number:02x}"),
            Some(&name),
            &format!("vlan-{number}"),
            number % 3 == 0,
        )
    });
    let specs = specs.iter().map(|(name, spec)| (name.as_str(), spec.clone())).collect();
    configuration(&site_with(&json!([])), specs, entries.collect())
}

/// The numbers of the networks that a file declares to be together.
fn together(format: Format, text: &str) -> BTreeSet<BTreeSet<u8>> {
    let number = |network: &str| network.split('.').nth(1).and_then(|n| n.parse::<u8>().ok()).expect("a network of ours");
    match format {
        Format::Isc => text
            .split("\nshared-network ")
            .skip(1)
            .map(|block| {
                let lines = block.lines().take_while(|line| *line != "}");
                lines.filter_map(|line| line.trim().strip_prefix("subnet ")).map(number).collect()
            })
            .collect(),
        Format::Kea => {
            let document: Value = serde_json::from_str(text).expect("JSON");
            let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
            let subnet = |subnet: &Value| number(subnet["subnet"].as_str().expect("a subnet"));
            let shared = list(&document["Dhcp4"]["shared-networks"]).into_iter();
            let shared = shared.map(|network| list(&network["subnet4"]).iter().map(subnet).collect());
            shared.chain(list(&document["Dhcp4"]["subnet4"]).iter().map(|one| BTreeSet::from([subnet(one)]))).collect()
        }
        Format::Dnsmasq => {
            let mut groups: BTreeMap<u8, BTreeSet<u8>> = text
                .lines()
                .filter_map(|line| line.strip_prefix("dhcp-range=")?.split(',').nth(1).map(number))
                .map(|number| (number, BTreeSet::from([number])))
                .collect();
            for line in text.lines().filter_map(|line| line.strip_prefix("shared-network=")) {
                let (address, other) = line.split_once(',').expect("two addresses");
                groups.get_mut(&number(address)).expect("a range").insert(number(other));
            }
            groups.into_values().collect()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn networks_are_together_exactly_where_they_have_a_vlan_in_common(networks in networks()) {
        let configuration = site(&networks);
        let mut expected: BTreeMap<(Option<u16>, u8), BTreeSet<u8>> = BTreeMap::new();
        for (number, (_, vlan)) in &networks {
            expected.entry((*vlan, if vlan.is_some() { 0 } else { *number })).or_default().insert(*number);
        }
        let expected: BTreeSet<BTreeSet<u8>> = expected.into_values().collect();
        for format in FORMATS {
            let text = render(format, &configuration);
            prop_assert_eq!(&together(format, &text), &expected, "{}:\n{}", format, text);
            let hosts = text.matches("52:54:00:00:00:").count();
            prop_assert_eq!(hosts, networks.len(), "{}: {}", format, text);
            if let Err(said) = check(format, &text) {
                return Err(TestCaseError::fail(format!("{format} is refused: {said}\n{text}")));
            }
        }
    }
}

#[test]
fn an_interface_has_one_address_in_a_vlan_and_that_of_its_live_deployment_wins() {
    let vlan = |cidr: &str, vlan: Option<u16>| network(cidr, &json!({ "vlan": vlan }));
    let networks = vec![
        ("a", vlan("10.1.0.0/24", Some(12))),
        ("b", vlan("10.2.0.0/24", Some(12))),
        ("c", vlan("10.3.0.0/24", Some(13))),
        ("d", vlan("10.4.0.0/24", None)),
        ("e", vlan("10.5.0.0/24", None)),
    ];
    let of = |last: u8, network: &str, live: bool| {
        let number = 1 + network.as_bytes()[0] - b'a';
        entry(&format!("10.{number}.0.{last}"), "52:54:00:00:00:01", None, network, live)
    };
    // The older address comes first by its number; in every other network the MAC address keeps its address.
    let entries = vec![of(20, "a", false), of(30, "b", true), of(20, "c", false), of(20, "d", false), of(20, "e", true)];
    let configuration = configuration(&site_with(&json!([])), networks, entries);
    let kept: Vec<String> =
        configuration.networks.iter().flat_map(|network| &network.entries).map(|entry| entry.ip.to_string()).collect();
    assert_eq!(kept, ["10.2.0.30", "10.3.0.20", "10.4.0.20", "10.5.0.20"]);
    for format in FORMATS {
        check(format, &render(format, &configuration)).unwrap_or_else(|said| panic!("{format}: {said}"));
    }
}

#[test]
fn a_large_vlan_takes_dnsmasq_a_bounded_number_of_lines_with_every_router_among_them() {
    for (networks, prefix) in [(2, 16), (3, 20), (60, 26)] {
        let specs: Vec<(String, NetworkSpec)> = (0..networks)
            .map(|n| {
                let more = json!({ "vlan": 7, "gateway": format!("10.{n}.0.9") });
                (format!("n{n}"), network(&format!("10.{n}.0.0/{prefix}"), &more))
            })
            .collect();
        let specs = specs.iter().map(|(name, spec)| (name.as_str(), spec.clone())).collect();
        let text = render(Format::Dnsmasq, &configuration(&site_with(&json!([])), specs, vec![]));
        let lines = text.matches("shared-network=").count();
        let least = 8 * networks * (networks - 1);
        assert!(lines <= least.max(16_384) && lines >= networks * (networks - 1), "{networks} of /{prefix}: {lines}");
        for n in 0..networks {
            assert!(
                text.contains(&format!("shared-network=10.{n}.0.9,")) && text.contains(&format!("shared-network=10.{n}.0.1,"))
            );
        }
        check(Format::Dnsmasq, &text).unwrap_or_else(|said| panic!("{said}"));
    }
}
