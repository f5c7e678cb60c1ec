//! Tests of the timeline's sentences. `snapshots/sentences.snap` has the sentence for each sample of the stored events, for review.

use super::{list, sentence};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::event::{Event, KINDS};
use bootledger_projections::rows::holders::HolderNames;
use bootledger_projections::rows::timeline::Line;
use std::fmt::Write;
use std::path::Path;

const ID: &str = "01920000-0000-7000-8000-000000000001";

/// The line of a stored event, as [`bootledger_projections::rows::timeline`] returns it.
fn line(aggregate_type: &str, payload: &serde_json::Value) -> Line {
    let (aggregate_id, subject) = match aggregate_type {
        "deployment" => (ID, Some("h200.dc1.example")),
        "device" => (ID, Some("server 7")),
        "token" => (ID, Some("ops")),
        "session" => (ID, Some("ada")),
        "user" => ("ada", None),
        "saved_view" | "bulk" => (ID, None),
        "drift" if payload["difference"]["server"] == "kea-1" => ("dc1/dhcp/kea-1", None),
        "drift" => ("dc1/dns/h200.dc1.example/A", None),
        "reservation" => ("10.0.0.20", None),
        _ => ("some-key", None),
    };
    Line {
        position: 7,
        sequence: 1,
        recorded_at: "2026-03-01T12:00:00Z".parse().expect("a time"),
        aggregate_type: aggregate_type.to_owned(),
        aggregate_id: aggregate_id.to_owned(),
        event_type: payload["type"].as_str().expect("a type").to_owned(),
        actor: "user admin".to_owned(),
        correlation_id: "c-1".to_owned(),
        device: None,
        deployment: None,
        event: Event::read(aggregate_type, aggregate_id, &payload.to_string()).ok(),
        subject: subject.map(str::to_owned),
        parent: payload.get("parent").map(|_| "blade centre 1".to_owned()),
        holders: holders(),
        states: None,
    }
}

/// The names of the holders in the samples. One of them has none.
pub(in crate::wording) fn holders() -> HolderNames {
    let holder = |text: &str| -> Holder { text.parse().expect("a holder") };
    let named = [
        ("device 01920000-0000-7000-8000-000000000002", "server 8"),
        ("deployment 01920000-0000-7000-8000-000000000002", "h201.dc1.example"),
    ];
    named.into_iter().map(|(stored, name)| (holder(stored), name.to_owned())).collect()
}

/// Events with a sentence of their own that the samples do not have.
const MORE: [(&str, &str); 4] = [
    (
        "deployment",
        r#"{"type":"BootFileServed","file":"local-disk","sha256":"0000000000000000000000000000000000000000000000000000000000000000",
            "client":"10.0.0.20","at":"2026-03-01T12:00:00Z"}"#,
    ),
    ("deployment", r#"{"type":"InstallationFinished","by":{"operator":{"name":"token ops"}}}"#),
    ("user", r#"{"type":"UserPasswordChanged","password":"01920000-0000-7000-8000-000000000007","one_time":true}"#),
    ("user", r#"{"type":"UserLockedOut","limited":{"client":null},"at":"2026-03-01T12:00:00Z"}"#),
];

/// The samples of an aggregate's events in their stored form, which the tests of `aggregates` keep.
pub(in crate::wording) fn samples(aggregate_type: &str) -> Vec<serde_json::Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../aggregates/src/event/snapshots");
    let snapshot = std::fs::read_to_string(folder.join(format!("{aggregate_type}.snap"))).expect("the snapshot");
    let (_, json) = snapshot.trim_start_matches("---\n").split_once("---\n").expect("a header");
    serde_json::from_str(json).expect("JSON")
}

#[test]
fn every_stored_event_has_a_sentence() {
    let mut sentences = String::new();
    for (aggregate_type, types) in KINDS {
        writeln!(sentences, "# {aggregate_type}").expect("a text");
        let more = MORE.iter().filter(|(of, _)| *of == aggregate_type);
        let more = more.map(|(_, payload)| serde_json::from_str(payload).expect("JSON"));
        let lines: Vec<Line> =
            samples(aggregate_type).into_iter().chain(more).map(|payload| line(aggregate_type, &payload)).collect();
        for event_type in types {
            assert!(lines.iter().any(|line| line.event_type == *event_type), "{event_type} has no sample");
        }
        for line in lines {
            assert!(line.event.is_some(), "{line:?}");
            writeln!(sentences, "{}: {}", line.event_type, sentence(&line)).expect("a text");
        }
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("sentences", sentences);
    });
}

#[test]
fn a_later_description_is_an_edit_and_names_fall_back_to_ids() {
    let defined = Line { sequence: 2, ..line("rack", &samples("rack")[0]) };
    assert!(sentence(&defined).contains(" edited rack some-key"), "{}", sentence(&defined));
    let verified = serde_json::json!({ "type": "DeviceVerified" });
    let unnamed = Line { subject: None, actor: String::new(), ..line("device", &verified) };
    assert_eq!(sentence(&unnamed), format!("An unknown actor verified {ID}"));
    for (actor, subject) in [
        ("catalogue_file", "An import of a catalogue file"),
        ("command_line", "An administrator on the command line"),
        ("plugin dns", "Plugin dns"),
    ] {
        let line = Line { actor: actor.to_owned(), ..line("device", &verified) };
        assert_eq!(sentence(&line), format!("{subject} verified server 7"));
    }
    let attached = serde_json::json!({ "type": "DeviceAttached", "parent": ID });
    let unnamed = Line { parent: None, ..line("device", &attached) };
    assert!(sentence(&unnamed).ends_with(ID), "{}", sentence(&unnamed));
}

#[test]
fn an_event_of_a_newer_version_is_named_by_its_type() {
    let painted = line("device", &serde_json::json!({ "type": "DevicePainted" }));
    assert_eq!(painted.event, None);
    assert_eq!(sentence(&painted), "device server 7: DevicePainted");
}

#[test]
fn long_lists_are_cut() {
    assert_eq!(list(1..=5), "1, 2, 3, 4, 5");
    assert_eq!(list(1..=7), "1, 2, 3, 4, 5 and 2 more");
}
