//! The commands of a device.

use super::clean::Keeps;
use super::description::{DeviceChange, DeviceSpec};
use super::entry::{DhcpEntry, DnsEntry};
use super::facts::Facts;
use super::lock::Lock;
use super::power::{PowerFacts, PowerOrder, PowerOutcome};
use super::register::RegisterFacts;
use crate::claims::{Claim, Holder};
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::name::Name;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use std::net::Ipv4Addr;

/// A command on a device. `live` is always the device's one live deployment, which the caller looked up.
#[derive(Clone, Debug)]
pub enum DeviceCommand {
    /// Registers the device.
    RegisterDevice {
        /// The description of the device.
        spec: Box<DeviceSpec>,
        /// The facts that were looked up for the rules.
        facts: RegisterFacts,
    },
    /// Changes the device's description.
    ChangeDevice {
        /// The changed fields.
        change: Box<DeviceChange>,
        /// The facts that were looked up for the rules.
        facts: RegisterFacts,
    },
    /// Records facts that an inventory found.
    RecordFacts {
        /// The facts; omitted ones do not change.
        facts: Box<Facts>,
        /// The other holders of the addresses and names, if any.
        held: Vec<(Claim, Holder)>,
        /// The device's live deployment.
        live: Option<DeploymentId>,
    },
    /// Marks the device verified: it may be deployed.
    VerifyDevice,
    /// Revokes the verification of the device: it may no longer be deployed.
    UnverifyDevice {
        /// The device's live deployment.
        live: Option<DeploymentId>,
    },
    /// Locks the device: no deployment of it starts until it is unlocked.
    LockDevice {
        /// The reason, who gives it, and the current time.
        lock: Lock,
    },
    /// Unlocks the device. The caller has checked that an administrator requests it.
    UnlockDevice,
    /// Decommissions the device.
    DecommissionDevice {
        /// The reason for decommissioning.
        reason: Text,
        /// The device's live deployment.
        live: Option<DeploymentId>,
    },
    /// Runs the clean plugin's eleven tasks.
    CleanDevice {
        /// The deployment that the device is cleaned for.
        deployment: DeploymentId,
        /// The device's live deployment.
        live: Option<DeploymentId>,
        /// The address and name that the new role uses, which the clean keeps.
        keeps: Keeps,
        /// The current time.
        at: Timestamp,
        /// The devices that name this device as their parent, as looked up.
        parts: Vec<DeviceId>,
    },
    /// Makes the device a sub-device of another one.
    AttachDevice {
        /// The new parent; it exists and is in use.
        parent: DeviceId,
    },
    /// Detaches the device from its parent.
    DetachDevice {
        /// The parent that the device is detached from.
        parent: DeviceId,
        /// The parent's deployment that detaches the device, if one does.
        deployment: Option<DeploymentId>,
    },
    /// Assigns venture and role; the task of the role plugin.
    AssignRole {
        /// The deployment that assigns them.
        deployment: DeploymentId,
        /// The device's live deployment.
        live: Option<DeploymentId>,
        /// The venture that owns the device.
        venture: Name,
        /// The device's role in the venture.
        role: Name,
    },
    /// Creates a DNS entry; the task of the dns plugin.
    CreateDnsEntry {
        /// The deployment that creates the entry.
        deployment: DeploymentId,
        /// The device's live deployment.
        live: Option<DeploymentId>,
        /// The entry to create.
        entry: DnsEntry,
    },
    /// Orders the device's management controller to switch the power.
    RequestPower {
        /// The order to the controller.
        order: Box<PowerOrder>,
        /// The facts that were looked up for the rules.
        facts: PowerFacts,
    },
    /// Records the result of a power order.
    ReportPower {
        /// The order that was reported.
        order: Box<PowerOrder>,
        /// The result of the order.
        outcome: PowerOutcome,
    },
    /// Creates a DHCP entry; the first task of the dhcp plugin.
    CreateDhcpEntry {
        /// The deployment that creates the entry.
        deployment: DeploymentId,
        /// The device's live deployment.
        live: Option<DeploymentId>,
        /// The entry to create.
        entry: DhcpEntry,
    },
    /// Removes what a cancelled deployment made. Its events are appended together with `DeploymentCancelled`, which releases
    /// the claims: otherwise, another device could take the address while this device still has its entries.
    WithdrawDeployment {
        /// The cancelled deployment.
        deployment: DeploymentId,
        /// The deployment's address.
        ip: Ipv4Addr,
        /// The deployment's host name.
        hostname: Hostname,
        /// The claims that the deployment took and that its cancellation released.
        released: Vec<Claim>,
    },
}
