//! The events of a device. Their JSON is stored permanently.

pub use super::entry::{DhcpEntry, DnsEntry};
pub use super::kind::DeviceKind;
pub use crate::controller::management::{Management, ManagementProtocol};

use super::description::{DeviceChanged, DeviceSpec};
use super::facts::FactsRecorded;
use super::lock::Lock;
use super::power::{PowerAction, PowerOrder, PowerState, Restart};
use super::power_failure::PowerFailure;
use super::remark::Remark;
use crate::claims::{Claim, ClaimChange, Holder};
use crate::rules::domain_event;
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId, OrderId};
use crate::values::name::Name;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// Why DHCP entries were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemovedBecause {
    /// They were for the device's old addresses.
    Address,
    /// They were for the device's interfaces.
    Mac,
    /// A newer entry has their address or MAC address.
    Replaced,
    /// Their deployment was cancelled.
    Cancelled,
    /// The device was decommissioned.
    Decommissioned,
}

/// An event of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DeviceEvent {
    /// The device was registered.
    DeviceRegistered(Box<DeviceSpec>),
    /// The device's description changed.
    DeviceChanged(Box<DeviceChanged>),
    /// An operator set venture and role manually, while the device was not verified.
    VentureRoleSet {
        /// The venture that owns the device.
        venture: Option<Name>,
        /// The device's role in the venture.
        role: Option<Name>,
    },
    /// An inventory found facts about the device.
    FactsRecorded(Box<FactsRecorded>),
    /// An operator verified the device: it may be deployed.
    DeviceVerified {},
    /// The device is no longer verified and may not be deployed.
    DeviceUnverified {},
    /// The device was locked: it must not be installed again.
    DeviceLocked(Lock),
    /// An administrator unlocked the device.
    DeviceUnlocked {},
    /// DHCP entries were removed.
    DhcpEntriesRemoved {
        /// The removed entries.
        entries: Vec<DhcpEntry>,
        /// Why the entries were removed.
        because: RemovedBecause,
        /// The deployment that removed the entries, if one did.
        deployment: Option<DeploymentId>,
    },
    /// DNS entries, each an A and a PTR record, were removed.
    DnsEntriesRemoved {
        /// The removed entries.
        entries: Vec<DnsEntry>,
        /// The host names that the device releases with this event, with or without an entry. A cancelled deployment released
        /// its name before.
        released: Vec<Hostname>,
        /// The deployment that removed the entries, if one did.
        deployment: Option<DeploymentId>,
    },
    /// Addresses were removed from the device.
    AddressesReleased {
        /// The removed addresses.
        addresses: Vec<Ipv4Addr>,
        /// The addresses that the device releases with this event, from these and from its DHCP entries. A cancelled deployment
        /// released its address before.
        released: Vec<Ipv4Addr>,
        /// The deployment that removed the addresses, if one did.
        deployment: Option<DeploymentId>,
    },
    /// The list of installed software was cleared.
    SoftwareRemoved {
        /// The software that was listed before.
        software: Vec<Text>,
        /// The deployment that cleared the list.
        deployment: DeploymentId,
    },
    /// The list of disk shares was cleared.
    DiskSharesRemoved {
        /// The disk shares that were listed before.
        disk_shares: Vec<Text>,
        /// The deployment that cleared the list.
        deployment: DeploymentId,
    },
    /// The recorded operating system was cleared.
    OperatingSystemRemoved {
        /// The operating system that was recorded before.
        operating_system: Text,
        /// The deployment that cleared it.
        deployment: DeploymentId,
    },
    /// The device's sub-devices were detached.
    SubDevicesDetached {
        /// The detached sub-devices.
        devices: Vec<DeviceId>,
        /// The deployment that detached them.
        deployment: DeploymentId,
    },
    /// The device became a sub-device of another one.
    DeviceAttached {
        /// The new parent.
        parent: DeviceId,
    },
    /// The device is no longer a sub-device of its parent.
    DeviceDetached {
        /// The former parent.
        parent: DeviceId,
        /// The parent's deployment that detached the device; none if an inventory of the parent no longer found it.
        #[serde(default)]
        deployment: Option<DeploymentId>,
    },
    /// The recorded uptime was cleared.
    UptimeReset {
        /// The deployment that cleared it.
        deployment: DeploymentId,
    },
    /// A remark was added, for example one that separates the remarks of the old role from those of the new one.
    RemarkAdded {
        /// The remark.
        remark: Remark,
        /// The deployment that added the remark, if one did.
        deployment: Option<DeploymentId>,
    },
    /// The device got its new address; the last of the clean plugin's tasks.
    AddressAssigned {
        /// The deployment that assigned the address.
        deployment: DeploymentId,
        /// The new address.
        ip: Ipv4Addr,
    },
    /// The device got its new venture and role.
    RoleAssigned {
        /// The deployment that assigned them.
        deployment: DeploymentId,
        /// The venture that owns the device.
        venture: Name,
        /// The device's role in the venture.
        role: Name,
    },
    /// A DNS entry was created: DNS must have its A and PTR records.
    DnsEntryCreated {
        /// The deployment that created the entry.
        deployment: DeploymentId,
        /// The new entry.
        entry: DnsEntry,
    },
    /// A DHCP entry was created: DHCP servers must lease the address to the interface.
    DhcpEntryCreated {
        /// The deployment that created the entry.
        deployment: DeploymentId,
        /// The new entry.
        entry: DhcpEntry,
    },
    /// A power order was given. It is recorded before it is sent to the management controller.
    PowerRequested(PowerOrder),
    /// The management controller carried out a power order.
    PowerConfirmed {
        /// The id of the order.
        order: OrderId,
        /// The requested action.
        action: PowerAction,
        /// Whether the order included a network boot, for the next boot only.
        network_boot: bool,
        /// The deployment that ordered the restart; none for an operator's order.
        restart: Option<Restart>,
        /// The power state after the order.
        state: PowerState,
    },
    /// A power order failed.
    PowerFailed {
        /// The id of the order.
        order: OrderId,
        /// The requested action.
        action: PowerAction,
        /// Whether the order included a network boot, for the next boot only.
        network_boot: bool,
        /// The deployment that ordered the restart; none for an operator's order.
        restart: Option<Restart>,
        /// Why the order failed.
        reason: PowerFailure,
        /// Whether the controller may have carried out the order despite the failure.
        uncertain: bool,
    },
    /// The device was decommissioned and holds no claims.
    DeviceDecommissioned {
        /// The reason for decommissioning.
        reason: Text,
    },
}

