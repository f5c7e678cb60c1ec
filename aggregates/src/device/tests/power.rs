//! Tests of power orders: their requirements, and that a deployment restarts its server only once.

use super::*;
use crate::device::power::{PowerAction, PowerFacts, PowerOrder, PowerOutcome, PowerState, Restart, Standing, UNDER_WAY_SECONDS};
use crate::device::power_failure::PowerFailure;
use crate::samples::{broken, noon};
use crate::values::ids::OrderId;
use cqrs_es::Aggregate;
use uuid::Uuid;

const DEADLINE: PowerFailure = PowerFailure::Deadline { seconds: 105 };

fn order(number: u128, action: PowerAction) -> PowerOrder {
    PowerOrder { order: OrderId(Uuid::from_u128(number)), action, network_boot: false, restart: None, at: noon(0) }
}

fn restart(number: u128, turn: u32, at: i64) -> PowerOrder {
    let restart = Some(Restart { deployment: deployment_id(1), turn });
    PowerOrder { network_boot: true, restart, at: noon(at), ..order(number, PowerAction::Cycle) }
}

fn request(order: &PowerOrder) -> DeviceCommand {
    let in_progress = order.restart.is_some();
    let live = in_progress.then(|| deployment_id(1));
    let facts = PowerFacts { live, in_progress, ..PowerFacts::default() };
    DeviceCommand::RequestPower { order: Box::new(order.clone()), facts }
}

fn found_off(order: &PowerOrder) -> DeviceCommand {
    let facts = PowerFacts { live: Some(deployment_id(1)), in_progress: true, found_off: true, interrupts: None };
    DeviceCommand::RequestPower { order: Box::new(order.clone()), facts }
}

fn report(order: &PowerOrder, outcome: PowerOutcome) -> DeviceCommand {
    DeviceCommand::ReportPower { order: Box::new(order.clone()), outcome }
}

#[test]
fn an_order_is_recorded_before_it_is_carried_out_and_reported_after() {
    let off = order(1, PowerAction::Off);
    assert_eq!(outcome::<Device>(&registered(), request(&off)), Ok(vec![DeviceEvent::PowerRequested(off.clone())]));
    let given = after(registered(), vec![request(&off)]);
    let message = outcome::<Device>(&given, report(&off, PowerOutcome::Uncertain(DEADLINE))).expect("a report");
    assert!(matches!(&message[..], [DeviceEvent::PowerFailed { uncertain: true, .. }]), "{message:?}");
    let given = after(given, vec![report(&off, PowerOutcome::Confirmed(PowerState::Off))]);
    assert_eq!(
        broken::<Device>(&given, report(&off, PowerOutcome::Confirmed(PowerState::Off))),
        ["order_not_under_way"],
        "it is reported once"
    );
}

#[test]
fn an_order_needs_a_controller_with_credentials() {
    let mut bare = spec();
    bare.management = None;
    let given = after(vec![], vec![register(bare, looked_up())]);
    assert_eq!(broken::<Device>(&given, request(&order(1, PowerAction::On))), ["management_missing"]);
    let mut anonymous = spec();
    anonymous.management = anonymous.management.map(|management| Management { credentials: None, ..management });
    let given = after(vec![], vec![register(anonymous, looked_up())]);
    let both = PowerOrder { network_boot: true, ..order(1, PowerAction::Off) };
    assert_eq!(broken::<Device>(&given, request(&both)), ["credentials_missing", "network_boot_without_start"]);
    let given = after(registered(), vec![decommission(None)]);
    assert_eq!(broken::<Device>(&given, request(&order(1, PowerAction::On))), ["device_decommissioned"]);
}

#[test]
fn one_order_runs_at_a_time_and_one_without_a_report_expires() {
    let given = after(registered(), vec![request(&order(1, PowerAction::Cycle))]);
    let at = |seconds| PowerOrder { at: noon(seconds), ..order(2, PowerAction::On) };
    assert_eq!(broken::<Device>(&given, request(&at(UNDER_WAY_SECONDS - 1))), ["power_busy"]);
    assert!(outcome::<Device>(&given, request(&at(UNDER_WAY_SECONDS))).is_ok());
    let later = after(given, vec![request(&at(UNDER_WAY_SECONDS))]);
    let first = report(&order(1, PowerAction::Cycle), PowerOutcome::Confirmed(PowerState::On));
    assert_eq!(broken::<Device>(&later, first), ["order_not_under_way"]);
}

