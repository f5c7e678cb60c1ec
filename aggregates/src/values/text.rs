//! A line of text that an operator wrote: a description, a reason, a serial number.

use super::{ParseError, invisible};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

/// One trimmed line of at most 300 characters without control characters; may be empty. When it is read from a request, it
/// contains no invisible characters either. A text that was stored before that rule may contain some; they are written out
/// wherever the text is shown. The text still needs the escaping of the format that it is written into.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct Text(String);

impl Text {
    /// The empty text.
    pub const EMPTY: Self = Self(String::new());

    /// The line as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text in a form for comparing what is printed on labels: the case of the letters a to z, full-width and other
    /// compatibility forms of characters, and runs of spaces make no difference. The migration `folded_numbers` does the same
    /// in SQL.
    pub fn folded(&self) -> String {
        let folded: String = self.0.nfkc().collect::<String>().to_ascii_lowercase();
        folded.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Turns any message into a valid text: control characters become spaces, invisible characters are written out, and the
    /// rest after 300 characters is cut. For messages of other programs, which must be kept regardless of their content.
    pub fn fitted(message: &str) -> Self {
        // Read no more of a long message than can be kept.
        let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        let line: String = invisible::shown(&line).chars().take(300).collect();
        Self(line.trim().to_owned())
    }
}

impl Text {
    /// Reads a text from an event, by the rules of all versions.
    fn stored(text: &str) -> Result<Self, ParseError> {
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

impl FromStr for Text {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        invisible::refuse(text)?;
        Self::stored(text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&invisible::shown(&self.0))
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
        Self::stored(&text)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_text_with_an_invisible_character_loads_and_shows_it_and_a_new_one_is_refused() {
        let old: Text = serde_json::from_str("\"a\\u202eb\"").expect("an event of before");
        assert_eq!((old.as_str(), old.to_string().as_str()), ("a\u{202e}b", "a‹U+202E›b"));
        assert_eq!(serde_json::to_string(&old).expect("JSON"), "\"a\u{202e}b\"");
        "a\u{202e}b".parse::<Text>().expect_err("a new text");
        assert_eq!(Text::fitted("said \u{200b}\n").as_str(), "said ‹U+200B›");
    }
}
