//! What happened to a device. The JSON of these is stored for ever.

use super::controller::Host;
use super::facts::FactsRecorded;
use super::management::Access;
use super::power::{PowerAction, PowerOrder, PowerState, Restart};
use super::register::{DeviceChanged, DeviceSpec};
use crate::claims::{Claim, ClaimChange, Holder};
use crate::rules::domain_event;
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId, OrderId};
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::schema::Ipv4Address;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// What kind of device it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A server of its own.
    #[default]
    Physical,
    /// A server in a chassis.
    Blade,
    /// A virtual server.
    Virtual,
}

/// How a device is managed out of band.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Management {
    /// The address or host name of its management controller. No deployment cleans it. Several devices can share it where
    /// each names its own system.
    pub address: Host,
    /// How to talk to it.
    #[serde(default)]
    pub protocol: ManagementProtocol,
    /// The name of the secret that holds the credentials, never the credentials.
    pub credentials: Option<Name>,
    /// What else has to be known to reach it.
    #[serde(flatten)]
    pub access: Access,
}

/// A management controller's protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ManagementProtocol {
    /// IPMI over LAN.
    #[default]
    Ipmi,
    /// Redfish.
    Redfish,
}

impl ManagementProtocol {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Redfish => "redfish",
        }
    }
}

/// A name and its address: an A record and its PTR record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct DnsEntry {
    /// The A record's name, and the PTR record's value.
    pub hostname: Hostname,
    /// The A record's value, and the PTR record's name.
    #[schema(value_type = Ipv4Address)]
    pub ip: Ipv4Addr,
}

/// A fixed address for an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct DhcpEntry {
    /// The address that is leased.
    #[schema(value_type = Ipv4Address)]
    pub ip: Ipv4Addr,
    /// The interface that gets it.
    pub mac: MacAddress,
    /// The name that it is told.
    pub hostname: Option<Hostname>,
    /// The network of the address.
    pub network: Name,
}

/// Why DHCP entries went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemovedBecause {
    /// They were for the device's old addresses.
    Address,
    /// They were for the device's interfaces.
    Mac,
    /// A newer entry has their address or interface.
    Replaced,
    /// Their deployment was cancelled.
    Cancelled,
    /// The device went out of use.
    Decommissioned,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DeviceEvent {
    /// The device is known.
    DeviceRegistered(Box<DeviceSpec>),
    /// Its description changed.
    DeviceChanged(Box<DeviceChanged>),
    /// Venture and role were set by hand, while it was not verified.
    VentureRoleSet {
        /// Who owns it.
        venture: Option<Name>,
        /// What it does.
        role: Option<Name>,
    },
    /// Facts about it were found.
    FactsRecorded(Box<FactsRecorded>),
    /// Somebody checked it: it may be deployed.
    DeviceVerified {},
    /// It may no longer be deployed.
    DeviceUnverified {},
    /// DHCP entries are gone.
    DhcpEntriesRemoved {
        /// Which.
        entries: Vec<DhcpEntry>,
        /// Why.
        because: RemovedBecause,
        /// The deployment that removed them.
        deployment: Option<DeploymentId>,
    },
    /// A and PTR records are gone.
    DnsEntriesRemoved {
        /// Which.
        entries: Vec<DnsEntry>,
        /// The names that the device gives back here, whether they had an entry or not. A cancelled
        /// deployment gave its name back before.
        released: Vec<Hostname>,
        /// The deployment that removed them.
        deployment: Option<DeploymentId>,
    },
    /// The device has these addresses no longer.
    AddressesReleased {
        /// Which.
        addresses: Vec<Ipv4Addr>,
        /// The addresses that the device gives back here: of these and of its DHCP entries. A cancelled
        /// deployment gave its address back before.
        released: Vec<Ipv4Addr>,
        /// The deployment that released them.
        deployment: Option<DeploymentId>,
    },
    /// What was installed is forgotten.
    SoftwareRemoved {
        /// Which.
        software: Vec<Text>,
        /// For which deployment.
        deployment: DeploymentId,
    },
    /// Its disk shares are forgotten.
    DiskSharesRemoved {
        /// Which.
        disk_shares: Vec<Text>,
        /// For which deployment.
        deployment: DeploymentId,
    },
    /// Its operating system is forgotten.
    OperatingSystemRemoved {
        /// Which.
        operating_system: Text,
        /// For which deployment.
        deployment: DeploymentId,
    },
    /// Its sub-devices stand alone.
    SubDevicesDetached {
        /// Which.
        devices: Vec<DeviceId>,
        /// For which deployment.
        deployment: DeploymentId,
    },
    /// It is a part of another device now.
    DeviceAttached {
        /// Of which.
        parent: DeviceId,
    },
    /// It is a part of that device no longer.
    DeviceDetached {
        /// Of which.
        parent: DeviceId,
        /// The deployment of that device that detached it; none where an inventory did not find it there.
        #[serde(default)]
        deployment: Option<DeploymentId>,
    },
    /// Its uptime is forgotten.
    UptimeReset {
        /// For which deployment.
        deployment: DeploymentId,
    },
    /// A remark, such as where those of the old role end.
    RemarkAdded {
        /// The remark.
        remark: Text,
        /// For which deployment.
        deployment: Option<DeploymentId>,
    },
    /// The device has its new address; the last of the clean plugin's tasks.
    AddressAssigned {
        /// For which deployment.
        deployment: DeploymentId,
        /// Which address.
        ip: Ipv4Addr,
    },
    /// The device has its new venture and role.
    RoleAssigned {
        /// By which deployment.
        deployment: DeploymentId,
        /// Who owns it.
        venture: Name,
        /// What it does.
        role: Name,
    },
    /// An A and a PTR record are wanted.
    DnsEntryCreated {
        /// By which deployment.
        deployment: DeploymentId,
        /// Which.
        entry: DnsEntry,
    },
    /// A fixed address is wanted.
    DhcpEntryCreated {
        /// By which deployment.
        deployment: DeploymentId,
        /// Which.
        entry: DhcpEntry,
    },
    /// Its management controller is about to be told something.
    PowerRequested(PowerOrder),
    /// Its management controller carried an order out.
    PowerConfirmed {
        /// Which order.
        order: OrderId,
        /// What was asked for.
        action: PowerAction,
        /// Whether it was to boot from the network, once.
        network_boot: bool,
        /// The deployment that it was for.
        restart: Option<Restart>,
        /// The power afterwards.
        state: PowerState,
    },
    /// An order to its management controller came to nothing.
    PowerFailed {
        /// Which order.
        order: OrderId,
        /// What was asked for.
        action: PowerAction,
        /// Whether it was to boot from the network, once.
        network_boot: bool,
        /// The deployment that it was for.
        restart: Option<Restart>,
        /// Why, in words.
        reason: Text,
        /// Whether it may have been carried out all the same.
        uncertain: bool,
    },
    /// The device is out of use and holds nothing.
    DeviceDecommissioned {
        /// Why.
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

impl DeviceEvent {
    /// The claims that the event of this device releases and takes.
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
