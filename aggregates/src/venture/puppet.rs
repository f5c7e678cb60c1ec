//! Puppet data of a venture or role: the classes, top-scope parameters and environment that Puppet gets for its servers.
//!
//! A role inherits from its venture, and a venture from its parent; the nearest value wins. Events hold plain texts and values,
//! so that old ones can always be read; names are checked when they are defined. Nothing here is secret: any host on the boot
//! network can request what Puppet gets.

#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Rule};
use crate::values::text::Text;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use utoipa::ToSchema;

/// Values by name, as in JSON: texts, integers and decimal numbers, true and false, null, lists, and objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct Parameters(pub BTreeMap<Text, Value>);

impl Parameters {
    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Puppet classes, in one of the two forms of Puppet's external node classifiers: a list of names, or names with parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Classes {
    /// Class names only.
    Names(Vec<Text>),
    /// The classes with their parameters; null or an empty object means none.
    #[schema(value_type = BTreeMap<String, Option<Object>>)]
    WithParameters(BTreeMap<Text, Parameters>),
}

impl Default for Classes {
    fn default() -> Self {
        Self::Names(vec![])
    }
}

impl Classes {
    /// Whether there are no classes.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Names(names) => names.is_empty(),
            Self::WithParameters(classes) => classes.is_empty(),
        }
    }

    /// Each class with its parameters.
    fn each(&self) -> Vec<(&Text, Option<&Parameters>)> {
        match self {
            Self::Names(names) => names.iter().map(|name| (name, None)).collect(),
            Self::WithParameters(classes) => classes.iter().map(|(name, parameters)| (name, Some(parameters))).collect(),
        }
    }
}

// Written manually, because the derived code for an untagged enum would not say what is wrong.
impl<'de> Deserialize<'de> for Classes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Classes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of Puppet classes, or Puppet classes with their parameters")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Classes, A::Error> {
                let mut names = vec![];
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Classes::Names(names))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Classes, A::Error> {
                let mut classes = BTreeMap::new();
                // Puppet allows null if a class has no parameters.
                while let Some((name, parameters)) = map.next_entry::<Text, Option<Parameters>>()? {
                    classes.insert(name, parameters.unwrap_or_default());
                }
                Ok(Classes::WithParameters(classes))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// The Puppet data of a role, a venture, or one of the venture's ancestors.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// The classes that this layer adds.
    pub classes: &'a Classes,
    /// The top-scope parameters that this layer sets.
    pub parameters: &'a Parameters,
    /// The environment that this layer sets, if any.
    pub environment: Option<&'a Text>,
}

/// The Puppet data of a node: the answer of an external node classifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Classification {
    /// The classes with their parameters.
    #[schema(value_type = BTreeMap<String, Object>)]
    pub classes: BTreeMap<String, BTreeMap<String, Value>>,
    /// The top-scope parameters.
    #[schema(value_type = Object)]
    pub parameters: BTreeMap<String, Value>,
    /// The environment; if omitted, the agent's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

impl Classification {
    /// Combines layers, nearest first: all classes, and for each parameter and the environment the nearest value.
    pub fn of<'a>(layers: impl IntoIterator<Item = Layer<'a>>) -> Self {
        let mut all = Self::default();
        for layer in layers {
            for (name, parameters) in layer.classes.each() {
                // To Puppet, `::ntp` and `ntp` are the same class, and the answer must not list it twice.
                let name = name.as_str().trim_start_matches("::").to_owned();
                let class = all.classes.entry(name).or_default();
                for (name, value) in parameters.iter().flat_map(|parameters| &parameters.0) {
                    class.entry(name.to_string()).or_insert_with(|| value.clone());
                }
            }
            for (name, value) in &layer.parameters.0 {
                all.parameters.entry(name.to_string()).or_insert_with(|| value.clone());
            }
            all.environment = all.environment.or_else(|| layer.environment.map(ToString::to_string));
        }
        all
    }
}

/// The largest size of all Puppet data of a layer as JSON, in bytes.
const LARGEST: usize = 64 * 1024;
/// The deepest nesting of lists and objects.
const DEEPEST: usize = 8;
/// The most characters of a name in an object. YAML allows no simple keys of more than 1024.
const LONGEST_KEY: usize = 300;
/// The prefix of the parameters that Bootledger itself adds.
pub const OWN_PREFIX: &str = "bootledger_";
/// Top-scope variables that Puppet sets itself and does not allow others to set.
const TAKEN: [&str; 4] = ["environment", "facts", "server_facts", "trusted"];
/// Sections of `puppet.conf`, which cannot be names of environments.
const SECTIONS: [&str; 4] = ["agent", "main", "master", "user"];

