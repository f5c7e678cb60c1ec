//! Tags of devices: short words or keys that operators choose to find devices again.

use super::ParseError;
use super::schema::written_as_text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most characters of a tag.
const LONGEST: usize = 40;

/// A tag: 1 to 40 of `a-z 0-9 . _ - :`, beginning with a letter or digit, such as `spare` or `row:4`. It needs no escaping in any
/// URL or file, and a list of tags is written with spaces between them. Read case-insensitively.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

written_as_text!(
    Tag,
    "A word or key, such as `spare` or `row:4`: 1 to 40 of the characters a to z, 0 to 9, `.`, `_`, `-` and `:`, beginning with a letter or digit.",
    None,
    "spare"
);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tag = text.trim().to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | ':');
        if tag.is_empty() {
            return Err(ParseError::new("a tag must not be empty"));
        }
        if tag.chars().count() > LONGEST {
            return Err(ParseError::new(format!("a tag has at most {LONGEST} characters")));
        }
        if !tag.chars().all(allowed) || !tag.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(ParseError::new(format!(
                "{text:?} is not a tag: letters, digits, '.', '_', '-' and ':', beginning with a letter or digit"
            )));
        }
        Ok(Self(tag))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Tag {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_lower_case_words_or_keys() {
        assert_eq!(" Row:4 ".parse::<Tag>().expect("a tag").as_str(), "row:4");
        let long = "a".repeat(41);
        for text in ["", ":a", "-a", "a b", "a,b", "a=b", "a\nb", "<a>", "ä", long.as_str()] {
            assert!(text.parse::<Tag>().is_err(), "{text:?} was accepted");
        }
    }
}
