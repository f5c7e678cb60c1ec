//! Tests of settings: where a value is set, and what is refused when settings are saved.

use super::*;
use crate::samples::{parsed, settings};
use serde_json::json;

#[test]
fn where_a_value_comes_from_is_read_back_from_its_text() {
    for source in ["device", "role shop/web", "venture a.b_c-d", "site dc1", "boot image"] {
        assert_eq!(parsed::<Source>(source).to_string(), source);
    }
    for wrong in ["", "role shop", "role shop/", "venture", "venture a b", "rack r1", "Device"] {
        assert!(wrong.parse::<Source>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_secret_is_for_boot_files_and_can_be_read_when_it_is_saved() {
    let set = settings(json!({ "a": { "secret": "bmc" }, "b": { "secret": "boot-b" }, "c": { "secret": "boot-c" } }));
    let problems = SecretProblems::from([(parsed("boot-b"), "there is no secret boot-b".to_owned())]);
    let rules: Vec<_> = broken(&set, &problems).into_iter().map(|broken| (broken.field, broken.rule)).collect();
    let expected = [("settings.a", "secret_not_for_boot"), ("settings.b", "secret_missing")];
    assert_eq!(rules, expected.map(|(field, rule)| (field.to_owned(), rule.to_owned())));
    assert_eq!(secrets(&set).count(), 3);
}

#[test]
fn settings_are_bounded_in_number_and_size() {
    let many: Settings = (0..=MOST).map(|n| (parsed(&format!("a{n}")), SettingValue::Number(1))).collect();
    let large: Settings = (0..17).map(|n| (parsed(&format!("a{n}")), SettingValue::Text(parsed(&"x".repeat(4096))))).collect();
    for (settings, rule) in [(many, "settings_too_many"), (large, "settings_too_large")] {
        let rules: Vec<_> = broken(&settings, &SecretProblems::new()).into_iter().map(|broken| broken.rule).collect();
        assert_eq!(rules, [rule]);
    }
}

#[test]
fn as_many_and_as_large_settings_are_accepted_as_the_limits_say() {
    let none = SecretProblems::new();
    let many: Settings = (0..MOST).map(|n| (parsed(&format!("a{n}")), SettingValue::Number(1))).collect();
    assert_eq!(broken(&many, &none), []);
    let text = |length: usize| SettingValue::Text(parsed(&"x".repeat(length)));
    let with_last = |length| -> Settings {
        let all = (0..15).map(|n| (parsed(&format!("a{n}")), text(4096)));
        all.chain([(parsed("z"), text(length))]).collect()
    };
    let size = |settings: &Settings| serde_json::to_string(settings).expect("JSON").len();
    let length = LARGEST - size(&with_last(0));
    assert_eq!(size(&with_last(length)), LARGEST);
    assert_eq!(broken(&with_last(length), &none), []);
    assert_eq!(broken(&with_last(length + 1), &none).len(), 1);
}

#[test]
fn an_unknown_boot_chain_is_refused_with_the_known_ones() {
    let problem = |value| chain_problem(&parsed("boot_chain"), Some(&value));
    assert_eq!(problem(SettingValue::Text(parsed("signed"))), None);
    for value in [SettingValue::Text(parsed("lilo")), SettingValue::Number(1)] {
        assert!(problem(value).is_some_and(|why| why.contains("ipxe or signed")));
    }
    assert_eq!(chain_problem(&parsed("disk"), Some(&SettingValue::Number(1))), None);
}
