//! Tests of the rules for a change of a device that depend on what the device had before, each with the field that it names.

use super::*;
use crate::claims::{Claim, Holder};
use crate::controller::Endpoint;
use crate::device::power::{LastRestart, Restart, Standing, UNDER_WAY_SECONDS};
use crate::device::register::BrokenRuleOf;
use crate::samples::{broken, noon};
use cqrs_es::Aggregate;

fn device(given: Vec<DeviceEvent>) -> Device {
    let mut device = Device::default();
    for event in given {
        device.apply(event);
    }
    device
}

fn nothing() -> DeviceChange {
    DeviceChange::default()
}

fn at_port(port: u16) -> Option<Management> {
    let access = Access { port: Some(port), ..Access::default() };
    spec().management.map(|management| Management { access, ..management })
}

#[test]
fn a_port_of_a_controller_is_not_0() {
    let wrong = DeviceSpec { management: at_port(0), ..spec() };
    assert_eq!(broken::<Device>(&[], register(wrong, looked_up())), ["port_range"]);
    let wrong = DeviceChange { management: at_port(0), ..nothing() };
    assert_eq!(fields_of(&registered(), wrong, looked_up()), ["management.port port_range"]);
    for fine in [1, u16::MAX] {
        let change_port = change(DeviceChange { management: at_port(fine), ..nothing() });
        assert!(outcome::<Device>(&registered(), change_port).is_ok(), "{fine}");
    }
}

#[test]
fn a_new_rack_or_a_new_site_is_looked_up() {
    let nowhere = || RegisterFacts { site_exists: false, ..looked_up() };
    let rack = DeviceChange { rack: Some(parsed("r9")), ..nothing() };
    assert_eq!(fields_of(&registered(), rack, nowhere()), ["site site_unknown"]);
    let site = DeviceChange { site: Some(parsed("dc2")), rack: None, ..nothing() };
    assert_eq!(fields_of(&registered(), site, nowhere()), ["site site_unknown", "rack rack_of_other_site"]);
}

#[test]
fn a_device_keeps_its_controller_while_it_is_deployed() {
    let removed: DeviceChange = serde_json::from_value(serde_json::json!({ "management": null })).expect("a change");
    let deploying = RegisterFacts { deploying: vec![mac(1)], ..looked_up() };
    assert_eq!(fields_of(&registered(), removed.clone(), deploying), ["management management_deploying"]);
    assert!(outcome::<Device>(&registered(), change(removed)).is_ok());
}

#[test]
fn a_device_of_an_earlier_version_with_too_many_interfaces_gets_no_more_of_them() {
    let old = [DeviceEvent::DeviceRegistered(Box::new(DeviceSpec { macs: (0..66).map(mac).collect(), ..spec() }))];
    let to = |macs: std::ops::Range<u8>| DeviceChange { macs: Some(macs.map(mac).collect()), ..nothing() };
    for fine in [to(0..65), to(1..67)] {
        assert!(outcome::<Device>(&old, change(fine.clone())).is_ok(), "{fine:?}");
    }
    assert_eq!(fields_of(&old, to(0..67), looked_up()), ["macs macs_too_many"]);
}

#[test]
fn a_device_is_not_its_own_part() {
    let own = DeviceChange { parent: Some(device_id(1)), ..nothing() };
    assert_eq!(fields_of(&registered(), own, looked_up()), ["parent device_own_parent"]);
    let other = DeviceChange { parent: Some(device_id(2)), ..nothing() };
    assert!(outcome::<Device>(&registered(), change(other)).is_ok());
}

#[test]
fn a_refused_owner_names_the_field_that_is_wrong() {
    let owner = |venture: Option<&str>, role: Option<&str>| DeviceChange {
        venture: venture.map(parsed),
        role: role.map(parsed),
        ..nothing()
    };
    assert_eq!(fields_of(&verified(), owner(Some("bank"), None), looked_up()), ["venture device_verified"]);
    assert_eq!(fields_of(&verified(), owner(None, Some("db")), looked_up()), ["role device_verified"]);
    let unknown = || RegisterFacts { unknown: Some(BrokenRuleOf::Venture), ..looked_up() };
    assert_eq!(fields_of(&registered(), owner(None, Some("db")), unknown()), ["venture venture_missing"]);
    assert_eq!(fields_of(&registered(), owner(Some("bank"), Some("db")), unknown()), ["venture venture_unknown"]);
}

