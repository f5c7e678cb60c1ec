//! Tests of registering a device and changing its description.

use super::*;
use crate::claims::{Claim, Holder};
use crate::device::register::{BrokenRuleOf, DeviceChanged};
use crate::device::remark::Remark;
use crate::samples::broken;

/// The errors for a change of a registered device.
fn refused(wanted: DeviceChange, facts: RegisterFacts) -> Vec<String> {
    broken::<Device>(&registered(), DeviceCommand::ChangeDevice { change: Box::new(wanted), facts })
}

#[test]
fn a_registered_device_has_the_given_fields_and_its_interfaces_sorted_without_duplicates() {
    let message = DeviceSpec { macs: vec![mac(2), mac(1), mac(2)], ..spec() };
    let events = outcome::<Device>(&[], register(message, looked_up()));
    assert_eq!(events, Ok(vec![DeviceEvent::DeviceRegistered(Box::new(spec()))]));
}

#[test]
fn a_device_is_registered_once() {
    assert_eq!(broken::<Device>(&registered(), register(spec(), looked_up())), ["device_exists"]);
    let decommissioned = after(registered(), vec![decommission(None)]);
    assert_eq!(broken::<Device>(&decommissioned, register(spec(), looked_up())), ["device_exists"]);
}

#[test]
fn every_command_to_an_unknown_device_is_refused() {
    for command in [DeviceCommand::VerifyDevice, record(used_facts()), clean(), decommission(None)] {
        assert_eq!(broken::<Device>(&[], command), ["device_unknown"]);
    }
}

#[test]
fn a_device_needs_a_number_or_an_interface() {
    let nothing = DeviceSpec { serial: None, asset: Some(parsed("")), macs: vec![], ..spec() };
    assert_eq!(broken::<Device>(&[], register(nothing.clone(), looked_up())), ["device_unidentified"]);
    for identified in [
        DeviceSpec { serial: Some(parsed("S-1")), ..nothing.clone() },
        DeviceSpec { asset: Some(parsed("A-1")), ..nothing.clone() },
        DeviceSpec { macs: vec![mac(1)], ..nothing },
    ] {
        assert!(outcome::<Device>(&[], register(identified, looked_up())).is_ok());
    }
}

#[test]
fn a_device_has_so_many_interfaces_and_no_more() {
    let with = |count: u8| DeviceSpec { macs: (0..count).map(mac).collect(), ..spec() };
    assert!(outcome::<Device>(&[], register(with(64), looked_up())).is_ok());
    assert_eq!(broken::<Device>(&[], register(with(65), looked_up())), ["macs_too_many"]);
}

#[test]
fn a_firmwares_placeholder_serial_number_is_refused_but_an_old_one_stays() {
    for filler in ["To be filled by O.E.M.", "Default string", "System Serial Number", "Not Specified", "0123456789", "00000000"]
    {
        let with = DeviceSpec { serial: Some(parsed(filler)), ..spec() };
        assert_eq!(broken::<Device>(&[], register(with.clone(), looked_up())), ["serial_filler"], "{filler}");
        let change = DeviceChange { serial: Some(parsed(filler)), ..DeviceChange::default() };
        assert_eq!(refused(change.clone(), looked_up()), ["serial_filler"], "{filler}");
        // The log of an earlier version contains such devices.
        let old = [DeviceEvent::DeviceRegistered(Box::new(with))];
        let renamed = DeviceChange { name: Some(parsed("another")), ..change };
        for change in [renamed, DeviceChange { serial: Some(parsed("S-2")), ..DeviceChange::default() }] {
            let command = DeviceCommand::ChangeDevice { change: Box::new(change), facts: looked_up() };
            assert!(outcome::<Device>(&old, command).is_ok(), "{filler}");
        }
    }
    for chosen in ["TBD", "0", "S-1"] {
        let with = DeviceSpec { serial: Some(parsed(chosen)), ..spec() };
        assert!(outcome::<Device>(&[], register(with, looked_up())).is_ok(), "{chosen}");
    }
}

#[test]
fn empty_numbers_are_no_numbers() {
    let empty = DeviceSpec { serial: Some(parsed("")), asset: Some(parsed("")), ..spec() };
    let expected = DeviceSpec { serial: None, asset: None, ..spec() };
    let events = outcome::<Device>(&[], register(empty, looked_up()));
    assert_eq!(events, Ok(vec![DeviceEvent::DeviceRegistered(Box::new(expected))]));
}

