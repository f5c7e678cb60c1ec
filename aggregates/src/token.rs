//! An access token: who may do what until when. Its secret is never here; only the service's
//! table of secret hashes knows it.
//!
//! `(none) ─CreateToken─► valid ─RevokeToken─► revoked`

#[cfg(test)]
mod tests;

use crate::rules::{Refused, aggregate, domain_event};
use crate::values::name::Name;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a token's bearer may do. Each of the first three may also do what those before it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reads everything.
    Viewer,
    /// Also registers, verifies, deploys, cancels.
    Operator,
    /// Also changes the catalogue and tokens.
    Administrator,
    /// Only confirms configurations of this one DHCP server.
    DhcpServer(Name),
    /// Only hands in reports of Puppet's agents.
    PuppetReports,
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum TokenCommand {
    /// Makes a token valid.
    CreateToken {
        /// For people; the actor's name in events.
        name: Text,
        /// What its bearer may do.
        scope: Scope,
        /// When it ends; never, where `None`.
        expires: Option<Timestamp>,
    },
    /// Ends it at once.
    RevokeToken,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum TokenEvent {
    /// The token is valid.
    TokenCreated {
        /// For people.
        name: Text,
        /// What its bearer may do.
        scope: Scope,
        /// When it ends; never, where `None`.
        expires: Option<Timestamp>,
    },
    /// The token is no longer valid.
    TokenRevoked {},
}

/// The state that the rules need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Token {
    /// Before its creation.
    #[default]
    None,
    /// May be used.
    Valid,
    /// May not be used.
    Revoked,
}

impl Token {
    /// What the command leads to.
    pub fn decide(&self, command: TokenCommand) -> Result<Vec<TokenEvent>, Refused> {
        match (command, self) {
            (TokenCommand::CreateToken { name, .. }, Self::None) if name.is_empty() => {
                Err(Refused::because("name", "name_empty", "a token needs a name, so that events can say who acted"))
            }
            (TokenCommand::CreateToken { name, scope, expires }, Self::None) => {
                Ok(vec![TokenEvent::TokenCreated { name, scope, expires }])
            }
            (TokenCommand::CreateToken { .. }, _) => {
                Err(Refused::because("", "token_exists", "there is a token with this id already"))
            }
            (TokenCommand::RevokeToken, Self::Valid) => Ok(vec![TokenEvent::TokenRevoked {}]),
            (TokenCommand::RevokeToken, Self::Revoked) => Ok(vec![]),
            (TokenCommand::RevokeToken, Self::None) => Err(Refused::because("", "token_unknown", "there is no such token")),
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
