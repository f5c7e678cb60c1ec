//! DHCP options (RFC 2132) in a form that every DHCP server's configuration can be written from.

use super::ParseError;
use super::text::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use utoipa::ToSchema;

/// An option by its standard name (as ISC dhcpd and Kea spell it), with a typed value, so that
/// no configuration text of a person is ever pasted into a server's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DhcpOption {
    /// Such as `ntp-servers` or `root-path`.
    pub name: OptionName,
    /// What the server hands out.
    pub value: OptionValue,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptionValue {
    /// One or more IPv4 addresses.
    Addresses(Addresses),
    /// A text; quoted and escaped by whoever writes it.
    Text(Text),
    /// A whole number.
    Number(u32),
    /// A flag.
    Flag(bool),
}

/// One or more IPv4 addresses; no option is without any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Vec<Ipv4Addr>", into = "Vec<Ipv4Addr>")]
#[schema(value_type = Vec<String>)]
pub struct Addresses(pub Vec<Ipv4Addr>);

impl TryFrom<Vec<Ipv4Addr>> for Addresses {
    type Error = ParseError;
    fn try_from(addresses: Vec<Ipv4Addr>) -> Result<Self, Self::Error> {
        if addresses.is_empty() {
            return Err(ParseError::new("a DHCP option of addresses has at least one; leave the option out instead"));
        }
        Ok(Self(addresses))
    }
}

impl From<Addresses> for Vec<Ipv4Addr> {
    fn from(addresses: Addresses) -> Self {
        addresses.0
    }
}

/// 1 to 64 lower-case letters, digits and hyphens.
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
            return Err(ParseError::new(format!("{text:?} is not the name of a DHCP option such as ntp-servers")));
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
