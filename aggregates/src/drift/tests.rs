//! Tests of the rules of a difference, one for each.

use super::*;
use crate::samples::{broken, outcome, parsed};

fn difference(kind: DifferenceKind, found: &str) -> Difference {
    let (expected, found) = (vec![parsed("10.0.0.10")], vec![parsed(found)]);
    Difference { kind, server: parsed("10.0.0.53:53"), expected, found }
}

fn found(kind: DifferenceKind) -> DriftEvent {
    DriftEvent::DriftFound { difference: difference(kind, "10.9.9.9") }
}

fn report(kind: DifferenceKind, found: &str) -> DriftCommand {
    DriftCommand::Report(Some(difference(kind, found)))
}

fn alias_of(target: &str) -> DifferenceKind {
    DifferenceKind::Alias { name: parsed("h200.dc1.example"), target: parsed(target), zone: parsed("dc1.example") }
}

const ONE_OF_MANY: DriftCommand = DriftCommand::OrderRepair { named: false };
const NAMED: DriftCommand = DriftCommand::OrderRepair { named: true };
const ORDERED: DriftEvent = DriftEvent::DriftRepairOrdered {};

#[test]
fn a_difference_is_reported_once_and_a_different_one_again() {
    assert_eq!(outcome::<Drift>(&[], DriftCommand::Report(None)), Ok(vec![]));
    assert_eq!(
        outcome::<Drift>(&[], report(DifferenceKind::Foreign {}, "10.9.9.9")),
        Ok(vec![found(DifferenceKind::Foreign {})])
    );
    let open = [found(DifferenceKind::Foreign {})];
    assert_eq!(outcome::<Drift>(&open, report(DifferenceKind::Foreign {}, "10.9.9.9")), Ok(vec![]));
    assert_eq!(outcome::<Drift>(&open, report(DifferenceKind::Foreign {}, "10.8.8.8")).map(|events| events.len()), Ok(1));
    assert_eq!(outcome::<Drift>(&open, DriftCommand::Report(None)), Ok(vec![DriftEvent::DriftEnded { repaired: false }]));
    let open = [found(alias_of("www.example"))];
    assert_eq!(outcome::<Drift>(&open, report(alias_of("www.example"), "10.9.9.9")), Ok(vec![]));
    let changed = found(alias_of("mail.example"));
    assert_eq!(outcome::<Drift>(&open, report(alias_of("mail.example"), "10.9.9.9")), Ok(vec![changed]));
}

#[test]
fn a_repair_is_ordered_once_and_ends_with_the_difference() {
    let open = [found(DifferenceKind::Missing {})];
    assert_eq!(outcome::<Drift>(&open, ONE_OF_MANY), Ok(vec![ORDERED]));
    let ordered = [found(DifferenceKind::Missing {}), ORDERED];
    assert_eq!(outcome::<Drift>(&ordered, ONE_OF_MANY), Ok(vec![]));
    assert_eq!(outcome::<Drift>(&ordered, DriftCommand::Report(None)), Ok(vec![DriftEvent::DriftEnded { repaired: true }]));
    assert_eq!(broken::<Drift>(&[], NAMED), ["drift_unknown"]);
}

#[test]
fn foreign_records_are_repaired_only_where_the_order_names_them_and_aliases_never() {
    assert_eq!(broken::<Drift>(&[found(DifferenceKind::Foreign {})], ONE_OF_MANY), ["drift_foreign"]);
    assert_eq!(outcome::<Drift>(&[found(DifferenceKind::Foreign {})], NAMED), Ok(vec![ORDERED]));
    assert_eq!(broken::<Drift>(&[found(alias_of("www.example"))], NAMED), ["drift_alias"]);
    let stored = DifferenceKind::Text { nature: Nature::Alias, text: parsed("h200.dc1.example is an alias") };
    assert_eq!(broken::<Drift>(&[found(stored)], NAMED), ["drift_alias"]);
}

#[test]
fn a_repair_order_is_void_when_the_difference_changes() {
    let changed = [found(DifferenceKind::Missing {}), ORDERED, found(DifferenceKind::Foreign {})];
    assert_eq!(outcome::<Drift>(&changed, NAMED), Ok(vec![ORDERED]));
    let fail = || DriftCommand::FailRepair { problem: DriftProblem::NoEffect {} };
    assert_eq!(outcome::<Drift>(&changed, fail()), Ok(vec![]), "nothing is ordered any more");
    let failed = DriftEvent::DriftRepairFailed { problem: DriftProblem::NoEffect {} };
    assert_eq!(outcome::<Drift>(&[found(DifferenceKind::Missing {}), ORDERED], fail()), Ok(vec![failed.clone()]));
    assert_eq!(outcome::<Drift>(&[found(DifferenceKind::Missing {}), ORDERED, failed], ONE_OF_MANY), Ok(vec![ORDERED]));
}

#[test]
fn a_key_is_read_as_it_is_written() {
    for text in ["dc1/dns/h200.dc1.example/A", "dc1/dns/10.0.0.10.in-addr.arpa/PTR", "dc1/dhcp/kea-1"] {
        assert_eq!(parsed::<DriftKey>(text).to_string(), text);
    }
    for text in ["", "dc1", "dc1/dns", "dc1/dns/h200.dc1.example", "dc1/dns/h200.dc1.example/MX", "/dhcp/kea", "dc1/dhcp/a/b"] {
        assert!(text.parse::<DriftKey>().is_err(), "{text:?}");
    }
}
