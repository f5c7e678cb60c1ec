//! The YAML form of a recipe, before its parts are checked for consistency.

use super::{Architecture, ListFormat, Status};
use crate::paths::RelativePath;
use crate::source_url::SourceUrl;
use bootledger_aggregates::boot_image::{EndedBy, FileKind, NetworkBoot};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::{SettingName, SettingSpec, SettingText};
use bootledger_aggregates::values::text::Text;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    pub(super) title: Text,
    #[serde(default)]
    pub(super) description: Text,
    pub(super) version: Text,
    pub(super) architecture: Architecture,
    pub(super) status: Status,
    #[serde(default)]
    pub(super) tested_with: SettingText,
    #[serde(default)]
    pub(super) checked_by: Vec<Text>,
    #[serde(default)]
    pub(super) notes: Vec<SettingText>,
    #[serde(default = "open_minutes")]
    pub(super) open_minutes: u32,
    #[serde(default = "in_progress_minutes")]
    pub(super) in_progress_minutes: u32,
    #[serde(default)]
    pub(super) done_by: EndedBy,
    #[serde(default)]
    pub(super) network_boot: NetworkBoot,
    #[serde(default)]
    pub(super) mirror: Option<String>,
    #[serde(default)]
    pub(super) settings: BTreeMap<SettingName, SettingSpec>,
    #[serde(default)]
    pub(super) templates: BTreeMap<Name, OwnFile>,
    #[serde(default)]
    pub(super) files: BTreeMap<Name, OwnFile>,
    #[serde(default)]
    pub(super) downloads: BTreeMap<Name, Download>,
    #[serde(default)]
    pub(super) checksums: BTreeMap<Name, ChecksumList>,
}

fn open_minutes() -> u32 {
    30
}

fn in_progress_minutes() -> u32 {
    120
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnFile {
    pub(super) kind: FileKind,
    pub(super) path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Download {
    pub(super) kind: FileKind,
    #[serde(default)]
    pub(super) url: Option<SourceUrl>,
    #[serde(default)]
    pub(super) folder: Vec<RelativePath>,
    #[serde(default)]
    pub(super) member: Option<RelativePath>,
    #[serde(default)]
    pub(super) checksum: Option<Checksum>,
    #[serde(default)]
    pub(super) how: Option<SettingText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checksum {
    pub(super) sha256: Option<String>,
    pub(super) sha512: Option<String>,
    pub(super) list: Option<Name>,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) keys: Vec<Key>,
    pub(super) signature: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChecksumList {
    pub(super) url: SourceUrl,
    pub(super) format: ListFormat,
    #[serde(default)]
    pub(super) verified_by: Option<VerifiedBy>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifiedBy {
    pub(super) list: Option<Name>,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) keys: Vec<Key>,
    pub(super) signature: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "the name of a file below `keys`, or { url: …, fingerprint: … }")]
pub(super) enum Key {
    Library(String),
    Fetched(FetchedKey),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FetchedKey {
    pub(super) url: SourceUrl,
    pub(super) fingerprint: String,
}
