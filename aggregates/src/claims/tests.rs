//! Tests of claims: which events take and release which claims, and that no sequence of commands violates the guarantees of
//! claims.

mod model;
mod promises;

use super::{ClaimChange, Holder};
use crate::event::Event;
use crate::event::tests::samples;
use crate::samples::{deployment_id, device_id, parsed};
use crate::values::ids::TokenId;
use cqrs_es::DomainEvent;

/// The change as text, such as `take ip 10.0.0.20 for device`. The samples have only one device and one deployment as holders.
fn describe(change: &ClaimChange) -> String {
    let own = |holder: &Holder| match holder {
        Holder::Device(id) if *id == device_id(1) => "device",
        Holder::Deployment(id) if *id == deployment_id(1) => "deployment",
        other => panic!("a foreign holder: {other}"),
    };
    let what = |claim: &super::Claim| {
        let (kind, value) = claim.parts();
        assert_eq!(super::Claim::kind_of(kind), Some(kind), "a stored claim must be readable");
        format!("{kind} {value}")
    };
    match change {
        ClaimChange::Take(claim, holder) => format!("take {} for {}", what(claim), own(holder)),
        ClaimChange::Release(claim, holder) => format!("release {} of {}", what(claim), own(holder)),
        ClaimChange::ReleaseAll(holder) => format!("release all of {}", own(holder)),
    }
}

/// The events that change claims, each with its type and its changes.
fn table<E: DomainEvent + Clone>(samples: Vec<E>, event: impl Fn(E) -> Event) -> Vec<(String, Vec<String>)> {
    samples
        .into_iter()
        .map(|sample| (sample.event_type(), event(sample).claims().iter().map(describe).collect::<Vec<_>>()))
        .filter(|(_, changes)| !changes.is_empty())
        .collect()
}

fn expected(rows: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |changes: &[&str]| changes.iter().map(|change| (*change).to_owned()).collect();
    rows.iter().map(|(event, changes)| ((*event).to_owned(), owned(changes))).collect()
}

#[test]
fn a_deployment_takes_claims_at_its_start_and_releases_them_at_its_end() {
    let slot = format!("deployment {}", device_id(1));
    let (take_slot, release_slot) = (format!("take {slot} for deployment"), format!("release {slot} of deployment"));
    let started = [
        take_slot.as_str(),
        "take ip 10.0.0.20 for device",
        "take hostname h200.dc1.example for device",
        "take mac 52:54:00:00:00:01 for device",
    ];
    let done = [release_slot.as_str()];
    let cancelled = ["release ip 10.0.0.20 of device", "release hostname h200.dc1.example of device", release_slot.as_str()];
    assert_eq!(
        table(samples::deployment(), |event| Event::Deployment(deployment_id(1), event)),
        expected(&[
            ("DeploymentStarted", &started),
            ("DeploymentStarted", &started),
            ("DeploymentStarted", &started),
            ("DeploymentStarted", &started),
            ("DeploymentStarted", &started),
            ("DeploymentStarted", &started),
            ("DeploymentDone", &done),
            ("DeploymentDone", &done),
            ("DeploymentDone", &done),
            ("DeploymentDone", &done),
            ("DeploymentDone", &done),
            ("DeploymentCancelled", &cancelled),
            ("DeploymentCancelled", &done),
        ])
    );
}

