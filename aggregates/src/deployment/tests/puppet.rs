//! Tests of Puppet agent reports: which ones end a deployment, which ones are recorded, and which ones are ignored.

use super::*;
use crate::boot_image::EndedBy;
use crate::deployment::event::DeploymentStarted;
use crate::deployment::puppet::{MESSAGES_KEPT, PuppetOutcome, PuppetRun};
use crate::samples::broken;
use crate::values::text::Text;

/// The same events for a deployment that Puppet marks done.
fn of_puppet(mut events: Vec<DeploymentEvent>) -> Vec<DeploymentEvent> {
    for event in &mut events {
        if let DeploymentEvent::DeploymentStarted(started) = event {
            let started: &mut DeploymentStarted = started;
            started.done_by = EndedBy::Puppet;
        }
    }
    events
}

fn installed() -> Vec<DeploymentEvent> {
    let finished = outcome::<Deployment>(&of_puppet(in_progress()), mark_done()).expect("it is installed");
    of_puppet(in_progress()).into_iter().chain(finished).collect()
}

fn run(outcome: PuppetOutcome) -> PuppetRun {
    PuppetRun { certname: parsed("h200.dc1.example"), outcome, noop: false, compiled: true, transaction: parsed("t-1") }
}

fn report(run: PuppetRun, seconds: i64) -> DeploymentCommand {
    DeploymentCommand::ReportPuppetRun { run, now: noon(seconds) }
}

pub(super) fn success() -> DeploymentCommand {
    report(run(PuppetOutcome::Succeeded), 0)
}

fn failure(message: &str, seconds: i64) -> DeploymentCommand {
    report(run(PuppetOutcome::Failed { messages: vec![parsed(message)] }), seconds)
}

#[test]
fn the_servers_done_ends_its_installation_and_puppets_first_success_the_deployment() {
    let done = mark_done();
    assert_eq!(
        outcome::<Deployment>(&of_puppet(in_progress()), done),
        Ok(vec![DeploymentEvent::InstallationFinished { by: by_server() }])
    );
    assert_eq!(outcome::<Deployment>(&installed(), mark_done()), Ok(vec![]), "said again");
    let by = DoneBy::Puppet { certname: parsed("h200.dc1.example") };
    let ended = DeploymentEvent::DeploymentDone { device: device_id(1), by };
    assert_eq!(outcome::<Deployment>(&installed(), success()), Ok(vec![ended.clone()]));
    let done: Vec<_> = installed().into_iter().chain([ended]).collect();
    assert_eq!(outcome::<Deployment>(&done, success()), Ok(vec![]), "the next run");
    assert_eq!(outcome::<Deployment>(&done, failure("later", 0)), Ok(vec![]), "a run of the deployed server");
}

#[test]
fn a_success_before_the_servers_done_may_be_of_the_old_system_and_ends_nothing() {
    for given in [of_puppet(open()), of_puppet(in_progress()), in_progress(), cancelled(), done()] {
        assert_eq!(outcome::<Deployment>(&given, success()), Ok(vec![]));
    }
    assert_eq!(broken::<Deployment>(&[], success()), ["deployment_unknown"]);
}

#[test]
fn a_run_in_noop_mode_or_with_a_cached_catalogue_ends_nothing() {
    for run in [
        PuppetRun { noop: true, ..run(PuppetOutcome::Succeeded) },
        PuppetRun { compiled: false, ..run(PuppetOutcome::Succeeded) },
    ] {
        assert_eq!(outcome::<Deployment>(&installed(), report(run, 0)), Ok(vec![]));
    }
}

#[test]
fn an_operator_may_end_a_deployment_that_waits_for_puppet() {
    let by = DoneBy::Operator { name: parsed("ada"), reason: parsed("") };
    for given in [of_puppet(in_progress()), installed()] {
        let ended = DeploymentEvent::DeploymentDone { device: device_id(1), by: by.clone() };
        assert_eq!(outcome::<Deployment>(&given, DeploymentCommand::MarkDone { by: by.clone() }), Ok(vec![ended]));
        assert!(outcome::<Deployment>(&given, cancel()).is_ok_and(|events| events.len() == 1));
    }
}

#[test]
fn a_failure_is_recorded_when_it_changes_or_half_an_hour_has_passed() {
    let mut given = installed();
    let mut recorded = |command| {
        let events = outcome::<Deployment>(&given, command).expect("a report");
        given.extend(events.clone());
        events.len()
    };
    assert_eq!(recorded(failure("no nginx", 0)), 1);
    assert_eq!(recorded(failure("no nginx", 30 * 60 - 1)), 0);
    assert_eq!(recorded(failure("no redis", 30 * 60 - 1)), 1);
    assert_eq!(recorded(failure("no redis", 60 * 60 - 2)), 0);
    assert_eq!(recorded(failure("no redis", 60 * 60 - 1)), 1);
    assert_eq!(recorded(success()), 1, "and it ends when it succeeds");
}

#[test]
fn a_failure_before_the_installation_ends_is_recorded_again_afterwards() {
    let mut given = of_puppet(in_progress());
    for (command, events) in
        [(failure("no nginx", 0), 1), (failure("no nginx", 1), 0), (mark_done(), 1), (failure("no nginx", 2), 1)]
    {
        let happened = outcome::<Deployment>(&given, command).expect("a report");
        assert_eq!(happened.len(), events);
        given.extend(happened);
    }
}

#[test]
fn of_a_long_failure_the_first_messages_are_kept() {
    let messages: Vec<Text> = (0..100).map(|n| parsed(&format!("error {n}"))).collect();
    let events = outcome::<Deployment>(&installed(), report(run(PuppetOutcome::Failed { messages: messages.clone() }), 0));
    let Ok([DeploymentEvent::PuppetRunFailed { messages: kept, .. }]) = events.as_deref() else { panic!("{events:?}") };
    assert_eq!(*kept, messages[..MESSAGES_KEPT]);
}

#[test]
fn an_installed_server_is_not_restarted_any_more() {
    assert_eq!(outcome::<Deployment>(&installed(), super::failure("reboot")), Ok(vec![]));
    assert_eq!(outcome::<Deployment>(&installed(), busy("reboot")), Ok(vec![]));
    assert_eq!(broken::<Deployment>(&installed(), retry("reboot")), ["server_installed"]);
    assert_eq!(outcome::<Deployment>(&installed(), super::success("reboot")), Ok(vec![succeeded("reboot")]));
}
