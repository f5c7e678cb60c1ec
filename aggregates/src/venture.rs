//! A venture (who owns servers) and its roles (what servers do). The key is the venture's name.
//!
//! `(none) ─DefineVenture─► defined ─DefineRole / RetireRole─► … ─RetireVenture─► retired`

#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, aggregate, domain_event};
use crate::values::name::Name;
use crate::values::text::Text;
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
}

/// What a role is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleSpec {
    /// For people.
    #[serde(default)]
    pub description: Text,
    /// What servers of the role boot; the venture's by default.
    pub default_boot_image: Option<Name>,
    /// The Puppet classes of the role.
    #[serde(default)]
    pub puppet_classes: Vec<Text>,
    /// The Puppet parameters of the role.
    #[serde(default)]
    pub puppet_parameters: BTreeMap<Name, Text>,
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
    },
    /// Creates or changes a role.
    DefineRole {
        /// The role's name within the venture.
        role: Name,
        /// What it shall be.
        spec: RoleSpec,
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
            VentureCommand::DefineVenture { name, spec, ancestors } => {
                if let Some(parent) = &spec.parent {
                    if ancestors.first() != Some(parent) && *parent != name {
                        return Err(Refused::because("parent", "venture_unknown", format!("there is no venture {parent}")));
                    }
                    if *parent == name || ancestors.contains(&name) {
                        return Err(Refused(vec![
                            BrokenRule::new(
                                "parent",
                                "venture_circle",
                                format!("{parent} is a part of {name}, so it cannot be its parent"),
                            )
                            .held_by(format!("venture {parent}")),
                        ]));
                    }
                }
                Ok(if self.defined.as_ref() == Some(&spec) { vec![] } else { vec![VentureEvent::VentureDefined { spec }] })
            }
            VentureCommand::RetireVenture => Ok(self.defined.iter().map(|_| VentureEvent::VentureRetired {}).collect()),
            _ if self.defined.is_none() => {
                Err(Refused::because("", "venture_unknown", "there is no such venture; define it first"))
            }
            VentureCommand::DefineRole { role, spec } => {
                Ok(if self.roles.get(&role) == Some(&spec) { vec![] } else { vec![VentureEvent::RoleDefined { role, spec }] })
            }
            VentureCommand::RetireRole { role } => {
                Ok(if self.roles.contains_key(&role) { vec![VentureEvent::RoleRetired { role }] } else { vec![] })
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

aggregate!(Venture, "venture", VentureCommand, VentureEvent);
domain_event!(VentureEvent { VentureDefined, RoleDefined, RoleRetired, VentureRetired });
