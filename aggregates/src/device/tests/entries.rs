//! Tests of the DNS and DHCP entries that plugins create.

use super::*;
use crate::device::event::RemovedBecause;
use std::net::Ipv4Addr;

#[test]
fn a_dns_entry_is_made_once() {
    let created = DeviceEvent::DnsEntryCreated { deployment: deployment_id(1), entry: dns("h200.dc1.example", "10.0.0.20") };
    let given = after(used(), vec![clean()]);
    assert_eq!(outcome::<Device>(&given, create_dns(Some(deployment_id(1)))), Ok(vec![created]));
    assert_eq!(outcome::<Device>(&deployed(), create_dns(Some(deployment_id(1)))), Ok(vec![]));
}

#[test]
fn a_dhcp_entry_is_made_once() {
    let created = DeviceEvent::DhcpEntryCreated { deployment: deployment_id(1), entry: dhcp("10.0.0.20", 1) };
    let given = after(used(), vec![clean()]);
    assert_eq!(outcome::<Device>(&given, create_dhcp(Some(deployment_id(1)))), Ok(vec![created]));
    assert_eq!(outcome::<Device>(&deployed(), create_dhcp(Some(deployment_id(1)))), Ok(vec![]));
}

#[test]
fn a_dhcp_entry_takes_the_place_of_others_of_its_interface_or_address() {
    for (old, replaced) in [
        (dhcp("10.0.0.99", 1), true),
        (dhcp("10.0.0.20", 2), true),
        (DhcpEntry { hostname: Some(parsed("old.dc1.example")), ..dhcp("10.0.0.20", 1) }, true),
        (dhcp("10.0.0.99", 2), false),
    ] {
        let given = after(verified(), vec![record(Facts { dhcp_entries: Some(vec![old.clone()]), ..Facts::default() })]);
        let events = outcome::<Device>(&given, create_dhcp(Some(deployment_id(1)))).expect("it is created");
        let removed = DeviceEvent::DhcpEntriesRemoved {
            entries: vec![old.clone()],
            because: RemovedBecause::Replaced,
            deployment: Some(deployment_id(1)),
        };
        assert_eq!(events.contains(&removed), replaced, "{old:?}");
        let released = events.iter().find_map(|event| match event {
            DeviceEvent::AddressesReleased { released, .. } => Some(released.clone()),
            _ => None,
        });
        let expected = (replaced && old.ip != parsed::<Ipv4Addr>("10.0.0.20")).then(|| vec![old.ip]);
        assert_eq!(released, expected, "the address of {old:?}");
        assert!(matches!(events.last(), Some(DeviceEvent::DhcpEntryCreated { .. })));
        let created = after(given, vec![create_dhcp(Some(deployment_id(1)))]);
        assert_eq!(outcome::<Device>(&created, create_dhcp(Some(deployment_id(1)))), Ok(vec![]));
    }
}