#[test]
fn a_device_takes_and_releases_the_claims_of_its_events() {
    assert_eq!(
        table(samples::device(), |event| Event::Device(device_id(1), event)),
        expected(&[
            (
                "DeviceRegistered",
                &[
                    "take mac 52:54:00:00:00:01 for device",
                    "take mac 52:54:00:00:00:02 for device",
                    "take serial s-1 for device",
                    "take asset a-1 for device",
                ]
            ),
            ("DeviceRegistered", &["take mac 52:54:00:00:00:01 for device"]),
            ("DeviceRegistered", &["take mac 52:54:00:00:00:01 for device"]),
            ("DeviceRegistered", &["take mac 52:54:00:00:00:01 for device"]),
            ("DeviceRegistered", &["take mac 52:54:00:00:00:01 for device", "take controller [fd00::9:1] for device"]),
            ("DeviceRegistered", &["take mac 52:54:00:00:00:01 for device"]),
            (
                "DeviceChanged",
                &[
                    "release mac 52:54:00:00:00:01 of device",
                    "release asset a-1 of device",
                    "take mac 52:54:00:00:00:03 for device",
                    "take serial s-2 for device",
                ]
            ),
            (
                "DeviceChanged",
                &[
                    "release controller [fd00::9:1] of device",
                    "take controller 10.0.9.1:8443/rack1/node7#1 for device",
                    "take controller bmc1.example:8443/rack1/node7#1 for device",
                ]
            ),
            ("DeviceChanged", &["release controller [fd00::9:1] of device"]),
            (
                "FactsRecorded",
                &[
                    "release ip 10.0.0.30 of device",
                    "release hostname old.dc1.example of device",
                    "take ip 10.0.0.20 for device",
                    "take hostname h200.dc1.example for device",
                ]
            ),
            ("DnsEntriesRemoved", &["release hostname h200.dc1.example of device"]),
            ("AddressesReleased", &["release ip 10.0.0.30 of device"]),
            ("AddressAssigned", &["take ip 10.0.0.20 for device"]),
            ("DnsEntryCreated", &["take hostname h200.dc1.example for device"]),
            ("DhcpEntryCreated", &["take ip 10.0.0.20 for device"]),
            ("DeviceDecommissioned", &["release all of device"]),
        ])
    );
}

#[test]
fn the_catalogue_and_tokens_claim_nothing() {
    let key = || parsed("some-key");
    let tables = [
        table(samples::site(), |event| Event::Site(key(), event)),
        table(samples::rack(), |event| Event::Rack(key(), event)),
        table(samples::network(), |event| Event::Network(key(), event)),
        table(samples::dhcp_server(), |event| Event::DhcpServer(key(), event)),
        table(samples::venture(), |event| Event::Venture(key(), event)),
        table(samples::boot_image(), |event| Event::BootImage(key(), event)),
        table(samples::token(), |event| Event::Token(TokenId::default(), event)),
    ];
    assert_eq!(tables.concat(), []);
}

#[test]
fn holders_are_read_back_from_what_is_stored() {
    let reserved = Holder::Reservation(parsed("10.0.0.20"));
    for holder in [Holder::Device(device_id(1)), Holder::Deployment(deployment_id(1)), reserved] {
        assert_eq!(holder.to_string().parse(), Ok(holder));
    }
    for text in ["", "device", "device ", "rack r1", &device_id(1).to_string()] {
        assert!(text.parse::<Holder>().is_err(), "{text:?}");
    }
}

#[test]
fn a_number_of_a_label_is_one_claim_in_every_spelling_and_is_shown_as_it_was_written() {
    use super::Claim;
    use crate::controller::Endpoint;
    let controller = Endpoint::try_from("10.0.9.1#1".to_owned()).expect("an endpoint");
    let device = device_id(1).to_string();
    for (claim, is_folded, written, stored) in [
        (Claim::Ip(parsed("10.0.0.20")), false, "10.0.0.20", "10.0.0.20"),
        (Claim::Hostname(parsed("h200.dc1.example")), false, "h200.dc1.example", "h200.dc1.example"),
        (Claim::Mac(parsed("52:54:00:00:00:01")), false, "52:54:00:00:00:01", "52:54:00:00:00:01"),
        (Claim::Serial(parsed("CZJ  0001")), true, "CZJ  0001", "czj 0001"),
        (Claim::Asset(parsed("A-\u{ff11}")), true, "A-\u{ff11}", "a-1"),
        (Claim::Deployment(device_id(1)), false, &device, &device),
        (Claim::Controller(controller), false, "10.0.9.1#1", "10.0.9.1#1"),
    ] {
        assert_eq!((claim.is_folded(), claim.written().as_str(), claim.parts().1.as_str()), (is_folded, written, stored));
    }
}
