//! Stored events of older versions are read as today's. Each payload here is the text of a log: never change one.

use super::{UPCASTERS, is_old, upcast, version};
use crate::deployment::event::DeploymentEvent;
use crate::deployment::reason::{PluginFailure, Waiting};
use crate::event::{Event, KINDS, UnreadableEvent};
use crate::samples::{deployment_id, noon, parsed};
use crate::user::{Limited, UserEvent};
use crate::values::timestamp::Timestamp;
use cqrs_es::DomainEvent;

/// The id of the aggregate that a stored event belongs to.
fn id_of(aggregate_type: &str) -> String {
    if aggregate_type == "deployment" { deployment_id(1).to_string() } else { "ada".to_owned() }
}

/// Stored events of older versions: aggregate type, event type, version, payload, and the event that it is today.
fn stored() -> Vec<(&'static str, &'static str, &'static str, &'static str, Event)> {
    let locked_out = |limited| Event::User(parsed("ada"), UserEvent::UserLockedOut { limited, at: Timestamp::default() });
    let waiting = |text, awaited| {
        let (plugin, reason) = (parsed("dhcp"), Waiting::Text { text: parsed(text) });
        Event::Deployment(deployment_id(1), DeploymentEvent::PluginWaiting { plugin, reason, awaited })
    };
    let failed = {
        let (plugin, reason) = (parsed("dns"), PluginFailure::Text { text: parsed("connection refused") });
        let failed = DeploymentEvent::PluginFailed { plugin, attempt: 2, reason, retry_at: noon(4) };
        Event::Deployment(deployment_id(1), failed)
    };
    vec![
        (
            "user",
            "UserLockedOut",
            "1",
            r#"{"at":"1970-01-01T00:00:00Z","client":"192.0.2.7","everywhere":false,"type":"UserLockedOut"}"#,
            locked_out(Limited::Client(Some([192, 0, 2, 7].into()))),
        ),
        (
            "user",
            "UserLockedOut",
            "1",
            r#"{"at":"1970-01-01T00:00:00Z","client":null,"everywhere":false,"type":"UserLockedOut"}"#,
            locked_out(Limited::Client(None)),
        ),
        (
            "user",
            "UserLockedOut",
            "1",
            r#"{"at":"1970-01-01T00:00:00Z","client":null,"everywhere":true,"type":"UserLockedOut"}"#,
            locked_out(Limited::Everywhere),
        ),
        (
            "deployment",
            "PluginFailed",
            "1",
            r#"{"type":"PluginFailed","plugin":"dns","attempt":2,"reason":"connection refused","retry_at":"2026-03-01T12:00:04Z"}"#,
            failed,
        ),
        (
            "deployment",
            "PluginWaiting",
            "1",
            r#"{"type":"PluginWaiting","plugin":"dhcp","reason":"kea-1 has not confirmed position 42","awaited":["dhcp-server:kea-1"]}"#,
            waiting("kea-1 has not confirmed position 42", vec![parsed("dhcp-server:kea-1")]),
        ),
        (
            "deployment",
            "PluginWaiting",
            "1",
            r#"{"type":"PluginWaiting","plugin":"dhcp","reason":"","awaited":[]}"#,
            waiting("", vec![]),
        ),
    ]
}

#[test]
fn stored_events_of_older_versions_are_read_as_events_of_today() {
    for (aggregate_type, event_type, event_version, payload, expected) in stored() {
        let id = id_of(aggregate_type);
        let read = Event::stored(aggregate_type, &id, event_type, event_version, payload).expect(payload);
        assert_eq!(read, expected, "{payload}");
        assert!(is_old(event_type, event_version), "{event_type} {event_version} is of today");
        let unconverted = Event::read(aggregate_type, &id, payload);
        assert!(matches!(unconverted, Err(UnreadableEvent::Payload(_))), "it needs no upcaster: {payload}");
    }
}

#[test]
fn each_older_version_has_a_stored_event_and_belongs_to_an_existing_type() {
    for (changed, upcasters) in UPCASTERS {
        assert!(KINDS.iter().any(|(_, types)| types.contains(&changed)), "there is no event {changed}");
        for older in 1..=upcasters.len() {
            let older = older.to_string();
            assert!(stored().iter().any(|(_, of, version, ..)| *of == changed && *version == older), "{changed} {older}");
        }
    }
}

#[test]
fn an_event_is_stored_with_the_version_of_today_and_is_read_without_an_upcaster() {
    let event = UserEvent::UserLockedOut { limited: Limited::Everywhere, at: Timestamp::default() };
    assert_eq!((event.event_version().as_str(), version("UserLockedOut"), version("UserCreated")), ("2", 2, 1));
    let payload = serde_json::to_value(&event).expect("JSON");
    assert_eq!(upcast("UserLockedOut", "2", payload.clone()), payload);
    let read = Event::stored("user", "ada", "UserLockedOut", "2", &payload.to_string()).expect("it is read");
    assert_eq!(read, Event::User(parsed("ada"), event));
}

#[test]
fn a_payload_without_the_expected_form_is_an_error_and_never_a_panic() {
    for payload in ["null", "[]", "{}", r#"{"type":"UserLockedOut"}"#, r#"{"type":"UserLockedOut","everywhere":7}"#, "{"] {
        let read = Event::stored("user", "ada", "UserLockedOut", "1", payload);
        assert!(matches!(read, Err(UnreadableEvent::Payload(_))), "{payload}");
    }
    let waiting = r#"{"type":"PluginWaiting","plugin":"dhcp","reason":7,"awaited":[]}"#;
    for payload in [waiting, r#"{"type":"PluginWaiting"}"#] {
        let read = Event::stored("deployment", &deployment_id(1).to_string(), "PluginWaiting", "1", payload);
        assert!(matches!(read, Err(UnreadableEvent::Payload(_))), "{payload}");
    }
    for version in ["", "0", "-1", "one", "99"] {
        let verified = Event::stored("user", "ada", "UserEnabled", version, r#"{"type":"UserEnabled"}"#);
        assert!(verified.is_ok(), "the version of a type that never changed is not used: {version}");
    }
}
