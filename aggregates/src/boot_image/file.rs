//! The files of a boot image, and what their templates need.

use crate::network::NetworkSpec;
use crate::values::name::Name;
use crate::values::setting::SettingName;
use crate::values::sha256::Sha256;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use utoipa::ToSchema;

/// The file name under which serving the local-disk script to a server of a deployment in progress is recorded.
pub const LOCAL_DISK: &str = "local-disk";

/// The purpose of a file. `/pxe/_{kind}` serves the image's first file of a kind, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// The kernel that the boot script loads.
    Kernel,
    /// The initial RAM disk.
    Initrd,
    /// The iPXE script that `/pxe/` serves.
    BootIpxe,
    /// The installer's answer file: kickstart, preseed or similar.
    Kickstart,
    /// Any other file.
    Other,
    /// The GRUB configuration that servers on the signed boot chain get instead of the iPXE script.
    Grub,
}

impl FileKind {
    /// All file kinds.
    pub const ALL: [Self; 6] = [Self::Kernel, Self::Initrd, Self::BootIpxe, Self::Kickstart, Self::Other, Self::Grub];

    /// Whether a boot loader runs this file. A server gets such a file by its address alone, and learns its token from it.
    pub fn is_script(self) -> bool {
        matches!(self, Self::BootIpxe | Self::Grub)
    }

    /// The kind as it is written in URLs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::BootIpxe => "boot_ipxe",
            Self::Kickstart => "kickstart",
            Self::Other => "other",
            Self::Grub => "grub",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for FileKind {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            crate::values::ParseError::new(format!("{text:?} is not one of kernel, initrd, boot_ipxe, kickstart, other, grub"))
        })
    }
}

/// A file of an image: the hash of its content, and whether it is rendered before it is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootFile {
    /// What the file is for.
    pub kind: FileKind,
    /// The SHA-256 of the content, which is its name in the file store.
    pub sha256: Sha256,
    /// The content's length in bytes.
    pub size: u64,
    /// Whether the content is a template that is rendered for each server.
    pub template: bool,
    /// The settings that the template uses, found when the template was checked.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub settings: BTreeSet<SettingName>,
    /// The other files and network values that the template needs, found when the template was checked.
    #[serde(default, skip_serializing_if = "Needs::is_empty")]
    pub needs: Needs,
}

/// What a template needs from its image and from the server's network: without it, a part of the rendered file would be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// A file of each of these kinds: the template uses `kernel_url`, `initrd_url` or `kickstart_url` without checking that the
    /// file exists.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<FileKind>,
    /// Files with these names: the template writes them after `files_url`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub files: BTreeSet<Name>,
    /// These values of the server's network: the template uses them without a condition for networks that lack them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub network: BTreeSet<NetworkValue>,
    /// The settings that a boot script writes without quotes, each with the character sequences that would change the script. A
    /// sequence with spaces around it matches only as a separate word; one with a line feed matches only at the beginning or
    /// the end of the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unquoted: BTreeMap<SettingName, BTreeSet<String>>,
}

impl Needs {
    /// Whether the template needs nothing beyond the server itself.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.files.is_empty() && self.network.is_empty() && self.unquoted.is_empty()
    }
}

/// A value that a network may lack. Its name is that of the template variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkValue {
    /// The address of the router.
    Gateway,
    /// The addresses of the DNS resolvers.
    DnsServers,
}

impl NetworkValue {
    /// The name of the template variable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::DnsServers => "dns_servers",
        }
    }

    /// Whether the network lacks this value.
    fn is_absent(self, network: &NetworkSpec) -> bool {
        match self {
            Self::Gateway => network.gateway.is_none(),
            Self::DnsServers => network.dns_servers.is_empty(),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::DnsServers => "DNS servers",
        }
    }
}

/// The network values that the templates of an image need, each with the template's name.
pub type NetworkNeeds = Vec<(NetworkValue, Name)>;

/// Returns why a server in this network cannot boot an image whose templates have these needs, as a sentence; `None` if it can.
pub fn absent_from_network(needs: &NetworkNeeds, name: &Name, network: &NetworkSpec) -> Option<String> {
    let (value, template) = needs.iter().find(|(value, _)| value.is_absent(network))?;
    let (words, variable) = (value.words(), value.as_str());
    Some(format!(
        "its template {template} uses {variable}, and the network {name} has no {words}: set it in the network, or write \
         {{% if {variable} %}} … {{% endif %}} around what needs it, or {{{{ {variable} or '' }}}} where an empty value is right"
    ))
}