/// Every problem with a layer: violations of Puppet's rules for names, and values that would not reach Puppet unchanged.
pub(super) fn broken(layer: Layer<'_>) -> Vec<BrokenRule> {
    let mut broken = vec![];
    for (class, parameters) in layer.classes.each() {
        if !is_class(class.as_str()) {
            let message = format!(
                "{class:?} is not a valid name of a Puppet class: use parts of a-z, 0-9 and _ that begin with a letter, with \
                 :: between them"
            );
            broken.push(BrokenRule::new("puppet_classes", Rule::PuppetClassName, message));
        }
        for (name, value) in parameters.iter().flat_map(|parameters| &parameters.0) {
            broken.extend(named("puppet_classes", &format!("the parameter {name:?} of class {class}"), name));
            broken.extend(check_text("puppet_classes", &format!("the parameter {name} of class {class}"), value));
        }
    }
    for (name, value) in &layer.parameters.0 {
        broken.extend(named("puppet_parameters", &format!("the parameter {name:?}"), name));
        broken.extend(check_text("puppet_parameters", &format!("the parameter {name}"), value));
        if name.as_str().starts_with(OWN_PREFIX) || TAKEN.contains(&name.as_str()) {
            let message = format!("{name} is set by Bootledger or by Puppet itself; choose another name");
            broken.push(BrokenRule::new("puppet_parameters", Rule::PuppetParameterTaken, message));
        }
    }
    broken.extend(layer.environment.and_then(|environment| {
        let good = is_word(environment.as_str(), true) && !SECTIONS.contains(&environment.as_str());
        let message = format!(
            "{environment:?} is not a valid name of a Puppet environment: use a-z, 0-9 and _, and not {}",
            SECTIONS.join(", ")
        );
        (!good).then(|| BrokenRule::new("puppet_environment", Rule::PuppetEnvironmentName, message))
    }));
    let size = [serde_json::to_string(layer.classes), serde_json::to_string(layer.parameters)];
    if size.iter().flatten().map(String::len).sum::<usize>() > LARGEST {
        let message = format!("classes and parameters have more than {LARGEST} bytes as JSON; keep such data in Hiera");
        broken.push(BrokenRule::new("puppet_parameters", Rule::PuppetTooLarge, message));
    }
    broken
}

/// Whether a text consists of lower-case letters, digits and underscores, and begins with a letter or, if `any_begin`, with any
/// of them.
fn is_word(text: &str, any_begin: bool) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.starts_with(|c: char| any_begin || c.is_ascii_lowercase()) && text.chars().all(allowed)
}

/// Whether a text matches Puppet's `\A([a-z][a-z0-9_]*)?(::[a-z][a-z0-9_]*)*\Z` and is not empty.
fn is_class(text: &str) -> bool {
    text.strip_prefix("::").unwrap_or(text).split("::").all(|part| is_word(part, false))
}

fn named(field: &str, what: &str, name: &Text) -> Option<BrokenRule> {
    let message = format!("{what} is not a valid name of a Puppet variable: use a-z, 0-9 and _, beginning with a letter");
    (!is_word(name.as_str(), false)).then(|| BrokenRule::new(field, Rule::PuppetParameterName, message))
}

fn check_text(field: &str, what: &str, value: &Value) -> Option<BrokenRule> {
    let why = unclear(value, 0)?;
    Some(BrokenRule::new(field, Rule::PuppetValue, format!("{what} {why}")))
}

/// Why a value would not reach Puppet unchanged.
fn unclear(value: &Value, depth: usize) -> Option<String> {
    if depth > DEEPEST {
        return Some(format!("has lists and objects more than {DEEPEST} deep"));
    }
    match value {
        Value::Null | Value::Bool(_) => None,
        // Ruby reads 1e20 as a string.
        Value::Number(number) => {
            let clear = number.is_i64() || number.is_f64() && !number.to_string().contains('e');
            (!clear).then(|| format!("has the number {number}, which Puppet would not read as a number; write it as text"))
        }
        Value::String(text) => garbled(text),
        Value::Array(values) => values.iter().find_map(|value| unclear(value, depth + 1)),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let length = name.chars().count();
            if !(1..=LONGEST_KEY).contains(&length) {
                return Some(format!("has a name of {length} characters; 1 to {LONGEST_KEY} are allowed"));
            }
            garbled(name).or_else(|| unclear(value, depth + 1))
        }),
    }
}

/// The first character that YAML drops, or reads as the end of a line.
fn garbled(text: &str) -> Option<String> {
    let bad = |c: &char| {
        c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars().find(bad).map(|c| format!("has the character U+{:04X}, which Puppet cannot receive", u32::from(c)))
}
