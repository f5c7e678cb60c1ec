//! The drift of a site as the API returns it: codes with their values, and the sentences for them.

use crate::support::{TestSite, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use serde_json::{Value, json};

/// The drift of site dc1 after these events of one difference.
async fn drift_after(events: Vec<Value>) -> Value {
    let site = TestSite::create().await;
    site.append("site", "dc1", site_defined()).await;
    for event in events {
        site.append("drift", "dc1/dhcp/kea-1", event).await;
    }
    let bearer = site.bearer(TokenScope::Viewer).await;
    site.request_as(&bearer, TestRequest::get().uri("/api/v1/sites/dc1/drift")).await.json()
}

fn found(kind: &Value) -> Value {
    json!({"type": "DriftFound", "difference": {"kind": kind, "server": "kea-1", "expected": [], "found": []}})
}

#[actix_web::test]
async fn a_difference_and_a_failed_repair_have_a_code_and_a_sentence() {
    let kind = json!({"code": "behind", "position": 42});
    let cause = json!({"code": "no_report", "server": "kea-1", "seconds": 60});
    let events = [found(&kind), json!({"type": "DriftRepairOrdered"}), json!({"type": "DriftRepairFailed", "problem": cause})];
    let answer = drift_after(events.into()).await;
    let item = &answer["items"][0];
    assert_eq!((&item["nature"], &item["kind"], &item["cause"]), (&json!("behind"), &kind, &cause));
    assert!(item["message"].as_str().is_some_and(|message| message.contains("42")), "{item}");
    assert!(item["problem"].as_str().is_some_and(|problem| problem.contains("kea-1")), "{item}");
    assert_eq!((&answer["check"]["problems"], &answer["check"]["causes"]), (&json!([]), &json!([])));
}

#[actix_web::test]
async fn a_difference_whose_values_say_everything_has_no_message() {
    let answer = drift_after(vec![found(&json!({"code": "missing"}))]).await;
    let item = &answer["items"][0];
    assert_eq!((&item["nature"], &item["message"]), (&json!("missing"), &json!("")));
    assert_eq!((&item["problem"], &item["cause"]), (&Value::Null, &Value::Null));
}

#[actix_web::test]
async fn sentences_of_events_of_version_1_are_returned_as_they_were_stored() {
    let difference = json!({"nature": "failing", "server": "kea-1", "expected": [], "found": [], "message": "syntax error"});
    let events = [
        json!({"type": "DriftFound", "difference": difference}),
        json!({"type": "DriftRepairOrdered"}),
        json!({"type": "DriftRepairFailed", "problem": "the agent sent no report"}),
    ];
    let answer = drift_after(events.into()).await;
    let item = &answer["items"][0];
    assert_eq!((&item["nature"], &item["message"]), (&json!("failing"), &json!("syntax error")));
    assert_eq!(item["kind"], json!({"code": "text", "nature": "failing", "text": "syntax error"}));
    assert_eq!((&item["problem"], &item["cause"]["code"]), (&json!("the agent sent no report"), &json!("text")));
}