#[test]
fn every_broken_rule_of_a_registration_is_reported_at_once() {
    let other = Holder::Device(device_id(2));
    let held = [Claim::Serial(parsed("S-1")), Claim::Asset(parsed("A-1")), Claim::Mac(mac(1))].map(|claim| (claim, other));
    let wrong = DeviceSpec { position: Some(0), parent: Some(device_id(1)), ..spec() };
    let facts = RegisterFacts { site_exists: false, held: held.into(), ..looked_up() };
    let expected = ["site_unknown", "position_range", "serial_claimed", "asset_claimed", "mac_claimed", "device_own_parent"];
    assert_eq!(broken::<Device>(&[], register(wrong, facts)), expected);
    let facts = RegisterFacts { rack_exists: false, ..looked_up() };
    assert_eq!(broken::<Device>(&[], register(spec(), facts)), ["rack_unknown"]);
}

#[test]
fn claims_of_the_device_itself_do_not_refuse_its_change() {
    let facts = RegisterFacts { held: vec![(Claim::Mac(mac(1)), Holder::Device(device_id(1)))], ..looked_up() };
    assert!(outcome::<Device>(&[], register(spec(), facts)).is_ok());
}

#[test]
fn a_change_to_what_already_is_writes_nothing() {
    let same = DeviceChange {
        name: Some(spec().name),
        serial: spec().serial,
        asset: spec().asset,
        site: Some(spec().site),
        rack: spec().rack,
        position: spec().position,
        macs: Some(vec![mac(2), mac(1)]),
        management: spec().management,
        remark: Some(parsed("")),
        ..DeviceChange::default()
    };
    assert_eq!(outcome::<Device>(&registered(), change(same)), Ok(vec![]));
    assert_eq!(outcome::<Device>(&registered(), change(DeviceChange::default())), Ok(vec![]));
}

#[test]
fn a_change_records_what_changed_and_no_more() {
    let wanted = DeviceChange {
        name: Some(parsed("server two")),
        serial: Some(parsed("S-2")),
        asset: Some(parsed("")),
        macs: Some(vec![mac(2), mac(3)]),
        remark: Some(parsed("new board")),
        ..DeviceChange::default()
    };
    let changed = DeviceChanged {
        name: Some(parsed("server two")),
        serial: Some((parsed("S-1"), parsed("S-2"))),
        asset: Some((parsed("A-1"), parsed(""))),
        macs_added: vec![mac(3)],
        macs_removed: vec![mac(1)],
        ..DeviceChanged::default()
    };
    let remark = Remark::Text { text: parsed("new board") };
    let remark = DeviceEvent::RemarkAdded { remark, deployment: None };
    let events = after(registered(), vec![change(wanted.clone())]).split_off(1);
    assert_eq!(events, [DeviceEvent::DeviceChanged(Box::new(changed)), remark]);
    let again = DeviceChange { remark: None, ..wanted };
    let twice = after(registered(), vec![change(again.clone()), change(again)]);
    assert_eq!(twice.len(), 2, "the same change again is nothing new");
}

#[test]
fn a_change_leaves_a_number_or_an_interface() {
    let nothing =
        DeviceChange { serial: Some(parsed("")), asset: Some(parsed("")), macs: Some(vec![]), ..DeviceChange::default() };
    assert_eq!(refused(nothing.clone(), looked_up()), ["device_unidentified"]);
    assert!(outcome::<Device>(&registered(), change(DeviceChange { asset: None, ..nothing })).is_ok());
}

#[test]
fn a_device_moves_to_a_known_site_and_rack() {
    let site = DeviceChange { site: Some(parsed("dc2")), rack: Some(parsed("r9")), ..DeviceChange::default() };
    assert_eq!(refused(site.clone(), RegisterFacts { site_exists: false, ..looked_up() }), ["site_unknown"]);
    assert_eq!(refused(site.clone(), RegisterFacts { rack_exists: false, ..looked_up() }), ["rack_unknown"]);
    assert_eq!(refused(DeviceChange { rack: None, ..site.clone() }, looked_up()), ["rack_of_other_site"]);
    assert_eq!(refused(DeviceChange { position: Some(0), ..site.clone() }, looked_up()), ["position_range"]);
    assert!(outcome::<Device>(&registered(), change(site)).is_ok());
}

