//! Samples of every event of a device.

use super::sample_events;
use crate::device::controller::Endpoint;
use crate::device::event::{DeviceEvent, DeviceKind, DhcpEntry, DnsEntry, Management, ManagementProtocol, RemovedBecause};
use crate::device::facts::FactsRecorded;
use crate::device::footprint::Face;
use crate::device::lock::Lock;
use crate::device::management::{Access, BootMode, Tls};
use crate::device::patch::Removed;
use crate::device::power::{PowerAction, PowerOrder, PowerState, Restart};
use crate::device::power_failure::PowerFailure;
use crate::device::register::{DeviceChanged, DeviceSpec};
use crate::device::remark::Remark;
use crate::samples::{deployment_id, device_id, noon, parsed, refused_user, settings};
use crate::settings::SettingsChange;
use crate::values::ids::OrderId;
use crate::values::notes::Notes;
use crate::values::setting::{SettingValue, Settings};
use crate::values::sha256::Sha256;
use uuid::Uuid;

fn management(protocol: ManagementProtocol) -> Management {
    Management { address: parsed("10.0.9.1"), protocol, credentials: Some(parsed("bmc")), access: Access::default() }
}

fn access() -> Access {
    Access {
        port: Some(8443),
        system: Some(parsed("System.Embedded.1")),
        path: None,
        tls: Tls::Pinned(Sha256::new([0xab; 32])),
        boot_mode: Some(BootMode::Uefi),
    }
}

fn endpoint(text: &str) -> Endpoint {
    text.to_owned().try_into().expect("an endpoint")
}

fn order(action: PowerAction, restart: Option<Restart>) -> PowerOrder {
    PowerOrder { order: OrderId(Uuid::from_u128(7)), action, network_boot: restart.is_some(), restart, at: noon(0) }
}

fn restart() -> Restart {
    Restart { deployment: deployment_id(1), turn: 1 }
}

fn power_confirmed(action: PowerAction, restart: Option<Restart>, state: PowerState) -> DeviceEvent {
    DeviceEvent::PowerConfirmed { order: OrderId(Uuid::from_u128(7)), action, network_boot: restart.is_some(), restart, state }
}

fn power_failed(restart: Option<Restart>, reason: PowerFailure, uncertain: bool) -> DeviceEvent {
    DeviceEvent::PowerFailed {
        order: OrderId(Uuid::from_u128(7)),
        action: PowerAction::Cycle,
        network_boot: restart.is_some(),
        restart,
        reason,
        uncertain,
    }
}

fn spec() -> DeviceSpec {
    DeviceSpec {
        kind: DeviceKind::Physical,
        name: parsed("server one"),
        serial: Some(parsed("S-1")),
        asset: Some(parsed("A-1")),
        site: parsed("dc1"),
        rack: Some(parsed("r1")),
        position: Some(12),
        macs: vec![parsed("52:54:00:00:00:01"), parsed("52:54:00:00:00:02")],
        management: Some(management(ManagementProtocol::Redfish)),
        parent: Some(device_id(2)),
        settings: Settings::new(),
        height: 1,
        face: Face::default(),
        notes: Notes::default(),
        tags: vec![],
        endpoints: vec![],
    }
}

fn least_spec(kind: DeviceKind) -> DeviceSpec {
    DeviceSpec {
        kind,
        name: parsed(""),
        serial: None,
        asset: None,
        site: parsed("dc1"),
        rack: None,
        position: None,
        macs: vec![parsed("52:54:00:00:00:01")],
        management: Some(Management { credentials: None, ..management(ManagementProtocol::Ipmi) }),
        parent: None,
        settings: Settings::new(),
        height: 1,
        face: Face::default(),
        notes: Notes::default(),
        tags: vec![],
        endpoints: vec![],
    }
}

fn changed() -> DeviceChanged {
    DeviceChanged {
        name: Some(parsed("server two")),
        serial: Some((parsed(""), parsed("S-2"))),
        asset: Some((parsed("A-1"), parsed(""))),
        site: Some(parsed("dc2")),
        rack: Some(parsed("r2")),
        position: Some(1),
        height: None,
        face: None,
        notes: None,
        tags_added: vec![],
        tags_removed: vec![],
        macs_added: vec![parsed("52:54:00:00:00:03")],
        macs_removed: vec![parsed("52:54:00:00:00:01")],
        management: Some(management(ManagementProtocol::Ipmi)),
        removed: vec![],
        settings: SettingsChange::new(),
        endpoints_released: vec![],
        endpoints_taken: vec![],
    }
}

fn dns() -> DnsEntry {
    DnsEntry { hostname: parsed("h200.dc1.example"), ip: parsed("10.0.0.20") }
}

