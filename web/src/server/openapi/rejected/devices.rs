//! Changes of devices, and power orders.

use super::catalogue::SETTINGS;
use super::groups::Groups;
use bootledger_aggregates::rules::Rule;

/// The description of a device, in a registration or a change.
const DESCRIPTION: &[Rule] = &[
    Rule::AssetClaimed,
    Rule::DeviceUnidentified,
    Rule::HeightRange,
    Rule::MacClaimed,
    Rule::MacsTooMany,
    Rule::PositionRange,
    Rule::RackUnitTaken,
    Rule::RackUnknown,
    Rule::RoleUnknown,
    Rule::SerialClaimed,
    Rule::SerialFiller,
    Rule::SiteUnknown,
    Rule::TagsTooMany,
    Rule::VentureMissing,
    Rule::VentureUnknown,
];

/// The management controller of a device.
const MANAGEMENT: &[Rule] = &[
    Rule::AddressNotAllowed,
    Rule::ControllerShared,
    Rule::ManagementAddressTaken,
    Rule::PortRange,
    Rule::SecretMissing,
    Rule::TlsOffNotAllowed,
    Rule::TlsPinNotAllowed,
];

/// The device that contains a device.
const PARENT: &[Rule] = &[Rule::ParentDecommissioned, Rule::ParentOfOtherRack, Rule::ParentOfOtherSite, Rule::ParentUnknown];

/// A change of a device that exists: its state, its live deployment, and what would lose its place with the change.
const CHANGED: &[Rule] = &[
    Rule::AddressHeld,
    Rule::AlreadyDeploying,
    Rule::DeviceCircle,
    Rule::DeviceDecommissioned,
    Rule::DeviceLocked,
    Rule::DeviceOwnParent,
    Rule::DeviceVerified,
    Rule::InUse,
    Rule::MacDeploying,
    Rule::MacHasDhcpEntry,
    Rule::ManagementDeploying,
    Rule::RackOfOtherSite,
    Rule::SubDeviceDeploying,
];

/// The addresses and entries that an inventory found.
const FACTS: &[Rule] = &[
    Rule::AddressHeld,
    Rule::AddressOfInfrastructure,
    Rule::AlreadyDeploying,
    Rule::DeviceDecommissioned,
    Rule::HostnameClaimed,
    Rule::IpClaimed,
    Rule::MacNotOfDevice,
    Rule::NetworkOfEntry,
    Rule::RecordConflicts,
    Rule::ReservationHeld,
];

/// The sub-devices that an inventory found.
const SUB_DEVICES: &[Rule] = &[
    Rule::DeviceCircle,
    Rule::DeviceHasParent,
    Rule::DeviceOwnParent,
    Rule::DeviceUnknown,
    Rule::ParentOfOtherRack,
    Rule::ParentOfOtherSite,
    Rule::SubDeviceDeploying,
];

/// Requests to the management controller.
const CONTROLLER: &[Rule] = &[Rule::DeviceDecommissioned, Rule::ManagementMissing, Rule::SecretMissing];

const ORDER: &[Rule] = &[
    Rule::AlreadyDeploying,
    Rule::CredentialsMissing,
    Rule::DeploymentNotInProgress,
    Rule::DeviceLocked,
    Rule::NetworkBootWithoutStart,
    Rule::PowerBusy,
];

pub(super) fn rules(method: &str, path: &str) -> Option<Groups> {
    let groups: Groups = match (method, path.strip_prefix("/api/v1/devices")?) {
        ("post", "") => &[DESCRIPTION, MANAGEMENT, SETTINGS, PARENT],
        ("patch", "/{id}") => &[DESCRIPTION, MANAGEMENT, SETTINGS, PARENT, CHANGED],
        ("post", "/{id}/verify") => &[&[Rule::DeviceDecommissioned, Rule::RoleMissing, Rule::VentureMissing]],
        ("post", "/{id}/unverify") => &[&[Rule::AlreadyDeploying, Rule::DeviceDecommissioned]],
        ("post", "/{id}/lock") => &[&[Rule::DeviceDecommissioned, Rule::DeviceLocked, Rule::ReasonMissing]],
        ("post", "/{id}/unlock") => &[&[Rule::DeviceDecommissioned]],
        ("post", "/{id}/decommission") => &[&[Rule::AlreadyDeploying, Rule::DeviceLocked]],
        ("put", "/{id}/facts") => &[FACTS, SUB_DEVICES],
        ("get", "/{id}/power") => &[CONTROLLER],
        ("post", "/{id}/power") => &[CONTROLLER, ORDER],
        _ => return None,
    };
    Some(groups)
}
