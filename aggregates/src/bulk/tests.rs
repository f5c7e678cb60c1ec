//! Tests of the rules of bulk actions, one for each.

use super::*;
use crate::samples::{device_id, parsed};

/// The rules that refused a command.
fn broken(decided: Result<Vec<BulkEvent>, Refused>) -> Vec<String> {
    decided.expect_err("the command was accepted").0.into_iter().map(|broken| broken.rule).collect()
}

fn row(number: u128) -> BulkRow {
    BulkRow { target: device_id(number).0, name: parsed(&format!("R640 no. {number}")), plugins: vec![] }
}

fn start(action: BulkAction, rows: Vec<BulkRow>) -> BulkCommand {
    BulkCommand::StartBulk { action: Box::new(action), rows, list: "/devices?site=dc1".to_owned(), level: Role::Operator }
}

fn refused(row: u32) -> BulkResult {
    let reasons = vec![BulkReason { rule: "already_deploying".to_owned(), message: "it is being deployed".to_owned() }];
    BulkResult { row, attempt: 1, outcome: BulkOutcome::Refused { reasons } }
}

fn done(row: u32) -> BulkResult {
    BulkResult { row, attempt: 1, outcome: BulkOutcome::Done { deployment: None } }
}

fn retry() -> BulkCommand {
    BulkCommand::RetryBulk { by: "user bob".to_owned(), level: Role::Operator }
}

fn stop() -> BulkCommand {
    BulkCommand::StopBulk { reason: None }
}

/// The attempts of the rows.
fn attempts(bulk: &Bulk) -> Vec<u32> {
    bulk.started().expect("started").rows.iter().map(|row| row.attempt).collect()
}

/// A bulk action of three devices after these commands, each of which must be accepted.
fn after(commands: impl IntoIterator<Item = BulkCommand>) -> Bulk {
    let mut bulk = Bulk::default();
    let first = start(BulkAction::Verify {}, vec![row(1), row(2), row(3)]);
    for command in std::iter::once(first).chain(commands) {
        for event in bulk.decide(command).expect("accepted") {
            bulk.evolve(event);
        }
    }
    bulk
}

fn results(results: Vec<BulkResult>) -> BulkCommand {
    BulkCommand::RecordBulkResults { results }
}

fn counts(bulk: &Bulk) -> (usize, usize, usize) {
    let counts = bulk.started().expect("started").counts();
    (counts.done, counts.refused, counts.waiting)
}

#[test]
fn rows_without_an_outcome_wait_and_the_action_runs_until_none_is_left() {
    let bulk = after([results(vec![done(0), refused(2)])]);
    assert_eq!(counts(&bulk), (1, 1, 1));
    assert!(bulk.started().expect("started").is_running());
    let bulk = after([results(vec![done(0), refused(2)]), results(vec![done(1)])]);
    assert_eq!(counts(&bulk), (2, 1, 0));
    assert!(!bulk.started().expect("started").is_running());
}

#[test]
fn an_outcome_that_is_known_or_of_an_earlier_attempt_or_of_no_row_is_not_recorded_again() {
    let bulk = after([results(vec![done(0), done(0)])]);
    let of_another_attempt = BulkResult { attempt: 2, ..done(1) };
    for repeated in [vec![refused(0)], vec![of_another_attempt], vec![done(3)], vec![]].map(results) {
        assert_eq!(bulk.decide(repeated).expect("accepted"), vec![]);
    }
}

#[test]
fn a_result_does_not_have_what_only_administrators_may_read() {
    let exact = BrokenRule::new("management.credentials", Rule::SecretMissing, "the secret bmc is not for 10.0.0.9");
    let BulkOutcome::Refused { reasons } = BulkOutcome::refused([exact.or_in_general("it cannot be used")]) else {
        panic!("not refused")
    };
    assert_eq!(reasons, [BulkReason { rule: "secret_missing".to_owned(), message: "it cannot be used".to_owned() }]);
}

#[test]
fn a_retry_works_through_the_refused_rows_only() {
    let bulk = after([results(vec![done(0), refused(1), refused(2)]), retry()]);
    assert_eq!(counts(&bulk), (1, 0, 2));
    assert_eq!(bulk.started().expect("started").attempt, 2);
}

#[test]
fn a_running_bulk_action_and_one_without_refused_rows_cannot_be_retried() {
    let running = after([results(vec![refused(0)])]);
    assert_eq!(broken(running.decide(retry())), ["bulk_running"]);
    let succeeded = after([results(vec![done(0), done(1), done(2)])]);
    assert_eq!(broken(succeeded.decide(retry())), ["bulk_nothing_refused"]);
}

