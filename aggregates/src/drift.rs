//! A difference between what a site's servers have and what the views say. The key names the thing, such as
//! `dc1/dns/h200.dc1.example/A` or `dc1/dhcp/kea-1`.
//!
//! `(none) ─Report─► open ─OrderRepair─► ordered ─Report─► (none)`: a check reports what it finds, a person may order that
//! the server be brought to what the views say, and the next check tells what became of it. Nothing is repaired unasked.

#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, aggregate, domain_event};
use crate::values::ParseError;
use crate::values::hostname::DomainName;
use crate::values::name::Name;
use crate::values::schema::written_as_text;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// What may differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DriftKey {
    /// The site whose server it is at.
    pub site: Name,
    /// The thing.
    pub subject: Subject,
}

written_as_text!(DriftKey, "What differs: its site, `dns` or `dhcp`, and the name", None, "dc1/dns/h200.dc1.example/A");

/// A thing of a site that may differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// All records of a name and a type at the primary of their zone.
    Dns {
        /// The name in the views; a name of a reverse zone is that of the address.
        name: DomainName,
        /// Their type.
        record: RecordType,
    },
    /// The configuration that a DHCP server runs.
    Dhcp {
        /// The server.
        server: Name,
    },
}

/// The types of records that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// An address.
    A,
    /// The name of an address.
    Ptr,
}

impl fmt::Display for DriftKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Dns { name, record: RecordType::A } => write!(f, "{}/dns/{name}/A", self.site),
            Subject::Dns { name, record: RecordType::Ptr } => write!(f, "{}/dns/{name}/PTR", self.site),
            Subject::Dhcp { server } => write!(f, "{}/dhcp/{server}", self.site),
        }
    }
}

impl FromStr for DriftKey {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let subject = match text.split('/').collect::<Vec<_>>()[..] {
            [_, "dns", name, "A"] => Subject::Dns { name: name.parse()?, record: RecordType::A },
            [_, "dns", name, "PTR"] => Subject::Dns { name: name.parse()?, record: RecordType::Ptr },
            [_, "dhcp", server] => Subject::Dhcp { server: server.parse()? },
            _ => {
                return Err(ParseError::new(format!(
                    "{text:?} names nothing that may differ; it is SITE/dns/NAME/A, SITE/dns/NAME/PTR or SITE/dhcp/SERVER"
                )));
            }
        };
        let site = text.split('/').next().unwrap_or_default().parse()?;
        Ok(Self { site, subject })
    }
}

impl TryFrom<String> for DriftKey {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DriftKey> for String {
    fn from(key: DriftKey) -> Self {
        key.to_string()
    }
}

/// In which way a server differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// It has not all records that it should have, and none of anybody else.
    Missing,
    /// It has records that it was once told, and should not have any more.
    LeftOver,
    /// It has records under the name that somebody else has made.
    Foreign,
    /// The name is an alias, which somebody else has made.
    Alias,
    /// It has never confirmed a configuration.
    Unconfirmed,
    /// It has not confirmed what changed a while ago.
    Behind,
    /// It could not use a configuration.
    Failing,
    /// It says that it runs something else than the views gave at the time.
    OtherRevision,
    /// Its site has entries that no network serves, so that it is given an earlier configuration, or one without them.
    HeldBack,
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// In which way.
    pub nature: Nature,
    /// Which server: the primary's address and port, or the DHCP server's name.
    pub server: Text,
    /// What the views say: values of records, or the hash of a configuration where that is certain.
    pub expected: Vec<Text>,
    /// What the server has.
    pub found: Vec<Text>,
    /// What else is to be told; empty where that says all.
    pub message: Text,
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum DriftCommand {
    /// A check found this, or that there is no difference any more.
    Report(Option<Difference>),
    /// The server shall be brought to what the views say. `named` where the person named this very thing.
    OrderRepair {
        /// Whether it was named, and not one of many.
        named: bool,
    },
    /// What was ordered could not be done.
    FailRepair {
        /// Why.
        problem: Text,
    },
}

/// Why a difference cannot be repaired by an order, where it cannot; `named` where the person named this very thing.
pub fn unrepairable(difference: &Difference, named: bool) -> Option<BrokenRule> {
    match difference.nature {
        Nature::Alias => {
            let message = format!("{}; remove the alias there, it is not for us to remove", difference.message);
            Some(BrokenRule::new("keys", "drift_alias", message))
        }
        Nature::Foreign if !named => {
            let message = "somebody else has made these records; a repair removes them, so name each that shall go";
            Some(BrokenRule::new("keys", "drift_foreign", message))
        }
        _ => None,
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DriftEvent {
    /// The server differs, or differs in another way than before; what was ordered before is void.
    DriftFound {
        /// How.
        difference: Difference,
    },
    /// A person wants the server to be brought to what the views say, from what was found.
    DriftRepairOrdered {},
    /// What was ordered could not be done; the difference stays.
    DriftRepairFailed {
        /// Why.
        problem: Text,
    },
    /// There is no difference any more.
    DriftEnded {
        /// Whether a repair had been ordered.
        repaired: bool,
    },
}

/// The state that the rules need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Drift {
    open: Option<Difference>,
    ordered: bool,
}

impl Drift {
    /// What the command leads to.
    pub fn decide(&self, command: DriftCommand) -> Result<Vec<DriftEvent>, Refused> {
        match (command, &self.open) {
            (DriftCommand::Report(found), open) if found == *open => Ok(vec![]),
            (DriftCommand::Report(Some(difference)), _) => Ok(vec![DriftEvent::DriftFound { difference }]),
            (DriftCommand::Report(None), _) => Ok(vec![DriftEvent::DriftEnded { repaired: self.ordered }]),
            (DriftCommand::OrderRepair { .. } | DriftCommand::FailRepair { .. }, None) => {
                Err(Refused::because("", "drift_unknown", "there is no such difference (any more); check again"))
            }
            (DriftCommand::OrderRepair { named }, Some(open)) => {
                Refused::unless_empty(unrepairable(open, named).into_iter().collect())?;
                Ok(if self.ordered { vec![] } else { vec![DriftEvent::DriftRepairOrdered {}] })
            }
            (DriftCommand::FailRepair { .. }, Some(_)) if !self.ordered => Ok(vec![]),
            (DriftCommand::FailRepair { problem }, Some(_)) => Ok(vec![DriftEvent::DriftRepairFailed { problem }]),
        }
    }

    /// The difference that a person has ordered to be repaired.
    pub fn to_repair(&self) -> Option<&Difference> {
        self.open.as_ref().filter(|_| self.ordered)
    }

    fn evolve(&mut self, event: DriftEvent) {
        match event {
            DriftEvent::DriftFound { difference } => *self = Self { open: Some(difference), ordered: false },
            DriftEvent::DriftRepairOrdered {} => self.ordered = true,
            DriftEvent::DriftRepairFailed { .. } => self.ordered = false,
            DriftEvent::DriftEnded { .. } => *self = Self::default(),
        }
    }
}

aggregate!(Drift, "drift", DriftCommand, DriftEvent);
domain_event!(DriftEvent { DriftFound, DriftRepairOrdered, DriftRepairFailed, DriftEnded });
