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
    BulkResult { row, outcome: BulkOutcome::Refused { reasons } }
}

fn done(row: u32) -> BulkResult {
    BulkResult { row, outcome: BulkOutcome::Done { deployment: None } }
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

fn results(attempt: u32, results: Vec<BulkResult>) -> BulkCommand {
    BulkCommand::RecordBulkResults { attempt, results }
}

fn counts(bulk: &Bulk) -> (usize, usize, usize) {
    let counts = bulk.started().expect("started").counts();
    (counts.done, counts.refused, counts.waiting)
}

#[test]
fn rows_without_an_outcome_wait_and_the_action_runs_until_none_is_left() {
    let bulk = after([results(1, vec![done(0), refused(2)])]);
    assert_eq!(counts(&bulk), (1, 1, 1));
    assert!(bulk.started().expect("started").is_running());
    let bulk = after([results(1, vec![done(0), refused(2)]), results(1, vec![done(1)])]);
    assert_eq!(counts(&bulk), (2, 1, 0));
    assert!(!bulk.started().expect("started").is_running());
}

#[test]
fn an_outcome_that_is_known_or_of_an_earlier_attempt_or_of_no_row_is_not_recorded_again() {
    let bulk = after([results(1, vec![done(0), done(0)])]);
    for repeated in [results(1, vec![refused(0)]), results(2, vec![done(1)]), results(1, vec![done(3)]), results(1, vec![])] {
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
    let bulk = after([results(1, vec![done(0), refused(1), refused(2)]), BulkCommand::RetryBulk]);
    assert_eq!(counts(&bulk), (1, 0, 2));
    assert_eq!(bulk.started().expect("started").attempt, 2);
}

#[test]
fn a_running_bulk_action_and_one_without_refused_rows_cannot_be_retried() {
    let running = after([results(1, vec![refused(0)])]);
    assert_eq!(broken(running.decide(BulkCommand::RetryBulk)), ["bulk_running"]);
    let succeeded = after([results(1, vec![done(0), done(1), done(2)])]);
    assert_eq!(broken(succeeded.decide(BulkCommand::RetryBulk)), ["bulk_nothing_refused"]);
}

#[test]
fn a_stopped_bulk_action_keeps_what_was_done_and_can_continue() {
    let bulk = after([results(1, vec![done(0)]), BulkCommand::StopBulk]);
    assert!(!bulk.started().expect("started").is_running());
    assert_eq!(bulk.decide(BulkCommand::StopBulk).expect("accepted"), vec![]);
    // The command of a row may have been on its way when the action was stopped.
    assert_eq!(bulk.decide(results(1, vec![done(1)])).expect("accepted").len(), 1);
    let bulk = after([results(1, vec![done(0)]), BulkCommand::StopBulk, BulkCommand::RetryBulk]);
    assert!(bulk.started().expect("started").is_running());
    assert_eq!(counts(&bulk), (1, 0, 2));
}

#[test]
fn the_rows_and_values_of_a_bulk_action_are_checked_when_it_starts() {
    let edit = BulkAction::Edit { rack: None, venture: None, role: None, credentials: None };
    let deploy = BulkAction::Deploy { network: None, venture: None, role: Some(parsed("web")), boot_image: None };
    let many = (0..=MOST_ROWS).map(|number| row(u128::try_from(number).expect("a number"))).collect();
    for (command, rule) in [
        (start(BulkAction::Verify {}, vec![]), "bulk_empty"),
        (start(BulkAction::Verify {}, many), "too_many"),
        (start(BulkAction::Verify {}, vec![row(1), row(1)]), "bulk_row_twice"),
        (start(edit, vec![row(1)]), "bulk_no_change"),
        (start(deploy, vec![row(1)]), "venture_missing"),
        (start(BulkAction::Cancel { reason: parsed("") }, vec![row(1)]), "missing"),
    ] {
        assert_eq!(broken(Bulk::default().decide(command)), [rule]);
    }
}

#[test]
fn a_bulk_action_that_was_never_started_is_unknown() {
    for command in [BulkCommand::RetryBulk, BulkCommand::StopBulk, results(1, vec![done(0)])] {
        assert_eq!(broken(Bulk::default().decide(command)), ["bulk_unknown"]);
    }
}
