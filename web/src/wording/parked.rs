//! Sentences about events that could not be applied to the views.

use bootledger_projections::rows::parked::ParkedReason;

/// Why an event could not be applied, without a full stop.
pub(crate) fn reason(reason: &ParkedReason) -> String {
    match reason {
        ParkedReason::Follows { position } => format!("Event {position} of the same object could not be applied"),
        ParkedReason::Unreadable { detail } => format!("The event cannot be read: {detail}"),
        ParkedReason::Exists {} => "The event creates an object that exists already".to_owned(),
        ParkedReason::Unknown {} => "The event concerns an object that does not exist".to_owned(),
        ParkedReason::PluginUnknown { plugin } => format!("The deployment's plan does not contain plugin {plugin}"),
        ParkedReason::Claimed { kind, value, taker, holder } => {
            format!("The event assigns {kind} {value} to {taker}, but {holder} has it")
        }
        ParkedReason::Damaged { detail } => format!("The object's stored row cannot be read: {detail}"),
        ParkedReason::Unwritable { detail } => format!("The object's row cannot be stored: {detail}"),
        ParkedReason::Text { text } => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_reason_is_in_its_sentence() {
        let claimed = ParkedReason::Claimed {
            kind: "ip".to_owned(),
            value: "10.0.0.11".to_owned(),
            taker: "device 1".to_owned(),
            holder: "device 2".to_owned(),
        };
        let sentence = reason(&claimed);
        for part in ["ip", "10.0.0.11", "device 1", "device 2"] {
            assert!(sentence.contains(part), "{part}: {sentence}");
        }
        assert!(reason(&ParkedReason::Follows { position: 77 }).contains("77"));
    }
}
