//! Stored events of older versions are read as today's. Each payload here is the text of a log: never change one.

use super::{UPCASTERS, is_old, upcast, version};
use crate::deployment::event::DeploymentEvent;
use crate::deployment::reason::{PluginFailure, Waiting};
use crate::device::event::DeviceEvent;
use crate::device::power::PowerAction;
use crate::device::power_failure::PowerFailure;
use crate::device::remark::Remark;
use crate::drift::{Difference, DifferenceKind, DriftEvent, DriftProblem, Nature};
use crate::event::{Event, KINDS, UnreadableEvent};
use crate::problem::PublishProblem;
use crate::samples::{deployment_id, device_id, noon, parsed};
use crate::user::{Limited, UserEvent};
use crate::values::ids::OrderId;
use crate::values::timestamp::Timestamp;
use cqrs_es::DomainEvent;
use uuid::Uuid;

/// The id of the aggregate that a stored event belongs to.
fn id_of(aggregate_type: &str) -> String {
    match aggregate_type {
        "deployment" => deployment_id(1).to_string(),
        "device" => device_id(1).to_string(),
        "drift" => "dc1/dns/h200.dc1.example/A".to_owned(),
        _ => "ada".to_owned(),
    }
}

/// A stored event of an older version: aggregate type, event type, version, payload, and the event that it is today.
type Stored = (&'static str, &'static str, &'static str, &'static str, Event);

/// Stored events of devices in older versions.
fn stored_of_devices() -> Vec<Stored> {
    let remark = |text, deployment| {
        Event::Device(device_id(1), DeviceEvent::RemarkAdded { remark: Remark::Text { text: parsed(text) }, deployment })
    };
    let power_failed = DeviceEvent::PowerFailed {
        order: OrderId(Uuid::from_u128(7)),
        action: PowerAction::Off,
        network_boot: false,
        restart: None,
        reason: PowerFailure::Text { text: parsed("the management controller 10.0.9.1 did not answer within 8 s") },
        uncertain: true,
    };
    vec![
        (
            "device",
            "PowerFailed",
            "1",
            r#"{"type":"PowerFailed","order":"00000000-0000-0000-0000-000000000007","action":"off","network_boot":false,"restart":null,"reason":"the management controller 10.0.9.1 did not answer within 8 s","uncertain":true}"#,
            Event::Device(device_id(1), power_failed),
        ),
        (
            "device",
            "RemarkAdded",
            "1",
            r#"{"type":"RemarkAdded","remark":"Remarks below are for shop/web until 2026-03-01","deployment":"01930000-0000-7000-8000-000000000001"}"#,
            remark("Remarks below are for shop/web until 2026-03-01", Some(deployment_id(1))),
        ),
        (
            "device",
            "RemarkAdded",
            "1",
            r#"{"type":"RemarkAdded","remark":"new board","deployment":null}"#,
            remark("new board", None),
        ),
    ]
}

/// Stored events of plugins in version 2.
fn stored_of_plugins() -> Vec<Stored> {
    let failed = |plugin, reason| {
        let failed = DeploymentEvent::PluginFailed { plugin: parsed(plugin), attempt: 2, reason, retry_at: noon(4) };
        Event::Deployment(deployment_id(1), failed)
    };
    let of_dns = |text| PublishProblem::Text { text: parsed(text) };
    let of_controller = |text| PowerFailure::Text { text: parsed(text) };
    let waiting = |problems| {
        let reason = Waiting::DnsPrimaries { primaries: vec![([10, 0, 0, 53], 53).into()], problems };
        let awaited = vec![parsed("dns-primary:10.0.0.53:53")];
        Event::Deployment(deployment_id(1), DeploymentEvent::PluginWaiting { plugin: parsed("dns"), reason, awaited })
    };
    let foreign = "10.0.0.53:53 has h201.dc1.example A 10.9.9.9, which Bootledger did not create";
    let refused = "the management controller 10.0.9.1 refused user admin";
    vec![
        (
            "deployment",
            "PluginFailed",
            "2",
            r#"{"type":"PluginFailed","plugin":"dns","attempt":2,"reason":{"code":"external","system":"dns_primary","detail":"10.0.0.53:53 has h201.dc1.example A 10.9.9.9, which Bootledger did not create"},"retry_at":"2026-03-01T12:00:04Z"}"#,
            failed("dns", PluginFailure::Dns { problem: Box::new(of_dns(foreign)) }),
        ),
        (
            "deployment",
            "PluginFailed",
            "2",
            r#"{"type":"PluginFailed","plugin":"reboot","attempt":2,"reason":{"code":"external","system":"management_controller","detail":"the management controller 10.0.9.1 refused user admin"},"retry_at":"2026-03-01T12:00:04Z"}"#,
            failed("reboot", PluginFailure::Controller { failure: Box::new(of_controller(refused)) }),
        ),
        (
            "deployment",
            "PluginWaiting",
            "2",
            r#"{"type":"PluginWaiting","plugin":"dns","reason":{"code":"dns_primaries","primaries":["10.0.0.53:53"],"problems":["10.0.0.53:53 cannot be reached"]},"awaited":["dns-primary:10.0.0.53:53"]}"#,
            waiting(vec![of_dns("10.0.0.53:53 cannot be reached")]),
        ),
    ]
}

