//! The description of a boot image.

use super::recipe::RecipeOrigin;
use crate::values::setting::{SettingName, SettingSpec};
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The description of an image, without its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootImageSpec {
    /// A description for operators.
    #[serde(default)]
    pub description: Text,
    /// The number of minutes after which an open deployment is overdue.
    #[serde(default = "usual_open_minutes")]
    pub open_minutes: u32,
    /// The number of minutes after which a deployment in progress is overdue.
    #[serde(default = "usual_in_progress_minutes")]
    pub in_progress_minutes: u32,
    /// Who marks deployments done: `server` (the default) or `puppet`.
    #[serde(default, skip_serializing_if = "EndedBy::is_server")]
    pub done_by: EndedBy,
    /// How often a server whose deployment is in progress boots from the network.
    #[serde(default, skip_serializing_if = "NetworkBoot::is_until_done")]
    pub network_boot: NetworkBoot,
    /// The settings that the image's templates use, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<SettingName, SettingSpec>,
    /// The library recipe that the image was made from. Only the commands that add and update images from the library set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Box<RecipeOrigin>>,
}

fn usual_open_minutes() -> u32 {
    30
}

fn usual_in_progress_minutes() -> u32 {
    120
}

/// Who marks the deployments of an image done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The server, by requesting its DONE URL when it is installed.
    #[default]
    Server,
    /// Puppet: the server's DONE ends the installation only, and the first successful Puppet run after it ends the deployment.
    Puppet,
}

impl EndedBy {
    /// The value as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Puppet => "puppet",
        }
    }

    /// Whether this is the default, which events omit.
    pub fn is_server(&self) -> bool {
        *self == Self::Server
    }
}

impl std::str::FromStr for EndedBy {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Server, Self::Puppet].into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| crate::values::ParseError::new(format!("{text:?} is not one of server, puppet")))
    }
}

/// How often a server whose deployment is in progress boots from the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkBoot {
    /// Until the deployment is done: a server that restarts before that is installed again.
    #[default]
    UntilDone,
    /// Until it has fetched its answer file, or its kernel if the image has no answer file. Further network boots start its
    /// disk: for installers that restart the server before they finish.
    Once,
}

impl NetworkBoot {
    /// The value as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UntilDone => "until_done",
            Self::Once => "once",
        }
    }

    /// Whether this is the default, which events omit.
    pub fn is_until_done(&self) -> bool {
        *self == Self::UntilDone
    }
}

impl std::str::FromStr for NetworkBoot {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::UntilDone, Self::Once].into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| crate::values::ParseError::new(format!("{text:?} is not one of until_done, once")))
    }
}
