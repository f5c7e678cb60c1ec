//! DHCP options (RFC 2132), in a form from which the configuration of every supported DHCP server can be written.

pub mod standard;
#[cfg(test)]
mod tests;
mod wire;

pub use wire::{MOST_ADDRESSES, Resolved, is_number_with_unit, names};

use super::ParseError;
use super::schema::{Ipv4Address, Ipv4Network};
use super::text::Text;
use crate::rules::{BrokenRule, Rule};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use utoipa::ToSchema;

/// The most options of a site's header or of a network.
const MOST: usize = 64;

/// A DHCP option: one with a standard name, or a custom one with a code and a type. Its value is typed, so text that an
/// operator wrote is never copied into a server's configuration as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DhcpOption {
    /// The option's name, such as `ntp-servers` or `root-path`. The name of a custom option is shown to operators only.
    pub name: OptionName,
    /// The code of a custom option, 1 to 254; omitted for an option with a standard name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 254)]
    pub code: Option<u8>,
    /// The type of a custom option; omitted for an option with a standard name.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<OptionType>,
    /// The value that DHCP servers send to clients.
    pub value: OptionValue,
}

/// The type of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptionType {
    /// A single IPv4 address.
    #[serde(rename = "ip-address")]
    Address,
    /// One IPv4 address or more.
    #[serde(rename = "ip-addresses")]
    Addresses,
    /// Pairs of IPv4 addresses.
    #[serde(rename = "ip-address-pairs")]
    AddressPairs,
    /// A text of printable ASCII characters.
    Text,
    /// A domain name, written as text (RFC 2132, 3.17).
    Domain,
    /// A domain name in DNS wire format (RFC 1035, 3.1).
    DomainName,
    /// Domain names in DNS wire format (RFC 3397), without compression.
    DomainNames,
    /// True or false, sent as one byte.
    Boolean,
    /// An unsigned integer of one byte.
    Uint8,
    /// An unsigned integer of two bytes.
    Uint16,
    /// An unsigned integer of four bytes.
    Uint32,
    /// A signed integer of four bytes.
    Int32,
    /// Unsigned integers of two bytes each.
    Uint16List,
    /// Classless static routes (RFC 3442).
    Routes,
    /// Bytes, written in hexadecimal.
    Hex,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptionValue {
    /// One or more IPv4 addresses.
    Addresses(Addresses),
    /// A text, which the writer of each configuration format quotes and escapes. Domain names are texts, separated by commas or
    /// spaces.
    Text(Text),
    /// An integer; the option's definition has its size.
    Number(i64),
    /// A list of integers of the same size.
    Numbers(Vec<i64>),
    /// True or false.
    Flag(bool),
    /// Static routes for clients.
    Routes(Vec<Route>),
    /// Bytes in hexadecimal, with or without colons between them.
    Hex(HexBytes),
}

/// A static route for clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The destination network, such as `10.0.0.0/8`, or `0.0.0.0/0` for the default route.
    #[schema(value_type = Ipv4Network)]
    pub destination: Ipv4Net,
    /// The address of the router; `0.0.0.0` for a network on the link itself.
    #[schema(value_type = Ipv4Address)]
    pub router: Ipv4Addr,
}

/// Written as `DESTINATION via ROUTER`.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} via {}", self.destination, self.router)
    }
}

impl FromStr for Route {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseError::new(format!("{text:?} is not a route such as \"10.0.0.0/8 via 10.0.0.1\""));
        let (destination, router) = text.split_once(" via ").ok_or_else(wrong)?;
        let destination = destination.trim().parse().map_err(|_| wrong())?;
        Ok(Self { destination, router: router.trim().parse().map_err(|_| wrong())? })
    }
}

/// Bytes, written in hexadecimal with colons between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "01:0a:ff")]
pub struct HexBytes(Vec<u8>);

impl HexBytes {
    /// The value as bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for HexBytes {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let wrong =
            || ParseError::new(format!("{text:?} is not a sequence of hexadecimal bytes such as \"01:0a:ff\" or \"010aff\""));
        let digits: Vec<u8> = if text.contains(':') {
            if text.split(':').any(|group| group.len() != 2) {
                return Err(wrong());
            }
            text.bytes().filter(|byte| *byte != b':').collect()
        } else {
            text.bytes().collect()
        };
        if digits.is_empty() || digits.len() % 2 == 1 || digits.len() > 1024 {
            return Err(wrong());
        }
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or_else(wrong);
        let byte = |pair: &[u8]| Ok(value(pair[0])? << 4 | value(pair[1])?);
        digits.chunks(2).map(byte).collect::<Result<Vec<_>, _>>().map(Self)
    }
}

impl fmt::Display for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<String> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        f.write_str(&bytes.join(":"))
    }
}

