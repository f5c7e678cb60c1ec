//! Tests of the clean plugin's eleven tasks: their order, what each skips, and what is never changed.

use super::*;
use crate::device::event::RemovedBecause;
use crate::device::remark::Remark;
use cqrs_es::DomainEvent;

fn cleaned(given: &[DeviceEvent], keeps: Keeps) -> Vec<DeviceEvent> {
    outcome::<Device>(given, clean_for(1, keeps)).expect("it is cleaned")
}

fn new_role() -> Keeps {
    keeps("10.0.0.20", "h200.dc1.example")
}

/// The events of a verified device with only these facts.
fn only(facts: Facts) -> Vec<DeviceEvent> {
    after(verified(), vec![record(facts)])
}

fn types(events: &[DeviceEvent]) -> Vec<String> {
    events.iter().map(DomainEvent::event_type).collect()
}

#[test]
fn the_eleven_tasks_are_in_the_order_of_the_document() {
    let deployment = deployment_id(1);
    let for_this = Some(deployment);
    let expected = [
        DeviceEvent::DhcpEntriesRemoved {
            entries: vec![dhcp("10.0.0.30", 1)],
            because: RemovedBecause::Address,
            deployment: for_this,
        },
        DeviceEvent::DnsEntriesRemoved {
            entries: vec![dns("alias.dc1.example", "10.0.0.31"), dns("old.dc1.example", "10.0.0.30")],
            released: vec![parsed("alias.dc1.example"), parsed("old.dc1.example")],
            deployment: for_this,
        },
        DeviceEvent::DhcpEntriesRemoved {
            entries: vec![dhcp("10.0.0.40", 2)],
            because: RemovedBecause::Mac,
            deployment: for_this,
        },
        DeviceEvent::AddressesReleased {
            addresses: vec![parsed("10.0.0.30"), parsed("10.0.0.31")],
            released: vec![parsed("10.0.0.30"), parsed("10.0.0.31"), parsed("10.0.0.40")],
            deployment: for_this,
        },
        DeviceEvent::SoftwareRemoved { software: vec![parsed("nginx 1.26")], deployment },
        DeviceEvent::DiskSharesRemoved { disk_shares: vec![parsed("lun 7")], deployment },
        DeviceEvent::OperatingSystemRemoved { operating_system: parsed("Debian 12"), deployment },
        DeviceEvent::SubDevicesDetached { devices: vec![device_id(50)], deployment },
        DeviceEvent::UptimeReset { deployment },
        DeviceEvent::RemarkAdded {
            remark: Remark::OldRole { venture: parsed("shop"), role: parsed("web"), until: noon(0) },
            deployment: for_this,
        },
        DeviceEvent::AddressAssigned { deployment, ip: parsed("10.0.0.20") },
    ];
    assert_eq!(cleaned(&used(), new_role()), expected);
}

#[test]
fn where_nothing_is_known_only_the_remark_and_the_address_are_left() {
    assert_eq!(types(&cleaned(&verified(), new_role())), ["RemarkAdded", "AddressAssigned"]);
}

#[test]
fn an_address_that_is_kept_is_cleaned_and_one_that_only_an_entry_has_is_released() {
    let cleaned = |facts: Facts| {
        let events = outcome::<Device>(&after(verified(), vec![record(facts)]), clean()).expect("it is cleaned");
        events.into_iter().find_map(|event| match event {
            DeviceEvent::AddressesReleased { addresses, released, .. } => Some((addresses, released)),
            _ => None,
        })
    };
    let (kept, leased): (std::net::Ipv4Addr, std::net::Ipv4Addr) = (parsed("10.0.0.20"), parsed("10.0.0.40"));
    let address = Facts { addresses: Some(vec![kept]), ..Facts::default() };
    assert_eq!(cleaned(address), Some((vec![kept], vec![])));
    let entry = Facts { dhcp_entries: Some(vec![dhcp("10.0.0.40", 1)]), ..Facts::default() };
    assert_eq!(cleaned(entry), Some((vec![], vec![leased])));
    assert_eq!(cleaned(Facts::default()), None);
}

