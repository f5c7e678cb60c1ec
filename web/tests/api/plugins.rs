//! Why a plugin waits or failed, and who ended a deployment, in the API: as a code with its values, and as a sentence.

use crate::support::{TestSite, deployment_started, device_registered, network_defined, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use serde_json::{Value, json};
use uuid::Uuid;

const DEVICE: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);
const DEPLOYMENT: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0002);

async fn append(site: &TestSite, event: Value) -> i64 {
    site.append("deployment", &DEPLOYMENT.to_string(), event).await
}

/// A site with a deployment that has just started.
async fn data_centre() -> TestSite {
    let site = TestSite::create().await;
    site.append("site", "dc1", site_defined()).await;
    site.append("network", "servers", network_defined()).await;
    site.append("device", &DEVICE.to_string(), device_registered("52:54:00:00:00:01", None)).await;
    append(&site, deployment_started(DEVICE, "servers", "52:54:00:00:00:01", "10.0.0.20", "h200.dc1.example")).await;
    site
}

/// The answer of an API path.
async fn read(site: &TestSite, path: &str) -> Value {
    let viewer = site.bearer(TokenScope::Viewer).await;
    let answer = site.request_as(&viewer, TestRequest::get().uri(path)).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// The plugin `clean` as the API returns it.
async fn clean(site: &TestSite) -> Value {
    let shown = read(site, &format!("/api/v1/deployments/{DEPLOYMENT}")).await;
    let plugins = shown["plugins"].as_array().expect("plugins");
    plugins.iter().find(|plugin| plugin["plugin"] == "clean").expect("the plugin").clone()
}

#[actix_web::test]
async fn a_plugin_has_its_reason_as_a_code_and_as_a_sentence() {
    let site = data_centre().await;
    let due = clean(&site).await;
    assert_eq!((&due["reason"], &due["waiting_for"], &due["failure"]), (&Value::Null, &Value::Null, &Value::Null));

    let reason = json!({"code": "controller_restart", "controller": "10.0.9.1"});
    append(&site, json!({"type": "PluginWaiting", "plugin": "clean", "reason": reason, "awaited": ["operator"]})).await;
    let waiting = clean(&site).await;
    assert_eq!((&waiting["waiting_for"], &waiting["failure"]), (&reason, &Value::Null));
    let sentence = waiting["reason"].as_str().expect("a sentence");
    assert!(sentence.contains("10.0.9.1") && sentence.contains("h200.dc1.example"), "{sentence}");

    let reason = json!({"code": "rules", "broken": [{"rule": "ip_claimed", "field": "ip", "holder": "device 7"}]});
    let failed =
        json!({"type": "PluginFailed", "plugin": "clean", "attempt": 1, "reason": reason, "retry_at": "2026-03-01T12:00:00Z"});
    let position = append(&site, failed).await;
    let failed = clean(&site).await;
    assert_eq!((&failed["waiting_for"], &failed["failure"]), (&Value::Null, &reason));
    assert!(failed["reason"].as_str().expect("a sentence").contains("device 7"), "{failed}");

    let events = read(&site, &format!("/api/v1/events?after={}", position - 1)).await;
    assert_eq!(events["items"][0]["payload"]["reason"], reason);
}

#[actix_web::test]
async fn a_sentence_that_was_stored_is_shown_as_it_is() {
    let site = data_centre().await;
    let stored = "kea-1 has not confirmed";
    append(&site, json!({"type": "PluginWaiting", "plugin": "clean", "reason": stored, "awaited": []})).await;
    let waiting = clean(&site).await;
    assert_eq!((&waiting["reason"], &waiting["waiting_for"]), (&json!(stored), &json!({"code": "text", "text": stored})));
    let failed =
        json!({"type": "PluginFailed", "plugin": "clean", "attempt": 1, "reason": stored, "retry_at": "2026-03-01T12:00:00Z"});
    let position = append(&site, failed).await;
    let failed = clean(&site).await;
    assert_eq!((&failed["reason"], &failed["failure"]), (&json!(stored), &json!({"code": "text", "text": stored})));
    // The events themselves stay as they were stored.
    let events = read(&site, &format!("/api/v1/events?after={}", position - 1)).await;
    assert_eq!((&events["items"][0]["payload"]["reason"], &events["items"][0]["version"]), (&json!(stored), &json!("1")));
}

#[actix_web::test]
async fn a_deployment_names_who_ended_it() {
    for (event, expected) in [
        (json!({"type": "DeploymentCancelled", "device": DEVICE, "by": "user ada", "reason": "", "released": []}), "user ada"),
        (json!({"type": "DeploymentDone", "device": DEVICE, "by": {"ip": {"address": "10.0.0.20"}}}), "server 10.0.0.20"),
        (
            json!({"type": "DeploymentDone", "device": DEVICE, "by": {"puppet": {"certname": "h200.dc1.example"}}}),
            "Puppet for h200.dc1.example",
        ),
    ] {
        let site = data_centre().await;
        append(&site, event).await;
        assert_eq!(read(&site, &format!("/api/v1/deployments/{DEPLOYMENT}")).await["ended_by"], expected);
        assert_eq!(read(&site, "/api/v1/deployments").await["items"][0]["ended_by"], expected);
    }
}
