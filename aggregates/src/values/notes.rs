//! Notes of operators: a text of several lines.

use super::schema::written_as_text;
use super::{ParseError, invisible};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most characters of the notes.
const LONGEST: usize = 4_000;

/// A trimmed text of at most 4000 characters, which may have several lines; may be empty. It has no control characters except line
/// feeds. When it is read from a request, it contains no invisible characters either.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Notes(String);

written_as_text!(
    Notes,
    "A text of at most 4000 characters, which may have several lines.",
    None,
    "The left power supply is broken.\nA new one is ordered."
);

impl Notes {
    /// The text, with a line feed between lines.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there are no notes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Notes {
    /// Reads notes from an event, by the rules of all versions.
    fn stored(text: &str) -> Result<Self, ParseError> {
        // Forms send both characters at the end of a line.
        let text = text.replace("\r\n", "\n");
        let text = text.trim();
        if text.chars().count() > LONGEST {
            return Err(ParseError::new(format!("at most {LONGEST} characters")));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err(ParseError::new("control characters and tabs are not allowed; use spaces and line breaks"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Notes {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        invisible::refuse(text)?;
        Self::stored(text)
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&invisible::shown(&self.0))
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Notes {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::stored(&text)
    }
}

impl From<Notes> for String {
    fn from(notes: Notes) -> Self {
        notes.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_keep_their_lines_and_nothing_else_that_controls_the_output() {
        assert_eq!(" a\r\nb\n\n".parse::<Notes>().expect("notes").as_str(), "a\nb");
        let long = "a".repeat(4_001);
        for text in ["a\tb", "a\u{1b}[31m", "a\0", "a\u{202e}b", "a\rb", long.as_str()] {
            assert!(text.parse::<Notes>().is_err(), "{text:?} was accepted");
        }
    }
}
