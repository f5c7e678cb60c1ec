//! Tests of the rules of a difference, one for each.

use super::*;
use crate::samples::{broken, outcome, parsed};

fn difference(nature: Nature, found: &str) -> Difference {
    let (expected, found) = (vec![parsed("10.0.0.10")], vec![parsed(found)]);
    Difference { nature, server: parsed("10.0.0.53:53"), expected, found, message: parsed("") }
}

fn found(nature: Nature) -> DriftEvent {
    DriftEvent::DriftFound { difference: difference(nature, "10.9.9.9") }
}

fn report(nature: Nature, found: &str) -> DriftCommand {
    DriftCommand::Report(Some(difference(nature, found)))
}

const ONE_OF_MANY: DriftCommand = DriftCommand::OrderRepair { named: false };
const NAMED: DriftCommand = DriftCommand::OrderRepair { named: true };
const ORDERED: DriftEvent = DriftEvent::DriftRepairOrdered {};

#[test]
fn a_difference_is_reported_once_and_a_different_one_again() {
    assert_eq!(outcome::<Drift>(&[], DriftCommand::Report(None)), Ok(vec![]));
    assert_eq!(outcome::<Drift>(&[], report(Nature::Foreign, "10.9.9.9")), Ok(vec![found(Nature::Foreign)]));
    let open = [found(Nature::Foreign)];
    assert_eq!(outcome::<Drift>(&open, report(Nature::Foreign, "10.9.9.9")), Ok(vec![]));
    assert_eq!(outcome::<Drift>(&open, report(Nature::Foreign, "10.8.8.8")).map(|events| events.len()), Ok(1));
    assert_eq!(outcome::<Drift>(&open, DriftCommand::Report(None)), Ok(vec![DriftEvent::DriftEnded { repaired: false }]));
}

#[test]
fn a_repair_is_ordered_once_and_ends_with_the_difference() {
    let open = [found(Nature::Missing)];
    assert_eq!(outcome::<Drift>(&open, ONE_OF_MANY), Ok(vec![ORDERED]));
    let ordered = [found(Nature::Missing), ORDERED];
    assert_eq!(outcome::<Drift>(&ordered, ONE_OF_MANY), Ok(vec![]));
    assert_eq!(outcome::<Drift>(&ordered, DriftCommand::Report(None)), Ok(vec![DriftEvent::DriftEnded { repaired: true }]));
    assert_eq!(broken::<Drift>(&[], NAMED), ["drift_unknown"]);
}

#[test]
fn foreign_records_are_repaired_only_where_the_order_names_them_and_aliases_never() {
    assert_eq!(broken::<Drift>(&[found(Nature::Foreign)], ONE_OF_MANY), ["drift_foreign"]);
    assert_eq!(outcome::<Drift>(&[found(Nature::Foreign)], NAMED), Ok(vec![ORDERED]));
    assert_eq!(broken::<Drift>(&[found(Nature::Alias)], NAMED), ["drift_alias"]);
}

#[test]
fn a_repair_order_is_void_when_the_difference_changes() {
    let changed = [found(Nature::Missing), ORDERED, found(Nature::Foreign)];
    assert_eq!(outcome::<Drift>(&changed, NAMED), Ok(vec![ORDERED]));
    let fail = || DriftCommand::FailRepair { problem: parsed("refused") };
    assert_eq!(outcome::<Drift>(&changed, fail()), Ok(vec![]), "nothing is ordered any more");
    let failed = DriftEvent::DriftRepairFailed { problem: parsed("refused") };
    assert_eq!(outcome::<Drift>(&[found(Nature::Missing), ORDERED], fail()), Ok(vec![failed.clone()]));
    assert_eq!(outcome::<Drift>(&[found(Nature::Missing), ORDERED, failed], ONE_OF_MANY), Ok(vec![ORDERED]));
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
