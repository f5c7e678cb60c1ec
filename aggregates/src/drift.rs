//! Drift: a difference between what a site's DNS or DHCP servers have and what the views say they should have. The key names
//! what differs, such as `dc1/dns/h200.dc1.example/A` or `dc1/dhcp/kea-1`.
//!
//! `(none) ─Report─► open ─OrderRepair─► ordered ─Report─► (none)`
//!
//! A check reports what it finds. An operator may order a repair, which brings the server to what the views say, and the next
//! check reports the result. Nothing is repaired without an order.

mod difference;
#[cfg(test)]
mod tests;

pub use crate::problem::DriftProblem;
pub use difference::{Difference, DifferenceKind, Nature, RepeatConflict, RepeatedEntries, RepeatedEntry, Segment};

use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
use crate::values::ParseError;
use crate::values::hostname::DomainName;
use crate::values::name::Name;
use crate::values::schema::written_as_text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The key of a difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DriftKey {
    /// The site of the server that differs.
    pub site: Name,
    /// What differs at the site.
    pub subject: Subject,
}

written_as_text!(DriftKey, "What differs: its site, `dns` or `dhcp`, and the name", None, "dc1/dns/h200.dc1.example/A");

/// What can differ at a site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// All records of one name and type at the primary of their zone.
    Dns {
        /// The name in the views. In a reverse zone, it is the reverse name of the address.
        name: DomainName,
        /// The type of the records.
        record: RecordType,
    },
    /// The configuration that a DHCP server runs.
    Dhcp {
        /// The DHCP server's name.
        server: Name,
    },
}

/// The record types that Bootledger creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// An A record: the address of a name.
    A,
    /// A PTR record: the name of an address.
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
                    "{text:?} is not the key of a difference; use SITE/dns/NAME/A, SITE/dns/NAME/PTR or SITE/dhcp/SERVER"
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

/// A command on a difference.
#[derive(Clone, Debug)]
pub enum DriftCommand {
    /// Records what a check found: this difference, or none.
    Report(Option<Difference>),
    /// Orders a repair, which brings the server to what the views say.
    OrderRepair {
        /// Whether the operator named this difference, rather than ordering the repair of many.
        named: bool,
    },
    /// Records that an ordered repair failed.
    FailRepair {
        /// The reason for the failure.
        problem: DriftProblem,
    },
}

/// Why a difference cannot be repaired by an order; `None` if it can. `named` is whether the operator named this difference.
pub fn unrepairable(difference: &Difference, named: bool) -> Option<BrokenRule> {
    match difference.nature() {
        Nature::Alias => {
            let alias = match &difference.kind {
                DifferenceKind::Alias { name, target, .. } => format!("{name} is an alias (CNAME) of {target}"),
                _ => "the name is an alias (CNAME)".to_owned(),
            };
            let message = format!(
                "{alias}, which Bootledger did not create and a repair does not remove. Remove the alias on the DNS server"
            );
            Some(BrokenRule::new("keys", Rule::DriftAlias, message))
        }
        Nature::Foreign if !named => {
            let message = "Bootledger did not create these records, and a repair removes them; name each record to remove";
            Some(BrokenRule::new("keys", Rule::DriftForeign, message))
        }
        _ => None,
    }
}

/// An event of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DriftEvent {
    /// The server differs, or differs in another way than before. An earlier repair order is void.
    DriftFound {
        /// How the server differs.
        difference: Difference,
    },
    /// An operator ordered a repair, which brings the server from what was found to what the views say.
    DriftRepairOrdered {},
    /// An ordered repair failed; the difference remains.
    DriftRepairFailed {
        /// The reason for the failure.
        problem: DriftProblem,
    },
    /// The difference no longer exists.
    DriftEnded {
        /// Whether a repair had been ordered.
        repaired: bool,
    },
}

/// The state of a difference, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Drift {
    open: Option<Difference>,
    ordered: bool,
}

impl Drift {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: DriftCommand) -> Result<Vec<DriftEvent>, Refused> {
        match (command, &self.open) {
            (DriftCommand::Report(found), open) if found == *open => Ok(vec![]),
            (DriftCommand::Report(Some(difference)), _) => Ok(vec![DriftEvent::DriftFound { difference }]),
            (DriftCommand::Report(None), _) => Ok(vec![DriftEvent::DriftEnded { repaired: self.ordered }]),
            (DriftCommand::OrderRepair { .. } | DriftCommand::FailRepair { .. }, None) => {
                Err(Refused::because("", Rule::DriftUnknown, "there is no such difference now; check again"))
            }
            (DriftCommand::OrderRepair { named }, Some(open)) => {
                Refused::unless_empty(unrepairable(open, named).into_iter().collect())?;
                Ok(if self.ordered { vec![] } else { vec![DriftEvent::DriftRepairOrdered {}] })
            }
            (DriftCommand::FailRepair { .. }, Some(_)) if !self.ordered => Ok(vec![]),
            (DriftCommand::FailRepair { problem }, Some(_)) => Ok(vec![DriftEvent::DriftRepairFailed { problem }]),
        }
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
