//! Where a boot image of the library comes from, and what it was when it was added.
//!
//! An update compares three things: what the recipe gave then, what the image is now, and what the recipe gives today.
//! What differs between the first two is the operator's own change.

use super::{BootImageSpec, EndedBy, NetworkBoot};
use crate::values::name::Name;
use crate::values::setting::{SettingName, SettingSpec};
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How the files of an image were verified, from the least to the most; the least of all files counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// By nothing: the vendor publishes nothing, or the files came from a folder without it.
    #[default]
    None,
    /// By a checksum of the recipe, or of a list that the vendor publishes over https and does not sign.
    Checksum,
    /// By a checksum or a file that the vendor signed.
    Signature,
}

impl Verified {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Checksum => "checksum",
            Self::Signature => "signature",
        }
    }
}

/// The recipe of an image, and what it gave when the image was added or updated last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipeOrigin {
    /// The recipe's name.
    pub name: Name,
    /// The SHA-256 of the recipe with its own files: its version.
    pub sha256: Sha256,
    /// Where the official files came from: a mirror, or the name of a folder or package.
    pub source: Text,
    /// How they were verified.
    pub verified: Verified,
    /// The contents that the recipe gave, by file.
    pub files: BTreeMap<Name, Sha256>,
    /// The published checksums of files, where they are others than the files' SHA-256.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub published: BTreeMap<Name, Text>,
    /// The settings as the recipe declared them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<SettingName, SettingSpec>,
    /// The recipe's description and limits.
    pub fields: RecipeFields,
}

/// What a recipe gives beside files and settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipeFields {
    /// For people.
    pub description: Text,
    /// After how many minutes an open deployment is overdue.
    pub open_minutes: u32,
    /// After how many minutes a deployment in progress is overdue.
    pub in_progress_minutes: u32,
    /// Whose word ends its deployments.
    pub done_by: EndedBy,
    /// How often a server boots from the network.
    pub network_boot: NetworkBoot,
}

impl RecipeFields {
    /// Those of an image.
    pub fn of(spec: &BootImageSpec) -> Self {
        Self {
            description: spec.description.clone(),
            open_minutes: spec.open_minutes,
            in_progress_minutes: spec.in_progress_minutes,
            done_by: spec.done_by,
            network_boot: spec.network_boot,
        }
    }
}