#[test]
fn each_task_is_left_out_where_there_is_nothing_to_remove() {
    let all = used_facts();
    let none = Facts::default;
    for (facts, task) in [
        (Facts { software: all.software, ..none() }, "SoftwareRemoved"),
        (Facts { disk_shares: all.disk_shares, ..none() }, "DiskSharesRemoved"),
        (Facts { operating_system: all.operating_system, ..none() }, "OperatingSystemRemoved"),
        (Facts { uptime_seconds: all.uptime_seconds, ..none() }, "UptimeReset"),
        (Facts { sub_devices: all.sub_devices, ..none() }, "SubDevicesDetached"),
        (Facts { addresses: all.addresses, ..none() }, "AddressesReleased"),
        (Facts { dns_entries: all.dns_entries, ..none() }, "DnsEntriesRemoved"),
    ] {
        assert_eq!(types(&cleaned(&only(facts), new_role())), [task, "RemarkAdded", "AddressAssigned"]);
    }
}

#[test]
fn a_second_clean_for_the_same_deployment_writes_nothing() {
    let given = after(used(), vec![clean()]);
    assert_eq!(outcome::<Device>(&given, clean()), Ok(vec![]));
    assert_eq!(outcome::<Device>(&deployed(), clean()), Ok(vec![]), "not even when later plugins have worked");
}

#[test]
fn the_next_deployment_cleans_what_the_last_one_made() {
    let events = outcome::<Device>(&deployed(), clean_for(2, keeps("10.0.0.21", "h201.dc1.example"))).expect("cleaned");
    assert_eq!(
        types(&events),
        ["DhcpEntriesRemoved", "DnsEntriesRemoved", "AddressesReleased", "RemarkAdded", "AddressAssigned"]
    );
    let [_, DeviceEvent::DnsEntriesRemoved { released: names, .. }, DeviceEvent::AddressesReleased { released, .. }, ..] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(*names, [parsed("h200.dc1.example")]);
    assert_eq!(*released, [parsed::<std::net::Ipv4Addr>("10.0.0.20")]);
}

#[test]
fn the_same_address_and_name_are_kept_for_the_new_role() {
    let events = cleaned(&used(), keeps("10.0.0.30", "old.dc1.example"));
    for event in &events {
        match event {
            DeviceEvent::DnsEntriesRemoved { entries, released, .. } => {
                assert_eq!(entries.len(), 2, "the entries are removed, and created again later");
                assert_eq!(*released, [parsed("alias.dc1.example")]);
            }
            DeviceEvent::AddressesReleased { addresses, released, .. } => {
                assert_eq!(addresses.len(), 2);
                assert!(!released.contains(&parsed("10.0.0.30")), "{released:?}");
            }
            _ => {}
        }
    }
    assert!(types(&events).contains(&"AddressAssigned".to_owned()));
}

#[test]
fn a_name_kept_through_a_clean_is_released_by_the_next_even_without_an_entry() {
    let given = after(used(), vec![clean_for(1, keeps("10.0.0.30", "old.dc1.example"))]);
    let events = outcome::<Device>(&given, clean_for(2, new_role())).expect("it is cleaned");
    let removed = DeviceEvent::DnsEntriesRemoved {
        entries: vec![],
        released: vec![parsed("old.dc1.example")],
        deployment: Some(deployment_id(2)),
    };
    assert_eq!(events[0], removed);
}

#[test]
fn nothing_of_the_management_address_is_cleaned() {
    let found = Facts {
        addresses: Some(vec![parsed("10.0.9.1")]),
        dns_entries: Some(vec![dns("mgmt.dc1.example", "10.0.9.1")]),
        dhcp_entries: Some(vec![dhcp("10.0.9.1", 2)]),
        ..Facts::default()
    };
    assert_eq!(types(&cleaned(&only(found), new_role())), ["RemarkAdded", "AddressAssigned"]);
}

#[test]
fn beside_the_management_address_everything_else_is_cleaned() {
    let mut found = used_facts();
    found.addresses.as_mut().expect("addresses").push(parsed("10.0.9.1"));
    found.dns_entries.as_mut().expect("names").push(dns("old.dc1.example", "10.0.9.1"));
    let events = cleaned(&only(found), new_role());
    let [
        _,
        DeviceEvent::DnsEntriesRemoved { entries, released: names, .. },
        _,
        DeviceEvent::AddressesReleased { released, .. },
        ..,
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(entries.len(), 2);
    assert_eq!(*names, [parsed("alias.dc1.example")], "a name that the management address still has is held");
    assert_eq!(*released, ["10.0.0.30", "10.0.0.31", "10.0.0.40"].map(parsed::<std::net::Ipv4Addr>));
}
