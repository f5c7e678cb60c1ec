//! Tests of the answers to errors.

use super::*;
use anyhow::anyhow;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_port::CommandError;
use bootledger_projections::database::cause::Impediment;

#[test]
fn every_broken_rule_is_reported_with_its_field_and_holder() {
    let error = Error::from(CommandError::Refused(vec![
        BrokenRule::new("hostname", Rule::HostnameClaimed, "h200.dc1.example is held by device 7").held_by("device 7"),
        BrokenRule::new("role", Rule::RoleUnknown, "the venture has no role web"),
    ]));
    insta::assert_json_snapshot!(error.problem(), @r#"
    {
      "type": "/api/docs#problem-rejected",
      "title": "Validation failed",
      "status": 422,
      "detail": "h200.dc1.example is held by device 7; the venture has no role web",
      "errors": [
        {
          "field": "hostname",
          "rule": "hostname_claimed",
          "message": "h200.dc1.example is held by device 7",
          "holder": "device 7"
        },
        {
          "field": "role",
          "rule": "role_unknown",
          "message": "the venture has no role web"
        }
      ]
    }
    "#);
}

#[test]
fn an_error_in_a_row_names_its_line_and_column() {
    let row = |row| RowError {
        row,
        column: "mac".to_owned(),
        broken: BrokenRule::new("mac", Rule::Malformed, "\"x\" is not a MAC address"),
    };
    let error = Error::rejected_rows(vec![row(7)]);
    insta::assert_json_snapshot!(error.problem().errors, @r#"
    [
      {
        "field": "mac",
        "row": 7,
        "column": "mac",
        "rule": "malformed",
        "message": "\"x\" is not a MAC address"
      }
    ]
    "#);
    let many = Error::rejected_rows((0..10_007).map(row).collect()).problem();
    assert_eq!((many.errors.len(), many.errors_omitted), (10_000, 7));
    assert!(many.detail.starts_with("10007 problems"), "{}", many.detail);
}

#[test]
fn the_cause_of_an_internal_error_stays_inside() {
    let error = Error::from(CommandError::Internal(anyhow!("password authentication failed for user \"x\"")));
    let problem = serde_json::to_string(&error.problem()).expect("JSON");
    assert!(!problem.contains("password"), "{problem}");
    assert_eq!(error.status_code(), 500);
}

#[test]
fn a_lost_database_is_worth_a_second_try_and_a_defect_is_not() {
    let lost = Error::from(anyhow::Error::new(sqlx::Error::PoolTimedOut));
    assert_eq!(lost.status_code(), 503);
    assert!(lost.error_response().headers().contains_key("retry-after"));
    assert_eq!(Error::from(sqlx::Error::RowNotFound).status_code(), 500);
}
#[test]
fn a_full_disk_is_507_with_the_reason_and_a_time_to_wait() {
    let full = std::io::Error::from_raw_os_error(28);
    let error = Error::from(anyhow::Error::new(full).context("secret/path cannot be written"));
    assert_eq!((error.status_code().as_u16(), error.name()), (507, "storage-full"));
    assert_eq!(error.to_string(), "the service's disk is full; free space on it, then try again");
    assert_eq!(error.error_response().headers().get(RETRY_AFTER).map(HeaderValue::as_bytes), Some(&b"30"[..]));
    let read_only = Impediment { cause: Cause::ReadOnly, message: "cannot execute INSERT".to_owned() };
    let error = Error::from(CommandError::Unavailable(read_only.into()));
    assert_eq!(error.status_code(), 503);
    assert!(error.to_string().contains("read-only"), "{error}");
}
