//! Ethernet addresses (EUI-48), in the notations that operators and programs use.

use super::ParseError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// The MAC address of one Ethernet interface; never a multicast address, and never all zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "52:54:00:12:34:56")]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// The address's six octets.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The address without separators: `525400123456`.
    pub fn bare(self) -> String {
        self.pairs().concat()
    }

    fn pairs(self) -> [String; 6] {
        self.0.map(|octet| format!("{octet:02x}"))
    }

    /// The address in Cisco's notation: `5254.0012.3456`.
    pub fn cisco(self) -> String {
        let bare = self.bare();
        [&bare[0..4], &bare[4..8], &bare[8..12]].join(".")
    }
}

/// Written with colons: `52:54:00:12:34:56`.
impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pairs().join(":"))
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads twelve hexadecimal digits: without separators, in pairs separated by `:` or `-`, or in groups of four separated by
/// `.`.
impl FromStr for MacAddress {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseError::new(format!("{text:?} is not a MAC address such as 52:54:00:12:34:56"));
        let text = text.trim();
        let regular = match text.len() {
            12 => true,
            17 => [":", "-"].iter().any(|s| text.split(s).count() == 6 && text.split(s).all(|part| part.len() == 2)),
            14 => text.split('.').count() == 3 && text.split('.').all(|part| part.len() == 4),
            _ => false,
        };
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| !matches!(c, ':' | '-' | '.'))
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        if !regular || digits.len() != 12 {
            return Err(wrong());
        }
        let mut octets = [0; 6];
        for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
            *octet = pair[0] << 4 | pair[1];
        }
        if octets[0] & 1 == 1 {
            return Err(ParseError::new(format!("{text} is a multicast address, which no interface has")));
        }
        if octets == [0; 6] {
            return Err(ParseError::new("00:00:00:00:00:00 is not the address of an interface"));
        }
        Ok(Self(octets))
    }
}

impl TryFrom<String> for MacAddress {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_notation_is_the_same_address() {
        for text in ["52:54:00:AB:cd:56", "52-54-00-ab-cd-56", "5254.00ab.cd56", "525400ABCD56", " 525400abcd56 "] {
            let mac: MacAddress = text.parse().expect(text);
            assert_eq!(mac.to_string(), "52:54:00:ab:cd:56");
            assert_eq!((mac.bare().as_str(), mac.cisco().as_str()), ("525400abcd56", "5254.00ab.cd56"));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "52:54:00:ab:cd",
            "52:54:00:ab:cd:5g",
            "52:54-00:ab-cd:56",
            "525.400ab.cd56",
            "5:254:00:ab:cd:56",
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "5２5400abcd56",
            "52:54:00:ab:cd:56;",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text} was accepted");
        }
    }
}