fn dhcp() -> DhcpEntry {
    DhcpEntry {
        ip: parsed("10.0.0.20"),
        mac: parsed("52:54:00:00:00:01"),
        hostname: Some(parsed("h200.dc1.example")),
        network: parsed("dc1-prod"),
    }
}

fn recorded() -> FactsRecorded {
    FactsRecorded {
        addresses_added: vec![parsed("10.0.0.20")],
        addresses_removed: vec![parsed("10.0.0.30")],
        addresses_released: vec![parsed("10.0.0.30")],
        dns_added: vec![dns()],
        dns_removed: vec![DnsEntry { hostname: parsed("old.dc1.example"), ip: parsed("10.0.0.30") }],
        hostnames_released: vec![parsed("old.dc1.example")],
        dhcp_added: vec![dhcp()],
        dhcp_removed: vec![DhcpEntry { hostname: None, ..dhcp() }],
        software: Some(vec![parsed("nginx 1.26")]),
        disk_shares: Some(vec![parsed("lun 7")]),
        operating_system: Some(parsed("Debian 13")),
        uptime_seconds: Some(86_400),
        sub_devices: Some(vec![device_id(3)]),
    }
}

fn dhcp_removed(because: RemovedBecause) -> DeviceEvent {
    DeviceEvent::DhcpEntriesRemoved { entries: vec![dhcp()], because, deployment: Some(deployment_id(1)) }
}

