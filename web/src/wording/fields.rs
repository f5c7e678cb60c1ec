//! The fields of any object as labels and values, and the differences between two states of an object.
//!
//! The state is JSON as the views have it, so that every kind of object is compared in the same way. Secrets, and what the views
//! keep for themselves, are not fields.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Names that are never shown: secrets and their hashes.
const SECRET: [&str; 9] = ["password", "hash", "digest", "salt", "secret_hash", "token", "token_hash", "key_hash", "cookie"];
/// Names at the top that belong to the views and not to the object.
const INTERNAL: [&str; 11] = [
    "sequence",
    "search",
    "valid_from",
    "valid_to",
    "changed_at",
    "registered_at",
    "created_at",
    "reserved_at",
    "status_since",
    "hidden",
    "sort_key",
];
/// Names whose children are names that operators chose, which are not reworded.
const CHOSEN: [&str; 9] =
    ["settings", "roles", "files", "options", "puppet_classes", "puppet_parameters", "parameters", "classes", "variables"];
/// The kinds of objects whose states contain credentials, with the only fields of them that are shown.
const ALLOWED: [(&str, &[&str]); 3] =
    [("user", &["display_name", "role", "locked_out"]), ("token", &["name", "scope", "expires"]), ("session", &[])];

/// A field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// The path of the field in the API's form, such as `zones.dc1.example.ttl`.
    pub(crate) path: String,
    /// The label, such as `Zones › dc1.example › TTL`.
    pub(crate) label: String,
    /// The value as text.
    pub(crate) value: String,
}

/// A field at two moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The path of the field in the API's form.
    pub(crate) path: String,
    /// The label of the field.
    pub(crate) label: String,
    /// The value before; `None` if the field had no value.
    pub(crate) before: Option<String>,
    /// The value after; `None` if the field has no value.
    pub(crate) after: Option<String>,
}

impl Difference {
    /// Whether the value changed.
    pub(crate) fn is_change(&self) -> bool {
        self.before != self.after
    }
}

/// The fields of an object of a kind, by path. Fields without a value are left out.
pub(crate) fn fields(kind: &str, state: &Value) -> Vec<Field> {
    let mut found = vec![];
    if let Value::Object(members) = state {
        let allowed = ALLOWED.iter().find(|(known, _)| *known == kind).map(|(_, fields)| *fields);
        let shown = members.iter().filter(|(name, _)| {
            !INTERNAL.contains(&name.as_str()) && allowed.is_none_or(|allowed| allowed.contains(&name.as_str()))
        });
        let shown: Map<String, Value> = shown.map(|(name, value)| (name.clone(), value.clone())).collect();
        members_of(&shown, &Place::default(), &mut found);
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// The fields of an object before and after, each once.
pub(crate) fn compared(kind: &str, before: &Value, after: &Value) -> Vec<Difference> {
    let mut rows: BTreeMap<String, Difference> = BTreeMap::new();
    for Field { path, label, value } in fields(kind, before) {
        rows.insert(path.clone(), Difference { path, label, before: Some(value), after: None });
    }
    for Field { path, label, value } in fields(kind, after) {
        let row = rows.entry(path.clone()).or_insert(Difference { path, label, before: None, after: None });
        row.after = Some(value);
    }
    rows.into_values().collect()
}

/// The fields that changed.
pub(crate) fn changed(kind: &str, before: &Value, after: &Value) -> Vec<Difference> {
    let mut rows = compared(kind, before, after);
    rows.retain(Difference::is_change);
    rows
}

/// Where a value is.
#[derive(Clone, Debug, Default)]
struct Place {
    path: Vec<String>,
    labels: Vec<String>,
    /// Whether the names below are chosen by operators.
    chosen: bool,
}

impl Place {
    fn within(&self, name: &str) -> Self {
        let mut place = self.clone();
        // The description of an object is the object.
        if !(name == "spec" && self.path.is_empty()) {
            place.path.push(name.to_owned());
            place.labels.push(if self.chosen { name.to_owned() } else { label(name) });
        }
        place.chosen = !self.chosen && CHOSEN.contains(&name);
        place
    }

    fn element(&self, name: &str) -> Self {
        let mut place = self.clone();
        place.path.push(name.to_owned());
        place.labels.push(name.to_owned());
        place.chosen = false;
        place
    }

    fn field(&self, value: String, found: &mut Vec<Field>) {
        if !value.is_empty() {
            found.push(Field { path: self.path.join("."), label: self.labels.join(" \u{203a} "), value });
        }
    }
}

fn members_of(members: &Map<String, Value>, place: &Place, found: &mut Vec<Field>) {
    for (name, value) in members {
        // In a map of names that operators chose, `password` is the name of a setting, whose value may be a text.
        if !SECRET.contains(&name.as_str()) {
            value_of(value, &place.within(name), found);
        }
    }
}

fn value_of(value: &Value, place: &Place, found: &mut Vec<Field>) {
    match value {
        Value::Object(members) => members_of(members, place, found),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                let name = item.as_object().and_then(name_of).unwrap_or_else(|| (index + 1).to_string());
                value_of(item, &place.element(&name), found);
            }
        }
        Value::Array(items) => place.field(items.iter().map(text).collect::<Vec<_>>().join(", "), found),
        other => place.field(text(other), found),
    }
}