#[test]
fn reasons_of_version_2_that_have_not_changed_are_read_as_they_are() {
    let id = deployment_id(1).to_string();
    for (event_type, payload) in [
        (
            "PluginFailed",
            r#"{"type":"PluginFailed","plugin":"role","attempt":1,"reason":{"code":"external","system":"database","detail":"a query failed"},"retry_at":"2026-03-01T12:00:04Z"}"#,
        ),
        (
            "PluginFailed",
            r#"{"type":"PluginFailed","plugin":"role","attempt":1,"reason":{"code":"rules","broken":[{"rule":"ip_claimed","field":"ip"}]},"retry_at":"2026-03-01T12:00:04Z"}"#,
        ),
        (
            "PluginWaiting",
            r#"{"type":"PluginWaiting","plugin":"dns","reason":{"code":"dns_primaries","primaries":["10.0.0.53:53"]},"awaited":[]}"#,
        ),
        ("PluginWaiting", r#"{"type":"PluginWaiting","plugin":"reboot","reason":{"code":"controller_busy"},"awaited":[]}"#),
    ] {
        let read = Event::stored("deployment", &id, event_type, "2", payload).expect(payload);
        assert_eq!(read, Event::read("deployment", &id, payload).expect(payload));
    }
}

/// Stored events of older versions.
fn stored() -> Vec<Stored> {
    let mut all = stored_of_devices();
    all.extend(stored_of_plugins());
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
    let drift = |event| Event::Drift(parsed(&id_of("drift")), event);
    let found = |kind, found| {
        let difference = Difference { kind, server: parsed("10.0.0.53:53"), expected: vec![parsed("10.0.0.10")], found };
        drift(DriftEvent::DriftFound { difference })
    };
    let alias = "h200.dc1.example is an alias (CNAME) of www.example at 10.0.0.53:53";
    all.extend([
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
        (
            "drift",
            "DriftFound",
            "1",
            r#"{"type":"DriftFound","difference":{"nature":"left_over","server":"10.0.0.53:53","expected":["10.0.0.10"],"found":["10.9.9.9"],"message":""}}"#,
            found(DifferenceKind::LeftOver {}, vec![parsed("10.9.9.9")]),
        ),
        (
            "drift",
            "DriftFound",
            "1",
            r#"{"type":"DriftFound","difference":{"nature":"alias","server":"10.0.0.53:53","expected":["10.0.0.10"],"found":[],"message":"h200.dc1.example is an alias (CNAME) of www.example at 10.0.0.53:53"}}"#,
            found(DifferenceKind::Text { nature: Nature::Alias, text: parsed(alias) }, vec![]),
        ),
        (
            "drift",
            "DriftRepairFailed",
            "1",
            r#"{"type":"DriftRepairFailed","problem":"10.0.0.53:53 cannot be reached"}"#,
            drift(DriftEvent::DriftRepairFailed {
                problem: DriftProblem::Text { text: parsed("10.0.0.53:53 cannot be reached") },
            }),
        ),
    ]);
    all
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
    let found = r#"{"type":"DriftFound","difference":{"nature":"odd","server":"","expected":[],"found":[],"message":""}}"#;
    let unmentioned = r#"{"type":"DriftFound","difference":{"server":"","expected":[],"found":[]}}"#;
    for payload in [found, unmentioned, r#"{"type":"DriftFound","difference":7}"#] {
        let read = Event::stored("drift", &id_of("drift"), "DriftFound", "1", payload);
        assert!(matches!(read, Err(UnreadableEvent::Payload(_))), "{payload}");
    }
    for version in ["", "0", "-1", "one", "99"] {
        let verified = Event::stored("user", "ada", "UserEnabled", version, r#"{"type":"UserEnabled"}"#);
        assert!(verified.is_ok(), "the version of a type that never changed is not used: {version}");
    }
}

#[test]
fn only_a_version_before_that_of_today_is_old() {
    for (event_type, version, expected) in [
        ("UserLockedOut", "1", true),
        ("UserLockedOut", "2", false),
        ("UserLockedOut", "3", false),
        ("UserLockedOut", "one", false),
        ("UserCreated", "0", false),
        ("UserCreated", "1", false),
    ] {
        assert_eq!(is_old(event_type, version), expected, "{event_type} {version}");
    }
}