#[test]
fn a_change_that_moves_nothing_does_not_check_the_place() {
    let remark = DeviceChange { remark: Some(parsed("dusty")), ..DeviceChange::default() };
    let facts = RegisterFacts { site_exists: false, rack_exists: false, ..looked_up() };
    let command = DeviceCommand::ChangeDevice { change: Box::new(remark), facts };
    assert!(outcome::<Device>(&registered(), command).is_ok());
}

#[test]
fn a_change_cannot_take_a_claim_that_another_holds() {
    let facts = RegisterFacts { held: vec![(Claim::Mac(mac(9)), Holder::Device(device_id(2)))], ..looked_up() };
    assert_eq!(refused(DeviceChange { macs: Some(vec![mac(9)]), ..DeviceChange::default() }, facts), ["mac_claimed"]);
}

#[test]
fn an_interface_stays_while_a_deployment_boots_from_it_or_an_entry_names_it() {
    let without = || DeviceChange { macs: Some(vec![mac(2)]), ..DeviceChange::default() };
    let facts = RegisterFacts { deploying: vec![mac(1)], ..looked_up() };
    assert_eq!(refused(without(), facts), ["mac_deploying"]);
    let entry = Facts { dhcp_entries: Some(vec![dhcp("10.0.0.30", 1)]), ..Facts::default() };
    let given = after(registered(), vec![record(entry)]);
    assert_eq!(broken::<Device>(&given, change(without())), ["mac_has_dhcp_entry"]);
    assert!(outcome::<Device>(&registered(), change(without())).is_ok());
}

#[test]
fn a_device_stays_in_its_site_while_it_is_deployed() {
    let site = DeviceChange { site: Some(parsed("dc2")), rack: Some(parsed("r9")), ..DeviceChange::default() };
    let facts = RegisterFacts { deploying: vec![mac(1)], ..looked_up() };
    assert_eq!(refused(site, facts), ["already_deploying"]);
}

#[test]
fn venture_and_role_of_a_change_are_known() {
    let owner = DeviceChange { venture: Some(parsed("shop")), role: Some(parsed("web")), ..DeviceChange::default() };
    for (unknown, expected) in [(BrokenRuleOf::Venture, "venture_unknown"), (BrokenRuleOf::Role, "role_unknown")] {
        assert_eq!(refused(owner.clone(), RegisterFacts { unknown: Some(unknown), ..looked_up() }), [expected]);
    }
}

#[test]
fn a_change_of_settings_adds_and_removes_and_records_what_differs() {
    use crate::samples::settings;
    use crate::values::setting::SettingValue;
    let message = DeviceSpec { settings: settings(serde_json::json!({ "disk": "auto", "vlan": 4 })), ..spec() };
    let events = outcome::<Device>(&[], register(message, looked_up())).expect("it is registered");
    let wanted = || {
        let set = serde_json::json!({ "disk": null, "vlan": 4, "proxy": "http://proxy:3128", "layout": null });
        DeviceChange { settings: serde_json::from_value(set).expect("a change"), ..DeviceChange::default() }
    };
    let changed = after(events.clone(), vec![change(wanted())]).split_off(1);
    let expected = [(parsed("disk"), None), (parsed("proxy"), Some(SettingValue::Text(parsed("http://proxy:3128"))))];
    let expected = DeviceChanged { settings: expected.into(), ..DeviceChanged::default() };
    assert_eq!(changed, [DeviceEvent::DeviceChanged(Box::new(expected))]);
    let twice = after(events, vec![change(wanted()), change(wanted())]);
    assert_eq!(twice.len(), 2, "the same change again is nothing new");
}

#[test]
fn a_device_refers_only_to_secrets_for_boot_files() {
    let set = |value: serde_json::Value| DeviceChange {
        settings: serde_json::from_value(serde_json::json!({ "a": value })).expect("a change"),
        ..DeviceChange::default()
    };
    let bmc = serde_json::json!({ "secret": "bmc" });
    assert_eq!(refused(set(bmc.clone()), looked_up()), ["secret_not_for_boot"]);
    let setting_secrets = [(parsed("boot-a"), "there is no secret boot-a".to_owned())].into();
    let facts = RegisterFacts { setting_secrets, ..looked_up() };
    assert_eq!(refused(set(serde_json::json!({ "secret": "boot-a" })), facts), ["secret_missing"]);
    let message = DeviceSpec { settings: crate::samples::settings(serde_json::json!({ "a": bmc })), ..spec() };
    assert_eq!(broken::<Device>(&[], register(message, looked_up())), ["secret_not_for_boot"]);
}
