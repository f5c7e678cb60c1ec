//! Tests with single values as people and programs write them: texts, numbers, booleans and nothing.

use super::super::read::What;
use super::super::yaml::Problem;
use super::parsing::{problem, problems, read};
use serde_json::{Value, json};

/// The parsed value of a device's field.
#[track_caller]
fn device(fields: &str) -> Value {
    let text = format!("devices:\n  - site: dc1\n    asset: X\n    {fields}\n");
    let entries = read(&text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    match &entries.entries[0].what {
        What::Device(device) => Value::Object(device.given.clone()),
        _ => panic!("no device"),
    }
}

fn refused_device(fields: &str) -> String {
    problem(&format!("devices:\n  - site: dc1\n    asset: X\n    {fields}\n"))
}

#[track_caller]
fn network(fields: &str) -> Result<Value, Vec<Problem>> {
    let entries = read(&format!("networks:\n  n:\n    cidr: 10.0.0.0/24\n    site: dc1\n    {fields}\n"))?;
    match &entries.entries[0].what {
        What::Defined { json, .. } => Ok(json.clone()),
        _ => panic!("no network"),
    }
}

#[test]
fn a_text_is_what_was_written_even_if_it_looks_like_another_type() {
    for text in [
        "70123456",
        "0012",
        "1e5",
        "0x1F",
        "0o17",
        "1_000",
        "no",
        "yes",
        "NO",
        "on",
        "y",
        "true",
        "False",
        "2026-11-30",
        "12:30:45",
        "1.50",
        "+5",
        ".5",
        ".inf",
        "99999999999999999999999",
        "52:54",
        "=",
        "a: b".trim_end_matches(": b"),
    ] {
        assert_eq!(device(&format!("serial: {text}"))["serial"], json!(text), "{text}");
        assert_eq!(device(&format!("serial: \"{text}\""))["serial"], json!(text), "{text}");
        assert_eq!(device(&format!("serial: '{text}'"))["serial"], json!(text), "{text}");
        assert_eq!(device(&format!("serial: !!str {text}"))["serial"], json!(text), "{text}");
        assert_eq!(device(&format!("name: {text}"))["name"], json!(text), "{text}");
    }
    let macs = json!(["52:54:00:12:34:56", "52:54:00:aa:bb:01"]);
    for list in [
        "[52:54:00:12:34:56, 52:54:00:AA:BB:01]",
        "\n    - 52:54:00:12:34:56\n    - 525400aabb01",
        "[\"52-54-00-12-34-56\", 5254.00aa.bb01]",
    ] {
        assert_eq!(device(&format!("macs: {list}"))["macs"], macs, "{list}");
    }
    // Most YAML parsers take a MAC address of digits for a number.
    assert_eq!(device("macs: [525400123456]")["macs"], json!(["52:54:00:12:34:56"]));
}

#[test]
fn a_number_is_decimal_quoted_or_not_and_nothing_else() {
    for written in ["120", "\"120\"", "'120'"] {
        assert_eq!(network(&format!("vlan: {written}")).expect(written)["vlan"], json!(120), "{written}");
    }
    let mut messages = vec![];
    for written in
        ["07", "010", "0x1F", "1e1", "1.0", "1_0", "ten", "+5", "[1]", "99999999999999999999", "70000", "-1", "{ a: 1 }", "1:30"]
    {
        let message = refused_device(&format!("position: {written}"));
        assert!(message.starts_with("4:15 devices[0] (X).position: "), "{written}: {message}");
        messages.push(message);
    }
    insta::assert_snapshot!("refused_numbers", messages.join("\n"));
}

#[test]
fn true_and_false_are_read_in_the_words_of_every_version_of_yaml() {
    for (word, value) in [
        ("true", true),
        ("yes", true),
        ("On", true),
        ("TRUE", true),
        ("\"yes\"", true),
        ("false", false),
        ("no", false),
        ("OFF", false),
    ] {
        assert_eq!(device(&format!("verified: {word}"))["verified"], json!(value), "{word}");
    }
    for word in ["1", "y", "maybe", "[true]"] {
        let message = refused_device(&format!("verified: {word}"));
        assert!(message.starts_with("4:15 "), "{message}");
        assert!(message.contains("true") && message.contains("false"), "it names no valid value: {message}");
    }
    let message = refused_device("verified: ~");
    assert!(message.contains(".verified: ") && message.contains("missing"), "{message}");
}

#[test]
fn a_setting_of_no_known_type_is_refused_where_versions_of_yaml_differ() {
    let setting = |value: &str| network_setting(value);
    for (written, value) in [
        ("42", json!(42)),
        ("true", json!(true)),
        ("/dev/sda", json!("/dev/sda")),
        ("\"no\"", json!("no")),
        ("[a, \"1\"]", json!(["a", "1"])),
        ("2026-11-30", json!("2026-11-30")),
        ("{ secret: boot-root }", json!({ "secret": "boot-root" })),
        ("-1", json!(-1)),
    ] {
        assert_eq!(setting(written).expect(written), value, "{written}");
    }
    for written in ["no", "Yes", "on", "010", "0x10", "1_000", "1.5.", ".inf", "+7", "1E5_"] {
        match setting(written) {
            Ok(value) => assert_eq!(value, json!(written), "{written} is a text in every version"),
            Err(problems) => {
                assert_eq!((problems[0].place.line, problems[0].place.column), (2, 44), "{written}");
                // The message has the value as it has to be written for a text.
                assert!(problems[0].message.contains(&format!("\"{written}\"")), "{}", problems[0].message);
            }
        }
    }
    for written in ["no", "Yes", "on", "010", "0x10", "1_000", ".inf", "+7"] {
        assert!(setting(written).is_err(), "{written}");
    }
}

fn network_setting(value: &str) -> Result<Value, Vec<Problem>> {
    let entries = read(&format!("sites:\n  dc1: {{ domain: a.example, settings: {{ x: {value} }} }}\n"))?;
    match &entries.entries[0].what {
        What::Defined { json, .. } => Ok(json["settings"]["x"].clone()),
        _ => panic!("no site"),
    }
}

#[test]
fn nothing_is_written_as_nothing_and_a_field_that_must_be_there_is_missed() {
    for nothing in ["", "~", "null", "NULL"] {
        assert_eq!(device(&format!("rack: {nothing}"))["rack"], Value::Null, "{nothing}");
        assert_eq!(network(&format!("gateway: {nothing}")).expect(nothing).get("gateway"), None);
        let message = problem(&format!("networks:\n  n: {{ site: dc1, cidr: {nothing} }}\n"));
        assert!(message.contains("networks.n.cidr: ") && message.contains("missing"), "{message}");
        let message = refused_device(&format!("macs: [52:54:00:00:00:01, {}]", if nothing.is_empty() { "~" } else { nothing }));
        assert!(message.contains("macs[1]: ") && message.contains("missing"), "{message}");
    }
    assert_eq!(device("serial: \"null\"")["serial"], json!("null"));
    let message = problem("networks:\n  n:\n    site: dc1\n");
    assert!(message.starts_with("3:5 networks.n: `cidr` ") && message.contains("missing"), "{message}");
    for empty in ["networks:\n  n:\n", "networks:\n  n: {}\n"] {
        let all = problems(empty);
        assert!(all.len() == 2 && all.iter().all(|problem| problem.starts_with("2:") && problem.contains("missing")), "{all:?}");
        assert!(all[0].contains("`cidr`") && all[1].contains("`site`"), "{all:?}");
    }
}
