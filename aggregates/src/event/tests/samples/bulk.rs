//! Samples of the events of bulk actions.

use super::sample_events;
use crate::bulk::{BulkAction, BulkEvent, BulkOutcome, BulkReason, BulkResult, BulkRow};
use crate::device::power::PowerAction;
use crate::samples::{deployment_id, device_id, parsed};
use crate::user::Role;

fn row(number: u128) -> BulkRow {
    BulkRow { target: device_id(number).0, name: parsed(&format!("R640 no. {number}")), plugins: vec![] }
}

fn started(action: BulkAction) -> BulkEvent {
    let rows = [1, 2].map(row);
    BulkEvent::BulkStarted {
        action: Box::new(action),
        rows: rows.into(),
        list: "/devices?site=dc1".to_owned(),
        level: Role::Operator,
    }
}

fn refused() -> BulkOutcome {
    let message = "the device is being deployed as h200.dc1.example; wait until that ends".to_owned();
    BulkOutcome::Refused { reasons: vec![BulkReason { rule: "already_deploying".to_owned(), message }] }
}

sample_events!(bulk: BulkEvent {
    BulkStarted => [
        started(BulkAction::Verify {}),
        started(BulkAction::Unverify {}),
        started(BulkAction::Deploy {
            network: Some(parsed("dc1-prod")),
            venture: Some(parsed("shop")),
            role: Some(parsed("web")),
            boot_image: Some(parsed("debian-13")),
        }),
        started(BulkAction::Deploy { network: None, venture: None, role: None, boot_image: None }),
        started(BulkAction::Edit {
            rack: Some(parsed("dc1-r1")),
            venture: Some(parsed("shop")),
            role: Some(parsed("web")),
            credentials: Some(parsed("bmc")),
            add_tags: vec![parsed("spare"), parsed("row:4")],
            remove_tags: vec![parsed("gpu")],
        }),
        started(BulkAction::Edit {
            rack: Some(parsed("dc1-r1")),
            venture: None,
            role: None,
            credentials: None,
            add_tags: vec![],
            remove_tags: vec![],
        }),
        started(BulkAction::Power { power: PowerAction::Cycle, network_boot: true }),
        started(BulkAction::Power { power: PowerAction::Off, network_boot: false }),
        started(BulkAction::Cancel { reason: parsed("the rack has no power") }),
        started(BulkAction::Retry {}),
        BulkEvent::BulkStarted {
            action: Box::new(BulkAction::Retry {}),
            rows: vec![BulkRow { plugins: vec![parsed("dns"), parsed("reboot")], ..row(1) }],
            list: String::new(),
            level: Role::Administrator,
        },
    ],
    BulkRowsFinished => [BulkEvent::BulkRowsFinished {
        results: vec![
            BulkResult { row: 0, attempt: 1, outcome: BulkOutcome::Done { deployment: Some(deployment_id(1)) } },
            BulkResult { row: 1, attempt: 1, outcome: refused() },
            BulkResult { row: 2, attempt: 2, outcome: BulkOutcome::Done { deployment: None } },
        ],
    }],
    BulkRetried => [BulkEvent::BulkRetried { attempt: 2, by: "user bob".to_owned(), level: Role::Operator }],
    BulkStopped => [
        BulkEvent::BulkStopped { reason: None },
        BulkEvent::BulkStopped { reason: Some(parsed("user ada is disabled")) },
    ],
});
