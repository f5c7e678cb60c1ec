//! The state of a device in use.

use super::entry::{DhcpEntry, DnsEntry};
use super::footprint::{self, Face, Footprint};
use super::kind::DeviceKind;
use super::lock::Lock;
use super::power::{LastRestart, PowerOrder};
use crate::controller::Endpoint;
use crate::controller::management::Management;
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::notes::Notes;
use crate::values::setting::Settings;
use crate::values::tag::Tag;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The state of a device in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    pub(super) name: Text,
    pub(super) serial: Option<Text>,
    pub(super) asset: Option<Text>,
    pub(super) site: Option<Name>,
    pub(super) rack: Option<Name>,
    pub(super) position: Option<u16>,
    #[serde(default)]
    pub(super) kind: DeviceKind,
    #[serde(default = "footprint::usual_height")]
    pub(super) height: u16,
    #[serde(default)]
    pub(super) face: Face,
    pub(super) macs: BTreeSet<MacAddress>,
    pub(super) management: Option<Management>,
    pub(super) parent: Option<DeviceId>,
    pub(super) venture: Option<Name>,
    pub(super) role: Option<Name>,
    pub(super) verified: bool,
    pub(super) addresses: BTreeSet<Ipv4Addr>,
    pub(super) dns: BTreeSet<DnsEntry>,
    pub(super) dhcp: BTreeSet<DhcpEntry>,
    /// Host names whose DNS entries a clean removed but which are kept for the new role. The device holds them, with or without
    /// an entry.
    pub(super) kept: BTreeSet<Hostname>,
    pub(super) software: BTreeSet<Text>,
    pub(super) disk_shares: BTreeSet<Text>,
    pub(super) operating_system: Option<Text>,
    pub(super) uptime_seconds: Option<u64>,
    pub(super) sub_devices: BTreeSet<DeviceId>,
    /// The deployment that last finished cleaning the device.
    pub(super) cleaned_for: Option<DeploymentId>,
    /// What operators noted about the device. A deployment does not change it.
    #[serde(default)]
    pub(super) notes: Notes,
    #[serde(default)]
    pub(super) tags: BTreeSet<Tag>,
    /// Why no deployment of the device may start.
    #[serde(default)]
    pub(super) lock: Option<Lock>,
    /// The device's own values for settings of boot images.
    #[serde(default)]
    pub(super) settings: Settings,
    /// The management controller endpoints that the device holds: no other device can have them.
    #[serde(default)]
    pub(super) endpoints: BTreeSet<Endpoint>,
    /// The order to the management controller that was not reported yet.
    #[serde(default)]
    pub(super) ordered: Option<PowerOrder>,
    /// The last restart that a deployment ordered.
    #[serde(default)]
    pub(super) restart: Option<LastRestart>,
}

impl Registered {
    /// The units of the rack that the device takes.
    pub(super) fn footprint(&self) -> Option<Footprint> {
        Footprint::of(self.kind, self.parent.is_some(), self.position, self.height, self.face)
    }

    /// What the device is called in messages.
    pub(super) fn words(&self) -> String {
        let serial = self.serial.as_ref().map(|serial| format!("the device with serial number {serial}"));
        if self.name.is_empty() { serial.unwrap_or_else(|| "the device".to_owned()) } else { self.name.to_string() }
    }

    /// Whether this is the address of the management controller. Deployments do not change its entries.
    pub(super) fn manages(&self, ip: Ipv4Addr) -> bool {
        self.management.as_ref().is_some_and(|management| management.address.ipv4() == Some(ip))
    }

    /// The addresses that the device holds: its own and those of its DHCP entries.
    pub(super) fn held_addresses(&self) -> BTreeSet<Ipv4Addr> {
        self.addresses.iter().copied().chain(self.dhcp.iter().map(|entry| entry.ip)).collect()
    }

    /// The host names that the device holds: those of its DNS entries, and those kept without an entry.
    pub(super) fn held_names(&self) -> BTreeSet<Hostname> {
        self.dns.iter().map(|entry| entry.hostname.clone()).chain(self.kept.iter().cloned()).collect()
    }
}
