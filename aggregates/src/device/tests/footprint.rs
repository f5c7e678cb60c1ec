//! The rack units of a device: conflicts with other devices and with the height of the rack.

use super::*;
use crate::device::event::DeviceKind;
use crate::device::footprint::{Face, Footprint, RackFacts};
use crate::samples::broken;

/// Device 2 takes the units 10 to 13 of a rack of 42, at the front.
fn beside() -> RegisterFacts {
    let other = (device_id(2), Footprint { lowest: 10, height: 4, face: Face::Front });
    RegisterFacts { rack: Some(RackFacts { rack: parsed("r1"), units: 42, others: vec![other] }), ..looked_up() }
}

fn at(position: u16, height: u16, face: Face) -> DeviceSpec {
    DeviceSpec { position: Some(position), height, face, ..spec() }
}

fn registered(spec: DeviceSpec) -> [DeviceEvent; 1] {
    [DeviceEvent::DeviceRegistered(Box::new(spec))]
}

#[test]
fn two_devices_do_not_take_one_unit_on_the_same_side() {
    assert_eq!(broken::<Device>(&[], register(at(9, 2, Face::Both), beside())), ["rack_unit_taken"]);
    assert_eq!(broken::<Device>(&[], register(at(13, 1, Face::Front), beside())), ["rack_unit_taken"]);
    for free in [at(13, 1, Face::Rear), at(14, 1, Face::Both), at(8, 2, Face::Both)] {
        assert_eq!(outcome::<Device>(&[], register(free, beside())).expect("registered").len(), 1);
    }
    let blade = DeviceSpec { kind: DeviceKind::Blade, ..at(10, 1, Face::Both) };
    assert_eq!(outcome::<Device>(&[], register(blade, beside())).expect("registered").len(), 1);
}

#[test]
fn a_device_does_not_reach_beyond_its_rack() {
    assert_eq!(broken::<Device>(&[], register(at(42, 2, Face::Both), beside())), ["position_range"]);
    assert_eq!(broken::<Device>(&[], register(at(1, 0, Face::Both), beside())), ["height_range"]);
    assert_eq!(outcome::<Device>(&[], register(at(41, 2, Face::Both), beside())).expect("registered").len(), 1);
}

#[test]
fn a_conflict_of_an_old_log_prevents_only_changes_that_keep_it() {
    let given = registered(at(10, 1, Face::Both));
    let of = |change: DeviceChange| {
        outcome::<Device>(&given, DeviceCommand::ChangeDevice { change: Box::new(change), facts: beside() })
    };
    assert_eq!(of(DeviceChange { name: Some(parsed("new")), ..DeviceChange::default() }).expect("renamed").len(), 1);
    assert_eq!(of(DeviceChange { position: Some(20), ..DeviceChange::default() }).expect("moved").len(), 1);
    assert_eq!(of(DeviceChange { face: Some(Face::Rear), ..DeviceChange::default() }).expect("turned").len(), 1);
    let higher = DeviceChange { height: Some(2), ..DeviceChange::default() };
    assert_eq!(fields_of(&given, higher, beside()), ["position rack_unit_taken"]);
}

#[test]
fn height_and_side_are_changed_and_null_resets_them() {
    let given = registered(at(20, 2, Face::Front));
    let reset: DeviceChange = serde_json::from_str(r#"{"height": null, "face": null}"#).expect("a patch");
    let events = outcome::<Device>(&given, change(reset)).expect("changed");
    let [DeviceEvent::DeviceChanged(changed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((changed.height, changed.face), (Some(1), Some(Face::Both)));
    let same: DeviceChange = serde_json::from_str(r#"{"height": 2, "face": "front"}"#).expect("a patch");
    assert_eq!(outcome::<Device>(&given, change(same)).expect("unchanged"), []);
}
