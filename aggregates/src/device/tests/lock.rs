//! Locks: what a locked device refuses, and who has to be named.

use super::*;
use crate::deployment::Deployment;
use crate::deployment::command::DeploymentCommand;
use crate::deployment::start::{DeviceFacts, StartDeployment, StartFacts};
use crate::device::lock::Lock;
use crate::device::power::{PowerAction, PowerFacts, PowerOrder, Restart};
use crate::samples::{broken, request};
use crate::values::ids::OrderId;

fn lock(reason: &str) -> Lock {
    Lock { reason: parsed(reason), by: parsed("user ada"), at: noon(0) }
}

fn locked() -> [DeviceEvent; 2] {
    [DeviceEvent::DeviceRegistered(Box::new(spec())), DeviceEvent::DeviceLocked(lock("holds the only copy"))]
}

fn locking(reason: &str) -> DeviceCommand {
    DeviceCommand::LockDevice { lock: lock(reason) }
}

#[test]
fn a_lock_needs_a_reason_and_keeps_its_first_one() {
    let registered = &locked()[..1];
    assert_eq!(broken::<Device>(registered, locking(" ")), ["reason_missing"]);
    assert_eq!(outcome::<Device>(registered, locking("why")).expect("locked"), [DeviceEvent::DeviceLocked(lock("why"))]);
    assert_eq!(outcome::<Device>(&locked(), locking("holds the only copy")).expect("locked"), []);
    assert_eq!(broken::<Device>(&locked(), locking("another")), ["device_locked"]);
}

#[test]
fn unlocking_ends_the_lock_and_repeating_it_changes_nothing() {
    let unlocked = outcome::<Device>(&locked(), DeviceCommand::UnlockDevice).expect("unlocked");
    assert_eq!(unlocked, [DeviceEvent::DeviceUnlocked {}]);
    let all: Vec<DeviceEvent> = locked().into_iter().chain(unlocked).collect();
    assert_eq!(outcome::<Device>(&all, DeviceCommand::UnlockDevice).expect("unlocked"), []);
    assert_eq!(outcome::<Device>(&all, locking("again")).expect("locked").len(), 1);
}

#[test]
fn a_locked_device_is_not_decommissioned_and_keeps_its_interfaces() {
    let decommission = DeviceCommand::DecommissionDevice { reason: parsed("old"), live: None };
    assert_eq!(broken::<Device>(&locked(), decommission), ["device_locked"]);
    let fewer = DeviceChange { macs: Some(vec![mac(1)]), ..DeviceChange::default() };
    assert_eq!(fields_of(&locked(), fewer, looked_up()), ["macs device_locked"]);
    let more = DeviceChange { macs: Some(vec![mac(1), mac(2), mac(3)]), ..DeviceChange::default() };
    assert_eq!(outcome::<Device>(&locked(), change(more)).expect("changed").len(), 1);
}

#[test]
fn a_locked_device_boots_from_the_network_only_for_a_deployment_that_has_started() {
    let power = |action, network_boot, restart: Option<Restart>| {
        let order = PowerOrder { order: OrderId::default(), action, network_boot, restart, at: noon(0) };
        let (live, in_progress) = (restart.map(|restart| restart.deployment), restart.is_some());
        let facts = PowerFacts { live, in_progress, ..PowerFacts::default() };
        DeviceCommand::RequestPower { order: Box::new(order), facts }
    };
    for action in [PowerAction::On, PowerAction::Cycle] {
        assert_eq!(broken::<Device>(&locked(), power(action, true, None)), ["device_locked"], "{action:?}");
        assert!(outcome::<Device>(&locked(), power(action, false, None)).is_ok(), "{action:?}");
    }
    let restart = Restart { deployment: deployment_id(1), turn: 0 };
    assert!(outcome::<Device>(&locked(), power(PowerAction::Cycle, true, Some(restart))).is_ok());
}

#[test]
fn a_locked_device_is_not_deployed_and_the_refusal_says_who_locked_it_when_and_why() {
    let StartDeployment { facts, .. } = request();
    let device = facts.device.clone().map(|device| DeviceFacts { lock: Some(lock("holds the only copy")), ..device });
    let wanted = StartDeployment { facts: StartFacts { device, ..facts }, ..request() };
    let refused = outcome::<Deployment>(&[], DeploymentCommand::StartDeployment(Box::new(wanted))).expect_err("it was started");
    let [only] = &refused.0[..] else { panic!("{refused:?}") };
    assert_eq!((only.field.as_str(), only.rule.as_str()), ("device", "device_locked"));
    for part in ["user ada", "2026-03-01T12:00:00Z", "holds the only copy"] {
        assert!(only.message.contains(part), "{part}: {}", only.message);
    }
}
