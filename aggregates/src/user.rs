//! A person who signs in: with a password, or through an `OpenID` Connect provider. The password's hash is never here; the
//! events name it by an id, and only the service's table of hashes knows it.
//!
//! ```text
//! (none) ─CreateUser─► enabled ⇄ disabled        DisableUser, EnableUser
//! ```
//!
//! A lock-out is a fact beside that: for a while, attempts to sign in have to wait. `UnlockUser` ends it.

#[cfg(test)]
mod tests;

use crate::rules::{Refused, aggregate, domain_event};
use crate::values::ids::PasswordId;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use utoipa::ToSchema;

/// A lock-out goes on record again after so long, however many attempts there are in between.
pub const LOCK_OUT_SECONDS: i64 = 3600;

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

/// Who somebody is to an `OpenID` Connect provider. Unlike what the provider calls a person, this never changes hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// The provider's URL.
    pub issuer: Text,
    /// The person's identifier there.
    pub subject: Text,
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
    /// The provider says who the person is and what the person may do; somebody new is made known.
    AdmitUser {
        /// For people.
        display_name: Text,
        /// What the person may do.
        role: Role,
        /// Who the person is to the provider.
        link: Link,
        /// How many other enabled administrators there are.
        others: usize,
    },
    /// Lets the person in no longer.
    DisableUser {
        /// How many other enabled administrators there are.
        others: usize,
    },
    /// Lets the person in again.
    EnableUser,
    /// Attempts to sign in as the person have to wait, after too many in a row.
    LockOut {
        /// Where they came from, where that is one address.
        client: Option<IpAddr>,
        /// Whether those from other addresses that the person has not signed in from before have to wait too.
        everywhere: bool,
        /// When.
        at: Timestamp,
    },
    /// Attempts to sign in as the person need not wait any more.
    UnlockUser,
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
    /// The person is this one to the provider, and nobody else will be.
    UserLinked {
        /// Who the person is to the provider.
        link: Link,
    },
    /// The person is let in no longer.
    UserDisabled {},
    /// The person is let in again.
    UserEnabled {},
    /// After too many attempts in a row, attempts to sign in as the person have to wait.
    UserLockedOut {
        /// Where the attempts came from, where that is one address.
        client: Option<IpAddr>,
        /// Whether those from other addresses that the person has not signed in from before have to wait too.
        everywhere: bool,
        /// When.
        at: Timestamp,
    },
    /// Attempts to sign in as the person need not wait any more.
    UserUnlocked {},
}

/// A lock-out that is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOut {
    everywhere: bool,
    at: Timestamp,
}

/// The state that the rules need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
        /// Who the person is to the provider, once that is known.
        link: Option<Link>,
        /// The last lock-out, unless the user was unlocked since.
        locked_out: Option<LockOut>,
    },
}

impl User {
    /// What the command leads to.
    pub fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, Refused> {
        use UserCommand as C;
        let Self::Known { role: current, sign_in: old, enabled, link: known, locked_out } = self else {
            return match command {
                C::AdmitUser { display_name, role, link, .. } => {
                    let created = UserEvent::UserCreated { display_name, role, sign_in: SignIn::OpenidConnect };
                    Ok(vec![created, UserEvent::UserLinked { link }])
                }
                C::CreateUser { display_name, role, sign_in } => Ok(vec![UserEvent::UserCreated { display_name, role, sign_in }]),
                _ => Err(Refused::because("", "user_unknown", "there is no such user")),
            };
        };
        let (current, old, enabled) = (*current, *old, *enabled);
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
            C::AdmitUser { role, link, others, .. } => {
                let refused = |rule, message| Err(Refused::because("", rule, message));
                if !enabled {
                    return refused("user_disabled", "this user is disabled; ask an administrator");
                }
                if old != SignIn::OpenidConnect {
                    let message = "the user of this name signs in with a password; the provider cannot speak for that one";
                    return refused("password_here", message);
                }
                if known.as_ref().is_some_and(|known| *known != link) {
                    let message = "the user of this name is somebody else to the provider; ask an administrator for another name";
                    return refused("linked_elsewhere", message);
                }
                if role < current && last(others) {
                    let message =
                        "the provider gives another role to the last administrator; make somebody else administrator first";
                    return refused("last_administrator", message);
                }
                let linked = known.is_none().then_some(UserEvent::UserLinked { link });
                let changed = (role != current).then_some(UserEvent::UserRoleChanged { role });
                Ok(linked.into_iter().chain(changed).collect())
            }
            C::DisableUser { .. } if !enabled => Ok(vec![]),
            C::DisableUser { others } if last(others) => {
                let message = "this is the last administrator who may sign in; make somebody else administrator first";
                Err(Refused::because("", "last_administrator", message))
            }
            C::DisableUser { .. } => Ok(vec![UserEvent::UserDisabled {}]),
            C::EnableUser if enabled => Ok(vec![]),
            C::EnableUser => Ok(vec![UserEvent::UserEnabled {}]),
            // Attempts to sign in as this user lead nowhere, however many there are.
            C::LockOut { .. } if !enabled || old == SignIn::OpenidConnect => Ok(vec![]),
            C::LockOut { client, everywhere, at } => {
                let on_record = locked_out.is_some_and(|last| {
                    let recent = at < last.at.plus_seconds(LOCK_OUT_SECONDS);
                    recent && (last.everywhere || !everywhere)
                });
                if on_record { Ok(vec![]) } else { Ok(vec![UserEvent::UserLockedOut { client, everywhere, at }]) }
            }
            C::UnlockUser if locked_out.is_none() => Ok(vec![]),
            C::UnlockUser => Ok(vec![UserEvent::UserUnlocked {}]),
        }
    }

    fn evolve(&mut self, event: UserEvent) {
        if let UserEvent::UserCreated { role, sign_in, .. } = event {
            *self = Self::Known { role, sign_in, enabled: true, link: None, locked_out: None };
            return;
        }
        let Self::Known { role, sign_in, enabled, link, locked_out } = self else { return };
        match event {
            UserEvent::UserCreated { .. } => {}
            UserEvent::UserRoleChanged { role: new } => *role = new,
            UserEvent::UserPasswordChanged { password, one_time } => *sign_in = SignIn::Password { password, one_time },
            UserEvent::UserLinked { link: known } => *link = Some(known),
            UserEvent::UserDisabled {} => *enabled = false,
            UserEvent::UserEnabled {} => *enabled = true,
            UserEvent::UserLockedOut { everywhere, at, .. } => *locked_out = Some(LockOut { everywhere, at }),
            UserEvent::UserUnlocked {} => *locked_out = None,
        }
    }
}

aggregate!(User, "user", UserCommand, UserEvent);
domain_event!(UserEvent {
    UserCreated,
    UserRoleChanged,
    UserPasswordChanged,
    UserLinked,
    UserDisabled,
    UserEnabled,
    UserLockedOut,
    UserUnlocked
});
