//! The object `settings` of templates. It contains the values of the settings that one file uses, and no others.
//!
//! A file gets the settings that it was found to use when it was saved. Any other setting that a template uses has no value,
//! which ends the rendering. So a template that evades the check can show no setting, and above all no secret.

use crate::images::target::Image;
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::{SettingName, SettingSpec, SettingType, SettingValue};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The settings that an image declares.
pub type Declared = BTreeMap<SettingName, SettingSpec>;

/// The values of a file's settings.
#[derive(Default)]
pub struct SettingValues {
    values: BTreeMap<String, Value>,
    /// The first requested setting that has no value.
    unknown: OnceLock<String>,
}

// Values may be secrets.
impl fmt::Debug for SettingValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl SettingValues {
    /// The values of the settings that a file uses. `secret` reads a secret by its name, or returns its replacement.
    ///
    /// # Errors
    /// Returns an error if a secret cannot be read.
    pub fn of_file<E>(
        image: &Image,
        kind: FileKind,
        used: &BTreeSet<SettingName>,
        given: &ResolvedSettings,
        mut secret: impl FnMut(&Name) -> Result<String, E>,
    ) -> Result<Self, E> {
        let mut values = BTreeMap::new();
        for name in used {
            let Some(spec) = image.settings.get(name) else { continue };
            // The script is served by address. The domain refuses a script that uses a secret; if there is one, the secret
            // has no value.
            if spec.kind == SettingType::Secret && kind.is_script() {
                continue;
            }
            let set = given.get(name).map(|resolved| &resolved.value).or(spec.default.as_ref());
            let value = match set {
                Some(SettingValue::Secret(reference)) if spec.kind == SettingType::Secret => {
                    Value::from(secret(&reference.secret)?)
                }
                Some(value) if spec.accepts(value).is_ok() => plain(value),
                Some(SettingValue::Text(text)) if text.as_str().is_empty() => Value::from(""),
                Some(_) => continue,
                None => match empty(spec.kind) {
                    Some(value) => value,
                    None => continue,
                },
            };
            values.insert(name.to_string(), value);
        }
        Ok(Self { values, unknown: OnceLock::new() })
    }

    /// A value for every declared setting, to check templates with. For a setting with choices, it is the choice with this
    /// number, modulo their count.
    pub(crate) fn sample(declared: &Declared, choice: usize) -> Self {
        let value = |spec: &SettingSpec| match spec.kind {
            SettingType::Text | SettingType::Secret => Value::from("sample"),
            SettingType::Number => Value::from(7),
            SettingType::Boolean => Value::from(true),
            SettingType::List => texts(["one".to_owned(), "two".to_owned()]),
            SettingType::Choice => {
                let chosen = spec.choices.iter().cycle().nth(choice % spec.choices.len().max(1));
                Value::from(chosen.map_or("", |text| text.as_str()))
            }
        };
        Self::of(declared, value)
    }

    /// The smallest value for every declared setting: empty, zero, false.
    pub(crate) fn empty_sample(declared: &Declared) -> Self {
        let value = |spec: &SettingSpec| match spec.kind {
            SettingType::Number => Value::from(0),
            SettingType::Boolean => Value::from(false),
            other => empty(other).unwrap_or_default(),
        };
        Self::of(declared, value)
    }

    /// The smallest values that a server may have: required settings have a value, and optional ones are empty unless they
    /// have a default.
    pub(crate) fn least_sample(declared: &Declared) -> Self {
        let (full, empty) = (Self::sample(declared, 0), Self::empty_sample(declared));
        let optional = |name: &str| {
            let spec = declared.iter().find(|(known, _)| known.as_str() == name).map(|(_, spec)| spec);
            spec.is_some_and(|spec| !spec.required && spec.default.as_ref().is_none_or(SettingValue::is_empty))
        };
        let mut values = full.values;
        values.extend(empty.values.into_iter().filter(|(name, _)| optional(name)));
        Self { values, unknown: OnceLock::new() }
    }

    /// The same values with this text as the value of one setting.
    #[must_use]
    pub(crate) fn with_text(mut self, name: &SettingName, text: &str) -> Self {
        if let Some(value) = self.values.get_mut(name.as_str()) {
            *value = if value.kind() == ValueKind::Seq { texts([text.to_owned()]) } else { Value::from(text) };
        }
        self
    }

    fn of(declared: &Declared, value: impl Fn(&SettingSpec) -> Value) -> Self {
        let values = declared.iter().map(|(name, spec)| (name.to_string(), value(spec))).collect();
        Self { values, unknown: OnceLock::new() }
    }

    /// Whether the value of this setting is a list.
    pub(crate) fn is_list(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| value.kind() == ValueKind::Seq)
    }

    /// The first requested setting that has no value.
    pub(crate) fn unknown(&self) -> Option<&str> {
        self.unknown.get().map(String::as_str)
    }
}

/// The value that represents no value, if a type has one.
fn empty(kind: SettingType) -> Option<Value> {
    match kind {
        SettingType::Text | SettingType::Choice | SettingType::Secret => Some(Value::from("")),
        SettingType::List => Some(texts([])),
        SettingType::Number | SettingType::Boolean => None,
    }
}

fn plain(value: &SettingValue) -> Value {
    match value {
        SettingValue::Boolean(flag) => Value::from(*flag),
        SettingValue::Number(number) => Value::from(*number),
        SettingValue::Text(text) => Value::from(text.as_str()),
        SettingValue::List(list) => texts(list.items().iter().map(ToString::to_string)),
        // Only `of_file` reads secrets; in other cases a secret has no value.
        SettingValue::Secret(_) => Value::UNDEFINED,
    }
}

impl Object for SettingValues {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        let value = self.values.get(name).cloned();
        if value.is_none() {
            drop(self.unknown.set(name.to_owned()));
        }
        value
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        drop(self.unknown.set("settings".to_owned()));
        f.write_str("settings")
    }
}

/// Texts: a list for loops and filters; written as one text, they are separated by spaces.
pub(crate) fn texts(items: impl IntoIterator<Item = String>) -> Value {
    Value::from_object(Texts(items.into_iter().collect()))
}

#[derive(Debug)]
struct Texts(Vec<String>);

impl Object for Texts {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_usize()?).map(|text| Value::from(text.as_str()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
