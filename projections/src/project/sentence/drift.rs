//! Sentences about drift: what a server has and should not have, or the reverse.

use bootledger_aggregates::drift::{Difference, DriftEvent, DriftKey, Nature, RecordType, Subject};
use bootledger_aggregates::values::text::Text;

pub(super) fn drift(key: &DriftKey, event: &DriftEvent, by: &str) -> String {
    let site = &key.site;
    let thing = match &key.subject {
        Subject::Dns { name, record: RecordType::A } => format!("{name} A"),
        Subject::Dns { name, record: RecordType::Ptr } => format!("{name} PTR"),
        Subject::Dhcp { server } => format!("DHCP server {server}"),
    };
    match event {
        DriftEvent::DriftFound { difference } => format!("Site {site} has drifted: {}", difference_of(&thing, difference)),
        DriftEvent::DriftRepairOrdered {} => format!("Site {site}: repair of {thing} ordered{by}"),
        DriftEvent::DriftRepairFailed { problem } => format!("Site {site}: repair of {thing} failed: {problem}"),
        DriftEvent::DriftEnded { repaired: true } => format!("Site {site}: {thing} is as it should be again, repaired"),
        DriftEvent::DriftEnded { repaired: false } => format!("Site {site}: {thing} is as it should be again"),
    }
}

fn difference_of(thing: &str, Difference { nature, server, expected, found, message }: &Difference) -> String {
    let (expected, found) = (listed(expected), listed(found));
    match nature {
        Nature::Missing => format!("{server} has {found} as {thing}, and should have {expected}"),
        Nature::LeftOver => format!("{server} still has {found} as {thing}, and should have {expected}"),
        Nature::Foreign => {
            format!("{server} has {found} as {thing}, some of it made by somebody else, and should have {expected}")
        }
        Nature::Alias => message.to_string(),
        Nature::Unconfirmed | Nature::Behind | Nature::Failing | Nature::OtherRevision | Nature::HeldBack => {
            format!("{thing} {message}")
        }
    }
}

fn listed(values: &[Text]) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    values.iter().map(Text::as_str).collect::<Vec<_>>().join(", ")
}
