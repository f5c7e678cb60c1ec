//! The words for bulk actions.

use crate::english::counted;
use bootledger_aggregates::bulk::BulkAction;
use bootledger_aggregates::device::power::PowerAction;

/// What a bulk action of so many rows does, such as `deploy 20 devices`.
pub(crate) fn action(action: &BulkAction, rows: usize) -> String {
    let devices = counted(rows, "device", "devices");
    match action {
        BulkAction::Verify {} => format!("verify {devices}"),
        BulkAction::Unverify {} => format!("revoke the verification of {devices}"),
        BulkAction::Deploy { .. } => format!("deploy {devices}"),
        BulkAction::Edit { .. } => format!("edit {devices}"),
        BulkAction::Power { power: PowerAction::On, .. } => format!("switch on {devices}"),
        BulkAction::Power { power: PowerAction::Off, .. } => format!("switch off {devices}"),
        BulkAction::Power { power: PowerAction::Cycle, .. } => format!("power-cycle {devices}"),
        BulkAction::Cancel { .. } => format!("cancel {}", counted(rows, "deployment", "deployments")),
        BulkAction::Retry {} => format!("retry {}", counted(rows, "deployment", "deployments")),
    }
}

/// The values that a bulk action gives its rows: labels and values.
pub(crate) fn values(action: &BulkAction) -> Vec<(&'static str, String)> {
    let named = |values: [(&'static str, &Option<bootledger_aggregates::values::name::Name>); 4]| {
        values.into_iter().filter_map(|(label, value)| Some((label, value.as_ref()?.to_string()))).collect()
    };
    match action {
        BulkAction::Deploy { network, venture, role, boot_image } => {
            named([("Network", network), ("Venture", venture), ("Role", role), ("Boot image", boot_image)])
        }
        BulkAction::Edit { rack, venture, role, credentials } => {
            named([("Rack", rack), ("Venture", venture), ("Role", role), ("Credentials", credentials)])
        }
        BulkAction::Power { network_boot: true, .. } => vec![("Next boot", "from the network".to_owned())],
        BulkAction::Cancel { reason } => vec![("Reason", reason.to_string())],
        _ => vec![],
    }
}
