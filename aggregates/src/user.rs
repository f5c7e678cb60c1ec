//! A person who signs in: with a password, or through an `OpenID` Connect provider. The password's hash is never here; the
//! events name it by an id, and only the service's table of hashes knows it.
//!
//! ```text
//! (none) ─CreateUser─► enabled ⇄ disabled        DisableUser, EnableUser
//! ```

#[cfg(test)]
mod tests;

use crate::rules::{Refused, aggregate, domain_event};
use crate::values::ids::PasswordId;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What a person may do. Each may also do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Also registers, verifies, deploys, cancels.
    Operator,
    /// Also changes the catalogue, tokens and users.
    Administrator,
}

impl Role {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Viewer, Self::Operator, Self::Administrator]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| crate::values::ParseError::new(format!("{text:?} is not a role: viewer, operator or administrator")))
    }
}

/// How a person signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignIn {
    /// With a password that is checked here.
    Password {
        /// Which stored hash is the password's.
        password: PasswordId,
        /// Whether it has to be changed at the next sign-in, since somebody else has seen it.
        one_time: bool,
    },
    /// Through the `OpenID` Connect provider, which also says which role.
    OpenidConnect,
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum UserCommand {
    /// Makes a person known, who may sign in from now on.
    CreateUser {
        /// For people.
        display_name: Text,
        /// What the person may do.
        role: Role,
        /// How the person signs in.
        sign_in: SignIn,
    },
    /// Gives the person another role. `others` is how many other enabled administrators there are.
    ChangeRole {
        /// What the person may do from now on.
        role: Role,
        /// How many other enabled administrators there are.
        others: usize,
    },
    /// Sets another password.
    ChangePassword {
        /// Which stored hash is the new password's.
        password: PasswordId,
        /// Whether it has to be changed at the next sign-in.
        one_time: bool,
    },
    /// Lets the person in no longer.
    DisableUser {
        /// How many other enabled administrators there are.
        others: usize,
    },
    /// Lets the person in again.
    EnableUser,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum UserEvent {
    /// The person may sign in.
    UserCreated {
        /// For people.
        display_name: Text,
        /// What the person may do.
        role: Role,
        /// How the person signs in.
        sign_in: SignIn,
    },
    /// The person may do something else.
    UserRoleChanged {
        /// What the person may do now.
        role: Role,
    },
    /// The person has another password.
    UserPasswordChanged {
        /// Which stored hash is the new password's.
        password: PasswordId,
        /// Whether it has to be changed at the next sign-in.
        one_time: bool,
    },
    /// The person is let in no longer.
    UserDisabled {},
    /// The person is let in again.
    UserEnabled {},
}

/// The state that the rules need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// Before its creation.
    #[default]
    None,
    /// Known.
    Known {
        /// What the person may do.
        role: Role,
        /// How the person signs in.
        sign_in: SignIn,
        /// Whether the person is let in.
        enabled: bool,
    },
}

impl User {
    /// What the command leads to.
    pub fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, Refused> {
        use UserCommand as C;
        let Self::Known { role: current, sign_in: old, enabled } = *self else {
            return match command {
                C::CreateUser { display_name, role, sign_in } => Ok(vec![UserEvent::UserCreated { display_name, role, sign_in }]),
                _ => Err(Refused::because("", "user_unknown", "there is no such user")),
            };
        };
        let last = |others: usize| enabled && current == Role::Administrator && others == 0;
        match command {
            C::CreateUser { .. } if enabled => {
                Err(Refused::because("name", "user_exists", "there is a user with this name already; choose another"))
            }
            C::CreateUser { .. } => {
                let message = "there is a disabled user with this name; enable that one, or choose another name";
                Err(Refused::because("name", "user_exists", message))
            }
            C::ChangeRole { role, .. } if role == current => Ok(vec![]),
            C::ChangeRole { others, .. } if last(others) => {
                let message = "this is the last administrator who may sign in; make somebody else administrator first";
                Err(Refused::because("role", "last_administrator", message))
            }
            C::ChangeRole { role, .. } => Ok(vec![UserEvent::UserRoleChanged { role }]),
            C::ChangePassword { .. } if old == SignIn::OpenidConnect => {
                let message = "this user signs in through OpenID Connect and has no password here; change it at the provider";
                Err(Refused::because("password", "password_elsewhere", message))
            }
            // The same one again: the caller repeats itself.
            C::ChangePassword { password, one_time } if old == (SignIn::Password { password, one_time }) => Ok(vec![]),
            C::ChangePassword { password, one_time } => Ok(vec![UserEvent::UserPasswordChanged { password, one_time }]),
            C::DisableUser { .. } if !enabled => Ok(vec![]),
            C::DisableUser { others } if last(others) => {
                let message = "this is the last administrator who may sign in; make somebody else administrator first";
                Err(Refused::because("", "last_administrator", message))
            }
            C::DisableUser { .. } => Ok(vec![UserEvent::UserDisabled {}]),
            C::EnableUser if enabled => Ok(vec![]),
            C::EnableUser => Ok(vec![UserEvent::UserEnabled {}]),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every aggregate takes its events in by value")]
    fn evolve(&mut self, event: UserEvent) {
        if let UserEvent::UserCreated { role, sign_in, .. } = event {
            *self = Self::Known { role, sign_in, enabled: true };
        }
        let Self::Known { role, sign_in, enabled } = self else { return };
        match event {
            UserEvent::UserCreated { .. } => {}
            UserEvent::UserRoleChanged { role: new } => *role = new,
            UserEvent::UserPasswordChanged { password, one_time } => *sign_in = SignIn::Password { password, one_time },
            UserEvent::UserDisabled {} => *enabled = false,
            UserEvent::UserEnabled {} => *enabled = true,
        }
    }
}

aggregate!(User, "user", UserCommand, UserEvent);
domain_event!(UserEvent { UserCreated, UserRoleChanged, UserPasswordChanged, UserDisabled, UserEnabled });
