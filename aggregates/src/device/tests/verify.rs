//! Tests of verification: its requirements, and what a verified device does not allow.

use super::*;
use crate::samples::broken;

fn owner(venture: Option<&str>, role: Option<&str>) -> DeviceChange {
    DeviceChange { venture: venture.map(parsed), role: role.map(parsed), ..DeviceChange::default() }
}

#[test]
fn a_device_is_verified_when_it_has_a_venture_and_a_role() {
    assert_eq!(broken::<Device>(&registered(), DeviceCommand::VerifyDevice), ["venture_missing", "role_missing"]);
    let half = after(registered(), vec![change(owner(Some("shop"), None))]);
    assert_eq!(broken::<Device>(&half, DeviceCommand::VerifyDevice), ["role_missing"]);
    assert_eq!(verified().last(), Some(&DeviceEvent::DeviceVerified {}));
}

#[test]
fn verifying_and_unverifying_twice_writes_nothing() {
    assert_eq!(outcome::<Device>(&verified(), DeviceCommand::VerifyDevice), Ok(vec![]));
    let unverify = DeviceCommand::UnverifyDevice { live: None };
    assert_eq!(outcome::<Device>(&verified(), unverify.clone()), Ok(vec![DeviceEvent::DeviceUnverified {}]));
    assert_eq!(outcome::<Device>(&registered(), unverify), Ok(vec![]));
}

#[test]
fn while_it_is_verified_venture_and_role_are_locked() {
    for locked in [owner(Some("bank"), None), owner(None, Some("db")), owner(Some("bank"), Some("db"))] {
        assert_eq!(broken::<Device>(&verified(), change(locked)), ["device_verified"]);
    }
    let same = owner(Some("shop"), Some("web"));
    assert_eq!(outcome::<Device>(&verified(), change(same)), Ok(vec![]));
}

#[test]
fn the_owner_of_an_unverified_device_can_be_changed_manually() {
    let given = after(verified(), vec![DeviceCommand::UnverifyDevice { live: None }]);
    let set = DeviceEvent::VentureRoleSet { venture: Some(parsed("bank")), role: Some(parsed("web")) };
    assert_eq!(outcome::<Device>(&given, change(owner(Some("bank"), None))), Ok(vec![set]));
}

#[test]
fn a_device_stays_verified_while_it_is_deployed() {
    let unverify = DeviceCommand::UnverifyDevice { live: Some(deployment_id(1)) };
    assert_eq!(broken::<Device>(&verified(), unverify), ["already_deploying"]);
}

#[test]
fn the_live_deployment_changes_the_owner_of_a_verified_device() {
    let assigned = DeviceEvent::RoleAssigned { deployment: deployment_id(1), venture: parsed("bank"), role: parsed("db") };
    let live = Some(deployment_id(1));
    assert_eq!(outcome::<Device>(&verified(), assign_role(live)), Ok(vec![assigned]));
    let given = after(verified(), vec![assign_role(live)]);
    assert_eq!(outcome::<Device>(&given, assign_role(live)), Ok(vec![]), "a second time is nothing new");
}

#[test]
fn a_deployment_that_is_not_live_changes_nothing() {
    for live in [None, Some(deployment_id(2))] {
        let keeps = keeps("10.0.0.20", "h200.dc1.example");
        let clean = DeviceCommand::CleanDevice { deployment: deployment_id(1), live, keeps, at: noon(0), parts: vec![] };
        for command in [clean, assign_role(live), create_dns(live), create_dhcp(live)] {
            assert_eq!(broken::<Device>(&used(), command), ["deployment_not_live"]);
        }
    }
}
