//! Tests of inventory facts: only changes are recorded, and claims that are no longer held are released.

use super::*;
use crate::claims::{Claim, Holder};
use crate::device::facts::FactsRecorded;
use crate::samples::broken;

/// What is recorded of these facts; empty if there is no event.
fn recorded(given: &[DeviceEvent], facts: Facts) -> FactsRecorded {
    match outcome::<Device>(given, record(facts)).expect("it is recorded").as_slice() {
        [] => FactsRecorded::default(),
        [DeviceEvent::FactsRecorded(recorded)] => (**recorded).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn facts_that_are_known_write_nothing() {
    assert_eq!(outcome::<Device>(&used(), record(used_facts())), Ok(vec![]));
    assert_eq!(outcome::<Device>(&used(), record(Facts::default())), Ok(vec![]), "what is left out stays");
}

#[test]
fn only_the_difference_is_recorded() {
    let facts = Facts {
        addresses: Some(vec![parsed("10.0.0.31"), parsed("10.0.0.32"), parsed("10.0.0.32")]),
        dns_entries: Some(vec![dns("old.dc1.example", "10.0.0.32")]),
        software: Some(vec![parsed("nginx 1.28"), parsed("curl")]),
        operating_system: Some(parsed("")),
        uptime_seconds: Some(5),
        ..Facts::default()
    };
    let expected = FactsRecorded {
        addresses_added: vec![parsed("10.0.0.32")],
        addresses_removed: vec![parsed("10.0.0.30")],
        dns_added: vec![dns("old.dc1.example", "10.0.0.32")],
        dns_removed: vec![dns("alias.dc1.example", "10.0.0.31"), dns("old.dc1.example", "10.0.0.30")],
        hostnames_released: vec![parsed("alias.dc1.example")],
        software: Some(vec![parsed("curl"), parsed("nginx 1.28")]),
        operating_system: Some(parsed("")),
        uptime_seconds: Some(5),
        ..FactsRecorded::default()
    };
    assert_eq!(recorded(&used(), facts.clone()), expected, "10.0.0.30 has a DHCP entry and stays held");
    let again = after(used(), vec![record(facts.clone())]);
    assert_eq!(recorded(&again, facts), FactsRecorded::default());
}

#[test]
fn an_address_is_held_until_neither_the_device_nor_an_entry_has_it() {
    let address = |addresses: &[&str], entries: &[&str]| Facts {
        addresses: Some(addresses.iter().map(|ip| parsed(ip)).collect()),
        dhcp_entries: Some(entries.iter().map(|ip| dhcp(ip, 1)).collect()),
        ..Facts::default()
    };
    let given = after(verified(), vec![record(address(&["10.0.0.30"], &["10.0.0.30"]))]);
    assert!(recorded(&given, address(&[], &["10.0.0.30"])).addresses_released.is_empty());
    assert!(recorded(&given, address(&["10.0.0.30"], &[])).addresses_released.is_empty());
    assert_eq!(recorded(&given, address(&[], &[])).addresses_released, [parsed::<std::net::Ipv4Addr>("10.0.0.30")]);
}

#[test]
fn a_name_kept_without_an_entry_is_released_by_facts_that_lack_it() {
    let given = after(used(), vec![clean_for(1, keeps("10.0.0.30", "old.dc1.example"))]);
    let no_names = Facts { dns_entries: Some(vec![]), ..Facts::default() };
    let recorded = recorded(&given, no_names);
    assert_eq!((recorded.dns_removed, recorded.hostnames_released), (vec![], vec![parsed("old.dc1.example")]));
}

#[test]
fn a_claim_that_another_holds_is_not_recorded() {
    let other = Holder::Device(device_id(2));
    let held = vec![(Claim::Ip(parsed("10.0.0.30")), other), (Claim::Hostname(parsed("old.dc1.example")), other)];
    let command = DeviceCommand::RecordFacts { facts: Box::new(used_facts()), held, live: None };
    assert_eq!(broken::<Device>(&verified(), command), ["ip_claimed", "hostname_claimed"]);
}

#[test]
fn an_entry_is_for_an_interface_of_the_device() {
    let facts = Facts { dhcp_entries: Some(vec![dhcp("10.0.0.30", 9)]), ..Facts::default() };
    assert_eq!(broken::<Device>(&verified(), record(facts)), ["mac_not_of_device"]);
}

#[test]
fn while_it_is_deployed_the_deployment_decides_addresses_and_entries() {
    let none = Facts::default;
    let same_name = dns("h200.dc1.example", "10.0.0.99");
    for facts in [
        Facts { addresses: Some(vec![]), ..none() },
        Facts { addresses: Some(vec![parsed("10.0.0.20"), parsed("10.0.0.30")]), ..none() },
        Facts { dns_entries: Some(vec![]), ..none() },
        Facts { dns_entries: Some(vec![same_name, dns("h200.dc1.example", "10.0.0.20")]), ..none() },
        Facts { dhcp_entries: Some(vec![]), ..none() },
    ] {
        let live = Some(deployment_id(1));
        let command = DeviceCommand::RecordFacts { facts: Box::new(facts.clone()), held: vec![], live };
        assert_eq!(broken::<Device>(&deployed(), command), ["already_deploying"], "{facts:?}");
    }
}

#[test]
fn while_it_is_deployed_everything_else_is_recorded() {
    let facts = Facts {
        addresses: Some(vec![parsed("10.0.0.20")]),
        software: Some(vec![parsed("puppet 8")]),
        operating_system: Some(parsed("Debian 13")),
        ..Facts::default()
    };
    let command = DeviceCommand::RecordFacts { facts: Box::new(facts), held: vec![], live: Some(deployment_id(1)) };
    assert_eq!(outcome::<Device>(&deployed(), command).map(|events| events.len()), Ok(1));
}
