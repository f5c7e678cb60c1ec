//! A recipe: what a boot image of the library consists of. Every value is checked when the recipe is read.

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

/// A recipe of the library.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its name, which is its folder's.
    pub name: Name,
    /// What it installs, for people.
    pub title: Text,
    /// How it installs it.
    pub description: Text,
    /// The system's version.
    pub version: Text,
    /// The servers' architecture.
    pub architecture: Architecture,
    /// How far it was tried.
    pub status: Status,
    /// What it was tried with.
    pub tested_with: SettingText,
    /// The validators that checked what it renders.
    pub checked_by: Vec<Text>,
    /// Limits that a user must know.
    pub notes: Vec<SettingText>,
    /// After how many minutes an open deployment is overdue.
    pub open_minutes: u32,
    /// After how many minutes a deployment in progress is overdue.
    pub in_progress_minutes: u32,
    /// Whose word ends a deployment.
    pub done_by: EndedBy,
    /// How often a server boots from the network.
    pub network_boot: NetworkBoot,
    /// Where the official files are, unless the operator names another mirror.
    pub mirror: Option<Url>,
    /// The settings that its templates use.
    pub settings: BTreeMap<SettingName, SettingSpec>,
    /// Its own small files, templates among them.
    pub files: BTreeMap<Name, OwnFile>,
    /// The official files.
    pub downloads: BTreeMap<Name, Download>,
    /// The published lists of checksums.
    pub checksums: BTreeMap<Name, ChecksumList>,
    /// The SHA-256 of the recipe and its own files: a recipe with another one is another version of it.
    pub sha256: Sha256,
}

/// The architecture of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit x86.
    Amd64,
    /// 64-bit Arm.
    Arm64,
}

impl Architecture {
    /// As in recipes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// How far a recipe was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A virtual or physical server was installed by it.
    Run,
    /// What it renders was checked by the vendor's validator.
    Checked,
    /// It was rendered only.
    NotYetRun,
}

impl Status {
    /// As in recipes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Checked => "checked",
            Self::NotYetRun => "not_yet_run",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Run => "Installation tested",
            Self::Checked => "Checked",
            Self::NotYetRun => "Not yet run",
        }
    }
}

/// A small file that the recipe brings with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFile {
    /// What it is for.
    pub kind: FileKind,
    /// Whether it is rendered for each server.
    pub template: bool,
    /// Where it is in the library.
    pub path: RelativePath,
    /// Its content; UTF-8 for a template.
    pub content: Cow<'static, [u8]>,
}

/// An official file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// What it is for.
    pub kind: FileKind,
    /// Where it is downloaded; `None` where the vendor does not publish it alone.
    pub url: Option<SourceUrl>,
    /// Where it may be in a folder that the operator names, tried in order.
    pub folder: Vec<RelativePath>,
    /// The file to take from the archive that is downloaded.
    pub member: Option<RelativePath>,
    /// How it is verified.
    pub checksum: Checksum,
    /// How an operator gets it, where it has no URL.
    pub how: Option<SettingText>,
}

/// How a download is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The vendor publishes nothing to verify it with.
    None,
    /// By a checksum in the recipe.
    Pinned(Digest),
    /// By a line of a published list.
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
        /// Where the signature is.
        signature: SourceUrl,
    },
}

/// A published list of checksums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChecksumList {
    /// Where it is.
    pub url: SourceUrl,
    /// Its format.
    pub format: ListFormat,
    /// How it is verified; `None` where the vendor signs nothing.
    pub verified_by: Option<VerifiedBy>,
}

/// How a list of checksums is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifiedBy {
    /// By a line of another list.
    List {
        /// The list's name in the recipe.
        list: Name,
        /// This list's name in it.
        path: String,
    },
    /// By a signature inside it.
    Inline(Vec<KeySource>),
    /// By a signature beside it.
    Detached {
        /// The keys that may have signed it.
        keys: Vec<KeySource>,
        /// Where the signature is.
        signature: SourceUrl,
    },
}

/// Where a public key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file of the library's keys.
    Library(String),
    /// A key of the vendor's site, which counts only if its primary key has this fingerprint.
    Fetched {
        /// Where it is, over https.
        url: SourceUrl,
        /// The fingerprint of its primary key in lower-case hexadecimal digits.
        fingerprint: String,
    },
}

/// The format of a list of checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListFormat {
    /// `HEX  FILE` or `HEX *FILE`, as by `sha256sum`.
    Sha256sums,
    /// The same with SHA-512.
    Sha512sums,
    /// `SHA256 (FILE) = HEX`.
    Bsd,
    /// The section `[checksums]` of a `.treeinfo`: `FILE = sha256:HEX`.
    Treeinfo,
    /// The field `SHA256` of a Debian `Release`.
    DebianRelease,
    /// One checksum and nothing else, whatever the file is called.
    Digest,
}

impl Recipe {
    /// Whether the operator has to bring a file, since the vendor does not publish it alone.
    pub fn needs_folder(&self) -> bool {
        self.downloads.values().any(|download| download.url.is_none())
    }
}
