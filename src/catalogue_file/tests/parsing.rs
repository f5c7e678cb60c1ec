//! Tests with YAML as people and programs write it: a text has the intended meaning, or the error names its place.

use super::super::kinds::Kind;
use super::super::read::{self, Entries, Source, What};
use super::super::yaml::Problem;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

pub(super) fn read(text: &str) -> Result<Entries, Vec<Problem>> {
    read_all(&[text])
}

fn read_all(texts: &[&str]) -> Result<Entries, Vec<Problem>> {
    let source = |(n, text): (usize, &&str)| Source {
        name: format!("file{n}.yaml"),
        text: (*text).to_owned(),
        folder: PathBuf::from("."),
    };
    read::read(&texts.iter().enumerate().map(source).collect::<Vec<_>>())
}

/// The problems of a text, as `line:column message`.
#[track_caller]
pub(super) fn problems(text: &str) -> Vec<String> {
    let problems = read(text).err().unwrap_or_else(|| panic!("{text:?} was read"));
    problems.iter().map(|problem| format!("{}:{} {}", problem.place.line, problem.place.column, problem.message)).collect()
}

#[track_caller]
pub(super) fn problem(text: &str) -> String {
    let all = problems(text);
    assert_eq!(all.len(), 1, "{text:?}: {all:?}");
    all.into_iter().next().expect("one")
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_what_was_probably_meant() {
    let cases = [
        ("sites:\n  dc1:\n    domain: a.example\n    zone: [a.example]\n", "4:5 sites.dc1: "),
        ("site:\n  dc1: {}\n", "1:1 "),
        ("racks:\n  r1: { site: dc1, Units: 42 }\n", "2:20 racks.r1: "),
        ("devices:\n  - { serial: A, site: dc1, rack-position: 4 }\n", "2:29 devices[0] (A): "),
        (
            "devices:\n  - { serial: A, site: dc1, management: { address: 10.0.0.1, user: root } }\n",
            "2:62 devices[0] (A).management: ",
        ),
        (
            "sites:\n  dc1: { domain: a.example, dns_updates: { primary: 10.0.0.1, key: { name: k, secrets: s, secret: s } } }\n",
            "2:79 sites.dc1.dns_updates.key: ",
        ),
        ("ventures:\n  v:\n    roles:\n      r: { image: x }\n", "4:12 ventures.v.roles.r: "),
        ("boot_images:\n  i:\n    files:\n      f: { kind: kernel, txt: a }\n", "4:26 boot_images.i.files.f: "),
        ("dhcp-servers:\n  k: {}\n", "1:1 "),
    ];
    let mut messages = vec![];
    for (text, place) in cases {
        let all = problems(text);
        assert!(all.iter().any(|problem| problem.starts_with(place)), "{text}: {all:?}");
        messages.extend(all);
    }
    insta::assert_snapshot!("unknown_keys", messages.join("\n"));
}

#[test]
fn a_value_that_its_type_refuses_is_reported_with_its_line() {
    let cases = [
        ("networks:\n  n:\n    site: dc1\n    cidr: 10.0.0.0/33\n", "4:11 networks.n.cidr: `10.0.0.0/33`: "),
        (
            "networks:\n  n: { site: dc1, cidr: 10.0.0.0/24, dns_servers: [10.0.0.1, 10.0.0.300] }\n",
            "2:62 networks.n.dns_servers[1]: `10.0.0.300`: ",
        ),
        ("dhcp_servers:\n  k: { site: dc1, kind: keaa }\n", "2:25 dhcp_servers.k.kind: "),
        ("devices:\n  - site: dc1\n    macs: [nonsense]\n", "3:12 devices[0].macs[0]: "),
        ("sites:\n  dc1: { domain: \"-\" }\n", "2:18 sites.dc1.domain: "),
        ("racks:\n  Not a name: { site: dc1 }\n", "2:3 racks: "),
        ("racks:\n  r: { site: dc1, description: [a] }\n", "2:32 racks.r.description: "),
        ("racks: [r1]\n", "1:8 racks: "),
        ("devices: { d: {} }\n", "1:10 devices: "),
        ("- a\n", "1:1 "),
        ("hello\n", "1:1 "),
        ("devices:\n  - { site: dc1 }\n", "2:5 devices[0]: "),
        ("devices:\n  - { site: dc1, serial: A, parent: B }\n", "2:37 devices[0] (A).parent: "),
        (
            "sites:\n  d: { domain: a.example, dhcp_header: [{ name: x, value: { adresses: [10.0.0.1] } }] }\n",
            "2:61 sites.d.dhcp_header[0].value: ",
        ),
    ];
    let mut messages = vec![];
    for (text, place) in cases {
        let all = problems(text);
        assert!(all.iter().any(|problem| problem.starts_with(place)), "{text}: {all:?}");
        messages.extend(all);
    }
    insta::assert_snapshot!("refused_values", messages.join("\n"));
}

#[test]
fn a_duplicate_is_refused_with_both_places() {
    let twice = "devices:\n  - { site: dc1, serial: A, macs: [52:54:00:00:00:01] }\n  - { site: dc1, serial: B, macs: [\"525400000001\"] }\n";
    let cases = [
        ("racks:\n  r: { site: dc1, units: 4, site: dc2 }\n", "2:29 ", "line 2"),
        ("racks:\n  r: { site: dc1 }\nracks:\n  s: { site: dc1 }\n", "3:1 ", "line 1"),
        // Names are parsed case-insensitively.
        ("racks:\n  r1: { site: dc1 }\n  R1: { site: dc1 }\n", "3:3 racks: ", "line 2"),
        (twice, "3:5 devices[1] (B): ", "line 2"),
    ];
    let mut messages = vec![];
    for (text, place, other) in cases {
        let message = problem(text);
        assert!(message.starts_with(place) && message.contains(other), "{text}: {message}");
        messages.push(message);
    }
    insta::assert_snapshot!("duplicates", messages.join("\n"));
    let files = ["racks: { r1: { site: dc1 } }\n", "racks: { r1: { site: dc1 } }\n"];
    let problems = read_all(&files).expect_err("the same rack in two files");
    assert!(problems[0].message.contains("file0.yaml, line 1"), "{problems:?}");
    assert_eq!(problems[0].place.file, 1);
    let entries = read_all(&["racks: { r1: { site: dc1 } }", "racks: { r2: { site: dc1 } }"]).expect("two files");
    assert_eq!(entries.entries.len(), 2);
}

#[test]
fn files_are_read_as_editors_and_programs_write_them() {
    let text = "sites:\n  dc1:\n    domain: a.example\n    name: Poznań\n";
    let with = |from: &str, to: &str| text.replace(from, to);
    for text in [
        text.to_owned(),
        format!("\u{feff}{text}"),
        with("\n", "\r\n"),
        format!("\u{feff}{}", with("\n", "\r\n")),
        with("\n", "\r"),
        format!("---\n{text}"),
        format!("%YAML 1.2\n---\n{text}...\n"),
        format!("---\n---\n{text}---\n"),
        format!("# a comment\n{text}"),
        text.trim_end().to_owned(),
        "{\"sites\":{\"dc1\":{\"domain\":\"a.example\",\"name\":\"Pozna\\u0144\"}}}".to_owned(),
        "{\n\t\"sites\": {\n\t\t\"dc1\": {\n\t\t\t\"domain\": \"a.example\", \"name\": \"Poznań\"\n\t\t}\n\t}\n}\n".to_owned(),
    ] {
        let entries = read(&text).unwrap_or_else(|problems| panic!("{text:?}: {problems:?}"));
        let What::Defined { json, .. } = &entries.entries[0].what else { panic!("no site") };
        assert_eq!((&json["domain"], &json["name"]), (&json!("a.example"), &json!("Poznań")), "{text:?}");
    }
    let several =
        read("sites: { a: { domain: a.example } }\n---\nsites: { b: { domain: b.example } }\nracks: { r: { site: a } }\n")
            .expect("documents");
    assert_eq!(
        several.entries.iter().map(|entry| (entry.kind, entry.place.line)).collect::<Vec<_>>(),
        [(Kind::Site, 1), (Kind::Site, 3), (Kind::Rack, 4)]
    );
    for empty in ["", "\n", "# nothing\n", "---\n", "\u{feff}", "~\n"] {
        assert!(problem(empty).starts_with("1:1 ") && problem(empty).contains("empty"), "{empty:?}");
    }
    for nothing in ["{}\n", "sites:\n", "sites: {}\ndevices: []\n"] {
        assert!(read(nothing).expect(nothing).entries.is_empty(), "{nothing:?}");
    }
}

#[test]
fn invalid_yaml_is_refused_at_its_line() {
    let cases = [
        ("sites:\n\tdc1: {}\n", 2),
        ("sites:\n  dc1:\n    domain: a.example\n\t  name: x\n", 4),
        ("sites:\n  dc1: { domain: a.example\n", 3),
        ("sites:\n  dc1:\n    name: a: b\n", 3),
        ("sites:\n  dc1:\n    name: \"open\n", 3),
        ("sites:\n  dc1: *none\n", 2),
        ("sites:\n  dc1: { domain: a.example, name: a\u{0}b }\n", 2),
        ("sites:\n  dc1: { domain: a.example, name: a\u{7}b }\n", 2),
        ("sites:\n  ? [a, b]\n  : {}\n", 2),
        ("sites:\n  dc1: !!binary aGVsbG8=\n", 2),
        ("sites:\n  dc1: !site { domain: a.example }\n", 2),
        ("sites: &a { x: *a }\n", 1),
    ];
    let mut messages = vec![];
    for (text, line) in cases {
        let all = problems(text);
        assert!(all.iter().any(|problem| problem.starts_with(&format!("{line}:"))), "{text:?}: {all:?}");
        messages.extend(all);
    }
    insta::assert_snapshot!("invalid_yaml", messages.join("\n"));
}

#[test]
fn invisible_characters_are_refused_except_in_the_content_of_boot_files() {
    for (text, at) in [
        ("sites:\n  dc1: { domain: a.example, name: \"a\u{200b}b\" }\n", "2:35"),
        ("sites:\n  dc1: { domain: a.example, name: \"a\\u202eb\" }\n", "2:35"),
        ("sites:\n  dc1: { domain: a.example, settings: { x: \"a\u{202e}\" } }\n", "2:44"),
        ("sites:\n  d\u{ad}c1: { domain: a.example }\n", "2:3"),
        ("devices:\n  - { site: dc1, serial: \"A\u{feff}\" }\n", "2:26"),
        ("ventures:\n  v: { puppet_parameters: { \"a\u{200d}\": 1 } }\n", "2:29"),
    ] {
        let message = problem(text);
        assert!(message.starts_with(at) && message.contains("U+"), "{message}");
    }
    read("boot_images: { i: { files: { f: { kind: other, text: \"a\\u200bb\" } } } }\n").expect("a file's own content");
}

#[test]
fn aliases_and_merges_are_written_out_and_bombs_are_not() {
    let text = "racks:\n  a: &rack { site: dc1, units: 40 }\n  b: *rack\n  c: { <<: *rack, units: 41 }\n";
    let entries = read(text).expect("aliases");
    let units: Vec<Value> = entries
        .entries
        .iter()
        .map(|entry| if let What::Defined { json, .. } = &entry.what { json["units"].clone() } else { Value::Null })
        .collect();
    assert_eq!(units, [json!(40), json!(40), json!(41)]);
    let mut bomb = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for n in 1..12 {
        let _ = writeln!(bomb, "x{n}: &x{n} [{}]", vec![format!("*x{}", n - 1); 10].join(", "));
    }
    let deep = format!("sites: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    let merges = "racks:\n  a: { <<: 5, site: dc1 }\n";
    let messages = [bomb.as_str(), deep.as_str(), merges].map(problem);
    insta::assert_snapshot!("refused_structures", messages.join("\n"));
}

#[test]
fn every_error_of_a_file_is_reported_at_once_in_order() {
    let text = "racks:\n  r: { site: dc1, units: x }\nsites:\n  s: { domain: a.example, zone: b }\ndevices:\n  - { site: dc1, serial: A, position: 07 }\n";
    let lines: Vec<String> = problems(text).iter().map(|problem| problem[..1].to_owned()).collect();
    assert_eq!(lines, ["2", "4", "6"]);
}
