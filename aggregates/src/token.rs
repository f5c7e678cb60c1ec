//! An access token: what its bearer may do, and until when. The token's secret is never stored here; only the service's table
//! of secret hashes has its hash.
//!
//! `(none) ─CreateToken─► valid ─RevokeToken─► revoked`

#[cfg(test)]
mod tests;

use crate::rules::{Refused, Rule, aggregate, domain_event};
use crate::user::Role;
use crate::values::name::Name;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The scope of a token: a role, or a single purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Scope)]
pub enum TokenScope {
    /// Reads everything except for accounts, and changes nothing.
    Viewer,
    /// Also reads users, tokens, sessions and sign-ins, and changes nothing.
    Auditor,
    /// Reads what a viewer reads, registers and verifies devices, and starts and cancels deployments.
    Operator,
    /// Also changes the catalogue and tokens.
    Administrator,
    /// Only confirms configurations of this DHCP server.
    DhcpServer(Name),
    /// Only submits reports of Puppet agents.
    PuppetReports,
}

impl TokenScope {
    /// The role that the scope gives; `None` for a token that is only for a DHCP server or for Puppet's reports.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Viewer => Some(Role::Viewer),
            Self::Auditor => Some(Role::Auditor),
            Self::Operator => Some(Role::Operator),
            Self::Administrator => Some(Role::Administrator),
            Self::DhcpServer(_) | Self::PuppetReports => None,
        }
    }
}

/// A command on a token.
#[derive(Clone, Debug)]
pub enum TokenCommand {
    /// Creates the token.
    CreateToken {
        /// The token's name for operators; also the actor's name in events.
        name: Text,
        /// The token's scope.
        scope: TokenScope,
        /// When the token expires; `None` means never.
        expires: Option<Timestamp>,
    },
    /// Revokes the token at once.
    RevokeToken,
}

/// An event of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum TokenEvent {
    /// The token was created and is valid.
    TokenCreated {
        /// The token's name for operators; also the actor's name in events.
        name: Text,
        /// The token's scope.
        scope: TokenScope,
        /// When the token expires; `None` means never.
        expires: Option<Timestamp>,
    },
    /// The token was revoked.
    TokenRevoked {},
}

/// The state of a token, as far as the rules need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Token {
    /// The state before the token is created.
    #[default]
    None,
    /// The token is accepted.
    Valid,
    /// The token is no longer accepted.
    Revoked,
}

impl Token {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: TokenCommand) -> Result<Vec<TokenEvent>, Refused> {
        match (command, self) {
            (TokenCommand::CreateToken { name, .. }, Self::None) if name.is_empty() => {
                Err(Refused::because("name", Rule::NameEmpty, "a token needs a name, which events show as the actor; enter one"))
            }
            (TokenCommand::CreateToken { name, scope, expires }, Self::None) => {
                Ok(vec![TokenEvent::TokenCreated { name, scope, expires }])
            }
            (TokenCommand::CreateToken { .. }, _) => {
                Err(Refused::because("", Rule::TokenExists, "a token with this ID already exists"))
            }
            (TokenCommand::RevokeToken, Self::Valid) => Ok(vec![TokenEvent::TokenRevoked {}]),
            (TokenCommand::RevokeToken, Self::Revoked) => Ok(vec![]),
            (TokenCommand::RevokeToken, Self::None) => Err(Refused::unknown(Rule::TokenUnknown, "token", "check its ID")),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every aggregate takes its events in by value")]
    fn evolve(&mut self, event: TokenEvent) {
        *self = match event {
            TokenEvent::TokenCreated { .. } => Self::Valid,
            TokenEvent::TokenRevoked {} => Self::Revoked,
        };
    }
}

aggregate!(Token, "token", TokenCommand, TokenEvent);
domain_event!(TokenEvent { TokenCreated, TokenRevoked });
