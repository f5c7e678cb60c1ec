//! A rack: where devices stand. The key is its name.
//!
//! `(none) ─DefineRack─► defined ─RetireRack─► retired ─DefineRack─► defined`

#[cfg(test)]
mod tests;

use crate::rules::{Refused, aggregate, domain_event};
use crate::values::name::Name;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a rack is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RackSpec {
    /// The site it stands in.
    pub site: Name,
    /// For people.
    #[serde(default)]
    pub description: Text,
    /// Its height in rack units.
    #[serde(default = "usual_height")]
    pub units: u16,
}

fn usual_height() -> u16 {
    42
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum RackCommand {
    /// Creates or changes the rack. `site_exists` is looked up.
    DefineRack {
        /// What it shall be.
        spec: RackSpec,
        /// Whether the site is known and not retired.
        site_exists: bool,
    },
    /// Takes the rack out of use.
    RetireRack,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum RackEvent {
    /// The rack is now this.
    RackDefined {
        /// All of it.
        spec: RackSpec,
    },
    /// The rack is out of use.
    RackRetired {},
}

/// The state that the rules need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rack {
    defined: Option<RackSpec>,
}

impl Rack {
    /// What the command leads to.
    pub fn decide(&self, command: RackCommand) -> Result<Vec<RackEvent>, Refused> {
        match command {
            RackCommand::DefineRack { spec, site_exists } => {
                if !site_exists {
                    return Err(Refused::because("site", "site_unknown", format!("there is no site {}", spec.site)));
                }
                if spec.units == 0 {
                    return Err(Refused::because("units", "units_range", "a rack is at least one unit high"));
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