sample_events!(device: DeviceEvent {
    DeviceRegistered => [
        DeviceEvent::DeviceRegistered(Box::new(spec())),
        DeviceEvent::DeviceRegistered(Box::new(least_spec(DeviceKind::Blade))),
        DeviceEvent::DeviceRegistered(Box::new(least_spec(DeviceKind::Virtual))),
        DeviceEvent::DeviceRegistered(Box::new(DeviceSpec {
            settings: settings(serde_json::json!({ "disk": "/dev/sda" })),
            ..least_spec(DeviceKind::Virtual)
        })),
        DeviceEvent::DeviceRegistered(Box::new(DeviceSpec {
            management: Some(Management { address: parsed("fd00::9:1"), ..management(ManagementProtocol::Redfish) }),
            endpoints: vec![endpoint("[fd00::9:1]")],
            ..least_spec(DeviceKind::Physical)
        })),
        DeviceEvent::DeviceRegistered(Box::new(DeviceSpec {
            height: 2,
            face: Face::Front,
            notes: parsed("first line\nsecond line"),
            tags: vec![parsed("row:4"), parsed("spare")],
            ..least_spec(DeviceKind::Physical)
        })),
    ],
    DeviceChanged => [
        DeviceEvent::DeviceChanged(Box::new(changed())),
        DeviceEvent::DeviceChanged(Box::default()),
        DeviceEvent::DeviceChanged(Box::new(DeviceChanged {
            settings: [(parsed("disk"), None), (parsed("vlan"), Some(SettingValue::Number(12)))].into(),
            ..DeviceChanged::default()
        })),
        DeviceEvent::DeviceChanged(Box::new(DeviceChanged {
            management: Some(Management { access: access(), ..management(ManagementProtocol::Redfish) }),
            ..DeviceChanged::default()
        })),
        DeviceEvent::DeviceChanged(Box::new(DeviceChanged {
            management: Some(Management {
                address: parsed("bmc1.example"),
                access: Access { path: Some(parsed("/rack1/node7")), ..access() },
                ..management(ManagementProtocol::Redfish)
            }),
            endpoints_released: vec![endpoint("[fd00::9:1]")],
            endpoints_taken: vec![endpoint("10.0.9.1:8443/rack1/node7#1"), endpoint("bmc1.example:8443/rack1/node7#1")],
            ..DeviceChanged::default()
        })),
        DeviceEvent::DeviceChanged(Box::new(DeviceChanged {
            height: Some(4),
            face: Some(Face::Rear),
            notes: Some((parsed("first line\nsecond line"), parsed(""))),
            tags_added: vec![parsed("gpu")],
            tags_removed: vec![parsed("spare")],
            ..DeviceChanged::default()
        })),
        DeviceEvent::DeviceChanged(Box::new(DeviceChanged {
            removed: vec![Removed::Rack, Removed::Position, Removed::Management],
            endpoints_released: vec![endpoint("[fd00::9:1]")],
            ..DeviceChanged::default()
        })),
    ],
    VentureRoleSet => [
        DeviceEvent::VentureRoleSet { venture: Some(parsed("shop")), role: Some(parsed("web")) },
        DeviceEvent::VentureRoleSet { venture: None, role: None },
    ],
    FactsRecorded => [
        DeviceEvent::FactsRecorded(Box::new(recorded())),
        DeviceEvent::FactsRecorded(Box::default()),
    ],
    DeviceVerified => [DeviceEvent::DeviceVerified {}],
    DeviceUnverified => [DeviceEvent::DeviceUnverified {}],
    DeviceLocked => [
        DeviceEvent::DeviceLocked(Lock { reason: parsed("holds the only copy"), by: parsed("user ada"), at: noon(0) }),
    ],
    DeviceUnlocked => [DeviceEvent::DeviceUnlocked {}],
    DhcpEntriesRemoved => [
        dhcp_removed(RemovedBecause::Address),
        dhcp_removed(RemovedBecause::Mac),
        dhcp_removed(RemovedBecause::Replaced),
        dhcp_removed(RemovedBecause::Cancelled),
        DeviceEvent::DhcpEntriesRemoved {
            entries: vec![DhcpEntry { hostname: None, ..dhcp() }],
            because: RemovedBecause::Decommissioned,
            deployment: None,
        },
    ],
    DnsEntriesRemoved => [
        DeviceEvent::DnsEntriesRemoved {
            entries: vec![dns()],
            released: vec![parsed("h200.dc1.example")],
            deployment: Some(deployment_id(1)),
        },
        DeviceEvent::DnsEntriesRemoved { entries: vec![], released: vec![], deployment: None },
    ],
    AddressesReleased => [
        DeviceEvent::AddressesReleased {
            addresses: vec![parsed("10.0.0.30")],
            released: vec![parsed("10.0.0.30")],
            deployment: Some(deployment_id(1)),
        },
        DeviceEvent::AddressesReleased { addresses: vec![], released: vec![], deployment: None },
    ],
    SoftwareRemoved => [DeviceEvent::SoftwareRemoved { software: vec![parsed("nginx 1.26")], deployment: deployment_id(1) }],
    DiskSharesRemoved => [DeviceEvent::DiskSharesRemoved { disk_shares: vec![parsed("lun 7")], deployment: deployment_id(1) }],
    OperatingSystemRemoved => [
        DeviceEvent::OperatingSystemRemoved { operating_system: parsed("Debian 12"), deployment: deployment_id(1) },
    ],
    SubDevicesDetached => [DeviceEvent::SubDevicesDetached { devices: vec![device_id(3)], deployment: deployment_id(1) }],
    DeviceAttached => [DeviceEvent::DeviceAttached { parent: device_id(3) }],
    DeviceDetached => [
        DeviceEvent::DeviceDetached { parent: device_id(3), deployment: Some(deployment_id(1)) },
        DeviceEvent::DeviceDetached { parent: device_id(3), deployment: None },
    ],
    UptimeReset => [DeviceEvent::UptimeReset { deployment: deployment_id(1) }],
    RemarkAdded => [
        DeviceEvent::RemarkAdded {
            remark: Remark::OldRole { venture: parsed("shop"), role: parsed("web"), until: noon(0) },
            deployment: Some(deployment_id(1)),
        },
        DeviceEvent::RemarkAdded { remark: Remark::Text { text: parsed("new board") }, deployment: None },
    ],
    AddressAssigned => [DeviceEvent::AddressAssigned { deployment: deployment_id(1), ip: parsed("10.0.0.20") }],
    RoleAssigned => [
        DeviceEvent::RoleAssigned { deployment: deployment_id(1), venture: parsed("shop"), role: parsed("web") },
    ],
    DnsEntryCreated => [DeviceEvent::DnsEntryCreated { deployment: deployment_id(1), entry: dns() }],
    DhcpEntryCreated => [DeviceEvent::DhcpEntryCreated { deployment: deployment_id(1), entry: dhcp() }],
    PowerRequested => [
        DeviceEvent::PowerRequested(order(PowerAction::Cycle, Some(restart()))),
        DeviceEvent::PowerRequested(order(PowerAction::Off, None)),
        DeviceEvent::PowerRequested(order(PowerAction::On, None)),
    ],
    PowerConfirmed => [
        power_confirmed(PowerAction::Cycle, Some(restart()), PowerState::On),
        power_confirmed(PowerAction::Off, None, PowerState::Off),
        power_confirmed(PowerAction::On, None, PowerState::Unknown),
    ],
    PowerFailed => [
        power_failed(Some(restart()), PowerFailure::Deadline { seconds: 105 }, true),
        power_failed(None, refused_user(), false),
        power_failed(None, PowerFailure::Text { text: parsed("the management controller 10.0.9.1 did not answer within 8 s") }, false),
    ],
    DeviceDecommissioned => [DeviceEvent::DeviceDecommissioned { reason: parsed("worn out") }],
});