impl TryFrom<String> for HexBytes {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HexBytes> for String {
    fn from(bytes: HexBytes) -> Self {
        bytes.to_string()
    }
}

impl OptionType {
    /// All types, each as it is written in JSON.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::Address, "ip-address"),
        (Self::Addresses, "ip-addresses"),
        (Self::AddressPairs, "ip-address-pairs"),
        (Self::Text, "text"),
        (Self::Domain, "domain"),
        (Self::DomainName, "domain-name"),
        (Self::DomainNames, "domain-names"),
        (Self::Boolean, "boolean"),
        (Self::Uint8, "uint8"),
        (Self::Uint16, "uint16"),
        (Self::Uint32, "uint32"),
        (Self::Int32, "int32"),
        (Self::Uint16List, "uint16-list"),
        (Self::Routes, "routes"),
        (Self::Hex, "hex"),
    ];

    /// The type as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, text)| text)
    }

    /// What a value of this type must be, with an example.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Address => "one address, as in {\"addresses\": [\"10.0.0.1\"]}",
            Self::Addresses => "addresses, as in {\"addresses\": [\"10.0.0.1\", \"10.0.0.2\"]}",
            Self::AddressPairs => "addresses in pairs, as in {\"addresses\": [\"10.0.0.0\", \"255.0.0.0\"]}",
            Self::Text => "a string, as in {\"text\": \"/srv/root\"}",
            Self::Domain | Self::DomainName => "a domain name, as in {\"text\": \"dc1.example\"}",
            Self::DomainNames => "domain names, as in {\"text\": \"dc1.example, example\"}",
            Self::Boolean => "a flag, as in {\"flag\": true}",
            Self::Uint8 => "a number from 0 to 255, as in {\"number\": 64}",
            Self::Uint16 => "a number from 0 to 65535, as in {\"number\": 9000}",
            Self::Uint32 => "a number from 0 to 4294967295, as in {\"number\": 3600}",
            Self::Int32 => "a number from -2147483648 to 2147483647, as in {\"number\": -3600}",
            Self::Uint16List => "numbers from 0 to 65535, as in {\"numbers\": [68, 1500]}",
            Self::Routes => "routes, as in {\"routes\": [{\"destination\": \"10.0.0.0/8\", \"router\": \"10.0.0.1\"}]}",
            Self::Hex => "bytes, as in {\"hex\": \"01:0a:ff\"}",
        }
    }
}

impl OptionValue {
    /// The value's type as a noun for messages.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Addresses(_) => "addresses",
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Numbers(_) => "several numbers",
            Self::Flag(_) => "a flag",
            Self::Routes(_) => "routes",
            Self::Hex(_) => "bytes",
        }
    }
}

impl DhcpOption {
    /// Creates an option with a standard name.
    pub fn standard(name: OptionName, value: OptionValue) -> Self {
        Self { name, code: None, kind: None, value }
    }
}

/// Every problem with the options of a field. Options in `before`, which are stored already, are not checked again: an option
/// that an older version accepted must not keep operators from changing something else.
pub fn broken(field: &str, options: &[DhcpOption], before: &[DhcpOption]) -> Vec<BrokenRule> {
    let mut broken = vec![];
    if options.len() > MOST && options.len() > before.len() {
        let message = format!("{} DHCP options are too many: the maximum is {MOST}. Remove some", options.len());
        broken.push(BrokenRule::new(field, Rule::DhcpOptionsTooMany, message));
    }
    let mut codes = BTreeSet::new();
    for (number, option) in (1..).zip(options) {
        let code = option.resolved().ok().map(|resolved| resolved.code);
        let repeated = code.is_some_and(|code| !codes.insert(code));
        if before.contains(option) && !(repeated && options.len() > before.len()) {
            continue;
        }
        if repeated {
            let message = format!("option {number}, {}: the option is listed twice; keep one, with all values", option.name);
            broken.push(BrokenRule::new(field, Rule::DhcpOptionRepeated, message));
        } else if let Err((rule, why)) = option.accepted() {
            broken.push(BrokenRule::new(field, rule, format!("option {number}, {}: {why}", option.name)));
        }
    }
    broken
}

/// One or more IPv4 addresses; an empty list is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Vec<Ipv4Addr>", into = "Vec<Ipv4Addr>")]
#[schema(value_type = Vec<Ipv4Address>)]
pub struct Addresses(pub Vec<Ipv4Addr>);

impl TryFrom<Vec<Ipv4Addr>> for Addresses {
    type Error = ParseError;
    fn try_from(addresses: Vec<Ipv4Addr>) -> Result<Self, Self::Error> {
        if addresses.is_empty() {
            return Err(ParseError::new(
                "a DHCP option of addresses has at least one address; enter one, or leave the option out",
            ));
        }
        Ok(Self(addresses))
    }
}

impl From<Addresses> for Vec<Ipv4Addr> {
    fn from(addresses: Addresses) -> Self {
        addresses.0
    }
}

/// The name of an option: 1 to 64 lower-case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "ntp-servers")]
pub struct OptionName(String);

impl OptionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OptionName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) || !text.starts_with(|c: char| c.is_ascii_lowercase())
        {
            // No name is near to a longer text, and comparing would take long.
            let near = Some(text.trim()).filter(|text| text.len() <= 64);
            let near = near.and_then(|text| standard::nearest(&text.to_ascii_lowercase().replace('_', "-")));
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(ParseError::new(format!("{text:?} is not the name of a DHCP option such as ntp-servers{near}")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for OptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for OptionName {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<OptionName> for String {
    fn from(name: OptionName) -> Self {
        name.0
    }
}
