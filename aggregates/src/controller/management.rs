//! A management controller: its address, protocol and credentials, and the settings for reaching it, which differ between
//! vendors.

use super::host::{BasePath, Host};
use crate::values::ParseError;
use crate::values::name::Name;
use crate::values::schema::written_as_text;
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// The management controller of a device: its address, protocol and credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Management {
    /// The address or host name of its management controller. No deployment cleans it. Several devices can share it where
    /// each names its own system.
    pub address: Host,
    /// The protocol of the controller.
    #[serde(default)]
    pub protocol: ManagementProtocol,
    /// The name of the secret that holds the credentials, never the credentials themselves.
    pub credentials: Option<Name>,
    /// Further settings for reaching the controller.
    #[serde(flatten)]
    pub access: Access,
}

/// The protocol of a management controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ManagementProtocol {
    /// IPMI 2.0 over LAN.
    #[default]
    Ipmi,
    /// Redfish, over HTTPS or HTTP.
    Redfish,
}

impl ManagementProtocol {
    /// The protocol's name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Redfish => "redfish",
        }
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
}

/// Management controller settings. Each has a default that fits most controllers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Access {
    /// The port. By default 623 (UDP) for IPMI, 443 for Redfish, and 80 for Redfish without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Redfish: the id of the server's system, if the controller manages several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Text>,
    /// Redfish: the path before `/redfish/v1` in the URLs, if a gateway serves several controllers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<BasePath>,
    /// Redfish: how the service authenticates the controller: `verify`, `sha256:` followed by the fingerprint of its
    /// certificate, or `off`.
    #[serde(default, skip_serializing_if = "Tls::is_verify")]
    pub tls: Tls,
    /// The firmware's boot mode. If omitted, Redfish leaves the mode as it is; IPMI has no such option and uses `bios`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_mode: Option<BootMode>,
}

/// The boot mode of a server's firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BootMode {
    /// The firmware boots as a legacy BIOS.
    Bios,
    /// The firmware boots with UEFI.
    Uefi,
}

/// How the service authenticates a controller before it sends a password: `verify`, `sha256:` followed by the fingerprint of
/// the controller's certificate in hexadecimal digits, or `off` for HTTP without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tls {
    /// By a certificate for the controller's address, from an authority that this machine trusts.
    #[default]
    Verify,
    /// By the one certificate with this SHA-256 fingerprint.
    Pinned(Sha256),
    /// Not authenticated: HTTP without TLS.
    Off,
}

written_as_text!(Tls, "`verify`, `sha256:` and the fingerprint of the controller's certificate, or `off`", None, "verify");

impl Tls {
    fn is_verify(&self) -> bool {
        *self == Self::Verify
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verify => f.write_str("verify"),
            Self::Pinned(fingerprint) => write!(f, "sha256:{fingerprint}"),
            Self::Off => f.write_str("off"),
        }
    }
}

impl FromStr for Tls {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "verify" => return Ok(Self::Verify),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        // Also accepts the format that `openssl x509 -fingerprint` prints: capitals, with colons.
        let digits = text.strip_prefix("sha256:").map(|digits| digits.replace(':', "").to_ascii_lowercase());
        let fingerprint = digits.and_then(|digits| digits.parse().ok());
        fingerprint.map(Self::Pinned).ok_or_else(|| {
            ParseError::new(format!(
                "{text:?} is not verify, off, or sha256: followed by the 64 hexadecimal digits of a certificate's SHA-256"
            ))
        })
    }
}

impl TryFrom<String> for Tls {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Tls> for String {
    fn from(tls: Tls) -> Self {
        tls.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_written_as_it_is_read_and_a_fingerprint_also_as_openssl_prints_it() {
        let digits = "ab".repeat(32);
        let colons = ["AB"; 32].join(":");
        let pinned: Tls = format!("sha256:{digits}").parse().expect("a fingerprint");
        assert_eq!(format!("sha256:{colons}").parse(), Ok(pinned));
        for text in ["verify", "off", &pinned.to_string()] {
            assert_eq!(text.parse::<Tls>().map(|tls| tls.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["", "none", "sha256:", "sha256:ab", &digits, "SHA256:ab", "sha1:ab"] {
            assert!(wrong.parse::<Tls>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_controller_of_an_earlier_version_has_all_defaults_and_writes_none() {
        let old: Access = serde_json::from_str("{}").expect("defaults");
        assert_eq!(old, Access::default());
        assert_eq!(serde_json::to_string(&old).expect("JSON"), "{}");
    }
}
