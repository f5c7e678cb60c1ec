//! The plan of a deployment: which plugins, after which others, at which stage.

use crate::values::name::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When a plugin runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginStage {
    /// While the deployment is open; all of these make it in progress.
    Preparing,
    /// While the deployment is in progress.
    InProgress,
}

/// A plugin of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedPlugin {
    /// The plugin's name, such as `clean`.
    pub name: Name,
    /// The plugins that must have succeeded before.
    pub requires: Vec<Name>,
    /// When it runs.
    pub stage: PluginStage,
}

/// The plugins of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Plan(pub Vec<PlannedPlugin>);

impl Plan {
    /// The plan of today: clean, role, dns, dhcp; then, in progress, reboot.
    ///
    /// # Errors
    /// Never in practice: the names are valid.
    pub fn standard() -> Result<Self, crate::values::ParseError> {
        let planned = [
            ("clean", &[][..], PluginStage::Preparing),
            ("role", &["clean"], PluginStage::Preparing),
            ("dns", &["role", "clean"], PluginStage::Preparing),
            ("dhcp", &["dns", "clean"], PluginStage::Preparing),
            ("reboot", &["clean", "role", "dns", "dhcp"], PluginStage::InProgress),
        ];
        let plugin = |(name, requires, stage): (&str, &[&str], PluginStage)| {
            let requires = requires.iter().map(|r| r.parse()).collect::<Result<_, _>>()?;
            Ok(PlannedPlugin { name: name.parse()?, requires, stage })
        };
        planned.into_iter().map(plugin).collect::<Result<_, _>>().map(Self)
    }

    /// The plugin of this name.
    pub fn find(&self, name: &Name) -> Option<&PlannedPlugin> {
        self.0.iter().find(|planned| planned.name == *name)
    }

    /// The plugins that prepare.
    pub fn preparing(&self) -> impl Iterator<Item = &PlannedPlugin> {
        self.0.iter().filter(|planned| planned.stage == PluginStage::Preparing)
    }
}
