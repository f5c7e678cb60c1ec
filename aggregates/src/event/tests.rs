//! Tests of the stored form: the JSON of every event, which is stored permanently, is reviewed in `snapshots`. A snapshot may
//! change only together with an upcaster that reads the old form.

pub(crate) mod samples;

use super::{Event, UnreadableEvent};
use crate::samples::{deployment_id, device_id};
use cqrs_es::DomainEvent;
use serde::Serialize;
use std::path::Path;

/// Compares the JSON of the samples with the snapshot of the aggregate type, and reads the snapshot back.
fn contract<E: DomainEvent + Serialize + Clone>(aggregate_type: &str, key: &str, samples: &[E], event: impl Fn(E) -> Event) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_json_snapshot!(aggregate_type, samples);
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/event/snapshots/{aggregate_type}.snap"));
    let snapshot = std::fs::read_to_string(file).expect("the snapshot");
    let (_, json) = snapshot.trim_start_matches("---\n").split_once("---\n").expect("a header");
    let stored: Vec<serde_json::Value> = serde_json::from_str(json).expect("JSON");
    assert_eq!(stored.len(), samples.len());
    for (payload, sample) in stored.iter().zip(samples) {
        assert_eq!(payload["type"], sample.event_type(), "the column `event_type` and the payload say the same");
        assert_eq!(sample.event_version(), crate::upcast::version(&sample.event_type()).to_string());
        let read = Event::read(aggregate_type, key, &payload.to_string()).expect("it is read");
        assert_eq!(read, event(sample.clone()));
    }
}

#[test]
fn the_stored_form_of_deployment_events_never_changes() {
    let id = deployment_id(1);
    contract("deployment", &id.to_string(), &samples::deployment(), |event| Event::Deployment(id, event));
}

#[test]
fn the_stored_form_of_device_events_never_changes() {
    let id = device_id(1);
    contract("device", &id.to_string(), &samples::device(), |event| Event::Device(id, event));
}

#[test]
fn the_stored_form_of_catalogue_events_never_changes() {
    let key = || crate::samples::parsed("some-key");
    contract("site", "some-key", &samples::site(), |event| Event::Site(key(), event));
    contract("rack", "some-key", &samples::rack(), |event| Event::Rack(key(), event));
    contract("network", "some-key", &samples::network(), |event| Event::Network(key(), event));
    contract("dhcp_server", "some-key", &samples::dhcp_server(), |event| Event::DhcpServer(key(), event));
    contract("venture", "some-key", &samples::venture(), |event| Event::Venture(key(), event));
    contract("secret", "some-key", &samples::secret(), |event| Event::Secret(key(), event));
    contract("webhook", "some-key", &samples::webhook(), |event| Event::Webhook(key(), event));
    contract("boot_image", "some-key", &samples::boot_image(), |event| Event::BootImage(key(), event));
}

#[test]
fn the_stored_form_of_saved_views_never_changes() {
    let id = crate::values::ids::SavedViewId(device_id(1).0);
    contract("saved_view", &id.to_string(), &samples::saved_view(), |event| Event::SavedView(id, event));
}

#[test]
fn the_stored_form_of_token_events_never_changes() {
    let id = crate::values::ids::TokenId(device_id(1).0);
    contract("token", &id.to_string(), &samples::token(), |event| Event::Token(id, event));
}

#[test]
fn the_stored_form_of_user_and_session_events_never_changes() {
    contract("user", "ada", &samples::user(), |event| Event::User(crate::samples::parsed("ada"), event));
    let id = crate::values::ids::SessionId(device_id(1).0);
    contract("session", &id.to_string(), &samples::session(), |event| Event::Session(id, event));
}

#[test]
fn the_stored_form_of_drift_events_never_changes() {
    let key = || crate::samples::parsed("dc1/dns/h200.dc1.example/A");
    contract("drift", "dc1/dns/h200.dc1.example/A", &samples::drift(), |event| Event::Drift(key(), event));
}