/// What identifies an element of a list: a list is compared by these, so that a new first element does not change all others.
fn name_of(members: &Map<String, Value>) -> Option<String> {
    let identifying = ["name", "zone", "mac", "ip", "key", "hostname", "first", "address", "code", "id"];
    let name = identifying.iter().find_map(|name| members.get(*name).filter(|value| !value.is_object() && !value.is_null()))?;
    Some(text(name))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The name of a field as a label.
fn label(name: &str) -> String {
    const KNOWN: [(&str, &str); 15] = [
        ("cidr", "Network (CIDR)"),
        ("macs", "MAC addresses"),
        ("mac", "MAC address"),
        ("ip", "IP address"),
        ("id", "ID"),
        ("rack_position", "Rack unit"),
        ("management_access", "Management controller"),
        ("uptime_seconds", "Uptime in seconds"),
        ("url", "URL"),
        ("ttl", "TTL"),
        ("sha256", "SHA-256"),
        ("dns_updates", "DNS updates"),
        ("ntp_servers", "NTP servers"),
        ("dns_servers", "DNS servers"),
        ("dhcp_options", "DHCP options"),
    ];
    if let Some((_, label)) = KNOWN.iter().find(|(known, _)| *known == name) {
        return (*label).to_owned();
    }
    let words: Vec<String> = name
        .split('_')
        .map(|word| match word {
            "dns" | "dhcp" | "ntp" | "ip" | "mac" | "url" | "ttl" | "vlan" | "id" | "http" => word.to_uppercase(),
            _ => word.to_owned(),
        })
        .collect();
    crate::english::capitalised(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labels(kind: &str, state: &Value) -> Vec<(String, String)> {
        fields(kind, state).into_iter().map(|field| (field.label, field.value)).collect()
    }

    #[test]
    fn fields_have_labels_and_values_and_empty_ones_are_left_out() {
        let state = json!({
            "spec": {"cidr": "10.0.0.0/24", "gateway": null, "racks": ["r1", "r2"], "dhcp": true, "domain": ""},
            "roles": {"dns_cache": {"settings": {"ntp": "a"}}},
            "zones": [{"name": "dc1.example", "ttl": 60}],
            "sequence": 7,
        });
        let pair = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        assert_eq!(
            labels("site", &state),
            [
                pair("Network (CIDR)", "10.0.0.0/24"),
                pair("DHCP", "yes"),
                pair("Racks", "r1, r2"),
                pair("Roles \u{203a} dns_cache \u{203a} Settings \u{203a} ntp", "a"),
                pair("Zones \u{203a} dc1.example \u{203a} Name", "dc1.example"),
                pair("Zones \u{203a} dc1.example \u{203a} TTL", "60"),
            ]
        );
    }

    #[test]
    fn a_new_first_element_changes_no_other_one() {
        let zones = |names: &[&str]| json!({"zones": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()});
        let changes = changed("site", &zones(&["b", "c"]), &zones(&["a", "b", "c"]));
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].path.as_str(), changes[0].before.as_deref()), ("zones.a.name", None));
        assert!(changed("site", &zones(&["a"]), &zones(&["a"])).is_empty());
        assert_eq!(compared("site", &zones(&["a"]), &zones(&["a"])).len(), 1);
    }

    #[test]
    fn secrets_are_no_fields() {
        let user =
            json!({"display_name": "Ada", "role": "viewer", "sign_in": {"password": {"password": "$argon2id$x"}}, "hash": "x"});
        assert_eq!(labels("user", &user).len(), 2);
        assert!(fields("session", &json!({"user": "ada", "token": "x"})).is_empty());
        let token = json!({"name": "ops", "scope": "viewer", "hash": "abc", "secret": "abc"});
        assert!(fields("token", &token).iter().all(|field| field.value != "abc"));
        assert!(fields("webhook", &json!({"auth": {"password": "x", "hash": "y"}})).is_empty());
    }
}
