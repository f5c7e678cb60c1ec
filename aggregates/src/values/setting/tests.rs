//! Tests of setting names, values and declarations: what is accepted and what is refused.

use super::*;
use serde_json::{Value, json};

fn declared(spec: Value) -> SettingSpec {
    serde_json::from_value(spec).expect("a declaration")
}

fn value(value: Value) -> SettingValue {
    serde_json::from_value(value).expect("a value")
}

#[test]
fn a_name_can_be_written_after_a_dot_in_a_template() {
    assert_eq!("time_zone".parse::<SettingName>().expect("a name").as_str(), "time_zone");
    let long = "a".repeat(41);
    for text in ["", "_a", "1a", "a-b", "a.b", "A", "a b", "ä", long.as_str()] {
        assert!(text.parse::<SettingName>().is_err(), "{text:?} was accepted");
    }
}

#[test]
fn a_value_reads_and_writes_as_plain_json() {
    for json in [json!("x"), json!(7), json!(true), json!(["a", "b"]), json!({"secret": "boot-root"})] {
        assert_eq!(serde_json::to_value(value(json.clone())).expect("JSON"), json);
    }
    for json in [json!(1.5), json!(null), json!([1]), json!({"secret": "a", "x": 1}), json!("a\nb"), json!(["a\u{0}"])] {
        assert!(serde_json::from_value::<SettingValue>(json.clone()).is_err(), "{json} was accepted");
    }
}

#[test]
fn each_type_accepts_its_own_values_only() {
    let values = [json!("x"), json!(7), json!(true), json!(["a"]), json!({"secret": "boot-root"})];
    let types = ["text", "number", "boolean", "list", "secret"];
    for (kind, own) in types.iter().zip([0, 1, 2, 3, 4]) {
        let spec = declared(json!({"type": kind, "required": true}));
        for (place, json) in values.iter().enumerate() {
            assert_eq!(spec.accepts(&value(json.clone())).is_ok(), place == own, "{kind} and {json}");
        }
    }
}

#[test]
fn a_choice_accepts_declared_choices_only() {
    let spec = declared(json!({"type": "choice", "choices": ["plain", "lvm"]}));
    assert_eq!(spec.accepts(&value(json!("lvm"))), Ok(()));
    assert!(spec.accepts(&value(json!("zfs"))).is_err_and(|why| why.contains("plain, lvm")));
}

#[test]
fn only_secrets_for_boot_files_are_accepted() {
    let spec = declared(json!({"type": "secret"}));
    assert!(spec.accepts(&value(json!({"secret": "bmc-dc1"}))).is_err());
}

#[test]
fn a_declaration_that_no_value_could_satisfy_is_a_problem() {
    let problem = |spec| declared(spec).problem();
    assert_eq!(problem(json!({"type": "text"})), None);
    assert_eq!(problem(json!({"type": "number", "default": 0})), None);
    for spec in [
        json!({"type": "choice"}),
        json!({"type": "text", "choices": ["a"]}),
        json!({"type": "number"}),
        json!({"type": "boolean"}),
        json!({"type": "number", "default": "x"}),
        json!({"type": "choice", "choices": ["a"], "default": "b"}),
        json!({"type": "secret", "default": {"secret": "bmc-dc1"}}),
    ] {
        assert!(problem(spec.clone()).is_some(), "{spec}");
    }
}

#[test]
fn names_lists_and_choices_have_limits() {
    assert!("a".repeat(LONGEST_NAME).parse::<SettingName>().is_ok());
    let items = |count: usize| SettingList::try_from(vec![SettingText::default(); count]);
    assert!(items(MOST_ITEMS).is_ok() && items(MOST_ITEMS + 1).is_err());
    let choices = |count: usize| {
        let choices: Vec<String> = (0..count).map(|n| format!("choice {n}")).collect();
        declared(json!({ "type": "choice", "choices": choices })).problem()
    };
    assert!(choices(MOST_CHOICES).is_none() && choices(MOST_CHOICES + 1).is_some());
}

#[test]
fn a_text_of_a_setting_is_as_long_as_the_limit_says() {
    let text = |length: usize| SettingText::stored(&"ä".repeat(length));
    assert!(text(LONGEST_TEXT).is_ok() && text(LONGEST_TEXT + 1).is_err());
}
