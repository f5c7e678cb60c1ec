//! Tests of the JSON of a change (RFC 7396), and of what a change leaves.

use super::*;
use crate::device::patch::{Removable, Removed};
use crate::device::register::DeviceChanged;
use crate::values::name::Name;
use crate::values::text::Text;
use serde_json::{Value, from_value, json};

fn patch(value: Value) -> DeviceChange {
    from_value(value).expect("a change")
}

/// The events of this change of a device.
fn events(given: &[DeviceEvent], value: Value) -> Vec<DeviceEvent> {
    outcome::<Device>(given, change(patch(value))).expect("it is changed")
}

#[test]
fn what_is_left_out_does_not_change() {
    assert_eq!(patch(json!({})), DeviceChange::default());
}

#[test]
fn null_removes_a_field() {
    for (field, removed) in [
        ("rack", Removable::Rack),
        ("position", Removable::Position),
        ("management", Removable::Management),
        ("parent", Removable::Parent),
        ("venture", Removable::Venture),
        ("role", Removable::Role),
        ("settings", Removable::Settings),
    ] {
        let change = patch(json!({ field: null }));
        assert_eq!(change, DeviceChange { removed: [removed].into(), ..DeviceChange::default() }, "{field}");
        assert!(change.removes(removed) && !patch(json!({})).removes(removed), "{field}");
    }
    let (empty, none) = (Some(Text::default()), DeviceChange::default());
    let texts = DeviceChange { name: empty.clone(), serial: empty.clone(), asset: empty, macs: Some(vec![]), ..none };
    assert_eq!(patch(json!({ "name": null, "serial": null, "asset": null, "macs": null })), texts);
}

#[test]
fn a_value_replaces_a_field() {
    let parent = device_id(7);
    let wanted = json!({
        "name": "server two", "serial": "S-2", "asset": "A-2", "site": "dc2", "rack": "r9", "position": 3,
        "macs": ["52:54:00:00:00:03"], "management": { "address": "10.0.9.1", "protocol": "redfish", "credentials": "bmc" },
        "parent": parent, "venture": "shop", "role": "web", "remark": "moved", "settings": { "disk": "auto", "vlan": null },
    });
    let expected = DeviceChange {
        name: Some(parsed("server two")),
        serial: Some(parsed("S-2")),
        asset: Some(parsed("A-2")),
        site: Some(parsed("dc2")),
        rack: Some(parsed("r9")),
        position: Some(3),
        macs: Some(vec![mac(3)]),
        management: spec().management,
        parent: Some(parent),
        venture: Some(parsed("shop")),
        role: Some(parsed("web")),
        remark: Some(parsed("moved")),
        settings: from_value(json!({ "disk": "auto", "vlan": null })).expect("settings"),
        ..DeviceChange::default()
    };
    assert_eq!(patch(wanted), expected);
}

#[test]
fn a_site_is_not_removed_and_an_unknown_field_is_refused() {
    for wrong in [json!({ "site": null }), json!({ "colour": "red" }), json!({ "removed": ["rack"] })] {
        assert!(from_value::<DeviceChange>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn a_role_goes_with_its_venture() {
    let owner = |value: Value| {
        let (venture, role) = patch(value).owner(Some(&parsed("shop")), Some(&parsed("web")));
        let text = |name: Option<Name>| name.map(|name| name.to_string()).unwrap_or_default();
        [text(venture), text(role)].join(" ")
    };
    for (value, expected) in [
        (json!({}), "shop web"),
        (json!({ "venture": "bank" }), "bank web"),
        (json!({ "role": "db" }), "shop db"),
        (json!({ "role": null }), "shop "),
        (json!({ "venture": null }), " "),
        (json!({ "venture": null, "role": "db" }), " db"),
    ] {
        assert_eq!(owner(value.clone()), expected, "{value}");
    }
}

#[test]
fn rack_and_parent_after_a_change_are_the_new_ones_or_those_that_stay() {
    let (rack, parent) = (parsed::<Name>("r1"), device_id(7));
    let after = |value: Value| {
        let change = patch(value);
        (change.rack_after(Some(&rack)), change.parent_after(Some(parent)))
    };
    assert_eq!(after(json!({})), (Some(rack.clone()), Some(parent)));
    assert_eq!(after(json!({ "rack": null, "parent": null })), (None, None));
    assert_eq!(after(json!({ "rack": "r9", "parent": device_id(8) })), (Some(parsed("r9")), Some(device_id(8))));
}

#[test]
fn a_rack_unit_goes_with_its_rack_and_only_what_is_there_is_removed() {
    let removed = |removed: &[Removed]| {
        vec![DeviceEvent::DeviceChanged(Box::new(DeviceChanged { removed: removed.to_vec(), ..DeviceChanged::default() }))]
    };
    let given = registered();
    assert_eq!(events(&given, json!({ "rack": null })), removed(&[Removed::Rack, Removed::Position]));
    assert_eq!(events(&given, json!({ "position": null })), removed(&[Removed::Position]));
    assert_eq!(events(&given, json!({ "management": null })), removed(&[Removed::Management]));
    let gone = json!({ "rack": null, "position": null, "management": null });
    let bare = after(given, vec![change(patch(gone.clone()))]);
    assert_eq!(events(&bare, gone), []);
    let unit = after(bare, vec![change(patch(json!({ "position": 3 })))]);
    assert_eq!(events(&unit, json!({ "rack": null })), [], "a unit without a rack stays");
}

#[test]
fn a_parent_is_replaced_and_removed() {
    let attached = |number| DeviceEvent::DeviceAttached { parent: device_id(number) };
    let detached = |number| DeviceEvent::DeviceDetached { parent: device_id(number), deployment: None };
    assert_eq!(events(&registered(), json!({ "parent": device_id(7) })), [attached(7)]);
    let given: Vec<_> = registered().into_iter().chain([attached(7)]).collect();
    assert_eq!(events(&given, json!({ "parent": device_id(7) })), []);
    assert_eq!(events(&given, json!({ "parent": device_id(8) })), [detached(7), attached(8)]);
    assert_eq!(events(&given, json!({ "parent": null })), [detached(7)]);
}
