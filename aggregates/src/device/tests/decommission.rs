//! Tests of decommissioning: the device releases all its claims and remains on record.

use super::*;
use crate::device::event::RemovedBecause;
use crate::samples::broken;

#[test]
fn a_decommissioned_device_releases_all_claims() {
    let addresses = vec![parsed("10.0.0.30"), parsed("10.0.0.31")];
    let expected = vec![
        DeviceEvent::DhcpEntriesRemoved {
            entries: vec![dhcp("10.0.0.30", 1), dhcp("10.0.0.40", 2)],
            because: RemovedBecause::Decommissioned,
            deployment: None,
        },
        DeviceEvent::DnsEntriesRemoved {
            entries: vec![dns("alias.dc1.example", "10.0.0.31"), dns("old.dc1.example", "10.0.0.30")],
            released: vec![parsed("alias.dc1.example"), parsed("old.dc1.example")],
            deployment: None,
        },
        DeviceEvent::AddressesReleased {
            addresses: addresses.clone(),
            released: addresses.into_iter().chain([parsed("10.0.0.40")]).collect(),
            deployment: None,
        },
        DeviceEvent::DeviceDecommissioned { reason: parsed("worn out") },
    ];
    assert_eq!(outcome::<Device>(&used(), decommission(None)), Ok(expected));
}

#[test]
fn a_device_that_has_nothing_is_just_decommissioned() {
    let expected = DeviceEvent::DeviceDecommissioned { reason: parsed("worn out") };
    assert_eq!(outcome::<Device>(&registered(), decommission(None)), Ok(vec![expected]));
}

#[test]
fn a_device_is_not_decommissioned_while_it_is_deployed() {
    assert_eq!(broken::<Device>(&used(), decommission(Some(deployment_id(1)))), ["already_deploying"]);
}

#[test]
fn nothing_changes_a_decommissioned_device() {
    let given = after(used(), vec![decommission(None)]);
    assert_eq!(outcome::<Device>(&given, decommission(None)), Ok(vec![]), "a second time is nothing new");
    let late = DeviceCommand::WithdrawDeployment {
        deployment: deployment_id(1),
        ip: parsed("10.0.0.30"),
        hostname: parsed("old.dc1.example"),
        released: vec![],
    };
    assert_eq!(outcome::<Device>(&given, late), Ok(vec![]), "there is nothing left to take back");
    let live = Some(deployment_id(1));
    for command in [
        change(DeviceChange::default()),
        record(used_facts()),
        DeviceCommand::VerifyDevice,
        DeviceCommand::UnverifyDevice { live: None },
        clean(),
        assign_role(live),
        create_dns(live),
        create_dhcp(live),
    ] {
        assert_eq!(broken::<Device>(&given, command), ["device_decommissioned"]);
    }
}
