//! The location of a management controller: its host, and the path before `/redfish/v1`.

use crate::values::ParseError;
use crate::values::hostname::Hostname;
use crate::values::schema::written_as_text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use utoipa::ToSchema;

/// The longest path, in bytes.
const LONGEST_PATH: usize = 200;

/// The host of a management controller: an IPv4 address, an IPv6 address, or a DNS name. Each host has one spelling: names are
/// lower case without the final dot, IPv6 addresses have the form of RFC 5952 and no brackets, and an IPv4-mapped IPv6 address
/// is the IPv4 address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Host {
    /// An IPv4 or IPv6 address.
    Address(IpAddr),
    /// A DNS name. It may have a single label, which the resolver's search list completes.
    Name(String),
}

written_as_text!(Host, "An IPv4 address, an IPv6 address, or a host name", None, "10.0.9.1");

impl Host {
    /// The IP address, unless the host is a name.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(_) => None,
        }
    }

    /// The IPv4 address, unless the host is an IPv6 address or a name.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        match self {
            Self::Address(IpAddr::V4(address)) => Some(*address),
            _ => None,
        }
    }

    /// The host as it is written in a URL: an IPv6 address has brackets.
    pub fn in_url(&self) -> String {
        match self {
            Self::Address(IpAddr::V6(address)) => format!("[{address}]"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for Host {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let wrong =
            |hint: &str| Err(ParseError::new(format!("{text:?} is not the address or host name of a controller: {hint}")));
        if text.contains("://") {
            return wrong("give the host only; port, path and TLS have fields of their own (management.port, .path, .tls)");
        }
        if text.contains('%') {
            return wrong("an address with a zone (%) is valid on one machine only; enter the address without the zone");
        }
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = bracketed {
            return match inner.parse::<Ipv6Addr>() {
                Ok(address) => Ok(Self::Address(IpAddr::V6(address).to_canonical())),
                Err(_) => wrong("brackets are for IPv6 addresses"),
            };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        if text.contains('/') {
            return wrong("enter the path in management.path");
        }
        if text.contains(':') {
            return wrong("an IPv6 address has eight groups of digits. Enter a port in management.port");
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.ends_with('.') {
            return wrong("a name ends with one dot at most");
        }
        let full = if name.contains('.') { name.parse::<Hostname>() } else { format!("{name}.invalid").parse() };
        match full {
            Ok(full) if name.contains('.') => Ok(Self::Name(full.to_string())),
            Ok(_) if !name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Self::Name(name.to_ascii_lowercase()))
            }
            _ => {
                wrong("give an IPv4 address such as 10.0.9.1, an IPv6 address such as fd00::9:1, or a name such as bmc1.example")
            }
        }
    }
}

impl TryFrom<String> for Host {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }
}

impl From<Ipv4Addr> for Host {
    fn from(address: Ipv4Addr) -> Self {
        Self::Address(address.into())
    }
}

/// The path before `/redfish/v1` in the URLs of a controller behind a gateway, such as `/rack1/node7`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "/rack1/node7")]
pub struct BasePath(String);

impl BasePath {
    /// The path as text. It begins with a slash and does not end with one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BasePath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.trim().trim_end_matches('/');
        let path = path.strip_suffix("/redfish/v1").unwrap_or(path).trim_end_matches('/');
        let plain = |segment: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
            !segment.is_empty() && segment.bytes().all(allowed) && segment != "." && segment != ".."
        };
        let segments = path.strip_prefix('/').map(|rest| rest.split('/').all(plain));
        if segments != Some(true) || path.len() > LONGEST_PATH {
            return Err(ParseError::new(format!(
                "{text:?} is not a path before /redfish/v1 such as /rack1/node7: at most {LONGEST_PATH} letters, digits, \
                 '-', '.', '_', '~' and '/'. Leave it out for the controller itself"
            )));
        }
        Ok(Self(path.to_owned()))
    }
}

impl TryFrom<String> for BasePath {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BasePath> for String {
    fn from(path: BasePath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> String {
        text.parse::<Host>().expect(text).to_string()
    }

    #[test]
    fn each_host_has_one_spelling() {
        for (one, text) in [
            ("10.0.9.1", "10.0.9.1"),
            ("10.0.9.1", "::ffff:10.0.9.1"),
            ("10.0.9.1", "[::ffff:a00:901]"),
            ("fd00::9:1", "fd00::9:1"),
            ("fd00::9:1", "[FD00:0:0:0:0:0:0009:0001]"),
            ("bmc1.example", "BMC1.Example."),
            ("ilo-czj0001", "iLO-CZJ0001"),
            ("idrac.7.example", " idrac.7.example "),
        ] {
            assert_eq!(host(text), one, "{text}");
            assert_eq!(host(one), one);
        }
        assert_eq!("fd00::1".parse::<Host>().expect("an address").in_url(), "[fd00::1]");
    }

    #[test]
    fn an_invalid_host_is_refused_with_a_solution() {
        for (text, words) in [
            ("https://10.0.9.1/", "management.port"),
            ("10.0.9.1:8443", "management.port"),
            ("[fd00::1]:8443", "management.port"),
            ("10.0.9.1/redfish/v1", "management.path"),
            ("fe80::1%eth0", "zone"),
            ("[fe80::1%25eth0]", "zone"),
            ("[10.0.9.1]", "brackets are for IPv6"),
            ("[bmc1.example]", "brackets are for IPv6"),
            ("010.0.9.1", "IPv4 address such as"),
            ("10.0.9", "IPv4 address such as"),
            ("1", "IPv4 address such as"),
            ("", "IPv4 address such as"),
            (".", "IPv4 address such as"),
            ("-bmc", "IPv4 address such as"),
            ("bmc_1.example", "IPv4 address such as"),
            ("user@bmc", "IPv4 address such as"),
            ("fd00::g", "eight groups"),
        ] {
            let refused = text.parse::<Host>().expect_err(text).to_string();
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }

    #[test]
    fn a_path_is_what_precedes_redfish() {
        for (path, text) in [("/a/b-1", "/a/b-1/"), ("/a", "/a/redfish/v1/"), ("/a", " /a/redfish/v1 ")] {
            assert_eq!(text.parse::<BasePath>().expect(text).as_str(), path);
        }
        let of_length = |length: usize| format!("/{}", "a".repeat(length - 1));
        assert_eq!(of_length(LONGEST_PATH).parse::<BasePath>().expect("the longest").as_str().len(), LONGEST_PATH);
        assert!(of_length(LONGEST_PATH + 1).parse::<BasePath>().is_err());
        for wrong in
            ["", "/", "a", "/redfish/v1", "//a", "/a//b", "/../a", "/a/..", "/a?b", "/a#b", "/a%2fb", "/ä", &"/a".repeat(150)]
        {
            assert!(wrong.parse::<BasePath>().is_err(), "{wrong}");
        }
    }
}
