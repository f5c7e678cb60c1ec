//! Tests of the rules of a DHCP server, one for each.

use super::*;
use crate::samples::{broken, outcome, parsed};

fn spec() -> DhcpServerSpec {
    DhcpServerSpec { site: parsed("dc1"), address: None, kind: DhcpKind::Kea }
}

fn define(spec: DhcpServerSpec) -> DhcpServerCommand {
    DhcpServerCommand::DefineDhcpServer { spec, site_exists: true }
}

fn revision(letter: char) -> Sha256 {
    parsed(&letter.to_string().repeat(64))
}

fn confirm(letter: char, position: i64) -> DhcpServerCommand {
    DhcpServerCommand::ConfirmConfiguration { revision: revision(letter), position, last_position: 100 }
}

fn fail(letter: char, message: &str) -> DhcpServerCommand {
    DhcpServerCommand::ReportFailure { revision: Some(revision(letter)), message: parsed(message) }
}

fn confirmed(letter: char, position: i64) -> DhcpServerEvent {
    DhcpServerEvent::ConfigurationConfirmed { site: parsed("dc1"), revision: revision(letter), position }
}

fn failed(letter: char, message: &str) -> DhcpServerEvent {
    DhcpServerEvent::ConfigurationFailed { site: parsed("dc1"), revision: Some(revision(letter)), message: parsed(message) }
}

fn defined(then: impl IntoIterator<Item = DhcpServerEvent>) -> Vec<DhcpServerEvent> {
    [DhcpServerEvent::DhcpServerDefined { spec: spec() }].into_iter().chain(then).collect()
}

#[test]
fn a_server_is_defined_in_a_known_site_and_the_same_again_writes_nothing() {
    let unknown = DhcpServerCommand::DefineDhcpServer { spec: spec(), site_exists: false };
    assert_eq!(broken::<DhcpServer>(&[], unknown), ["site_unknown"]);
    assert_eq!(outcome::<DhcpServer>(&[], define(spec())), Ok(defined([])));
    assert_eq!(outcome::<DhcpServer>(&defined([]), define(spec())), Ok(vec![]));
}

#[test]
fn an_unknown_server_confirms_nothing() {
    for command in [confirm('a', 1), fail('a', "wrong")] {
        assert_eq!(broken::<DhcpServer>(&[], command), ["dhcp_server_unknown"]);
    }
}

#[test]
fn a_newer_configuration_is_confirmed_and_the_same_again_is_not() {
    let given = defined([confirmed('a', 10)]);
    assert_eq!(outcome::<DhcpServer>(&defined([]), confirm('a', 10)), Ok(vec![confirmed('a', 10)]));
    assert_eq!(outcome::<DhcpServer>(&given, confirm('b', 11)), Ok(vec![confirmed('b', 11)]));
    assert_eq!(outcome::<DhcpServer>(&given, confirm('a', 11)), Ok(vec![confirmed('a', 11)]), "the same bytes, later");
    assert_eq!(outcome::<DhcpServer>(&given, confirm('a', 10)), Ok(vec![]));
}

#[test]
fn a_late_confirmation_of_an_older_configuration_is_nothing_new() {
    let given = defined([confirmed('a', 10)]);
    assert_eq!(outcome::<DhcpServer>(&given, confirm('b', 9)), Ok(vec![]));
    assert_eq!(outcome::<DhcpServer>(&given, confirm('a', 9)), Ok(vec![]));
}

#[test]
fn a_configuration_of_the_future_or_of_no_position_is_refused() {
    assert_eq!(broken::<DhcpServer>(&defined([]), confirm('a', 101)), ["position_in_future"]);
    for position in [1, 100] {
        assert!(outcome::<DhcpServer>(&defined([]), confirm('a', position)).is_ok(), "{position}");
    }
    for position in [0, -1, i64::MIN] {
        assert_eq!(broken::<DhcpServer>(&defined([]), confirm('a', position)), ["position_range"]);
    }
}

#[test]
fn a_failure_is_recorded_when_it_is_news() {
    assert_eq!(outcome::<DhcpServer>(&defined([]), fail('a', "line 7")), Ok(vec![failed('a', "line 7")]));
    let given = defined([failed('a', "line 7")]);
    assert_eq!(outcome::<DhcpServer>(&given, fail('a', "line 7")), Ok(vec![]));
    assert_eq!(outcome::<DhcpServer>(&given, fail('a', "line 8")), Ok(vec![failed('a', "line 8")]));
    assert_eq!(outcome::<DhcpServer>(&given, fail('b', "line 7")), Ok(vec![failed('b', "line 7")]));
}

