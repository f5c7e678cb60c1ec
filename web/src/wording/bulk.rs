//! The words for bulk actions.

use crate::english::counted;
use bootledger_aggregates::bulk::BulkAction;
use bootledger_aggregates::device::power::PowerAction;
use bootledger_aggregates::values::tag::Tag;

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
        BulkAction::Edit { rack, venture, role, credentials, add_tags, remove_tags } => {
            let mut values: Vec<(&'static str, String)> =
                named([("Rack", rack), ("Venture", venture), ("Role", role), ("Credentials", credentials)]);
            let tags = [("Added tags", add_tags), ("Removed tags", remove_tags)];
            let joined = |tags: &[Tag]| tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(" ");
            values.extend(tags.into_iter().filter(|(_, tags)| !tags.is_empty()).map(|(label, tags)| (label, joined(tags))));
            values
        }
        BulkAction::Power { network_boot: true, .. } => vec![("Next boot", "from the network".to_owned())],
        BulkAction::Cancel { reason } => vec![("Reason", reason.to_string())],
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_names_the_tags_that_it_adds_and_removes() {
        let tags = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a tag")).collect::<Vec<Tag>>();
        let edit = |add_tags, remove_tags| BulkAction::Edit {
            rack: None,
            venture: None,
            role: None,
            credentials: None,
            add_tags,
            remove_tags,
        };
        let both = values(&edit(tags(&["spare", "row:4"]), tags(&["gpu"])));
        assert_eq!(both, [("Added tags", "spare row:4".to_owned()), ("Removed tags", "gpu".to_owned())]);
        assert_eq!(values(&edit(tags(&["spare"]), vec![])), [("Added tags", "spare".to_owned())]);
    }
}
