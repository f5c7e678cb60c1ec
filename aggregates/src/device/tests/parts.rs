//! Tests of a device that is a part of another one.

use super::*;
use crate::samples::broken;

fn attach(number: u128) -> DeviceCommand {
    DeviceCommand::AttachDevice { parent: device_id(number) }
}

fn detach(number: u128) -> DeviceCommand {
    DeviceCommand::DetachDevice { parent: device_id(number), deployment: None }
}

#[test]
fn a_device_is_attached_once_and_to_one_parent() {
    let attached = DeviceEvent::DeviceAttached { parent: device_id(7) };
    assert_eq!(outcome::<Device>(&registered(), attach(7)), Ok(vec![attached]));
    let given = after(registered(), vec![attach(7)]);
    assert_eq!(outcome::<Device>(&given, attach(7)), Ok(vec![]));
    assert_eq!(broken::<Device>(&given, attach(8)), ["device_has_parent"]);
}

#[test]
fn a_device_is_detached_from_its_own_parent_only() {
    let given = after(registered(), vec![attach(7)]);
    assert_eq!(outcome::<Device>(&given, detach(8)), Ok(vec![]));
    let detached = DeviceEvent::DeviceDetached { parent: device_id(7), deployment: None };
    assert_eq!(outcome::<Device>(&given, detach(7)), Ok(vec![detached]));
    assert_eq!(outcome::<Device>(&after(given, vec![detach(7)]), detach(7)), Ok(vec![]));
}

#[test]
fn a_refusal_calls_the_device_by_its_name_or_by_its_serial_number() {
    let unnamed = || DeviceSpec { name: parsed(""), ..spec() };
    let unnumbered = DeviceSpec { serial: None, ..unnamed() };
    for (spec, words) in [(spec(), "server one is"), (unnamed(), "number S-1 is"), (unnumbered, "the device is")] {
        let given = after(vec![], vec![register(spec, looked_up()), attach(7)]);
        let refused = outcome::<Device>(&given, attach(8)).expect_err("refused").0.remove(0);
        assert!(refused.message.contains(words), "{}", refused.message);
        assert_eq!(refused.holder, Some(format!("device {}", device_id(7))));
    }
}
