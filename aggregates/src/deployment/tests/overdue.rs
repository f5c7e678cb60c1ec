//! Tests of time limits: a deployment that takes too long is marked overdue once for each stage, and continues.

use super::*;
use crate::deployment::event::Stage;

fn look(stage: Stage, minutes: i64, seconds: i64) -> DeploymentCommand {
    DeploymentCommand::MarkOverdue { stage, since: noon(0), now: noon(minutes * 60 + seconds) }
}

fn overdue(stage: Stage, limit_minutes: u32) -> DeploymentEvent {
    DeploymentEvent::DeploymentOverdue { stage, since: noon(0), limit_minutes }
}

#[test]
fn an_open_deployment_is_overdue_after_its_images_limit() {
    assert_eq!(outcome::<Deployment>(&open(), look(Stage::Open, 29, 59)), Ok(vec![]));
    assert_eq!(outcome::<Deployment>(&open(), look(Stage::Open, 30, 0)), Ok(vec![overdue(Stage::Open, 30)]));
}

#[test]
fn a_deployment_in_progress_has_a_limit_of_its_own() {
    assert_eq!(outcome::<Deployment>(&in_progress(), look(Stage::InProgress, 119, 59)), Ok(vec![]));
    let events = outcome::<Deployment>(&in_progress(), look(Stage::InProgress, 120, 0));
    assert_eq!(events, Ok(vec![overdue(Stage::InProgress, 120)]));
}

#[test]
fn each_overdue_stage_is_recorded_once() {
    let mut given = open();
    given.push(overdue(Stage::Open, 30));
    assert_eq!(outcome::<Deployment>(&given, look(Stage::Open, 60, 0)), Ok(vec![]));
    given.extend(["clean", "role", "dns", "dhcp"].map(succeeded));
    given.push(in_progress_event());
    assert_eq!(outcome::<Deployment>(&given, look(Stage::InProgress, 200, 0)), Ok(vec![overdue(Stage::InProgress, 120)]));
}

#[test]
fn a_check_of_a_past_stage_records_nothing() {
    assert_eq!(outcome::<Deployment>(&in_progress(), look(Stage::Open, 600, 0)), Ok(vec![]));
    assert_eq!(outcome::<Deployment>(&open(), look(Stage::InProgress, 600, 0)), Ok(vec![]));
    for given in [done(), cancelled()] {
        assert_eq!(outcome::<Deployment>(&given, look(Stage::InProgress, 600, 0)), Ok(vec![]));
    }
}

#[test]
fn an_overdue_deployment_continues() {
    let mut given = in_progress();
    given.push(overdue(Stage::InProgress, 120));
    assert!(matches!(outcome::<Deployment>(&given, mark_done()).as_deref(), Ok([DeploymentEvent::DeploymentDone { .. }])));
}

#[test]
fn the_longest_limit_that_fits_is_no_panic() {
    let mut request = request();
    request.facts.boot_image.as_mut().expect("an image").limits.open_minutes = u32::MAX;
    let given = outcome::<Deployment>(&[], DeploymentCommand::StartDeployment(Box::new(request))).expect("it starts");
    assert_eq!(outcome::<Deployment>(&given, look(Stage::Open, 600, 0)), Ok(vec![]));
}
