//! The location of a management controller: its host, the path before `/redfish/v1`, and the endpoints that only one device can
//! have.

use super::event::{Management, ManagementProtocol};
use super::management::Tls;
use crate::values::ParseError;
use crate::values::hostname::Hostname;
use crate::values::schema::written_as_text;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use utoipa::ToSchema;

/// The longest path, in bytes.
const LONGEST_PATH: usize = 200;

/// The most addresses of one host name that are claimed, so that no other device uses them.
const MOST_ADDRESSES: usize = 16;

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
            return wrong("an address with a zone (%) is valid on one machine only; give one without");
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
            return wrong("the path goes into management.path");
        }
        if text.contains(':') {
            return wrong("an IPv6 address has eight groups of digits, and a port goes into management.port");
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
                "{text:?} is not what precedes /redfish/v1 in a gateway's URLs: a path such as /rack1/node7, of letters, digits, \
                 '-', '.', '_' and '~', at most {LONGEST_PATH} characters. Leave it out for the controller itself"
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

/// The target of a power order: a controller and, if it manages several servers, one of them. Two devices with the same
/// endpoint would switch each other's server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// The controller: its host, its port unless it is a usual one, and its path.
    base: String,
    /// The system's id, in lower case.
    system: Option<String>,
}

impl Endpoint {
    /// The controller, without the system.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The controller at the usual ports of a host.
    pub fn usual(host: &Host) -> Self {
        Self { base: host.in_url(), system: None }
    }

    /// Whether an order to one endpoint may reach the server of the other. A device that names no system uses any system of the
    /// controller.
    pub fn clashes(&self, other: &Self) -> bool {
        let apart = self.system.is_some() && other.system.is_some() && self.system != other.system;
        self.base == other.base && !apart
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        self.system.as_ref().map_or(Ok(()), |system| write!(f, "#{system}"))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(match text.split_once('#') {
            Some((base, system)) => Self { base: base.to_owned(), system: Some(system.to_owned()) },
            None => Self { base: text, system: None },
        })
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl Management {
    /// The port that the service connects to.
    pub fn port(&self) -> u16 {
        self.access.port.unwrap_or_else(|| self.usual_port())
    }

    /// The standard port of the protocol.
    pub fn usual_port(&self) -> u16 {
        match self.protocol {
            ManagementProtocol::Ipmi => 623,
            ManagementProtocol::Redfish if self.access.tls == Tls::Off => 80,
            ManagementProtocol::Redfish => 443,
        }
    }

    /// The endpoints that an order to this controller may reach: at its host, and at the addresses that a host name resolves
    /// to. Controllers serve IPMI and Redfish at their usual ports, so a host with usual ports is one controller with either
    /// protocol. Any other port may be forwarded to another controller.
    pub fn endpoints(&self, addresses: &[IpAddr]) -> Vec<Endpoint> {
        let redfish = self.protocol == ManagementProtocol::Redfish;
        let port = self.port();
        let usual = if redfish { matches!(port, 80 | 443) } else { port == 623 };
        let path = self.access.path.as_ref().filter(|_| redfish).map(BasePath::as_str).unwrap_or_default();
        // If the operator copied a whole link, the system is its last segment.
        let last = |system: &Text| system.as_str().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
        let system = self.access.system.as_ref().filter(|_| redfish).map(last).filter(|system| !system.is_empty());
        let resolved = addresses.iter().take(MOST_ADDRESSES).map(|address| Host::from(*address));
        let mut hosts: Vec<Host> = std::iter::once(self.address.clone()).chain(resolved).collect();
        hosts.sort();
        hosts.dedup();
        let endpoint = |host: Host| {
            let host = host.in_url();
            let base = match (usual, redfish) {
                (true, _) => format!("{host}{path}"),
                (false, true) => format!("{host}:{port}{path}"),
                (false, false) => format!("ipmi://{host}:{port}"),
            };
            Endpoint { base, system: system.clone() }
        };
        hosts.into_iter().map(endpoint).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::management::Access;
    use serde_json::json;

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
    fn what_is_not_a_host_is_refused_with_what_to_do() {
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
        for wrong in
            ["", "/", "a", "/redfish/v1", "//a", "/a//b", "/../a", "/a/..", "/a?b", "/a#b", "/a%2fb", "/ä", &"/a".repeat(150)]
        {
            assert!(wrong.parse::<BasePath>().is_err(), "{wrong}");
        }
    }

    fn management(value: serde_json::Value) -> Management {
        serde_json::from_value(value).expect("a controller")
    }

    #[test]
    fn devices_clash_where_an_order_to_one_may_reach_the_server_of_the_other() {
        let named = json!({"address": "bmc1.example", "protocol": "redfish"});
        for (clash, one, other) in [
            (true, json!({"address": "10.0.9.1"}), json!({"address": "::ffff:10.0.9.1"})),
            (true, json!({"address": "10.0.9.1"}), json!({"address": "10.0.9.1", "protocol": "redfish"})),
            (true, json!({"address": "10.0.9.1"}), json!({"address": "10.0.9.1", "port": 623})),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "tls": "off"}),
            ),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "1"}),
            ),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "A"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "a"}),
            ),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "A"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "/redfish/v1/Systems/A/"}),
            ),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish", "port": 8443}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "port": 8443, "tls": "off"}),
            ),
            (true, named.clone(), json!({"address": "BMC1.example."})),
            (true, named.clone(), json!({"address": "10.0.9.7"})),
            (true, json!({"address": "FD00::1"}), json!({"address": "[fd00:0::1]", "protocol": "redfish"})),
            (false, json!({"address": "10.0.9.1"}), json!({"address": "10.0.9.2"})),
            (false, named, json!({"address": "10.0.9.8"})),
            (
                false,
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "A"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "B"}),
            ),
            (false, json!({"address": "10.0.9.1", "port": 6230}), json!({"address": "10.0.9.1", "port": 6231})),
            (
                false,
                json!({"address": "10.0.9.1", "port": 8443}),
                json!({"address": "10.0.9.1", "port": 8443, "protocol": "redfish"}),
            ),
            (
                false,
                json!({"address": "10.0.9.1", "protocol": "redfish", "path": "/n1"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "path": "/n2"}),
            ),
        ] {
            let resolved = |management: &Management| -> Vec<IpAddr> {
                if management.address.address().is_some() { vec![] } else { vec![[10, 0, 9, 7].into()] }
            };
            let (one, other) = (management(one), management(other));
            let (first, second) = (one.endpoints(&resolved(&one)), other.endpoints(&resolved(&other)));
            let clashes = first.iter().any(|one| second.iter().any(|other| one.clashes(other)));
            assert_eq!(clashes, clash, "{first:?} and {second:?}");
        }
    }

    #[test]
    fn an_endpoint_is_stored_as_text() {
        let management =
            management(json!({"address": "fd00::1", "protocol": "redfish", "port": 8443, "path": "/n1", "system": "Blade#1"}));
        let [endpoint] = &management.endpoints(&[])[..] else { panic!("one endpoint") };
        assert_eq!(endpoint.to_string(), "[fd00::1]:8443/n1#blade#1");
        assert_eq!(Endpoint::try_from(endpoint.to_string()).as_ref(), Ok(endpoint));
        assert_eq!(management.access, Access { path: Some("/n1".parse().expect("a path")), ..management.access.clone() });
    }
}