#[test]
fn a_success_after_a_failure_is_recorded_and_a_failure_after_it_is_news_again() {
    let given = defined([confirmed('a', 10), failed('b', "line 7")]);
    assert_eq!(outcome::<DhcpServer>(&given, confirm('a', 10)), Ok(vec![confirmed('a', 10)]), "back to the old one");
    assert_eq!(outcome::<DhcpServer>(&given, confirm('c', 12)), Ok(vec![confirmed('c', 12)]));
    let given = defined([failed('b', "line 7"), confirmed('c', 12)]);
    assert_eq!(outcome::<DhcpServer>(&given, fail('b', "line 7")), Ok(vec![failed('b', "line 7")]));
}

#[test]
fn a_late_confirmation_does_not_end_a_failure_or_take_its_position() {
    let given = defined([confirmed('a', 10), failed('b', "line 7")]);
    assert_eq!(outcome::<DhcpServer>(&given, confirm('c', 5)), Ok(vec![]));
}

#[test]
fn a_server_that_moves_or_changes_its_software_has_confirmed_nothing() {
    let given = defined([confirmed('a', 10), failed('b', "line 7")]);
    for changed in [DhcpServerSpec { site: parsed("dc2"), ..spec() }, DhcpServerSpec { kind: DhcpKind::Isc, ..spec() }] {
        let moved: Vec<_> = given.iter().cloned().chain([DhcpServerEvent::DhcpServerDefined { spec: changed }]).collect();
        assert_eq!(outcome::<DhcpServer>(&moved, confirm('c', 5)).map(|events| events.len()), Ok(1));
        assert_eq!(outcome::<DhcpServer>(&moved, fail('b', "line 7")).map(|events| events.len()), Ok(1));
    }
    let renumbered = DhcpServerSpec { address: Some(parsed("10.0.0.3")), ..spec() };
    let given: Vec<_> = given.into_iter().chain([DhcpServerEvent::DhcpServerDefined { spec: renumbered }]).collect();
    assert_eq!(outcome::<DhcpServer>(&given, confirm('c', 5)), Ok(vec![]), "an address is only for people");
}

#[test]
fn deployments_do_not_wait_for_a_retired_server() {
    let retire = DhcpServerCommand::RetireDhcpServer;
    let retired = DhcpServerEvent::DhcpServerRetired { site: parsed("dc1") };
    assert_eq!(outcome::<DhcpServer>(&[], retire.clone()), Ok(vec![]));
    assert_eq!(outcome::<DhcpServer>(&defined([]), retire.clone()), Ok(vec![retired.clone()]));
    let given = defined([confirmed('a', 10), retired]);
    assert_eq!(outcome::<DhcpServer>(&given, retire), Ok(vec![]));
    assert_eq!(broken::<DhcpServer>(&given, confirm('a', 11)), ["dhcp_server_unknown"]);
    let again: Vec<_> = given.into_iter().chain(defined([])).collect();
    assert_eq!(
        outcome::<DhcpServer>(&again, confirm('a', 10)),
        Ok(vec![confirmed('a', 10)]),
        "defined again, it starts from the beginning"
    );
}

#[test]
fn its_own_address_is_one_that_a_host_can_have() {
    let at = |text: &str| DhcpServerSpec { address: Some(parsed(text)), ..spec() };
    for wrong in ["0.0.0.0", "169.254.0.2", "224.0.0.1", "255.255.255.255"] {
        assert_eq!(broken::<DhcpServer>(&[], define(at(wrong))), ["address_not_a_host"], "{wrong}");
        let given = [DhcpServerEvent::DhcpServerDefined { spec: at(wrong) }];
        let other = DhcpServerSpec { kind: DhcpKind::Isc, ..at(wrong) };
        assert!(outcome::<DhcpServer>(&given, define(other)).is_ok(), "one of an earlier version can be changed");
    }
    assert!(outcome::<DhcpServer>(&[], define(at("127.0.0.1"))).is_ok());
}
