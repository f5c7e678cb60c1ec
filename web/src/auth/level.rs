//! The roles of users and programs, and what each may do.

use bootledger_aggregates::token::Scope;
use bootledger_aggregates::user::Role;
use std::fmt;

/// A role. Each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Reads everything, and changes nothing.
    Viewer,
    /// Registers, verifies, deploys and cancels.
    Operator,
    /// Changes the catalogue, tokens and users.
    Administrator,
}

impl Level {
    /// The role of a token's scope; `None` for a token that is only for a DHCP server or for Puppet's reports.
    pub fn of(scope: &Scope) -> Option<Self> {
        match scope {
            Scope::Viewer => Some(Self::Viewer),
            Scope::Operator => Some(Self::Operator),
            Scope::Administrator => Some(Self::Administrator),
            Scope::DhcpServer(_) | Scope::PuppetReports => None,
        }
    }
}

impl From<Role> for Level {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Operator => Self::Operator,
            Role::Administrator => Self::Administrator,
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
