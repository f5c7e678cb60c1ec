//! The boot chain: the loaders that a server's firmware starts before the boot image.
//!
//! A setting with a reserved name, [`SETTING`], chooses the chain, because Secure Boot is a property of a server's firmware:
//! most servers of a site are set up alike, and a device can differ. The chain that was chosen when a deployment started is
//! part of its first event, so that a later change of the setting never affects a server that is being installed.

use super::ParseError;
use super::setting::{SettingName, SettingValue};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use utoipa::ToSchema;

/// The name of the setting that chooses the chain.
pub const SETTING: &str = "boot_chain";

/// The loaders that a server's firmware starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BootChain {
    /// An unsigned iPXE. Firmware with Secure Boot refuses it.
    #[default]
    Ipxe,
    /// On UEFI, shim, which Microsoft signed, and then a distribution's GRUB, which shim verifies. On a BIOS, an iPXE.
    Signed,
}

impl BootChain {
    /// All boot chains.
    pub const ALL: [Self; 2] = [Self::Ipxe, Self::Signed];

    /// The chain as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipxe => "ipxe",
            Self::Signed => "signed",
        }
    }

    /// Whether this is the default, which events omit.
    pub fn is_ipxe(&self) -> bool {
        *self == Self::Ipxe
    }

    /// Whether this setting is the one that chooses the chain.
    pub fn is_chosen_by(name: &SettingName) -> bool {
        name.as_str() == SETTING
    }

    /// The name of the setting as a parsed value.
    pub fn setting() -> Option<&'static SettingName> {
        static NAME: LazyLock<Option<SettingName>> = LazyLock::new(|| SETTING.parse().ok());
        NAME.as_ref()
    }

    /// The chain that a value of the setting chooses. An empty text chooses the default.
    ///
    /// # Errors
    /// The end of a sentence that begins with the setting's name.
    pub fn chosen(value: &SettingValue) -> Result<Self, String> {
        match value {
            SettingValue::Text(text) if text.as_str().is_empty() => Ok(Self::default()),
            SettingValue::Text(text) => text.as_str().parse().map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

fn wrong() -> String {
    "must be ipxe or signed: it selects the loaders that a server's firmware starts".to_owned()
}

impl fmt::Display for BootChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BootChain {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|chain| chain.as_str() == text);
        known.ok_or_else(|| ParseError::new(format!("{text:?} is not one of ipxe, signed")))
    }
}
