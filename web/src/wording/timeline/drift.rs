//! Sentences about drift: the differences between what a server has and what it should have.

use super::Actor;
use bootledger_aggregates::drift::{Difference, DriftEvent, DriftKey, Nature, RecordType, Subject};
use bootledger_aggregates::values::text::Text;

pub(super) fn drift(key: &DriftKey, event: &DriftEvent, who: &Actor<'_>) -> String {
    let site = &key.site;
    let subject = match &key.subject {
        Subject::Dns { name, record: RecordType::A } => format!("{name} A"),
        Subject::Dns { name, record: RecordType::Ptr } => format!("{name} PTR"),
        Subject::Dhcp { server } => format!("DHCP server {server}"),
    };
    match event {
        DriftEvent::DriftFound { difference } => format!("Drift in site {site}: {}", of_difference(&subject, difference)),
        DriftEvent::DriftRepairOrdered {} => format!("{who} requested the repair of {subject} in site {site}"),
        DriftEvent::DriftRepairFailed { problem } => format!("The repair of {subject} in site {site} failed: {problem}"),
        DriftEvent::DriftEnded { repaired: true } => format!("The repair of {subject} in site {site} succeeded"),
        DriftEvent::DriftEnded { repaired: false } => {
            format!("{subject} in site {site} has its expected state again, without a repair")
        }
    }
}

fn of_difference(subject: &str, Difference { nature, server, expected, found, message }: &Difference) -> String {
    let (expected, found) = (listed(expected), listed(found));
    match nature {
        Nature::Missing => format!("{server} has {found} for {subject} instead of {expected}"),
        Nature::LeftOver => format!("{server} still has {found} for {subject} instead of {expected}"),
        Nature::Foreign => {
            format!("{server} has {found} for {subject} instead of {expected}, and Bootledger did not create all of it")
        }
        Nature::Alias => message.to_string(),
        Nature::Unconfirmed | Nature::Behind | Nature::Failing | Nature::OtherRevision | Nature::HeldBack => {
            format!("{subject} {message}")
        }
    }
}

fn listed(values: &[Text]) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    values.iter().map(Text::as_str).collect::<Vec<_>>().join(", ")
}
