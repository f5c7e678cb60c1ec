//! User names: those that Bootledger's own users sign in with, and those of an OpenID Connect provider.

use super::ParseError;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use std::str::FromStr;
use utoipa::ToSchema;

/// The most characters of a user name: the length of the longest e-mail address (RFC 5321).
const LONGEST: usize = 254;

/// A user name of 1 to 254 ASCII characters: letters, digits, `. _ - @ + ' ! # $ & = ^ ~ \` and single inner spaces, beginning
/// with a letter, a digit or `_`. Providers use such names: `ada@corp.example`, `CORP\ada`,
/// `ada_partner.example#EXT#@corp.example`. Read case-insensitively. [`in_url`] writes it in a URL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "ada@corp.example")]
pub struct UserName(String);

impl UserName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a path segment of a URL.
    pub fn in_url(&self) -> String {
        in_url(&self.0)
    }
}

/// A user's name as a path segment of a URL.
pub fn in_url(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@') {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

impl FromStr for UserName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim().to_ascii_lowercase();
        if name.is_empty() {
            return Err(ParseError::new("a user name must not be empty"));
        }
        if name.chars().count() > LONGEST {
            return Err(ParseError::new(format!("a user name has at most {LONGEST} characters")));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || " ._-@+'!#$&=^~\\".contains(c);
        if let Some(wrong) = name.chars().find(|c| !allowed(*c)) {
            return Err(ParseError::new(format!(
                "{text:?} is not a user name: {wrong:?} is not allowed. Allowed are letters a-z, digits, single spaces inside, and . _ - \
                 @ + ' ! # $ & = ^ ~ \\"
            )));
        }
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') || name.contains("  ") {
            return Err(ParseError::new(format!(
                "{text:?} is not a user name: it begins with a letter, a digit or '_', and has single spaces only"
            )));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for UserName {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::name::Name;

    #[test]
    fn names_of_every_provider_are_read_in_lower_case() {
        for (text, name, url) in [
            ("ada", "ada", "ada"),
            ("Ada@Corp.Example", "ada@corp.example", "ada@corp.example"),
            ("CORP\\Ada", "corp\\ada", "corp%5Cada"),
            (" Ada Lovelace ", "ada lovelace", "ada%20lovelace"),
            (
                "ada_partner.example#EXT#@corp.example",
                "ada_partner.example#ext#@corp.example",
                "ada_partner.example%23ext%23@corp.example",
            ),
            ("o'neil+dc&x=1@corp.example", "o'neil+dc&x=1@corp.example", "o%27neil%2Bdc%26x%3D1@corp.example"),
            ("_svc", "_svc", "_svc"),
        ] {
            let read: UserName = text.parse().expect(text);
            assert_eq!((read.as_str(), read.in_url().as_str()), (name, url));
        }
        assert!("a".repeat(LONGEST).parse::<UserName>().is_ok());
    }

    #[test]
    fn names_with_special_characters_are_refused() {
        let long = "a".repeat(LONGEST + 1);
        for text in [
            "",
            " ",
            "..",
            ".a",
            "-a",
            "@a",
            "a/b",
            "x@evil.example/../",
            "a\nb",
            "a\0",
            "a\"",
            "<a>",
            "a:b",
            "a;b",
            "a,b",
            "a?b",
            "a%b",
            "a  b",
            "ä",
            "\u{430}dmin",
            "a\u{200b}b",
            "{a}",
            "a|b",
            "a`b",
            long.as_str(),
        ] {
            assert!(text.parse::<UserName>().is_err(), "{text:?} was accepted");
        }
    }

    /// Names of existing users were read by the rules of earlier versions.
    #[test]
    fn every_name_of_an_earlier_version_is_valid() {
        let each = ('!'..='~').map(|c| format!("a{c}")).chain(["0".to_owned(), "a".repeat(64)]);
        for text in each {
            let Ok(name) = text.parse::<Name>() else { continue };
            assert_eq!(text.parse::<UserName>().map(String::from), Ok(name.to_string()));
        }
    }
}
