//! Tests of the state diagram: every allowed transition, and every refused one.

use super::*;
use crate::claims::Claim;
use crate::claims::Holder;
use crate::samples::broken;

#[test]
fn a_started_deployment_is_open() {
    assert!(matches!(open().as_slice(), [DeploymentEvent::DeploymentStarted(_)]));
    assert_eq!(broken::<Deployment>(&open(), mark_done()), ["not_in_progress"]);
}

#[test]
fn a_deployment_is_started_once() {
    for given in [open(), in_progress(), done(), cancelled()] {
        assert_eq!(broken::<Deployment>(&given, start()), ["deployment_exists"]);
    }
}

#[test]
fn nothing_but_a_start_is_possible_before_the_start() {
    for (name, command) in every_later_command() {
        assert_eq!(broken::<Deployment>(&[], command), ["deployment_unknown"], "{name}");
    }
}

#[test]
fn a_server_in_progress_is_done_when_it_reports_done() {
    let events = outcome::<Deployment>(&in_progress(), mark_done()).expect("it is done");
    assert_eq!(events, [DeploymentEvent::DeploymentDone { device: device_id(1), by: by_server() }]);
}

#[test]
fn a_repeated_done_writes_nothing() {
    let again = DeploymentCommand::MarkDone { by: DoneBy::Operator { name: parsed("ada"), reason: parsed("") } };
    for command in [mark_done(), again] {
        assert_eq!(outcome::<Deployment>(&done(), command), Ok(vec![]));
    }
}

#[test]
fn a_cancelled_deployment_cannot_be_done() {
    assert_eq!(broken::<Deployment>(&cancelled(), mark_done()), ["deployment_ended"]);
}

#[test]
fn a_deployment_that_is_open_or_in_progress_can_be_cancelled() {
    for given in [open(), in_progress()] {
        let events = outcome::<Deployment>(&given, cancel()).expect("it is cancelled");
        let [DeploymentEvent::DeploymentCancelled { device, by, reason, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((*device, by.as_str(), reason.as_str()), (device_id(1), "ada", "wrong server"));
    }
}

#[test]
fn cancelling_twice_writes_nothing() {
    assert_eq!(outcome::<Deployment>(&cancelled(), cancel()), Ok(vec![]));
}

#[test]
fn a_server_that_is_done_cannot_be_cancelled() {
    assert_eq!(broken::<Deployment>(&done(), cancel()), ["deployment_ended"]);
}

#[test]
fn nothing_changes_a_deployment_that_has_ended() {
    for (name, command) in every_later_command() {
        // Puppet reports for as long as the server exists, and operators write about it.
        if ["ReportPuppetRun", "NoteDeployment"].contains(&name) {
            continue;
        }
        let allowed_when_done = ["RecordBoot", "MarkDone"].contains(&name);
        if !allowed_when_done {
            assert_eq!(broken::<Deployment>(&done(), command.clone()), ["deployment_ended"], "{name} after done");
        }
        let expected = if name == "RecordBoot" { "not_in_progress" } else { "deployment_ended" };
        if name != "CancelDeployment" {
            assert_eq!(broken::<Deployment>(&cancelled(), command), [expected], "{name} after cancel");
        }
    }
}

#[test]
fn a_cancelled_deployment_releases_only_its_own_claims() {
    let (ip, hostname) = (Claim::Ip(parsed("10.0.0.20")), Claim::Hostname(parsed("h200.dc1.example")));
    let own = Holder::Device(device_id(1));
    let held_before = [vec![], vec![ip.clone()], vec![hostname.clone()], vec![ip.clone(), hostname.clone()]];
    let gives_back = [vec![ip.clone(), hostname.clone()], vec![hostname], vec![ip], vec![]];
    for (held, expected) in held_before.into_iter().zip(gives_back) {
        let mut request = request();
        request.facts.holders = held.into_iter().chain([Claim::Mac(request.assignment.mac)]).map(|claim| (claim, own)).collect();
        let start = DeploymentCommand::StartDeployment(Box::new(request));
        let started = outcome::<Deployment>(&[], start).expect("it starts");
        let events = outcome::<Deployment>(&started, cancel()).expect("it is cancelled");
        let [DeploymentEvent::DeploymentCancelled { released, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(*released, expected);
    }
}
