//! Sentences about a log that was altered.

use bootledger_projections::progress::verification::Alteration;

/// What was altered, and what to do.
pub(crate) fn alteration(alteration: Alteration) -> String {
    let what = match alteration {
        Alteration::Altered { position } => {
            format!(
                "The event at position {position} was altered: its hash does not follow from its bytes and the event before it."
            )
        }
        Alteration::Gap { after, found } => {
            format!("Position {after} is followed by position {found}: events are missing or were inserted.")
        }
        Alteration::Cut { ends, head } => {
            format!("The log ends at position {ends}, but its head says {head}: events were cut off, or the head was altered.")
        }
    };
    format!("{what} Compare the log with an export or a backup from before, and find out who can write to the database.")
}
