//! What can be asked of a device.

use super::clean::Keeps;
use super::event::{DhcpEntry, DnsEntry};
use super::facts::Facts;
use super::power::{PowerFacts, PowerOrder, PowerOutcome};
use super::register::{DeviceChange, DeviceSpec, RegisterFacts};
use crate::claims::{Claim, Holder};
use crate::values::hostname::Hostname;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::name::Name;
use crate::values::text::Text;
use std::net::Ipv4Addr;

/// What can be asked. `live` is always the device's one live deployment, looked up.
#[derive(Clone, Debug)]
pub enum DeviceCommand {
    /// Makes the device known.
    RegisterDevice {
        /// What it is.
        spec: Box<DeviceSpec>,
        /// What was looked up.
        facts: RegisterFacts,
    },
    /// Changes its description.
    ChangeDevice {
        /// What changes.
        change: Box<DeviceChange>,
        /// What was looked up.
        facts: RegisterFacts,
    },
    /// Records what was found on it.
    RecordFacts {
        /// What was found; what is left out stays.
        facts: Box<Facts>,
        /// Who else holds the addresses and names, where anybody does.
        held: Vec<(Claim, Holder)>,
        /// The live deployment.
        live: Option<DeploymentId>,
    },
    /// Says that it was checked.
    VerifyDevice,
    /// Takes that back.
    UnverifyDevice {
        /// The live deployment.
        live: Option<DeploymentId>,
    },
    /// Takes it out of use.
    DecommissionDevice {
        /// Why.
        reason: Text,
        /// The live deployment.
        live: Option<DeploymentId>,
    },
    /// The clean plugin's eleven tasks.
    CleanDevice {
        /// For which deployment.
        deployment: DeploymentId,
        /// The live deployment.
        live: Option<DeploymentId>,
        /// What the new role keeps.
        keeps: Keeps,
        /// The remark's date, such as `2026-01-31`.
        remark_until: Text,
        /// The devices that say that they are parts of it, looked up.
        parts: Vec<DeviceId>,
    },
    /// Makes it a part of another device.
    AttachDevice {
        /// Of which; it exists and is in use.
        parent: DeviceId,
    },
    /// Makes it stand alone.
    DetachDevice {
        /// The device that it was a part of.
        parent: DeviceId,
        /// The deployment of that device.
        deployment: Option<DeploymentId>,
    },
    /// The role plugin's task.
    AssignRole {
        /// For which deployment.
        deployment: DeploymentId,
        /// The live deployment.
        live: Option<DeploymentId>,
        /// Who owns it.
        venture: Name,
        /// What it does.
        role: Name,
    },
    /// The dns plugin's task.
    CreateDnsEntry {
        /// For which deployment.
        deployment: DeploymentId,
        /// The live deployment.
        live: Option<DeploymentId>,
        /// Which.
        entry: DnsEntry,
    },
    /// Something is to be done with its power.
    RequestPower {
        /// What.
        order: Box<PowerOrder>,
        /// What was looked up.
        facts: PowerFacts,
    },
    /// An order was carried out, or was not.
    ReportPower {
        /// Which.
        order: Box<PowerOrder>,
        /// What became of it.
        outcome: PowerOutcome,
    },
    /// The dhcp plugin's first task.
    CreateDhcpEntry {
        /// For which deployment.
        deployment: DeploymentId,
        /// The live deployment.
        live: Option<DeploymentId>,
        /// Which.
        entry: DhcpEntry,
    },
    /// Takes back what a cancelled deployment made. Its events are appended together with
    /// `DeploymentCancelled`, which gives the claims back: in between, others could take the address
    /// while this device still has its entries.
    WithdrawDeployment {
        /// Which.
        deployment: DeploymentId,
        /// Its address.
        ip: Ipv4Addr,
        /// Its name.
        hostname: Hostname,
        /// The claims that it had taken and its cancelling gave back.
        released: Vec<Claim>,
    },
}
