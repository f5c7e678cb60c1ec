//! The formats in which a configuration is written.

use super::configuration::Configuration;
use super::{dnsmasq, isc, kea};
use bootledger_aggregates::dhcp_server::DhcpKind;
use bootledger_aggregates::rules::Refused;
use std::fmt;

/// A configuration format that a DHCP server reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The format of ISC dhcpd: `isc.conf`.
    Isc,
    /// The format of Kea: `kea.json`.
    Kea,
    /// The format of dnsmasq: `dnsmasq.conf`.
    Dnsmasq,
}

impl Format {
    /// The format of a file's name in a URL.
    pub fn of_file(name: &str) -> Option<Self> {
        match name {
            "isc.conf" => Some(Self::Isc),
            "kea.json" => Some(Self::Kea),
            "dnsmasq.conf" => Some(Self::Dnsmasq),
            _ => None,
        }
    }

    /// The format that a kind of server reads.
    pub fn of_kind(kind: DhcpKind) -> Self {
        match kind {
            DhcpKind::Isc => Self::Isc,
            DhcpKind::Kea => Self::Kea,
            DhcpKind::Dnsmasq => Self::Dnsmasq,
        }
    }

    /// The media type of the format.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Isc | Self::Dnsmasq => "text/plain; charset=utf-8",
            Self::Kea => "application/json",
        }
    }

    /// Writes a configuration in this format.
    ///
    /// # Errors
    /// Returns an error if the format cannot express something, or if an option is invalid that was stored before options were
    /// validated: the server would reject the whole file.
    pub fn render(self, configuration: &Configuration) -> Result<String, Refused> {
        Refused::unless_empty(configuration.unwritable())?;
        match self {
            Self::Isc => Ok(isc::render(configuration)),
            Self::Kea => Ok(kea::render(configuration)),
            Self::Dnsmasq => dnsmasq::render(configuration),
        }
    }
}

/// Writes the file name: `isc.conf`, `kea.json` or `dnsmasq.conf`.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Isc => "isc.conf",
            Self::Kea => "kea.json",
            Self::Dnsmasq => "dnsmasq.conf",
        })
    }
}
