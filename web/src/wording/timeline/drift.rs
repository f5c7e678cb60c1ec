//! Sentences about drift: the differences between what a server has and what it should have.

use super::Actor;
use crate::wording::drift::{problem as words, sentence};
use bootledger_aggregates::drift::{DriftEvent, DriftKey, RecordType, Subject};

pub(super) fn drift(key: &DriftKey, event: &DriftEvent, who: &Actor<'_>) -> String {
    let site = &key.site;
    let subject = match &key.subject {
        Subject::Dns { name, record: RecordType::A } => format!("{name} A"),
        Subject::Dns { name, record: RecordType::Ptr } => format!("{name} PTR"),
        Subject::Dhcp { server } => format!("DHCP server {server}"),
    };
    match event {
        DriftEvent::DriftFound { difference } => format!("Drift in site {site}: {}", sentence(&subject, difference)),
        DriftEvent::DriftRepairOrdered {} => format!("{who} requested the repair of {subject} in site {site}"),
        DriftEvent::DriftRepairFailed { problem } => format!("The repair of {subject} in site {site} failed: {}", words(problem)),
        DriftEvent::DriftEnded { repaired: true } => format!("The repair of {subject} in site {site} succeeded"),
        DriftEvent::DriftEnded { repaired: false } => {
            format!("{subject} in site {site} has its expected state again, without a repair")
        }
    }
}
