//! Sample rows for tests of the pages.

use bootledger_aggregates::device::event::DeviceKind;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::devices::Device;

/// A verified server in a rack, without a deployment.
pub(crate) fn device() -> Device {
    let name = |text: &str| Some(text.parse().expect("a name"));
    Device {
        id: DeviceId::default(),
        sequence: 3,
        kind: DeviceKind::Physical,
        name: Text::fitted("R640 <no. 1>"),
        serial: Some(Text::fitted("SN1")),
        asset: Some(Text::fitted("A-1")),
        site: "dc1".parse().expect("a name"),
        rack: name("dc1-r01"),
        rack_position: Some(10),
        macs: vec!["52:54:00:00:00:01".parse().expect("a MAC")],
        management: None,
        parent: None,
        venture: name("shop"),
        role: name("web"),
        verified: true,
        decommissioned: false,
        addresses: vec![[10, 0, 0, 11].into()],
        hostnames: vec!["h200.dc1.example".parse().expect("a host name")],
        operating_system: None,
        software: vec![],
        disk_shares: vec![],
        uptime_seconds: None,
        settings: bootledger_aggregates::values::setting::Settings::new(),
        sub_devices: vec![],
        remarks: vec![],
        registered_at: Timestamp::default(),
        changed_at: Timestamp::default(),
    }
}
