//! Settings of boot images: values that an image's templates need beyond the server's own, such as the disk or the time zone.
//!
//! A boot image declares its settings with types. Their values are set on the device, its role, its venture, its site or the
//! image. A value never contains a secret, only the name of one.

use super::name::Name;
use super::{ParseError, invisible};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

#[cfg(test)]
mod tests;

/// Values of settings by name, as a site, venture, role or device sets them.
pub type Settings = BTreeMap<SettingName, SettingValue>;

/// The prefix of the names of secrets that may be rendered into boot files.
pub const BOOT_SECRET_PREFIX: &str = "boot-";

/// Control characters, line and paragraph separators, and characters that XML or YAML cannot represent.
fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

const LONGEST_NAME: usize = 40;
const LONGEST_TEXT: usize = 4096;
const MOST_ITEMS: usize = 256;
const MOST_CHOICES: usize = 64;

/// The name of a setting: 1 to 40 of `a-z 0-9 _`, beginning with a letter. Templates use it as `settings.NAME`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "time_zone")]
pub struct SettingName(String);

impl SettingName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SettingName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !starts || text.len() > LONGEST_NAME || !text.chars().all(allowed) {
            return Err(ParseError::new(format!(
                "{text:?} is not the name of a setting: 1 to {LONGEST_NAME} lower-case letters, digits and '_', beginning with a letter"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for SettingName {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SettingName> for String {
    fn from(name: SettingName) -> Self {
        name.0
    }
}

/// One line of at most 4,096 characters without control characters. It is kept as it was written, including white space.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct SettingText(String);

impl SettingText {
    /// The line as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingText {
    /// Reads a text from an event, by the rules of all versions.
    fn stored(text: &str) -> Result<Self, ParseError> {
        if text.chars().count() > LONGEST_TEXT {
            return Err(ParseError::new(format!("a setting's string has at most {LONGEST_TEXT} characters")));
        }
        if text.chars().any(is_forbidden) {
            return Err(ParseError::new(
                "a setting's string is one line without control characters; use a list for several lines",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for SettingText {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        invisible::refuse(text)?;
        Self::stored(text)
    }
}

impl fmt::Display for SettingText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SettingText {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::stored(&text)
    }
}

impl From<SettingText> for String {
    fn from(text: SettingText) -> Self {
        text.0
    }
}

/// A list of at most 256 texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Vec<SettingText>", into = "Vec<SettingText>")]
#[schema(value_type = Vec<String>)]
pub struct SettingList(Vec<SettingText>);

impl SettingList {
    /// The items of the list.
    pub fn items(&self) -> &[SettingText] {
        &self.0
    }
}

impl TryFrom<Vec<SettingText>> for SettingList {
    type Error = ParseError;
    fn try_from(items: Vec<SettingText>) -> Result<Self, Self::Error> {
        if items.len() > MOST_ITEMS {
            return Err(ParseError::new(format!("a setting's list has at most {MOST_ITEMS} entries")));
        }
        Ok(Self(items))
    }
}

impl From<SettingList> for Vec<SettingText> {
    fn from(list: SettingList) -> Self {
        list.0
    }
}

/// A setting's value. Its JSON is a string, a whole number, a boolean, a list of strings, or `{"secret": NAME}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a string, a whole number, true or false, a list of strings, or {\"secret\": NAME}")]
pub enum SettingValue {
    /// True or false.
    Boolean(bool),
    /// A whole number of 64 bits.
    Number(i64),
    /// A text; also the value of a choice.
    Text(SettingText),
    /// A list of texts.
    List(SettingList),
    /// A reference to a secret.
    Secret(SecretReference),
}

impl SettingValue {
    /// Whether the value counts as no value: an empty text or an empty list.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.as_str().is_empty(),
            Self::List(list) => list.items().is_empty(),
            Self::Boolean(_) | Self::Number(_) | Self::Secret(_) => false,
        }
    }

    /// The name of the secret that the value refers to.
    pub fn secret(&self) -> Option<&Name> {
        match self {
            Self::Secret(reference) => Some(&reference.secret),
            _ => None,
        }
    }
}

/// A reference to a secret by its name. The service reads the secret when it renders a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretReference {
    /// The secret's name, which begins with `boot-`.
    pub secret: Name,
}

/// The type of a setting's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingType {
    /// One line of text.
    Text,
    /// A whole number of 64 bits.
    Number,
    /// True or false.
    Boolean,
    /// Several lines of text.
    List,
    /// One of the declared choices.
    Choice,
    /// The name of a secret.
    Secret,
}

impl SettingType {
    /// The type as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Choice => "choice",
            Self::Secret => "secret",
        }
    }
}

/// The declaration of a setting in a boot image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingSpec {
    /// The type of the setting's values.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// The purpose of the setting, for operators.
    #[serde(default)]
    pub description: SettingText,
    /// Whether a deployment needs a value. An optional setting without a value is an empty text or an empty list in templates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// The image's own value, which applies if nothing nearer sets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<SettingValue>,
    /// The allowed values of a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<SettingText>,
}

impl SettingSpec {
    /// Checks whether a value is allowed for this setting. The error is the end of a sentence that begins with the setting's
    /// name.
    ///
    /// # Errors
    /// The type is wrong, the choice is not declared, or the secret may not be rendered into boot files.
    pub fn accepts(&self, value: &SettingValue) -> Result<(), String> {
        match (self.kind, value) {
            (SettingType::Text, SettingValue::Text(_))
            | (SettingType::Number, SettingValue::Number(_))
            | (SettingType::Boolean, SettingValue::Boolean(_))
            | (SettingType::List, SettingValue::List(_)) => Ok(()),
            (SettingType::Choice, SettingValue::Text(text)) if self.choices.contains(text) => Ok(()),
            (SettingType::Choice, _) => {
                let choices: Vec<&str> = self.choices.iter().map(SettingText::as_str).collect();
                Err(format!("must be one of {}", choices.join(", ")))
            }
            (SettingType::Secret, SettingValue::Secret(reference))
                if reference.secret.as_str().starts_with(BOOT_SECRET_PREFIX) =>
            {
                Ok(())
            }
            (SettingType::Secret, SettingValue::Secret(_)) => {
                Err(format!("must name a secret that begins with {BOOT_SECRET_PREFIX}, because boot files contain no others"))
            }
            (SettingType::Secret, _) => Err("must be a secret's name, as {\"secret\": NAME}".to_owned()),
            (SettingType::Text, _) => Err("must be a string".to_owned()),
            (SettingType::Number, _) => Err("must be a whole number".to_owned()),
            (SettingType::Boolean, _) => Err("must be true or false".to_owned()),
            (SettingType::List, _) => Err("must be a list of strings".to_owned()),
        }
    }

    /// The problem with the declaration itself, as the end of a sentence that begins with the setting's name.
    pub fn problem(&self) -> Option<String> {
        if self.kind == SettingType::Choice && self.choices.is_empty() {
            return Some("is of type choice, but has no choices".to_owned());
        }
        if self.choices.len() > MOST_CHOICES {
            return Some(format!("has more than {MOST_CHOICES} choices"));
        }
        if self.kind != SettingType::Choice && !self.choices.is_empty() {
            return Some("has choices, but is not of type choice".to_owned());
        }
        let needs_value = matches!(self.kind, SettingType::Number | SettingType::Boolean);
        if needs_value && !self.required && self.default.is_none() {
            return Some("needs a default or must be required: a number or boolean cannot be empty".to_owned());
        }
        self.default.as_ref().and_then(|value| self.accepts(value).err()).map(|why| format!("has a default that {why}"))
    }
}
