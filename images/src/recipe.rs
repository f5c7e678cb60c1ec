//! A recipe: the contents of a boot image of the library. Every value is checked when the recipe is read.

mod check;
mod raw;
#[cfg(test)]
mod tests;

use crate::digest::Digest;
use crate::paths::RelativePath;
use crate::source_url::SourceUrl;
use bootledger_aggregates::boot_image::{EndedBy, FileKind, NetworkBoot};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::{SettingName, SettingSpec, SettingText};
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use url::Url;

pub(crate) use check::read;

/// File contents by path.
pub type Files = BTreeMap<String, Cow<'static, [u8]>>;

/// A recipe of the library.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The recipe's name, which is the name of its folder.
    pub name: Name,
    /// What the recipe installs, for operators.
    pub title: Text,
    /// How the recipe installs it, for operators.
    pub description: Text,
    /// The version of the installed system.
    pub version: Text,
    /// The architecture of the servers.
    pub architecture: Architecture,
    /// How thoroughly the recipe was tested.
    pub status: Status,
    /// What the recipe was tested with.
    pub tested_with: SettingText,
    /// The validators that checked the rendered files.
    pub checked_by: Vec<Text>,
    /// Limitations that an operator must know.
    pub notes: Vec<SettingText>,
    /// The number of minutes after which an open deployment is overdue.
    pub open_minutes: u32,
    /// The number of minutes after which a deployment in progress is overdue.
    pub in_progress_minutes: u32,
    /// Who marks deployments done.
    pub done_by: EndedBy,
    /// How often a server boots from the network during its deployment.
    pub network_boot: NetworkBoot,
    /// The location of the vendor's files, unless the operator names another mirror.
    pub mirror: Option<Url>,
    /// The settings that the recipe's templates use.
    pub settings: BTreeMap<SettingName, SettingSpec>,
    /// The recipe's own small files, including templates.
    pub files: BTreeMap<Name, OwnFile>,
    /// The vendor's files.
    pub downloads: BTreeMap<Name, Download>,
    /// The vendor's published lists of checksums.
    pub checksums: BTreeMap<Name, ChecksumList>,
    /// The SHA-256 of the recipe and its own files, which identifies the recipe's version.
    pub sha256: Sha256,
}

/// The architecture of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// The 64-bit x86 architecture.
    Amd64,
    /// The 64-bit Arm architecture.
    Arm64,
}

impl Architecture {
    /// The value as it is written in recipes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// How thoroughly a recipe was tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The recipe installed a virtual or physical server.
    Run,
    /// The vendor's validator checked the rendered files.
    Checked,
    /// The recipe was only rendered.
    NotYetRun,
}

impl Status {
    /// The value as it is written in recipes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Checked => "checked",
            Self::NotYetRun => "not_yet_run",
        }
    }

    /// The status as text for operators.
    pub fn title(self) -> &'static str {
        match self {
            Self::Run => "Installation tested",
            Self::Checked => "Checked",
            Self::NotYetRun => "Not yet run",
        }
    }
}

/// A small file that is part of the recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFile {
    /// The purpose of the file.
    pub kind: FileKind,
    /// Whether the file is a template that is rendered for each server.
    pub template: bool,
    /// The path of the file in the library.
    pub path: RelativePath,
    /// The content of the file; UTF-8 for a template.
    pub content: Cow<'static, [u8]>,
}

/// A file that the vendor publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// The purpose of the file.
    pub kind: FileKind,
    /// The URL of the file; `None` if the vendor does not publish the file on its own.
    pub url: Option<SourceUrl>,
    /// The possible paths in a folder that the operator names, in the order in which they are tried.
    pub folder: Vec<RelativePath>,
    /// The file to extract, if the download is an archive.
    pub member: Option<RelativePath>,
    /// How the file is verified.
    pub checksum: Checksum,
    /// How an operator gets the file, if it has no URL.
    pub how: Option<SettingText>,
}

/// How a download is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Not verified: the vendor publishes nothing to verify it with.
    None,
    /// By a checksum in the recipe.
    Pinned(Digest),
    /// By an entry in a published list.
    Listed {
        /// The list's name in the recipe.
        list: Name,
        /// The file's name in the list.
        path: String,
    },
    /// By a signature of the file itself.
    Signed {
        /// The keys that may have signed it.
        keys: Vec<KeySource>,
        /// The URL of the signature.
        signature: SourceUrl,
    },
}

/// A published list of checksums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChecksumList {
    /// The URL of the list.
    pub url: SourceUrl,
    /// The format of the list.
    pub format: ListFormat,
    /// How the list is verified; `None` if the vendor does not sign it.
    pub verified_by: Option<VerifiedBy>,
}

/// How a list of checksums is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifiedBy {
    /// By an entry in another list.
    List {
        /// The list's name in the recipe.
        list: Name,
        /// The name of this list in the other one.
        path: String,
    },
    /// By an inline signature.
    Inline(Vec<KeySource>),
    /// By a detached signature.
    Detached {
        /// The keys that may have signed it.
        keys: Vec<KeySource>,
        /// The URL of the signature.
        signature: SourceUrl,
    },
}

/// The origin of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A key file of the library.
    Library(String),
    /// A key on the vendor's site, which is accepted only if its primary key has this fingerprint.
    Fetched {
        /// The URL of the key; HTTPS only.
        url: SourceUrl,
        /// The fingerprint of its primary key in lower-case hexadecimal digits.
        fingerprint: String,
    },
}

/// The format of a list of checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListFormat {
    /// `HEX  FILE` or `HEX *FILE`, as `sha256sum` writes.
    Sha256sums,
    /// The same with SHA-512, as `sha512sum` writes.
    Sha512sums,
    /// `SHA256 (FILE) = HEX`.
    Bsd,
    /// The section `[checksums]` of a `.treeinfo`: `FILE = sha256:HEX`.
    Treeinfo,
    /// The field `SHA256` of a Debian `Release`.
    DebianRelease,
    /// A single checksum without a file name.
    Digest,
}

impl Recipe {
    /// Whether the operator has to provide a file, because the vendor does not publish it on its own.
    pub fn needs_folder(&self) -> bool {
        self.downloads.values().any(|download| download.url.is_none())
    }
}
