//! The roles of people and programs, and what each may do.

use bootledger_aggregates::token::Scope;
use std::fmt;

/// A role; each may also do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Reads everything.
    Viewer,
    /// Registers, verifies, deploys, cancels.
    Operator,
    /// Changes the catalogue and tokens.
    Administrator,
}

impl Level {
    /// The role that a token's scope gives; none for a token that is only for a DHCP server, or for Puppet's reports.
    pub fn of(scope: &Scope) -> Option<Self> {
        match scope {
            Scope::Viewer => Some(Self::Viewer),
            Scope::Operator => Some(Self::Operator),
            Scope::Administrator => Some(Self::Administrator),
            Scope::DhcpServer(_) | Scope::PuppetReports => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        })
    }
}
