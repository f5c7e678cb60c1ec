//! A person's session in a browser. Its secret is never here; only the service's table of secret hashes knows it.
//!
//! `(none) ─StartSession─► live ─EndSession─► ended`

#[cfg(test)]
mod tests;

use crate::rules::{Refused, aggregate, domain_event};
use crate::values::text::Text;
use crate::values::user_name::UserName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use utoipa::ToSchema;

/// A session that is not used for so long is over.
pub const IDLE_SECONDS: i64 = 12 * 3600;
/// A session is over after so long, however much it is used.
pub const LONGEST_SECONDS: i64 = 7 * 86_400;
/// A session's secret is replaced after so long.
pub const ROTATED_SECONDS: i64 = 3600;
/// The secret before is still taken for so long, since requests overtake each other.
pub const GRACE_SECONDS: i64 = 60;

/// How the person signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// With a password.
    Password,
    /// Through the `OpenID` Connect provider.
    OpenidConnect,
}

/// Who began a session, from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionSpec {
    /// The person.
    pub user: UserName,
    /// How the person signed in.
    pub method: Method,
    /// The address that the person signed in from.
    #[schema(value_type = Option<String>)]
    pub client: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: Text,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The person signed out.
    SignedOut,
    /// The person, or an administrator, ended it from elsewhere.
    Revoked,
    /// The person's password was changed.
    PasswordChanged,
    /// The person was disabled.
    UserDisabled,
    /// It was not used for too long, or its time was over.
    Expired,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SignedOut => "signed out",
            Self::Revoked => "revoked",
            Self::PasswordChanged => "the password was changed",
            Self::UserDisabled => "the user was disabled",
            Self::Expired => "its time was over",
        })
    }
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum SessionCommand {
    /// Begins it.
    StartSession(SessionSpec),
    /// Ends it at once.
    EndSession {
        /// Why.
        reason: EndReason,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SessionEvent {
    /// The session lets its holder in.
    SessionStarted(SessionSpec),
    /// The session lets nobody in.
    SessionEnded {
        /// Why.
        reason: EndReason,
    },
}

/// The state that the rules need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Session {
    /// Before its beginning.
    #[default]
    None,
    /// Lets its holder in.
    Live,
    /// Lets nobody in.
    Ended,
}

impl Session {
    /// What the command leads to.
    pub fn decide(&self, command: SessionCommand) -> Result<Vec<SessionEvent>, Refused> {
        match (command, self) {
            (SessionCommand::StartSession(spec), Self::None) => Ok(vec![SessionEvent::SessionStarted(spec)]),
            (SessionCommand::StartSession(_), _) => {
                Err(Refused::because("", "session_exists", "there is a session with this id already"))
            }
            (SessionCommand::EndSession { reason }, Self::Live) => Ok(vec![SessionEvent::SessionEnded { reason }]),
            (SessionCommand::EndSession { .. }, Self::Ended) => Ok(vec![]),
            (SessionCommand::EndSession { .. }, Self::None) => {
                Err(Refused::because("", "session_unknown", "there is no such session"))
            }
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every aggregate takes its events in by value")]
    fn evolve(&mut self, event: SessionEvent) {
        *self = match event {
            SessionEvent::SessionStarted(_) => Self::Live,
            SessionEvent::SessionEnded { .. } => Self::Ended,
        };
    }
}

aggregate!(Session, "session", SessionCommand, SessionEvent);
domain_event!(SessionEvent { SessionStarted, SessionEnded });
