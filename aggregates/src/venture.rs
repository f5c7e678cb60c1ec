//! A venture, which owns servers, and its roles, which define what servers do. The key is the venture's name.
//!
//! `(none) ─DefineVenture─► defined ─DefineRole / RetireRole─► … ─RetireVenture─► retired`

pub mod puppet;
#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
use crate::settings::{self, SecretProblems};
use crate::values::name::Name;
use crate::values::setting::Settings;
use crate::values::text::Text;
use puppet::{Classes, Layer, Parameters};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A venture, without its roles: the owner of servers, such as a team or a service. A venture can have sub-ventures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VentureSpec {
    /// A description for operators.
    #[serde(default)]
    pub description: Text,
    /// The venture that contains this one.
    pub parent: Option<Name>,
    /// The boot image of the venture's servers, unless their role names one; inherited from the parent.
    pub default_boot_image: Option<Name>,
    /// The Puppet classes of all servers of this venture and its sub-ventures.
    #[serde(default, skip_serializing_if = "Classes::is_empty")]
    pub puppet_classes: Classes,
    /// Puppet's top-scope parameters for all servers of this venture and its sub-ventures. Not for secrets.
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub puppet_parameters: Parameters,
    /// The Puppet environment of the venture's servers; inherited from the parent; without one, the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puppet_environment: Option<Text>,
    /// Values for settings of boot images, for the servers of this venture and its sub-ventures. Roles, nearer ventures and
    /// devices override them.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

/// A role: what a server does in its venture, such as `web` or `db`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleSpec {
    /// A description for operators.
    #[serde(default)]
    pub description: Text,
    /// The boot image of the role's servers; the venture's by default.
    pub default_boot_image: Option<Name>,
    /// The Puppet classes of the role, in addition to those of its venture.
    #[serde(default)]
    pub puppet_classes: Classes,
    /// Puppet's top-scope parameters of the role, which override those of its venture. Not for secrets.
    #[serde(default)]
    pub puppet_parameters: Parameters,
    /// The Puppet environment of the role's servers; the venture's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puppet_environment: Option<Text>,
    /// Values for settings of boot images, for the role's servers. Only a device's own values override them.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

impl VentureSpec {
    /// The Puppet data of the venture.
    pub fn puppet(&self) -> Layer<'_> {
        Layer {
            classes: &self.puppet_classes,
            parameters: &self.puppet_parameters,
            environment: self.puppet_environment.as_ref(),
        }
    }
}

impl RoleSpec {
    /// The Puppet data of the role.
    pub fn puppet(&self) -> Layer<'_> {
        Layer {
            classes: &self.puppet_classes,
            parameters: &self.puppet_parameters,
            environment: self.puppet_environment.as_ref(),
        }
    }
}

/// A command on a venture.
#[derive(Clone, Debug)]
pub enum VentureCommand {
    /// Creates or changes the venture.
    DefineVenture {
        /// The venture's own key.
        name: Name,
        /// The new description.
        spec: VentureSpec,
        /// The parent, its parent and so on, nearest first, as looked up; empty if the parent does not exist.
        ancestors: Vec<Name>,
        /// The problems with the secrets that the venture's settings name.
        secret_problems: SecretProblems,
    },
    /// Creates or changes a role.
    DefineRole {
        /// The role's name within the venture.
        role: Name,
        /// The new description.
        spec: RoleSpec,
        /// The problems with the secrets that the role's settings name.
        secret_problems: SecretProblems,
    },
    /// Retires a role.
    RetireRole {
        /// The role's name within the venture.
        role: Name,
    },
    /// Retires the venture and its roles.
    RetireVenture,
}

/// An event of a venture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum VentureEvent {
    /// The venture's description was set.
    VentureDefined {
        /// The new description, without the venture's roles.
        spec: VentureSpec,
    },
    /// A role's description was set.
    RoleDefined {
        /// The role's name within the venture.
        role: Name,
        /// The new description.
        spec: RoleSpec,
    },
    /// A role was retired.
    RoleRetired {
        /// The role's name within the venture.
        role: Name,
    },
    /// The venture and its roles were retired.
    VentureRetired {},
}

/// The state of a venture, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Venture {
    defined: Option<VentureSpec>,
    roles: BTreeMap<Name, RoleSpec>,
}

impl Venture {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
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
            _ if self.defined.is_none() => Err(Refused::unknown(Rule::VentureUnknown, "venture", "create it first")),
            VentureCommand::DefineRole { role, spec, secret_problems } => {
                let mut broken = puppet::broken(spec.puppet());
                broken.extend(settings::broken(&spec.settings, &secret_problems));
                Refused::unless_empty(broken)?;
                Ok(if self.roles.get(&role) == Some(&spec) { vec![] } else { vec![VentureEvent::RoleDefined { role, spec }] })
            }
            VentureCommand::RetireRole { role } if self.roles.contains_key(&role) => Ok(vec![VentureEvent::RoleRetired { role }]),
            // A retired role is not shown anywhere, as if it had never existed.
            VentureCommand::RetireRole { role } => {
                let message = format!("the venture has no role {role}; check the role's name, or create it first");
                Err(Refused::because("", Rule::RoleUnknown, message))
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

/// Why the requested parent is refused.
fn parent(name: &Name, spec: &VentureSpec, ancestors: &[Name]) -> Option<BrokenRule> {
    let parent = spec.parent.as_ref()?;
    if *parent == *name || ancestors.contains(name) {
        let message = format!("{parent} is a part of {name}, so it cannot be its parent; choose another parent");
        return Some(BrokenRule::new("parent", Rule::VentureCircle, message).held_by(format!("venture {parent}")));
    }
    let unknown = || BrokenRule::new("parent", Rule::VentureUnknown, format!("there is no venture {parent}; create it first"));
    (ancestors.first() != Some(parent)).then(unknown)
}

aggregate!(Venture, "venture", VentureCommand, VentureEvent);
domain_event!(VentureEvent { VentureDefined, RoleDefined, RoleRetired, VentureRetired });