#[test]
fn a_stopped_bulk_action_keeps_what_was_done_and_can_continue() {
    let bulk = after([results(vec![done(0)]), stop()]);
    assert!(!bulk.started().expect("started").is_running());
    assert_eq!(bulk.decide(stop()).expect("accepted"), vec![]);
    // The command of a row may have been on its way when the action was stopped.
    assert_eq!(bulk.decide(results(vec![done(1)])).expect("accepted").len(), 1);
    let bulk = after([results(vec![done(0)]), stop(), retry()]);
    assert!(bulk.started().expect("started").is_running());
    assert_eq!(counts(&bulk), (1, 0, 2));
}

#[test]
fn a_row_without_a_result_keeps_its_attempt_and_its_late_result_counts() {
    let bulk = after([results(vec![done(0), refused(1)]), stop(), retry()]);
    assert_eq!(attempts(&bulk), [1, 2, 1], "only the refused row has a new command");
    // The command of the last row was carried out before the stop, and its result arrives after the retry.
    assert_eq!(bulk.decide(results(vec![done(2)])).expect("accepted").len(), 1);
    // But a second result of the refused row's first command does not count for its second one.
    assert_eq!(bulk.decide(results(vec![refused(1)])).expect("accepted"), vec![]);
    let second = BulkResult { attempt: 2, ..done(1) };
    assert_eq!(bulk.decide(results(vec![second])).expect("accepted").len(), 1);
}

#[test]
fn the_rows_of_a_retry_have_the_name_and_the_role_of_the_user_who_retries() {
    let administrators = start(BulkAction::Verify {}, vec![row(1), row(2), row(3)]);
    let BulkCommand::StartBulk { action, rows, list, .. } = administrators else { panic!("not a start") };
    let mut bulk = Bulk::default();
    let first = BulkCommand::StartBulk { action, rows, list, level: Role::Administrator };
    for command in [first, results(vec![refused(0)]), stop(), retry()] {
        for event in bulk.decide(command).expect("accepted") {
            bulk.evolve(event);
        }
    }
    let started = bulk.started().expect("started");
    assert_eq!((started.level, started.retried_by.as_deref()), (Role::Operator, Some("user bob")));
}

#[test]
fn the_reason_why_the_service_stopped_it_is_kept_until_a_retry() {
    let because = BulkCommand::StopBulk { reason: Some(parsed("user ada is disabled")) };
    let bulk = after([because.clone()]);
    let reason = |bulk: &Bulk| bulk.started().expect("started").stop_reason.clone();
    assert_eq!(reason(&bulk), Some(parsed("user ada is disabled")));
    assert_eq!(reason(&after([because, retry()])), None);
}

#[test]
fn the_rows_and_values_of_a_bulk_action_are_checked_when_it_starts() {
    let edit = |add_tags: Vec<Tag>, remove_tags: Vec<Tag>| BulkAction::Edit {
        rack: None,
        venture: None,
        role: None,
        credentials: None,
        add_tags,
        remove_tags,
    };
    let deploy = BulkAction::Deploy { network: None, venture: None, role: Some(parsed("web")), boot_image: None };
    let many = (0..=MOST_ROWS).map(|number| row(u128::try_from(number).expect("a number"))).collect();
    for (command, rule) in [
        (start(BulkAction::Verify {}, vec![]), "bulk_empty"),
        (start(BulkAction::Verify {}, many), "too_many"),
        (start(BulkAction::Verify {}, vec![row(1), row(1)]), "bulk_row_twice"),
        (start(edit(vec![], vec![]), vec![row(1)]), "bulk_no_change"),
        (start(edit(vec![parsed("spare")], vec![parsed("gpu"), parsed("spare")]), vec![row(1)]), "bulk_tag_twice"),
        (start(deploy, vec![row(1)]), "venture_missing"),
        (start(BulkAction::Cancel { reason: parsed("") }, vec![row(1)]), "missing"),
    ] {
        assert_eq!(broken(Bulk::default().decide(command)), [rule]);
    }
}

#[test]
fn an_edit_may_change_only_tags() {
    for (add_tags, remove_tags) in [(vec![parsed("spare")], vec![]), (vec![], vec![parsed("gpu")])] {
        let edit = BulkAction::Edit { rack: None, venture: None, role: None, credentials: None, add_tags, remove_tags };
        assert_eq!(Bulk::default().decide(start(edit, vec![row(1)])).expect("accepted").len(), 1);
    }
}

#[test]
fn a_bulk_action_that_was_never_started_is_unknown() {
    for command in [retry(), stop(), results(vec![done(0)])] {
        assert_eq!(broken(Bulk::default().decide(command)), ["bulk_unknown"]);
    }
}
