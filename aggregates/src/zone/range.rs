//! The address range of a reverse zone, as operators write it: `192.0.2.0/25` or `192.0.2.10-192.0.2.20`.

use crate::values::ParseError;
use crate::values::schema::written_as_text;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A range of addresses, from a first to a last one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

written_as_text!(AddressRange, "A network, or a first and a last address with a hyphen between", None, "192.0.2.0/25");

impl AddressRange {
    /// The range from `first` to `last`; `None` if `last` is lower than `first`.
    pub fn new(first: Ipv4Addr, last: Ipv4Addr) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The lowest address of the range.
    pub fn first(self) -> Ipv4Addr {
        self.first
    }

    /// The highest address of the range.
    pub fn last(self) -> Ipv4Addr {
        self.last
    }

    /// Whether the range contains an address.
    pub fn contains(self, ip: Ipv4Addr) -> bool {
        self.first <= ip && ip <= self.last
    }

    /// Whether the range contains all of another range.
    pub fn holds(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether both ranges have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The number of addresses in the range.
    pub fn size(self) -> u64 {
        u64::from(u32::from(self.last)) - u64::from(u32::from(self.first)) + 1
    }

    /// Whether the range is within one /24, so that the last octet identifies an address.
    pub fn is_of_one_24(self) -> bool {
        u32::from(self.first) >> 8 == u32::from(self.last) >> 8
    }
}

impl From<Ipv4Net> for AddressRange {
    fn from(net: Ipv4Net) -> Self {
        Self { first: net.network(), last: net.broadcast() }
    }
}

impl FromStr for AddressRange {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let wrong = || ParseError::new(format!("{text:?} is not a range such as 192.0.2.0/25 or 192.0.2.10-192.0.2.20"));
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
            return Self::new(first, last).ok_or_else(|| {
                ParseError::new(format!("the range {text} ends before it begins; write the lower address first"))
            });
        }
        let net: Ipv4Net = text.parse().map_err(|_| wrong())?;
        if net.addr() != net.network() {
            let meant = format!("{}/{}", net.network(), net.prefix_len());
            return Err(ParseError::new(format!("{text} is an address inside the network {meant}; write {meant}")));
        }
        Ok(net.into())
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, first) = (self.size(), u32::from(self.first));
        let length = u8::try_from(32 - size.trailing_zeros()).unwrap_or_default();
        if size.is_power_of_two() && u64::from(first).is_multiple_of(size) {
            return write!(f, "{}/{length}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl fmt::Debug for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<String> for AddressRange {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_as_the_shortest_of_its_forms() {
        for (text, written) in [
            ("192.0.2.0/25", "192.0.2.0/25"),
            ("192.0.2.0-192.0.2.127", "192.0.2.0/25"),
            ("192.0.2.5 - 192.0.2.5", "192.0.2.5/32"),
            ("192.0.2.0-192.0.2.25", "192.0.2.0-192.0.2.25"),
            ("192.0.2.64-192.0.2.191", "192.0.2.64-192.0.2.191"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(text.parse::<AddressRange>().map(|range| range.to_string()), Ok(written.to_owned()), "{text}");
        }
        for text in ["", "192.0.2.0", "192.0.2.5/25", "192.0.2.9-192.0.2.1", "192.0.2.0/33", "2001:db8::/64", "a-b"] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }
}
