//! Short names that are used as keys: of sites, racks, networks, ventures, roles, images, servers and files.

use super::ParseError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// A key: 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit. It needs no escaping in any URL, script, configuration
/// or file name that Bootledger writes. Read case-insensitively.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "dc1")]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim().to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        if name.is_empty() {
            return Err(ParseError::new("a name must not be empty"));
        }
        if name.len() > 64 {
            return Err(ParseError::new("a name has at most 64 characters"));
        }
        if !name.chars().all(allowed) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(ParseError::new(format!(
                "{text:?} is not a name: letters, digits, '.', '_' and '-', beginning with a letter or digit"
            )));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Name {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_harmless_everywhere() {
        assert_eq!(" Web-01.a_b ".parse::<Name>().expect("a name").as_str(), "web-01.a_b");
        let long = "a".repeat(65);
        for text in ["", "..", "-a", "a b", "a;b", "a\nb", "a\"", "{a}", "ä", "a/b", "a\0", long.as_str()] {
            assert!(text.parse::<Name>().is_err(), "{text:?} was accepted");
        }
    }
}
