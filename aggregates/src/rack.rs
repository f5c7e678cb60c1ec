//! A rack of a site, which holds devices. The key is the rack's name.
//!
//! `(none) ─DefineRack─► defined ─RetireRack─► retired ─DefineRack─► defined`

#[cfg(test)]
mod tests;

use crate::rules::{Refused, Rule, aggregate, domain_event};
use crate::values::name::Name;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The description of a rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RackSpec {
    /// The site of the rack.
    pub site: Name,
    /// A description for operators.
    #[serde(default)]
    pub description: Text,
    /// The height of the rack in rack units.
    #[serde(default = "usual_height")]
    pub units: u16,
}

fn usual_height() -> u16 {
    42
}

/// A command on a rack.
#[derive(Clone, Debug)]
pub enum RackCommand {
    /// Creates or changes the rack.
    DefineRack {
        /// The new description.
        spec: RackSpec,
        /// Whether the site exists and is not retired, as looked up.
        site_exists: bool,
    },
    /// Retires the rack.
    RetireRack,
}

/// An event of a rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum RackEvent {
    /// The rack's description was set.
    RackDefined {
        /// The new description.
        spec: RackSpec,
    },
    /// The rack was retired.
    RackRetired {},
}

/// The state of a rack, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rack {
    defined: Option<RackSpec>,
}

impl Rack {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: RackCommand) -> Result<Vec<RackEvent>, Refused> {
        match command {
            RackCommand::DefineRack { spec, site_exists } => {
                if !site_exists {
                    let message = format!("there is no site {}; create it first", spec.site);
                    return Err(Refused::because("site", Rule::SiteUnknown, message));
                }
                if spec.units == 0 {
                    return Err(Refused::because(
                        "units",
                        Rule::UnitsRange,
                        "a rack has at least one unit; enter its number of units",
                    ));
                }
                Ok(if self.defined.as_ref() == Some(&spec) { vec![] } else { vec![RackEvent::RackDefined { spec }] })
            }
            RackCommand::RetireRack => Ok(self.defined.iter().map(|_| RackEvent::RackRetired {}).collect()),
        }
    }

    fn evolve(&mut self, event: RackEvent) {
        self.defined = match event {
            RackEvent::RackDefined { spec } => Some(spec),
            RackEvent::RackRetired {} => None,
        };
    }
}

aggregate!(Rack, "rack", RackCommand, RackEvent);
domain_event!(RackEvent { RackDefined, RackRetired });
