//! Sentences about bulk actions.

use super::{Actor, list};
use crate::wording::bulk::action;
use bootledger_aggregates::bulk::{BulkEvent, BulkOutcome};

pub(super) fn bulk(event: &BulkEvent, who: &Actor<'_>) -> String {
    match event {
        BulkEvent::BulkStarted { action: wanted, rows, .. } => {
            let names = list(rows.iter().map(|row| &row.name));
            format!("{who} started a bulk action ({}): {names}", action(wanted, rows.len()))
        }
        BulkEvent::BulkRowsFinished { results } => {
            let refused = results.iter().filter(|result| matches!(result.outcome, BulkOutcome::Refused { .. })).count();
            match (results.len() - refused, refused) {
                (done, 0) => format!("A bulk action finished {done} of its rows"),
                (0, refused) => format!("{refused} rows of a bulk action were refused"),
                (done, refused) => format!("A bulk action finished {done} of its rows, and {refused} were refused"),
            }
        }
        BulkEvent::BulkRetried { attempt, .. } => format!("{who} retried the refused rows of a bulk action (attempt {attempt})"),
        BulkEvent::BulkStopped { reason: None } => format!("{who} stopped a bulk action"),
        BulkEvent::BulkStopped { reason: Some(reason) } => format!("{who} stopped a bulk action: {reason}"),
    }
}
