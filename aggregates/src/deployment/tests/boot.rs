//! Tests of served files: each is recorded once, and again after a minute.

use super::*;
use crate::samples::broken;

pub(super) fn serve(file: &str, content: char, seconds: i64) -> DeploymentCommand {
    DeploymentCommand::RecordBoot {
        file: parsed(file),
        sha256: parsed(&content.to_string().repeat(64)),
        client: parsed("10.0.0.20"),
        at: noon(seconds),
        then_disk: false,
    }
}

/// The number of events that each of these commands produces, in order.
fn recorded(commands: Vec<DeploymentCommand>) -> Vec<usize> {
    let mut given = in_progress();
    let count = |command| {
        let events = outcome::<Deployment>(&given, command).expect("it is recorded");
        given.extend(events.clone());
        events.len()
    };
    commands.into_iter().map(count).collect()
}

#[test]
fn a_served_file_is_recorded_with_its_content_and_client() {
    let events = outcome::<Deployment>(&in_progress(), serve("script.ipxe", 'a', 5)).expect("it is recorded");
    let expected = DeploymentEvent::BootFileServed {
        file: parsed("script.ipxe"),
        sha256: parsed(&"a".repeat(64)),
        client: parsed("10.0.0.20"),
        at: noon(5),
    };
    assert_eq!(events, [expected]);
}

#[test]
fn the_same_file_within_a_minute_is_nothing_new() {
    let times = [0, 1, 59, 60, 61, 120].map(|seconds| serve("script.ipxe", 'a', seconds));
    assert_eq!(recorded(times.into()), [1, 0, 0, 1, 0, 1]);
}

#[test]
fn other_files_and_other_contents_are_recorded_at_once_and_each_once() {
    let served = [("a", 'a'), ("b", 'a'), ("a", 'b'), ("a", 'a'), ("a", 'b')].map(|(file, content)| serve(file, content, 0));
    assert_eq!(recorded(served.into()), [1, 1, 1, 0, 0]);
}

#[test]
fn a_clock_that_goes_back_records_nothing_twice() {
    assert_eq!(recorded(vec![serve("a", 'a', 100), serve("a", 'a', -3600)]), [1, 0]);
}

#[test]
fn only_a_deployment_in_progress_serves_files() {
    for given in [open(), cancelled()] {
        assert_eq!(broken::<Deployment>(&given, serve("a", 'a', 0)), ["not_in_progress"]);
    }
}

#[test]
fn a_file_that_was_served_just_before_the_end_is_still_recorded() {
    let mut given = done();
    let events = outcome::<Deployment>(&given, serve("a", 'a', 0)).expect("it is recorded");
    assert_eq!(events.len(), 1);
    given.extend(events);
    assert_eq!(outcome::<Deployment>(&given, serve("a", 'a', 1)), Ok(vec![]));
    assert_eq!(outcome::<Deployment>(&given, mark_done()), Ok(vec![]), "it stays done");
}