domain_event!(DeviceEvent {
    DeviceRegistered,
    DeviceChanged,
    VentureRoleSet,
    FactsRecorded,
    DeviceVerified,
    DeviceUnverified,
    DeviceLocked,
    DeviceUnlocked,
    DhcpEntriesRemoved,
    DnsEntriesRemoved,
    AddressesReleased,
    SoftwareRemoved,
    DiskSharesRemoved,
    OperatingSystemRemoved,
    SubDevicesDetached,
    DeviceAttached,
    DeviceDetached,
    UptimeReset,
    RemarkAdded,
    AddressAssigned,
    RoleAssigned,
    DnsEntryCreated,
    DhcpEntryCreated,
    PowerRequested,
    PowerConfirmed,
    PowerFailed,
    DeviceDecommissioned,
});

/// The event that removes these DHCP entries, if there are any.
pub(super) fn removal(entries: Vec<DhcpEntry>, because: RemovedBecause, deployment: Option<DeploymentId>) -> Option<DeviceEvent> {
    (!entries.is_empty()).then_some(DeviceEvent::DhcpEntriesRemoved { entries, because, deployment })
}

impl DeviceEvent {
    /// The claims that the event releases and takes for the device `id`.
    pub fn claims(&self, id: DeviceId) -> Vec<ClaimChange> {
        let device = Holder::Device(id);
        let take = |claim| ClaimChange::Take(claim, device);
        let release = |claim| ClaimChange::Release(claim, device);
        match self {
            Self::DeviceRegistered(spec) => {
                let macs = spec.macs.iter().copied().map(Claim::Mac);
                let numbers = spec.serial.iter().cloned().map(Claim::Serial).chain(spec.asset.iter().cloned().map(Claim::Asset));
                let endpoints = spec.endpoints.iter().cloned().map(Claim::Controller);
                macs.chain(numbers).chain(endpoints).map(take).collect()
            }
            Self::DeviceChanged(change) => {
                let (released, taken) = change.claims();
                released.into_iter().map(release).chain(taken.into_iter().map(take)).collect()
            }
            Self::FactsRecorded(recorded) => {
                let (released, taken) = recorded.claims();
                released.into_iter().map(release).chain(taken.into_iter().map(take)).collect()
            }
            Self::DnsEntriesRemoved { released, .. } => released.iter().cloned().map(Claim::Hostname).map(release).collect(),
            Self::AddressesReleased { released, .. } => released.iter().copied().map(Claim::Ip).map(release).collect(),
            Self::AddressAssigned { ip, .. } => vec![take(Claim::Ip(*ip))],
            Self::DnsEntryCreated { entry, .. } => vec![take(Claim::Hostname(entry.hostname.clone()))],
            Self::DhcpEntryCreated { entry, .. } => vec![take(Claim::Ip(entry.ip))],
            Self::DeviceDecommissioned { .. } => vec![ClaimChange::ReleaseAll(device)],
            _ => vec![],
        }
    }
}
