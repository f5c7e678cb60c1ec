//! Deployments, one or many, and what changes them.

use super::groups::Groups;
use bootledger_aggregates::rules::Rule;

/// The rules for starting a deployment whose values are all known: device, address, host name, owner, boot image and settings.
const START: &[Rule] = &[
    Rule::AlreadyDeploying,
    Rule::BootChainUnknown,
    Rule::BootImageIncomplete,
    Rule::BootImageNotSigned,
    Rule::BootImageRetired,
    Rule::BootImageUnknown,
    Rule::ChassisDeploying,
    Rule::DeviceDecommissioned,
    Rule::DeviceLocked,
    Rule::DeviceNotVerified,
    Rule::HostnameClaimed,
    Rule::IpClaimed,
    Rule::IpInMargin,
    Rule::IpIsBroadcast,
    Rule::IpIsGateway,
    Rule::IpIsInfrastructure,
    Rule::IpIsManagement,
    Rule::IpIsNetwork,
    Rule::IpOutsideNetworks,
    Rule::MacClaimed,
    Rule::MacNotOfDevice,
    Rule::NetworkOfOtherSite,
    Rule::NetworkWithoutDhcp,
    Rule::RecordConflicts,
    Rule::ReverseZoneNotManaged,
    Rule::RoleUnknown,
    Rule::SettingChangesScript,
    Rule::SettingMissing,
    Rule::SettingWrongType,
    Rule::SiteUnknown,
    Rule::SubDeviceDeploying,
    Rule::VentureUnknown,
    Rule::ZoneNotManaged,
];

/// The values that the request leaves empty and that cannot be filled in.
const FILLED_IN: &[Rule] = &[
    Rule::BootImageMissing,
    Rule::HostnameMissing,
    Rule::MacMissing,
    Rule::NetworkFull,
    Rule::NetworkUnknown,
    Rule::RoleMissing,
    Rule::VentureMissing,
];

/// The form of a CSV file.
const FILE: &[Rule] = &[
    Rule::ColumnCount,
    Rule::ColumnMissing,
    Rule::ColumnRepeated,
    Rule::ColumnUnknown,
    Rule::ColumnUnnamed,
    Rule::CsvEmpty,
    Rule::CsvErrors,
    Rule::CsvForeign,
    Rule::CsvTooLong,
    Rule::CsvUnreadable,
    Rule::NotUtf8,
    Rule::RowIncomplete,
];

/// The cells of a CSV file.
const CELLS: &[Rule] = &[
    Rule::BootImageInvalid,
    Rule::HostnameInvalid,
    Rule::HostnameRepeated,
    Rule::IpInvalid,
    Rule::IpRepeated,
    Rule::MacInvalid,
    Rule::MacRepeated,
    Rule::ManagementIpInvalid,
    Rule::ManagementIpRepeated,
    Rule::NetworkInvalid,
    Rule::NoteInvalid,
    Rule::RackInvalid,
    Rule::RoleInvalid,
    Rule::SerialInvalid,
    Rule::SerialRepeated,
    Rule::TicketInvalid,
    Rule::VentureInvalid,
];

/// The devices that the rows of a CSV file register and change.
const ROWS: &[Rule] = &[
    Rule::ChassisInFile,
    Rule::ControllerShared,
    Rule::ManagementAddressTaken,
    Rule::NetworkMissing,
    Rule::PositionRange,
    Rule::RackUnitTaken,
    Rule::RackUnknown,
    Rule::SerialClaimed,
    Rule::SerialFiller,
];

pub(super) fn rules(method: &str, path: &str) -> Option<Groups> {
    let groups: Groups = match (method, path.strip_prefix("/api/v1/")?) {
        ("get", "deployments") => &[&[Rule::PluginOfPast]],
        ("post", "deployments") => &[START, FILLED_IN, &[Rule::DeviceUnknown, Rule::HostnamesUsedUp, Rule::IpMissing]],
        ("post", "deployments/{id}/cancel") => &[&[Rule::DeploymentEnded]],
        ("post", "deployments/{id}/done") => &[&[Rule::DeploymentEnded, Rule::NotInProgress]],
        ("post", "deployments/{id}/plugins/{plugin}/retry") => {
            &[&[Rule::DeploymentEnded, Rule::DeviceLocked, Rule::PluginSucceeded, Rule::PluginTooEarly, Rule::ServerInstalled]]
        }
        ("post", "deployments/{id}/next-boot") => {
            &[&[Rule::DeploymentEnded, Rule::DeviceLocked, Rule::NotInProgress, Rule::ServerInstalled]]
        }
        ("put", "deployments/{id}/notes") => &[],
        ("post", "deployments/{id}/restart-reported") => {
            &[&[Rule::DeploymentEnded, Rule::NotInProgress, Rule::RestartNotAwaited, Rule::ServerInstalled]]
        }
        ("post", "imports") => &[START, FILLED_IN, FILE, CELLS, ROWS],
        _ => return None,
    };
    Some(groups)
}
