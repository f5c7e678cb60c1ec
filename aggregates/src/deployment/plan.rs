//! The plan of a deployment: its plugins, their order, and the stage that each runs in.

use crate::values::name::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The stage of a deployment in which a plugin runs: `preparing` (Open) or `in_progress` (installing).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginStage {
    /// While the deployment is Open (preparing). When all of these have succeeded, the deployment becomes In progress (installing).
    Preparing,
    /// While the deployment is In progress (installing).
    InProgress,
}

/// A plugin in a plan: one step of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedPlugin {
    /// The plugin's name, such as `clean`.
    pub name: Name,
    /// The plugins that must succeed before this one runs.
    pub requires: Vec<Name>,
    /// The stage in which the plugin runs.
    pub stage: PluginStage,
}

/// The plugins (steps) of a deployment, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Plan(pub Vec<PlannedPlugin>);

impl Plan {
    /// The current plan: clean, role, dns, dhcp; then, in progress, reboot.
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

    /// Why no deployment could complete the plan, as a sentence: a plugin is listed twice, requires a plugin that is not listed
    /// before it, or no plugin prepares.
    pub fn broken(&self) -> Option<String> {
        for (place, planned) in self.0.iter().enumerate() {
            let before = &self.0[..place];
            if before.iter().any(|earlier| earlier.name == planned.name) {
                return Some(format!("the plan has the plugin {} twice", planned.name));
            }
            // A preparing plugin that required a plugin of a later stage would wait forever.
            let fits =
                |required: &PlannedPlugin| required.stage == PluginStage::Preparing || planned.stage == PluginStage::InProgress;
            let lacks = |name: &&Name| !before.iter().any(|earlier| earlier.name == **name && fits(earlier));
            if let Some(required) = planned.requires.iter().find(lacks) {
                return Some(format!("the plugin {} requires {required}, which the plan does not run before it", planned.name));
            }
        }
        if self.preparing().next().is_none() {
            return Some(
                "the plan has no plugin of the preparation, so its deployment would stay open; add such a plugin".to_owned(),
            );
        }
        None
    }

    /// The plugins of the preparing stage.
    pub fn preparing(&self) -> impl Iterator<Item = &PlannedPlugin> {
        self.0.iter().filter(|planned| planned.stage == PluginStage::Preparing)
    }
}
