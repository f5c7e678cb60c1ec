//! A line of text that a person wrote: a description, a reason, a serial number.

use super::ParseError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// One trimmed line of at most 300 characters without control characters. May be empty.
/// It still needs the escaping of the format that it is written into.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct Text(String);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes any message fit: control characters become spaces, what is over 300 characters is cut.
    /// For messages of other programs, which must be kept whatever they hold.
    pub fn fitted(message: &str) -> Self {
        let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        Self(line.trim().to_owned())
    }
}

impl FromStr for Text {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.chars().count() > 300 {
            return Err(ParseError::new("at most 300 characters"));
        }
        if text.chars().any(char::is_control) {
            return Err(ParseError::new("control characters and line breaks are not allowed"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Text {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}
