//! Host names and domain names (RFC 1034, RFC 1123).

use super::ParseError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use utoipa::ToSchema;

/// A lower-case domain name without the final dot. The final dot is accepted when a name is read, because every name here is
/// absolute. Each label has letters, digits and hyphens (and, in reverse zones of RFC 2317, a slash). Used for domains and
/// zones.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "dc1.example")]
pub struct DomainName(String);

/// A fully qualified host name, read and written as a [`DomainName`]: a domain name of at least two labels that is not an IP
/// address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "h200.dc1.example")]
pub struct Hostname(String);

impl DomainName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name` is this domain or lies below it.
    pub fn contains(&self, name: &str) -> bool {
        name.strip_suffix(self.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl Hostname {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the first dot.
    pub fn domain(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, domain)| domain)
    }
}

/// The name under `in-addr.arpa` for an address (RFC 1035, 3.5).
pub fn reverse_name(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa")
}

fn labels(text: &str, slash: bool) -> Result<String, ParseError> {
    // Only ASCII letters: the lower case of some other characters is an ASCII letter, for example that of the Kelvin sign.
    let name = text.trim().to_ascii_lowercase();
    // Every name here is absolute, as a final dot indicates (RFC 1034, 3.1).
    let name = name.strip_suffix('.').unwrap_or(&name);
    if !name.is_ascii() {
        return Err(ParseError::new(format!(
            "{text:?}: write the name in its ASCII form, whose labels with other letters begin with xn-- (RFC 5890)"
        )));
    }
    if name.len() > 253 {
        return Err(ParseError::new("a domain name has at most 253 characters (RFC 1123)"));
    }
    for label in name.split('.') {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || (slash && matches!(c, '/' | '_'));
        if label.is_empty() || label.len() > 63 {
            return Err(ParseError::new(format!("{text:?}: each part between dots has 1 to 63 characters (RFC 1123)")));
        }
        if !label.chars().all(allowed) || label.starts_with('-') || label.ends_with('-') {
            return Err(ParseError::new(format!("{text:?}: only letters, digits and inner hyphens between dots (RFC 1123)")));
        }
    }
    Ok(name.to_owned())
}

impl FromStr for DomainName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        labels(text, true).map(Self)
    }
}

impl FromStr for Hostname {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = labels(text, false)?;
        if !name.contains('.') {
            return Err(ParseError::new(format!("{text:?} has no domain: at least one dot is needed")));
        }
        // The last label decides (RFC 1123, 2.1): an address ends with a number, a host name never does.
        if name.rsplit('.').next().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit())) {
            return Err(ParseError::new(format!("{text:?} is an IP address or ends like one, not a host name")));
        }
        Ok(Self(name))
    }
}

macro_rules! text_value {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl TryFrom<String> for $name {
            type Error = ParseError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

text_value!(DomainName);
text_value!(Hostname);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_follow_rfc_1123() {
        for text in [" H200.DC1.example ", "h200.dc1.example.", "H200.dc1.EXAMPLE. "] {
            assert_eq!(text.parse::<Hostname>().expect("a name").to_string(), "h200.dc1.example");
        }
        let error = "h1.bücher.example".parse::<Hostname>().expect_err("refused");
        assert!(error.0.contains("xn--"), "{error:?}");
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}.example", "a.".repeat(130));
        for text in [
            "",
            "h200",
            "10.0.0.1",
            "h200.",
            "h200.dc1.example..",
            ".",
            "10.0.0.1.",
            "h1。example",
            ".example",
            "a..b",
            "-a.example",
            "a-.example",
            "a_b.example",
            "a b.example",
            "a;b.example",
            "ä.example",
            "a\n.example",
            "1.2",
            long_label.as_str(),
            long_name.as_str(),
        ] {
            assert!(text.parse::<Hostname>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_label_has_up_to_63_characters_and_a_name_up_to_253() {
        let name = |length: usize| format!("{}.{}", vec!["a".repeat(63); 3].join("."), "b".repeat(length - 3 * 64));
        assert_eq!(name(253).parse::<Hostname>().expect("the longest").as_str().len(), 253);
        assert!(name(254).parse::<Hostname>().is_err());
    }

    #[test]
    fn the_domain_of_a_host_is_what_follows_the_first_dot() {
        assert_eq!("h1.dc1.example".parse::<Hostname>().expect("a name").domain(), "dc1.example");
    }

    #[test]
    fn a_zone_contains_its_names_and_not_its_neighbours() {
        let zone: DomainName = "dc1.example".parse().expect("a zone");
        assert!(zone.contains("h1.dc1.example") && zone.contains("dc1.example"));
        assert!(!zone.contains("h1.xdc1.example") && !zone.contains("example"));
    }
}
