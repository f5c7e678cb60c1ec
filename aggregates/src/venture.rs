//! A venture (who owns servers) and its roles (what servers do). The key is the venture's name.
//!
//! `(none) ─DefineVenture─► defined ─DefineRole / RetireRole─► … ─RetireVenture─► retired`

pub mod puppet;
#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, aggregate, domain_event};
use crate::settings::{self, SecretProblems};
use crate::values::name::Name;
use crate::values::setting::Settings;
use crate::values::text::Text;
use puppet::{Classes, Layer, Parameters};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What a venture is, without its roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VentureSpec {
    /// For people.
    #[serde(default)]
    pub description: Text,
    /// The venture that it is a part of.
    pub parent: Option<Name>,
    /// What servers of the venture boot unless their role says otherwise; inherited from the parent.
    pub default_boot_image: Option<Name>,
    /// The Puppet classes of all its servers, and of its parts'.
    #[serde(default, skip_serializing_if = "Classes::is_empty")]
    pub puppet_classes: Classes,
    /// Puppet's top-scope parameters of all its servers, and of its parts'. Never a secret.
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub puppet_parameters: Parameters,
    /// The Puppet environment of its servers; inherited from the parent, and else the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puppet_environment: Option<Text>,
    /// Settings of boot images for its servers and those of its parts; roles, nearer ventures and devices go before it.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

/// What a role is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleSpec {
    /// For people.
    #[serde(default)]
    pub description: Text,
    /// What servers of the role boot; the venture's by default.
    pub default_boot_image: Option<Name>,
    /// The Puppet classes of the role, beside those of its venture.
    #[serde(default)]
    pub puppet_classes: Classes,
    /// Puppet's top-scope parameters of the role, which go before those of its venture. Never a secret.
    #[serde(default)]
    pub puppet_parameters: Parameters,
    /// The Puppet environment of the role's servers; the venture's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puppet_environment: Option<Text>,
    /// Settings of boot images for the role's servers; only a device's own go before it.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

impl VentureSpec {
    /// What Puppet is told because of it.
    pub fn puppet(&self) -> Layer<'_> {
        Layer {
            classes: &self.puppet_classes,
            parameters: &self.puppet_parameters,
            environment: self.puppet_environment.as_ref(),
        }
    }
}

impl RoleSpec {
    /// What Puppet is told because of it.
    pub fn puppet(&self) -> Layer<'_> {
        Layer {
            classes: &self.puppet_classes,
            parameters: &self.puppet_parameters,
            environment: self.puppet_environment.as_ref(),
        }
    }
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum VentureCommand {
    /// Creates or changes the venture. `ancestors` are the parent, its parent and so on, looked up;
    /// empty where the parent is unknown.
    DefineVenture {
        /// The venture's own key.
        name: Name,
        /// What it shall be.
        spec: VentureSpec,
        /// The known ancestors, nearest first.
        ancestors: Vec<Name>,
        /// What is wrong with the secrets that its settings name.
        secret_problems: SecretProblems,
    },
    /// Creates or changes a role.
    DefineRole {
        /// The role's name within the venture.
        role: Name,
        /// What it shall be.
        spec: RoleSpec,
        /// What is wrong with the secrets that its settings name.
        secret_problems: SecretProblems,
    },
    /// Takes a role out of use.
    RetireRole {
        /// The role's name within the venture.
        role: Name,
    },
    /// Takes the venture and its roles out of use.
    RetireVenture,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum VentureEvent {
    /// The venture is now this.
    VentureDefined {
        /// All but its roles.
        spec: VentureSpec,
    },
    /// The role is now this.
    RoleDefined {
        /// Its name within the venture.
        role: Name,
        /// All of it.
        spec: RoleSpec,
    },
    /// The role is out of use.
    RoleRetired {
        /// Its name within the venture.
        role: Name,
    },
    /// The venture and its roles are out of use.
    VentureRetired {},
}

/// The state that the rules need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Venture {
    defined: Option<VentureSpec>,
    roles: BTreeMap<Name, RoleSpec>,
}

impl Venture {
    /// What the command leads to.
    pub fn decide(&self, command: VentureCommand) -> Result<Vec<VentureEvent>, Refused> {
        match command {
            VentureCommand::DefineVenture { name, spec, ancestors, secret_problems } => {
                let mut broken: Vec<BrokenRule> = parent(&name, &spec, &ancestors).into_iter().collect();
                broken.extend(puppet::broken(spec.puppet()));
                broken.extend(settings::broken(&spec.settings, &secret_problems));
                Refused::unless_empty(broken)?;
                Ok(if self.defined.as_ref() == Some(&spec) { vec![] } else { vec![VentureEvent::VentureDefined { spec }] })
            }
            VentureCommand::RetireVenture => Ok(self.defined.iter().map(|_| VentureEvent::VentureRetired {}).collect()),
            _ if self.defined.is_none() => {
                Err(Refused::because("", "venture_unknown", "there is no such venture; define it first"))
            }
            VentureCommand::DefineRole { role, spec, secret_problems } => {
                let mut broken = puppet::broken(spec.puppet());
                broken.extend(settings::broken(&spec.settings, &secret_problems));
                Refused::unless_empty(broken)?;
                Ok(if self.roles.get(&role) == Some(&spec) { vec![] } else { vec![VentureEvent::RoleDefined { role, spec }] })
            }
            VentureCommand::RetireRole { role } if self.roles.contains_key(&role) => Ok(vec![VentureEvent::RoleRetired { role }]),
            // Nothing is shown of a role that was retired, so that it is as if it had never been.
            VentureCommand::RetireRole { role } => {
                Err(Refused::because("", "role_unknown", format!("the venture has no role {role}")))
            }
        }
    }

    fn evolve(&mut self, event: VentureEvent) {
        match event {
            VentureEvent::VentureDefined { spec } => self.defined = Some(spec),
            VentureEvent::RoleDefined { role, spec } => drop(self.roles.insert(role, spec)),
            VentureEvent::RoleRetired { role } => drop(self.roles.remove(&role)),
            VentureEvent::VentureRetired {} => *self = Self::default(),
        }
    }
}

/// Why the wanted parent cannot be one.
fn parent(name: &Name, spec: &VentureSpec, ancestors: &[Name]) -> Option<BrokenRule> {
    let parent = spec.parent.as_ref()?;
    if *parent == *name || ancestors.contains(name) {
        let message = format!("{parent} is a part of {name}, so it cannot be its parent");
        return Some(BrokenRule::new("parent", "venture_circle", message).held_by(format!("venture {parent}")));
    }
    let unknown = || BrokenRule::new("parent", "venture_unknown", format!("there is no venture {parent}"));
    (ancestors.first() != Some(parent)).then(unknown)
}

aggregate!(Venture, "venture", VentureCommand, VentureEvent);
domain_event!(VentureEvent { VentureDefined, RoleDefined, RoleRetired, VentureRetired });