#[test]
fn the_stored_form_of_reservation_events_never_changes() {
    let ip: std::net::Ipv4Addr = crate::samples::parsed("10.0.0.20");
    contract("reservation", &ip.to_string(), &samples::reservation(), |event| Event::Reservation(ip, event));
}

#[test]
fn the_stored_form_of_bulk_events_never_changes() {
    let id = crate::values::ids::BulkId(device_id(1).0);
    contract("bulk", &id.to_string(), &samples::bulk(), |event| Event::Bulk(id, event));
}

#[test]
fn every_type_of_event_is_of_one_aggregate_that_can_be_read() {
    let mut seen = std::collections::BTreeSet::new();
    for (aggregate, types) in super::KINDS {
        for id in [device_id(1).to_string(), "some-key".to_owned(), "10.0.0.20".to_owned()] {
            let read = Event::read(aggregate, &id, "{}");
            assert!(!matches!(read, Err(UnreadableEvent::AggregateType(_))), "{aggregate} cannot be read");
        }
        for event_type in types {
            assert!(seen.insert(event_type), "{event_type} is of two aggregates");
        }
    }
}

#[test]
fn unreadable_events_are_distinguished_and_cause_no_panic() {
    let id = device_id(1).to_string();
    let verified = r#"{"type":"DeviceVerified"}"#;
    assert!(Event::read("device", &id, verified).is_ok());
    assert!(matches!(Event::read("gadget", &id, verified), Err(UnreadableEvent::AggregateType(_))));
    assert!(matches!(Event::read("device", "one", verified), Err(UnreadableEvent::Key(_))));
    for payload in ["", "{}", r#"{"type":"DeviceVerified""#, r#"{"type":"DevicePainted"}"#, "\0"] {
        assert!(matches!(Event::read("device", &id, payload), Err(UnreadableEvent::Payload(_))), "{payload:?}");
    }
}

/// The assignment is one value in the code, but no object in the JSON: events of earlier versions have the same text.
#[test]
fn the_assignment_of_a_deployment_is_stored_among_the_fields_of_its_first_event() {
    let stored = concat!(
        r#"{"type":"DeploymentStarted","device":"01920000-0000-7000-8000-000000000001","mac":"52:54:00:00:00:01","#,
        r#""ip":"10.0.0.20","hostname":"h200.dc1.example","venture":"shop","role":"web","boot_image":"debian-13","#,
        r#""boot_image_revision":3,"network":"dc1-prod","site":"dc1","#,
        r#""plan":[{"name":"clean","requires":[],"stage":"preparing"}],"#,
        r#""limits":{"open_minutes":30,"in_progress_minutes":120},"took":[],"import":null}"#
    );
    let samples = samples::deployment();
    assert_eq!(serde_json::to_string(&samples[1]).expect("JSON"), stored);
}

#[test]
fn the_claims_of_an_event_are_found_with_the_text_of_its_key() {
    use super::Claiming;
    use crate::deployment::event::{DeploymentEvent, DoneBy};
    use crate::device::event::DeviceEvent;
    let (deployment, device, address) = (deployment_id(1), device_id(1), crate::samples::parsed("10.0.0.20"));
    let done = DeploymentEvent::DeploymentDone { device, by: DoneBy::Ip { address } };
    assert_eq!(done.claims_of(&deployment.to_string()).expect("a key"), done.claims(deployment));
    assert!(!done.claims(deployment).is_empty());
    assert!(matches!(done.claims_of("one"), Err(UnreadableEvent::Key(_))));
    let assigned = DeviceEvent::AddressAssigned { deployment, ip: address };
    assert_eq!(assigned.claims_of(&device.to_string()).expect("a key"), assigned.claims(device));
    assert!(!assigned.claims(device).is_empty());
    assert!(matches!(assigned.claims_of("one"), Err(UnreadableEvent::Key(_))));
}