#[test]
fn an_installation_is_interrupted_only_by_an_order_that_names_it() {
    let power_request = |action, in_progress, interrupts: Option<u128>| {
        let facts =
            PowerFacts { live: Some(deployment_id(1)), in_progress, interrupts: interrupts.map(deployment_id), found_off: false };
        DeviceCommand::RequestPower { order: Box::new(order(1, action)), facts }
    };
    for action in [PowerAction::Off, PowerAction::Cycle] {
        assert_eq!(broken::<Device>(&registered(), power_request(action, true, None)), ["already_deploying"]);
        assert_eq!(broken::<Device>(&registered(), power_request(action, true, Some(2))), ["deployment_not_in_progress"]);
        assert_eq!(broken::<Device>(&registered(), power_request(action, false, Some(1))), ["deployment_not_in_progress"]);
        assert!(outcome::<Device>(&registered(), power_request(action, true, Some(1))).is_ok());
        assert!(
            outcome::<Device>(&registered(), power_request(action, false, None)).is_ok(),
            "one being prepared installs nothing"
        );
    }
    assert!(outcome::<Device>(&registered(), power_request(PowerAction::On, true, None)).is_ok());
}

#[test]
fn switching_on_with_a_network_boot_interrupts_an_installation_too() {
    let power_request = |in_progress, interrupts: Option<u128>| {
        let facts =
            PowerFacts { live: Some(deployment_id(1)), in_progress, interrupts: interrupts.map(deployment_id), found_off: false };
        let order = PowerOrder { network_boot: true, ..order(1, PowerAction::On) };
        DeviceCommand::RequestPower { order: Box::new(order), facts }
    };
    assert_eq!(broken::<Device>(&registered(), power_request(true, None)), ["already_deploying"]);
    assert_eq!(broken::<Device>(&registered(), power_request(true, Some(2))), ["deployment_not_in_progress"]);
    assert!(outcome::<Device>(&registered(), power_request(true, Some(1))).is_ok());
    assert!(outcome::<Device>(&registered(), power_request(false, None)).is_ok(), "one being prepared installs nothing");
}

#[test]
fn a_deployment_restarts_its_server_once_a_turn() {
    let given = after(registered(), vec![request(&restart(1, 0, 0))]);
    let later = UNDER_WAY_SECONDS;
    let again = restart(2, 0, later);
    assert_eq!(broken::<Device>(&given, request(&again)), ["restart_ordered"], "it may have been carried out");
    assert!(outcome::<Device>(&given, found_off(&again)).is_ok(), "what is off now is not booting");
    assert!(outcome::<Device>(&given, request(&restart(2, 1, later))).is_ok(), "an operator retried");
    let standings = [
        (PowerOutcome::Confirmed(PowerState::On), Standing::Confirmed, false, false),
        (PowerOutcome::Uncertain(DEADLINE), Standing::Uncertain, false, true),
        (PowerOutcome::Failed(PowerFailure::NoIpmitool {}), Standing::Failed, true, true),
    ];
    for (outcome_of_first, standing, again_at_once, again_when_off) in standings {
        let given = after(given.clone(), vec![report(&restart(1, 0, 0), outcome_of_first)]);
        let mut device = Device::default();
        given.iter().cloned().for_each(|event| device.apply(event));
        assert_eq!(device.last_restart(deployment_id(1)).map(|last| last.standing), Some(standing));
        assert_eq!(outcome::<Device>(&given, request(&again)).is_ok(), again_at_once, "{standing:?}");
        assert_eq!(outcome::<Device>(&given, found_off(&again)).is_ok(), again_when_off, "{standing:?}");
    }
}

#[test]
fn an_operators_order_does_not_replace_a_restart() {
    let first = restart(1, 0, 0);
    let on = PowerOrder { at: noon(1), ..order(2, PowerAction::On) };
    let given = after(
        registered(),
        vec![
            request(&first),
            report(&first, PowerOutcome::Uncertain(DEADLINE)),
            request(&on),
            report(&on, PowerOutcome::Confirmed(PowerState::On)),
        ],
    );
    assert_eq!(broken::<Device>(&given, request(&restart(3, 0, 2))), ["restart_ordered"]);
}

#[test]
fn only_the_live_deployment_in_progress_restarts_its_server() {
    for (live, in_progress) in [(None, false), (Some(2), true), (Some(1), false)] {
        let facts = PowerFacts { live: live.map(deployment_id), in_progress, ..PowerFacts::default() };
        let command = DeviceCommand::RequestPower { order: Box::new(restart(1, 0, 0)), facts };
        assert_eq!(broken::<Device>(&registered(), command), ["deployment_not_live"]);
    }
}
