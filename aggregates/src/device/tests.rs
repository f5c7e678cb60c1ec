//! Tests of the rules of a device, one for each: given events, when a command arrives, then these events.

mod clean;
mod decommission;
mod entries;
mod facts;
mod fields;
mod footprint;
mod lock;
mod notes;
mod parts;
mod patch;
mod power;
mod register;
mod verify;
mod withdraw;

use super::Device;
use super::clean::Keeps;
use super::command::DeviceCommand;
use super::event::{DeviceEvent, DhcpEntry, DnsEntry, Management, ManagementProtocol};
use super::facts::Facts;
use super::management::Access;
use super::register::{DeviceChange, DeviceSpec, RegisterFacts};
use crate::samples::{deployment_id, device_id, noon, outcome, parsed};
use crate::values::ids::DeploymentId;
use crate::values::mac_address::MacAddress;

/// A server with two interfaces and a management controller.
fn spec() -> DeviceSpec {
    DeviceSpec {
        kind: super::event::DeviceKind::Physical,
        name: parsed("server one"),
        serial: Some(parsed("S-1")),
        asset: Some(parsed("A-1")),
        site: parsed("dc1"),
        rack: Some(parsed("r1")),
        position: Some(12),
        macs: vec![mac(1), mac(2)],
        management: Some(Management {
            address: parsed("10.0.9.1"),
            protocol: ManagementProtocol::Redfish,
            credentials: Some(parsed("bmc")),
            access: Access::default(),
        }),
        parent: None,
        settings: crate::values::setting::Settings::new(),
        height: 1,
        face: super::footprint::Face::default(),
        notes: crate::values::notes::Notes::default(),
        tags: vec![],
        endpoints: vec![],
    }
}

fn mac(number: u8) -> MacAddress {
    parsed(&format!("52:54:00:00:00:{number:02x}"))
}

/// The looked-up facts for a registration or a change that is allowed.
fn looked_up() -> RegisterFacts {
    RegisterFacts { site_exists: true, rack_exists: true, device: device_id(1), ..RegisterFacts::default() }
}

fn register(spec: DeviceSpec, facts: RegisterFacts) -> DeviceCommand {
    DeviceCommand::RegisterDevice { spec: Box::new(spec), facts }
}

fn change(change: DeviceChange) -> DeviceCommand {
    DeviceCommand::ChangeDevice { change: Box::new(change), facts: looked_up() }
}

/// The outcome of a change of a device with these events, as `field rule` for each error.
fn fields_of(given: &[DeviceEvent], wanted: DeviceChange, facts: RegisterFacts) -> Vec<String> {
    let command = DeviceCommand::ChangeDevice { change: Box::new(wanted), facts };
    let refused = outcome::<Device>(given, command).expect_err("it was changed");
    refused.0.iter().map(|broken| format!("{} {}", broken.field, broken.rule)).collect()
}

fn record(facts: Facts) -> DeviceCommand {
    DeviceCommand::RecordFacts { facts: Box::new(facts), held: vec![], live: None }
}

fn dns(hostname: &str, ip: &str) -> DnsEntry {
    DnsEntry { hostname: parsed(hostname), ip: parsed(ip) }
}

fn dhcp(ip: &str, number: u8) -> DhcpEntry {
    DhcpEntry { ip: parsed(ip), mac: mac(number), hostname: None, network: parsed("dc1-prod") }
}

/// The events that these commands produce in order, after the given events.
fn after(given: Vec<DeviceEvent>, commands: Vec<DeviceCommand>) -> Vec<DeviceEvent> {
    commands.into_iter().fold(given, |mut events, command| {
        events.extend(outcome::<Device>(&events, command).expect("the command is accepted"));
        events
    })
}

fn registered() -> Vec<DeviceEvent> {
    after(vec![], vec![register(spec(), looked_up())])
}

/// The events of a registered device with venture and role that is verified.
fn verified() -> Vec<DeviceEvent> {
    let owner = DeviceChange { venture: Some(parsed("shop")), role: Some(parsed("web")), ..DeviceChange::default() };
    after(registered(), vec![change(owner), DeviceCommand::VerifyDevice])
}

/// Facts with one item of everything that the clean plugin removes.
fn used_facts() -> Facts {
    Facts {
        addresses: Some(vec![parsed("10.0.0.30"), parsed("10.0.0.31")]),
        dns_entries: Some(vec![dns("old.dc1.example", "10.0.0.30"), dns("alias.dc1.example", "10.0.0.31")]),
        dhcp_entries: Some(vec![dhcp("10.0.0.30", 1), dhcp("10.0.0.40", 2)]),
        software: Some(vec![parsed("nginx 1.26")]),
        disk_shares: Some(vec![parsed("lun 7")]),
        operating_system: Some(parsed("Debian 12")),
        uptime_seconds: Some(86_400),
        sub_devices: Some(vec![device_id(50)]),
    }
}

/// The events of a verified device in its old role.
fn used() -> Vec<DeviceEvent> {
    after(verified(), vec![record(used_facts())])
}

fn keeps(ip: &str, hostname: &str) -> Keeps {
    Keeps { ip: parsed(ip), hostname: parsed(hostname) }
}

fn clean_for(number: u128, keeps: Keeps) -> DeviceCommand {
    let deployment = deployment_id(number);
    DeviceCommand::CleanDevice { deployment, live: Some(deployment), keeps, at: noon(0), parts: vec![] }
}

/// The command that cleans the device for deployment 1, with 10.0.0.20 and h200.dc1.example.
fn clean() -> DeviceCommand {
    clean_for(1, keeps("10.0.0.20", "h200.dc1.example"))
}

fn create_dns(live: Option<DeploymentId>) -> DeviceCommand {
    DeviceCommand::CreateDnsEntry { deployment: deployment_id(1), live, entry: dns("h200.dc1.example", "10.0.0.20") }
}

fn create_dhcp(live: Option<DeploymentId>) -> DeviceCommand {
    DeviceCommand::CreateDhcpEntry { deployment: deployment_id(1), live, entry: dhcp("10.0.0.20", 1) }
}

fn assign_role(live: Option<DeploymentId>) -> DeviceCommand {
    DeviceCommand::AssignRole { deployment: deployment_id(1), live, venture: parsed("bank"), role: parsed("db") }
}

/// The events of a used device that deployment 1 has cleaned, and to which it has assigned its role and entries.
fn deployed() -> Vec<DeviceEvent> {
    let live = Some(deployment_id(1));
    after(used(), vec![clean(), assign_role(live), create_dns(live), create_dhcp(live)])
}

fn decommission(live: Option<DeploymentId>) -> DeviceCommand {
    DeviceCommand::DecommissionDevice { reason: parsed("worn out"), live }
}
