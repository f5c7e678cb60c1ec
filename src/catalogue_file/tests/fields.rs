//! The fields that exist according to the schemas, and the values of two files for each of them.

use super::super::kinds::Kind;
use super::super::shape::{Field, Shape};
use super::super::yaml;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const EVERY_FIELD: &str = include_str!("every_field.yaml");
pub(super) const OTHER_FIELDS: &str = include_str!("other_fields.yaml");

/// The paths of a kind's fields. A field that has fields counts as those.
pub(super) fn paths(kind: Kind) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    collect("", &kind.fields(), &mut paths);
    paths
}

fn collect(above: &str, fields: &BTreeMap<String, Field>, paths: &mut BTreeSet<String>) {
    for (name, field) in fields {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match &field.shape {
            Shape::Fields(fields) => collect(&path, fields, paths),
            // Roles are a separate kind.
            _ if path == "roles" => {}
            Shape::Mapping(shape) if path == "files" => {
                let Shape::Fields(fields) = &**shape else { continue };
                collect("files.*", fields, paths);
            }
            _ => drop(paths.insert(path)),
        }
    }
}

/// The values that a file has at each path of a kind, over all entries, as they are written.
fn written(file: &str, kind: Kind) -> BTreeMap<String, Vec<String>> {
    let (documents, problems) = yaml::read(file, 0).expect("YAML");
    assert!(problems.is_empty(), "{problems:?}");
    let root = plain(&documents[0]);
    let section = if kind == Kind::Role { "ventures" } else { kind.section() };
    let entries: Vec<Value> = match &root[section] {
        Value::Object(entries) => entries.values().cloned().collect(),
        other => other.as_array().cloned().unwrap_or_default(),
    };
    let entries: Vec<Value> = if kind == Kind::Role {
        entries.iter().filter_map(|venture| venture["roles"].as_object()).flat_map(|roles| roles.values().cloned()).collect()
    } else {
        entries
    };
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in paths(kind) {
        for entry in &entries {
            let mut found = vec![entry.clone()];
            for part in path.split('.') {
                found = match part {
                    "*" => found.iter().filter_map(Value::as_object).flat_map(|fields| fields.values().cloned()).collect(),
                    part => found.iter().filter_map(|value| value.get(part).cloned()).collect(),
                };
            }
            values.entry(path.clone()).or_default().extend(found.iter().map(ToString::to_string));
        }
    }
    values
}

fn plain(node: &yaml::Node) -> Value {
    match &node.content {
        yaml::Content::Scalar { text, .. } => Value::from(text.as_str()),
        yaml::Content::List(items) => items.iter().map(|item| plain(item)).collect(),
        yaml::Content::Mapping(pairs) => Value::Object(pairs.iter().map(|pair| (pair.key.clone(), plain(&pair.value))).collect()),
    }
}

#[test]
fn both_files_have_a_value_of_every_field_and_no_two_are_the_same() {
    for kind in Kind::ALL {
        let (every, other) = (written(EVERY_FIELD, kind), written(OTHER_FIELDS, kind));
        assert!(!paths(kind).is_empty(), "{kind:?} has fields");
        for path in paths(kind) {
            let (one, two) = (&every[&path], &other[&path]);
            assert!(!one.is_empty(), "add a value of {}.{path} to tests/every_field.yaml", kind.section());
            assert!(!two.is_empty(), "add another value of {}.{path} to tests/other_fields.yaml", kind.section());
            assert!(one != two, "{}.{path} has the same values in both files", kind.section());
        }
    }
}

#[test]
fn the_fields_are_those_of_the_types() {
    let device = paths(Kind::Device);
    for path in ["serial", "management.address", "management.system", "management.tls", "parent", "venture", "verified"] {
        assert!(device.contains(path), "{path} of {device:?}");
    }
    assert!(paths(Kind::Site).contains("dns_updates.key.algorithm"), "{:?}", paths(Kind::Site));
    assert!(paths(Kind::BootImage).contains("files.*.text"));
    assert!(paths(Kind::Role).contains("puppet_classes"));
}
