//! Tests of Puppet data: what is accepted, and what a server inherits.

use super::*;
use crate::samples::{broken as refused, outcome, parsed};
use crate::settings::SecretProblems;
use crate::venture::{RoleSpec, Venture, VentureCommand, VentureEvent, VentureSpec};
use serde_json::json;

/// The errors for a role with this description.
fn role(spec: Value) -> Vec<String> {
    let spec: RoleSpec = serde_json::from_value(spec).expect("a role");
    let defined = [VentureEvent::VentureDefined { spec: VentureSpec::default() }];
    let command = VentureCommand::DefineRole { role: parsed("web"), spec, secret_problems: SecretProblems::new() };
    match outcome::<Venture>(&defined, command.clone()) {
        Ok(_) => vec![],
        Err(_) => refused::<Venture>(&defined, command),
    }
}

#[test]
fn names_of_classes_are_puppets() {
    for name in ["ntp", "::ntp", "role::shop::web", "a1_b::c_2"] {
        assert!(role(json!({ "puppet_classes": [name] })).is_empty(), "{name}");
        assert!(role(json!({ "puppet_classes": { name: null } })).is_empty(), "{name}");
    }
    for name in ["", "::", "Ntp", "ntp::", "ntp:web", "a::B", "1a", "_a", "a-b", "a::::b", "a b", ":::a", "ä"] {
        assert_eq!(role(json!({ "puppet_classes": [name] })), ["puppet_class_name"], "{name}");
    }
}

#[test]
fn names_of_parameters_follow_puppets_rules() {
    assert!(role(json!({ "puppet_parameters": { "tier": 1, "a_1": "x" } })).is_empty());
    for name in ["", "Tier", "1st", "_tier", "a-b", "a::b", "a b"] {
        assert_eq!(role(json!({ "puppet_parameters": { name: 1 } })), ["puppet_parameter_name"], "{name}");
        assert_eq!(role(json!({ "puppet_classes": { "ntp": { name: 1 } } })), ["puppet_parameter_name"], "{name}");
    }
    for name in ["bootledger_role", "bootledger_x", "environment", "facts", "server_facts", "trusted"] {
        assert_eq!(role(json!({ "puppet_parameters": { name: 1 } })), ["puppet_parameter_taken"], "{name}");
    }
}

#[test]
fn names_of_environments_are_puppets() {
    for name in ["production", "2026_11", "_a"] {
        assert!(role(json!({ "puppet_environment": name })).is_empty(), "{name}");
    }
    for name in ["", "Production", "a-b", "a/b", "..", "main", "master", "agent", "user"] {
        assert_eq!(role(json!({ "puppet_environment": name })), ["puppet_environment_name"], "{name}");
    }
}

#[test]
fn values_are_those_that_reach_puppet_unchanged() {
    let deep = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    for value in [json!(null), json!(true), json!(-3), json!(1.5), json!("a\nb\tc ä 🦀 yes"), json!({ "a b": [1, {}] }), deep(8)]
    {
        assert!(role(json!({ "puppet_parameters": { "x": value } })).is_empty(), "{value}");
    }
    let long = "k".repeat(301);
    for value in [
        json!("\u{0}"),
        json!("a\rb"),
        json!("\u{1b}[0m"),
        json!("\u{85}"),
        json!("\u{2028}"),
        json!("\u{feff}x"),
        json!({ "a\u{7}": 1 }),
        json!({ "": 1 }),
        json!({ long: 1 }),
        json!([["\u{0}"]]),
        json!(1e20),
        json!(1e-9),
        json!(u64::MAX),
        deep(9),
    ] {
        assert_eq!(role(json!({ "puppet_parameters": { "x": value } })), ["puppet_value"], "{value}");
        assert_eq!(role(json!({ "puppet_classes": { "a": { "x": value } } })), ["puppet_value"], "{value}");
    }
    // `[]` for the classes, and `{"x":""}` around the value.
    let much = |bytes: usize| json!({ "puppet_parameters": { "x": "x".repeat(bytes - 2 - 8) } });
    assert!(role(much(LARGEST)).is_empty());
    assert_eq!(role(much(LARGEST + 1)), ["puppet_too_large"]);
}

#[test]
fn a_venture_is_checked_too_and_every_broken_rule_is_reported() {
    let spec = json!({ "parent": "nowhere", "puppet_classes": ["Ntp"], "puppet_environment": "main" });
    let spec = serde_json::from_value(spec).expect("a venture");
    let command =
        VentureCommand::DefineVenture { name: parsed("shop"), spec, ancestors: vec![], secret_problems: SecretProblems::new() };
    assert_eq!(refused::<Venture>(&[], command), ["venture_unknown", "puppet_class_name", "puppet_environment_name"]);
}

#[test]
fn an_event_from_before_these_rules_is_still_read() {
    let stored = r#"{"type": "RoleDefined", "role": "web", "spec": {"description": "", "default_boot_image": null,
                     "puppet_classes": ["Role::Web", "a b"], "puppet_parameters": {"x.y-z": "4"}}}"#;
    let VentureEvent::RoleDefined { spec, .. } = serde_json::from_str(stored).expect("an event") else { panic!("another one") };
    assert_eq!(spec.puppet_classes, Classes::Names(vec![parsed("Role::Web"), parsed("a b")]));
    assert_eq!(spec.puppet_parameters.0, BTreeMap::from([(parsed("x.y-z"), json!("4"))]));
}

#[test]
fn values_that_are_not_classes_are_refused_with_the_reason() {
    let error = serde_json::from_value::<RoleSpec>(json!({ "puppet_classes": "ntp" })).expect_err("a text").to_string();
    assert!(error.contains("a list of Puppet classes"), "{error}");
}

#[test]
fn a_server_inherits_all_classes_and_the_nearest_values() {
    let role: RoleSpec = serde_json::from_value(json!({
        "puppet_classes": { "::ntp": { "servers": ["a"] }, "nginx": null }, "puppet_parameters": { "tier": 1 },
    }))
    .expect("a role");
    let venture: VentureSpec = serde_json::from_value(json!({
        "puppet_classes": { "ntp": { "servers": ["b"], "step": true } }, "puppet_parameters": { "tier": 2, "site": "x" },
        "puppet_environment": "staging",
    }))
    .expect("a venture");
    let parent: VentureSpec = serde_json::from_value(json!({
        "puppet_classes": ["base", "nginx"], "puppet_parameters": { "site": "y", "owner": null }, "puppet_environment": "production",
    }))
    .expect("a venture");
    let all = Classification::of([role.puppet(), venture.puppet(), parent.puppet()]);
    assert_eq!(
        serde_json::to_value(all).expect("JSON"),
        json!({
            "classes": { "base": {}, "nginx": {}, "ntp": { "servers": ["a"], "step": true } },
            "parameters": { "owner": null, "site": "x", "tier": 1 },
            "environment": "staging",
        })
    );
}
