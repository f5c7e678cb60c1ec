//! Lasting notes and tags.

use super::*;
use crate::device::register::DeviceChanged;
use crate::samples::broken;
use crate::values::tag::Tag;

fn tags(texts: &[&str]) -> Vec<Tag> {
    texts.iter().map(|text| parsed(text)).collect()
}

fn registered() -> [DeviceEvent; 1] {
    let tags = tags(&["spare", "gpu"]);
    [DeviceEvent::DeviceRegistered(Box::new(DeviceSpec { notes: parsed("broken fan"), tags, ..spec() }))]
}

fn patched(json: &str) -> DeviceChange {
    serde_json::from_str(json).expect("a patch")
}

#[test]
fn the_event_of_a_change_has_the_old_and_the_new_notes_and_the_differences_of_the_tags() {
    let change_both = patched(r#"{"notes": "new fan", "tags": ["Spare", "row:4"]}"#);
    let expected = DeviceChanged {
        notes: Some((parsed("broken fan"), parsed("new fan"))),
        tags_added: tags(&["row:4"]),
        tags_removed: tags(&["gpu"]),
        ..DeviceChanged::default()
    };
    let events = outcome::<Device>(&registered(), change(change_both)).expect("changed");
    assert_eq!(events, [DeviceEvent::DeviceChanged(Box::new(expected))]);
    let all: Vec<DeviceEvent> = registered().into_iter().chain(events).collect();
    let same = patched(r#"{"notes": "new fan", "tags": ["row:4", "spare"]}"#);
    assert_eq!(outcome::<Device>(&all, change(same)).expect("unchanged"), []);
}

#[test]
fn null_removes_notes_and_tags() {
    let events = outcome::<Device>(&registered(), change(patched(r#"{"notes": null, "tags": null}"#))).expect("changed");
    let [DeviceEvent::DeviceChanged(changed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((changed.notes.as_ref().map(|(_, new)| new.is_empty()), changed.tags_removed.len()), (Some(true), 2));
}

#[test]
fn tags_are_added_to_and_removed_from_those_that_the_device_has() {
    let edit = |added: &[&str], removed: &[&str]| {
        let edit = DeviceChange { tags_added: tags(added), tags_removed: tags(removed), ..DeviceChange::default() };
        outcome::<Device>(&registered(), change(edit)).expect("changed")
    };
    let expected = DeviceChanged { tags_added: tags(&["row:4"]), tags_removed: tags(&["gpu"]), ..DeviceChanged::default() };
    assert_eq!(edit(&["row:4", "spare"], &["gpu", "old"]), [DeviceEvent::DeviceChanged(Box::new(expected))]);
    assert_eq!(edit(&["spare"], &["old"]), []);
}

#[test]
fn a_device_has_a_limited_number_of_tags() {
    let many: Vec<Tag> = (0..21).map(|number| parsed(&format!("t{number}"))).collect();
    let register_many = register(DeviceSpec { tags: many.clone(), ..spec() }, looked_up());
    assert_eq!(broken::<Device>(&[], register_many), ["tags_too_many"]);
    let change_many = DeviceChange { tags: Some(many), ..DeviceChange::default() };
    assert_eq!(fields_of(&registered(), change_many, looked_up()), ["tags tags_too_many"]);
}
