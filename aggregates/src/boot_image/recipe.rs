//! The origin of a boot image from the library: its recipe, and what the recipe contained when the image was added.
//!
//! An update compares three versions: what the recipe contained then, what the image is now, and what the recipe contains
//! today. A difference between the first two is the operator's own change.

use super::spec::{BootImageSpec, EndedBy, NetworkBoot};
use crate::values::name::Name;
use crate::values::setting::{SettingName, SettingSpec};
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How the files of an image were verified, from the weakest method to the strongest. The weakest verification of any file
/// counts for the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// Not verified: the vendor publishes no checksum, or the files came from a folder that has none.
    #[default]
    None,
    /// By a checksum in the recipe, or in an unsigned list that the vendor publishes over HTTPS.
    Checksum,
    /// By a vendor-signed checksum list, or by a vendor's signature of the file.
    Signature,
}

impl Verified {
    /// The value as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Checksum => "checksum",
            Self::Signature => "signature",
        }
    }
}

/// The recipe of an image, and what it contained when the image was last added or updated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipeOrigin {
    /// The name of the recipe.
    pub name: Name,
    /// The SHA-256 of the recipe and its own files; it identifies the recipe's version.
    pub sha256: Sha256,
    /// Where the vendor's files came from: a mirror, or the name of a folder or package.
    pub source: Text,
    /// How the vendor's files were verified.
    pub verified: Verified,
    /// The SHA-256 of each file that the recipe provided, by file name.
    pub files: BTreeMap<Name, Sha256>,
    /// The checksums that the vendor publishes, by file name, if they differ from the files' SHA-256.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub published: BTreeMap<Name, Text>,
    /// The settings as the recipe declared them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<SettingName, SettingSpec>,
    /// The recipe's description and limits.
    pub fields: RecipeFields,
}

/// What a recipe provides in addition to files and settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipeFields {
    /// A description for operators.
    pub description: Text,
    /// The number of minutes after which an open deployment is overdue.
    pub open_minutes: u32,
    /// The number of minutes after which a deployment in progress is overdue.
    pub in_progress_minutes: u32,
    /// Who marks deployments done.
    pub done_by: EndedBy,
    /// How often a server boots from the network during its deployment.
    pub network_boot: NetworkBoot,
}

impl RecipeFields {
    /// The same fields of an image.
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
