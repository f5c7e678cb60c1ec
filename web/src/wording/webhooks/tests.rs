//! The sentence for each status of a delivery, for review.

use super::{message, problem};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::progress::delivery_problem::DeliveryProblem;
use bootledger_projections::progress::webhooks::{Delivery, DeliveryStatus, FailingAggregate, MOST_AGGREGATES};
use bootledger_projections::rows::catalogue::Paused;

fn stored(json: &str) -> DeliveryProblem {
    serde_json::from_str(json).expect(json)
}

fn delivery(oldest_undelivered: Option<i64>) -> Delivery {
    Delivery {
        status: DeliveryStatus::UpToDate,
        position: 7,
        oldest_undelivered,
        lag_events: 2,
        lag_seconds: 30,
        taken_at: None,
        problem: None,
        waiting_aggregates: 0,
        failing_aggregates: 0,
        failing: vec![],
    }
}

#[test]
fn every_status_of_a_delivery_has_a_sentence() {
    let paused = Paused { since: Timestamp::default(), reason: "maintenance".parse().expect("a text") };
    let failing = FailingAggregate {
        aggregate: "rack/r1".to_owned(),
        position: 5,
        attempts: 3,
        since: Timestamp::default(),
        problem: stored(r#"{"code":"status","receiver":"https://chat.example","status":500}"#),
        next_try: Timestamp::default(),
    };
    let one = Delivery { failing_aggregates: 1, failing: vec![failing], ..delivery(Some(5)) };
    let many = Delivery { waiting_aggregates: MOST_AGGREGATES, failing_aggregates: 2, ..one.clone() };
    let unsent = Delivery {
        problem: Some(stored(r#"{"code":"secret_unusable","secret":"hook","detail":"it is empty"}"#)),
        ..delivery(None)
    };
    let sentences = [
        message(&delivery(None), None),
        message(&delivery(Some(5)), None),
        message(&delivery(None), Some(&paused)),
        message(&delivery(Some(5)), Some(&paused)),
        message(&unsent, None),
        message(&one, None),
        message(&many, None),
    ];
    insta::assert_snapshot!(sentences.join("\n"), @r"
    all events are delivered
    delivering; the oldest undelivered event is 30 s old
    paused since 1970-01-01T00:00:00Z: maintenance
    paused since 1970-01-01T00:00:00Z: maintenance; the oldest undelivered event is 30 s old
    cannot send: the file of secret hook cannot be used: it is empty
    delivery fails for events of rack/r1 at position 5 (attempts: 3, since 1970-01-01T00:00:00Z): https://chat.example answered 500 Internal Server Error
    delivery fails for events of 2 aggregates, the oldest of rack/r1 at position 5 (attempts: 3, since 1970-01-01T00:00:00Z): https://chat.example answered 500 Internal Server Error; 500 aggregates are waiting, so no further events are read until some are delivered or skipped
    ");
}

#[test]
fn every_problem_of_a_delivery_has_a_sentence() {
    for (json, sentence) in [
        (
            r#"{"code":"status","receiver":"https://chat.example","status":503,"detail":"try later"}"#,
            "https://chat.example answered 503 Service Unavailable: try later",
        ),
        (
            r#"{"code":"status","receiver":"https://chat.example","status":301}"#,
            "https://chat.example answered 301 Moved Permanently, and redirects are not followed; set the webhook's URL to the target of the redirect",
        ),
        (
            r#"{"code":"timeout","receiver":"https://chat.example","seconds":10}"#,
            "https://chat.example did not answer within 10 s",
        ),
        (
            r#"{"code":"unreachable","receiver":"https://chat.example","detail":"Connection refused"}"#,
            "https://chat.example cannot be reached: Connection refused",
        ),
        (
            r#"{"code":"address_not_allowed","address":"127.0.0.1","option":"--allow-outbound"}"#,
            "127.0.0.1 is a loopback, link-local, multicast, metadata or otherwise special address, to which the service does not connect. Choose another address, or have the administrator of the machine allow its network with --allow-outbound",
        ),
        (
            r#"{"code":"secret_missing","secret":"hook","variable":"BOOTLEDGER_SECRET_HOOK"}"#,
            "there is no secret hook: put a file hook into the secrets folder (--secrets-dir), or set BOOTLEDGER_SECRET_HOOK",
        ),
        (
            r#"{"code":"secret_unusable","secret":"hook","detail":"it is empty"}"#,
            "the file of secret hook cannot be used: it is empty",
        ),
        (r#"{"code":"internal","detail":"no JSON"}"#, "no JSON"),
        (r#"{"code":"hidden"}"#, "the receiver did not accept the delivery; an administrator sees the reason"),
        (r#"{"code":"text","text":"it answered 500"}"#, "it answered 500"),
    ] {
        let read = stored(json);
        assert_eq!(problem(&read), sentence);
        assert_eq!(serde_json::to_string(&read).expect("JSON"), json);
    }
}
