//! A user's session in a browser. The session's secret is never stored here; only the service's table of secret hashes has its
//! hash.
//!
//! `(none) ─StartSession─► live ─EndSession─► ended`, and `(none) ─RecordUnknownUser─► ended` for sign-ins with user names that do
//! not exist: no user has them, and the names themselves are never stored, because people type passwords into the wrong field.

#[cfg(test)]
mod tests;

use crate::rules::{Refused, Rule, aggregate, domain_event};
use crate::user::FailedSignIns;
use crate::values::text::Text;
use crate::values::user_name::UserName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use utoipa::ToSchema;

/// A session expires when it has not been used for this long.
pub const IDLE_SECONDS: i64 = 12 * 3600;
/// A session expires at this age, even if it is in use.
pub const LONGEST_SECONDS: i64 = 7 * 86_400;
/// The secret of a session is replaced after this time.
pub const ROTATED_SECONDS: i64 = 3600;
/// The previous secret is accepted for this long after its replacement, because requests can overtake each other.
pub const GRACE_SECONDS: i64 = 60;

/// How a user signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// With a password.
    Password,
    /// Through the OpenID Connect provider.
    OpenidConnect,
}

/// Who started a session, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionSpec {
    /// The user's name.
    pub user: UserName,
    /// How the user signed in.
    pub method: Method,
    /// The address that the user signed in from.
    #[schema(value_type = Option<String>)]
    pub client: Option<IpAddr>,
    /// The `User-Agent` header of the browser.
    pub user_agent: Text,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user signed out.
    SignedOut,
    /// The user, from another session, or an administrator ended it.
    Revoked,
    /// The user's password was changed.
    PasswordChanged,
    /// The user was disabled.
    UserDisabled,
    /// The session was not used for too long, or reached its maximum age.
    Expired,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SignedOut => "signed out",
            Self::Revoked => "revoked",
            Self::PasswordChanged => "the password was changed",
            Self::UserDisabled => "the user was disabled",
            Self::Expired => "it expired",
        })
    }
}

/// A command on a session.
#[derive(Clone, Debug)]
pub enum SessionCommand {
    /// Starts the session.
    StartSession(SessionSpec),
    /// Records attempts to sign in with user names that do not exist. Such a session never starts.
    RecordUnknownUser(FailedSignIns),
    /// Ends the session at once.
    EndSession {
        /// The reason for ending it.
        reason: EndReason,
    },
}

/// An event of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SessionEvent {
    /// The session started: its holder is authenticated.
    SessionStarted(SessionSpec),
    /// The session ended: it no longer authenticates its holder.
    SessionEnded {
        /// The reason for ending it.
        reason: EndReason,
    },
    /// Attempts to sign in with user names that do not exist failed, so no session started.
    UnknownUserSignInsFailed(FailedSignIns),
}

/// The state of a session, as far as the rules need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Session {
    /// The state before the session starts.
    #[default]
    None,
    /// The session authenticates its holder.
    Live,
    /// The session no longer authenticates its holder.
    Ended,
}

impl Session {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: SessionCommand) -> Result<Vec<SessionEvent>, Refused> {
        match (command, self) {
            (SessionCommand::StartSession(spec), Self::None) => Ok(vec![SessionEvent::SessionStarted(spec)]),
            (SessionCommand::RecordUnknownUser(failed), Self::None) => Ok(vec![SessionEvent::UnknownUserSignInsFailed(failed)]),
            (SessionCommand::StartSession(_) | SessionCommand::RecordUnknownUser(_), _) => {
                Err(Refused::because("", Rule::SessionExists, "a session with this ID already exists"))
            }
            (SessionCommand::EndSession { reason }, Self::Live) => Ok(vec![SessionEvent::SessionEnded { reason }]),
            (SessionCommand::EndSession { .. }, Self::Ended) => Ok(vec![]),
            (SessionCommand::EndSession { .. }, Self::None) => {
                Err(Refused::unknown(Rule::SessionUnknown, "session", "check its ID"))
            }
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every aggregate takes its events in by value")]
    fn evolve(&mut self, event: SessionEvent) {
        *self = match event {
            SessionEvent::SessionStarted(_) => Self::Live,
            SessionEvent::SessionEnded { .. } | SessionEvent::UnknownUserSignInsFailed(_) => Self::Ended,
        };
    }
}

aggregate!(Session, "session", SessionCommand, SessionEvent);
domain_event!(SessionEvent { SessionStarted, SessionEnded, UnknownUserSignInsFailed });
