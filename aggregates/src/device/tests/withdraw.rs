//! Tests of cancellation: exactly what the cancelled deployment made is removed from the device.

use super::*;
use crate::claims::Claim;
use crate::device::event::RemovedBecause;

fn withdraw(number: u128, ip: &str, hostname: &str, took: &[Claim]) -> DeviceCommand {
    DeviceCommand::WithdrawDeployment {
        deployment: deployment_id(number),
        ip: parsed(ip),
        hostname: parsed(hostname),
        released: took.to_vec(),
    }
}

fn took() -> [Claim; 2] {
    [Claim::Ip(parsed("10.0.0.20")), Claim::Hostname(parsed("h200.dc1.example"))]
}

#[test]
fn its_entries_and_its_address_are_removed() {
    let for_this = Some(deployment_id(1));
    let expected = vec![
        DeviceEvent::DhcpEntriesRemoved {
            entries: vec![dhcp("10.0.0.20", 1)],
            because: RemovedBecause::Cancelled,
            deployment: for_this,
        },
        DeviceEvent::DnsEntriesRemoved {
            entries: vec![dns("h200.dc1.example", "10.0.0.20")],
            released: vec![],
            deployment: for_this,
        },
        DeviceEvent::AddressesReleased { addresses: vec![parsed("10.0.0.20")], released: vec![], deployment: for_this },
    ];
    assert_eq!(outcome::<Device>(&deployed(), withdraw(1, "10.0.0.20", "h200.dc1.example", &took())), Ok(expected));
}

#[test]
fn an_address_that_the_device_had_before_stays() {
    let given = after(
        used(),
        vec![
            clean_for(1, keeps("10.0.0.30", "old.dc1.example")),
            DeviceCommand::CreateDnsEntry {
                deployment: deployment_id(1),
                live: Some(deployment_id(1)),
                entry: dns("old.dc1.example", "10.0.0.30"),
            },
        ],
    );
    let events = outcome::<Device>(&given, withdraw(1, "10.0.0.30", "old.dc1.example", &[])).expect("withdrawn");
    let for_this = Some(deployment_id(1));
    let entries = vec![dns("old.dc1.example", "10.0.0.30")];
    assert_eq!(events, [DeviceEvent::DnsEntriesRemoved { entries, released: vec![], deployment: for_this }]);

    let given: Vec<_> = given.into_iter().chain(events).collect();
    let next = outcome::<Device>(&given, clean_for(2, keeps("10.0.0.21", "h201.dc1.example"))).expect("it is cleaned");
    let [DeviceEvent::DnsEntriesRemoved { released: names, .. }, DeviceEvent::AddressesReleased { released, .. }, ..] =
        next.as_slice()
    else {
        panic!("{next:?}")
    };
    assert_eq!((names.as_slice(), released.as_slice()), (&[parsed("old.dc1.example")][..], &[parsed("10.0.0.30")][..]));
}

#[test]
fn claims_that_the_cancellation_released_are_not_released_again() {
    let given = after(deployed(), vec![withdraw(1, "10.0.0.20", "h200.dc1.example", &took())]);
    let next = outcome::<Device>(&given, clean_for(2, keeps("10.0.0.21", "h201.dc1.example"))).expect("it is cleaned");
    assert!(matches!(next.as_slice(), [DeviceEvent::RemarkAdded { .. }, DeviceEvent::AddressAssigned { .. }]), "{next:?}");
}

#[test]
fn a_deployment_that_cleaned_nothing_has_no_entries_to_remove() {
    for given in [verified(), used()] {
        let command = withdraw(1, "10.0.0.30", "old.dc1.example", &[Claim::Ip(parsed("10.0.0.30"))]);
        assert_eq!(outcome::<Device>(&given, command), Ok(vec![]));
    }
}

#[test]
fn a_withdrawal_after_the_next_deployments_clean_touches_nothing() {
    let given = after(deployed(), vec![clean_for(2, keeps("10.0.0.20", "h200.dc1.example"))]);
    assert_eq!(outcome::<Device>(&given, withdraw(1, "10.0.0.20", "h200.dc1.example", &took())), Ok(vec![]));
}

#[test]
fn withdrawing_twice_writes_nothing() {
    let command = withdraw(1, "10.0.0.20", "h200.dc1.example", &took());
    let given = after(deployed(), vec![command.clone()]);
    assert_eq!(outcome::<Device>(&given, command), Ok(vec![]));
}