#[test]
fn a_controller_that_was_replaced_and_came_back_is_claimed_again() {
    let at = |address: &str| Endpoint::try_from(address.to_owned()).expect("an endpoint");
    let moved_to = |address: &str| {
        let management = spec().management.map(|management| Management { address: parsed(address), ..management });
        let facts = RegisterFacts { endpoints: vec![at(address)], ..looked_up() };
        DeviceCommand::ChangeDevice { change: Box::new(DeviceChange { management, ..nothing() }), facts }
    };
    let given = after(registered(), vec![moved_to("10.0.9.2"), moved_to("10.0.9.3")]);
    let events = outcome::<Device>(&given, moved_to("10.0.9.2")).expect("it is changed");
    let [DeviceEvent::DeviceChanged(changed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&changed.endpoints_released, &changed.endpoints_taken), (&vec![at("10.0.9.3")], &vec![at("10.0.9.2")]));
}

#[test]
fn a_fact_that_another_device_holds_is_refused_with_its_field() {
    let other = Holder::Device(device_id(2));
    let held = vec![(Claim::Ip(parsed("10.0.0.30")), other), (Claim::Hostname(parsed("old.dc1.example")), other)];
    let command = DeviceCommand::RecordFacts { facts: Box::new(used_facts()), held, live: None };
    let refused = outcome::<Device>(&verified(), command).expect_err("refused");
    assert_eq!(refused.0.iter().map(|broken| broken.field.as_str()).collect::<Vec<_>>(), ["addresses", "dns_entries"]);
}

#[test]
fn a_name_that_facts_released_is_held_no_more() {
    let given = after(used(), vec![clean_for(1, keeps("10.0.0.30", "old.dc1.example"))]);
    let no_names = Facts { dns_entries: Some(vec![]), ..Facts::default() };
    let released = after(given, vec![record(no_names.clone())]);
    assert_eq!(outcome::<Device>(&released, record(no_names)), Ok(vec![]));
}

#[test]
fn a_role_is_assigned_unless_the_device_has_it_in_the_same_venture() {
    let live = Some(deployment_id(1));
    let assign = |venture: &str, role: &str| {
        let (venture, role) = (parsed(venture), parsed(role));
        DeviceCommand::AssignRole { deployment: deployment_id(1), live, venture, role }
    };
    for (venture, role, events) in [("bank", "db", 0), ("bank", "web", 1), ("shop", "db", 1), ("shop", "web", 1)] {
        let found = outcome::<Device>(&deployed(), assign(venture, role)).map(|events| events.len());
        assert_eq!(found, Ok(events), "{venture} {role}");
    }
}

#[test]
fn a_device_in_use_has_its_site_and_its_controller() {
    let in_use = device(registered());
    assert_eq!((in_use.site(), in_use.management()), (Some(&parsed("dc1")), spec().management.as_ref()));
    let gone = device(after(registered(), vec![decommission(None)]));
    assert_eq!((gone.site(), gone.management()), (None, None));
}

#[test]
fn an_order_is_under_way_until_it_is_reported_or_too_old() {
    let restart = Restart { deployment: deployment_id(1), turn: 0 };
    for (standing, seconds, expected) in [
        (Standing::Ordered, 0, true),
        (Standing::Ordered, UNDER_WAY_SECONDS - 1, true),
        (Standing::Ordered, UNDER_WAY_SECONDS, false),
        (Standing::Ordered, UNDER_WAY_SECONDS + 1, false),
        (Standing::Confirmed, 0, false),
        (Standing::Failed, 0, false),
        (Standing::Uncertain, 0, false),
    ] {
        let last = LastRestart { restart, at: noon(0), standing };
        assert_eq!(last.is_under_way(noon(seconds)), expected, "{standing:?} after {seconds}");
    }
}
