//! Sentences about the publication of records at DNS primaries.

#[cfg(test)]
mod tests;

use super::drift;
use bootledger_aggregates::problem::PublishProblem;
use bootledger_aggregates::values::text::Text;

/// Why a record set is not published at its primary, without a full stop.
pub fn problem(problem: &PublishProblem) -> String {
    match problem {
        PublishProblem::Alias { name, target, zone } => format!(
            "{name} is an alias (CNAME) of {target} at the primary of {zone}, which Bootledger did not create; remove it there, \
             or choose another name"
        ),
        PublishProblem::Foreign { name, r#type, values, zone } => format!(
            "the primary of {zone} has {name} {type} {}, which Bootledger did not create; remove it there, or choose another \
             name or address",
            listed(values)
        ),
        PublishProblem::OtherRecords { primary, key, name, r#type, found, expected, accepted } => {
            let update = if *accepted { "accepts the update anyway" } else { "refuses an update that is based on this response" };
            format!(
                "{primary} answers {} for {name} {type}, where {} is expected, and {update}. It serves other records than it \
                 updates. Check that the key {key} selects the same view for both (match-clients), that {primary} is the zone's \
                 primary and not a secondary that passes updates on, and whether another program updates the same records",
                listed(found),
                listed(expected)
            )
        }
        PublishProblem::Unstable { primary, name, r#type } => {
            format!("the primary {primary} has not returned stable records for {name} {type} yet")
        }
        PublishProblem::Primary { problem } => drift::problem(problem),
        PublishProblem::Text { text } => text.to_string(),
    }
}

fn listed(values: &[Text]) -> String {
    if values.is_empty() {
        return "no record".to_owned();
    }
    values.iter().map(Text::to_string).collect::<Vec<_>>().join(", ")
}
