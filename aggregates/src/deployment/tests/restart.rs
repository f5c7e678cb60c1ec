//! Tests of a restart that an operator reports.

use super::*;
use crate::deployment::reason::MissingController;
use crate::samples::broken;

pub(super) fn report(second: i64) -> DeploymentCommand {
    DeploymentCommand::ReportRestart { now: noon(second) }
}

/// A deployment in progress whose plugin `reboot` waits for this.
fn awaiting(reason: Waiting) -> Vec<DeploymentEvent> {
    let waiting = outcome::<Deployment>(&in_progress(), waiting("reboot", reason, &["operator"])).expect("it waits");
    in_progress().into_iter().chain(waiting).collect()
}

fn manual() -> Vec<DeploymentEvent> {
    awaiting(Waiting::ManualRestart { mac: parsed("52:54:00:00:00:01"), missing: MissingController::Address {} })
}

#[test]
fn a_restart_is_reported_only_while_one_is_awaited() {
    assert_eq!(broken::<Deployment>(&open(), report(0)), ["not_in_progress"]);
    assert_eq!(broken::<Deployment>(&in_progress(), report(0)), ["restart_not_awaited"]);
    assert_eq!(broken::<Deployment>(&awaiting(Waiting::ControllerBusy {}), report(0)), ["restart_not_awaited"]);
    assert_eq!(outcome::<Deployment>(&manual(), report(0)), Ok(vec![DeploymentEvent::RestartReported { at: noon(0) }]));
}

#[test]
fn a_second_report_within_half_a_minute_writes_nothing_and_a_retry_forgets_the_first() {
    let given: Vec<DeploymentEvent> = manual().into_iter().chain([DeploymentEvent::RestartReported { at: noon(0) }]).collect();
    assert_eq!(outcome::<Deployment>(&given, report(29)), Ok(vec![]));
    assert_eq!(outcome::<Deployment>(&given, report(30)), Ok(vec![DeploymentEvent::RestartReported { at: noon(30) }]));
    assert_eq!(Deployment::after(given.clone()).restarted_at(), Some(noon(0)));
    let retried = outcome::<Deployment>(&given, retry("reboot")).expect("it is retried");
    assert_eq!(Deployment::after(given.into_iter().chain(retried)).restarted_at(), None);
}
