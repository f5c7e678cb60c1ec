//! What a server's next network boot gets, and why.

use crate::values::name::Name;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// What a server gets when it boots from the network while its deployment is in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextBoot {
    /// The boot image's script, which installs the server.
    #[default]
    Network,
    /// The script that boots the local disk.
    Disk,
}

impl NextBoot {
    /// The value as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Disk => "disk",
        }
    }
}

impl std::str::FromStr for NextBoot {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Network, Self::Disk].into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| crate::values::ParseError::new(format!("{text:?} is not one of network, disk")))
    }
}

/// Why the next network boot gets something different from before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextBootReason {
    /// The boot image allows one network boot, and the installer has fetched its answer file.
    AnswersServed {
        /// The answer file's name.
        file: Name,
    },
    /// The installer requested the change.
    Installer {
        /// The address that the request came from.
        #[schema(value_type = String)]
        client: Ipv4Addr,
    },
    /// An operator set it.
    Operator {
        /// The actor's name.
        name: Text,
    },
    /// An operator retried the plugin that restarts the server.
    PluginRetry {
        /// The plugin's name.
        plugin: Name,
    },
    /// An operator ordered the server's management controller to boot it from the network.
    PowerOrder {},
}
