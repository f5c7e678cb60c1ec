//! A user, who signs in with a password or through an OpenID Connect provider. The password's hash is never stored here: the
//! events name it by an id, and only the service's table of hashes has it.
//!
//! ```text
//! (none) ─CreateUser─► enabled ⇄ disabled        DisableUser, EnableUser
//! ```
//!
//! A lock-out is independent of that state: after too many failed sign-ins, further attempts must wait for a while.
//! `UnlockUser` ends it.

#[cfg(test)]
mod tests;

use crate::rules::{Refused, Rule, aggregate, domain_event};
use crate::values::ids::PasswordId;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use utoipa::ToSchema;

/// A lock-out is recorded at most once in this time, regardless of the number of attempts.
pub const LOCK_OUT_SECONDS: i64 = 3600;

/// The role of a user. An operator may do what a viewer may, and so may an auditor; an administrator may do everything. Neither
/// of operator and auditor includes the other, so roles have no order: see [`Role::includes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything except for accounts, and changes nothing.
    Viewer,
    /// Also reads users, tokens, sessions and sign-ins, and changes nothing.
    Auditor,
    /// Reads what a viewer reads, registers and verifies devices, and starts and cancels deployments.
    Operator,
    /// Does everything that the others do, and changes the catalogue, tokens and users.
    Administrator,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Auditor, Self::Operator, Self::Administrator];

    /// Whether a user with this role may do everything that another role may.
    pub fn includes(self, other: Self) -> bool {
        self == other || self == Self::Administrator || other == Self::Viewer
    }

    /// The role's name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
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
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            crate::values::ParseError::new(format!("{text:?} is not a role: viewer, auditor, operator or administrator"))
        })
    }
}

/// How a user signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignIn {
    /// With a password that Bootledger checks.
    Password {
        /// The id of the stored password hash.
        password: PasswordId,
        /// Whether the user must change the password at the next sign-in, because someone else has seen it.
        one_time: bool,
    },
    /// Through the OpenID Connect provider, which also determines the user's role.
    OpenidConnect,
}

/// A user's identity at an OpenID Connect provider. Unlike the user name at the provider, it is never reassigned to another
/// user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// The provider's URL (the claim `iss`).
    pub issuer: Text,
    /// The user's identifier at the provider (the claim `sub`).
    pub subject: Text,
}

/// A command on a user.
#[derive(Clone, Debug)]
pub enum UserCommand {
    /// Creates the user, who may sign in from now on.
    CreateUser {
        /// A name for display.
        display_name: Text,
        /// The user's role.
        role: Role,
        /// How the user signs in.
        sign_in: SignIn,
    },
    /// Changes the user's role.
    ChangeRole {
        /// The new role.
        role: Role,
        /// The number of other enabled administrators: the last one must remain.
        others: usize,
    },
    /// Replaces the user's password.
    ChangePassword {
        /// The id of the new password's stored hash.
        password: PasswordId,
        /// Whether the user must change the password at the next sign-in.
        one_time: bool,
    },
    /// Records the name and role that the provider reports for a user who signs in; creates the user if necessary.
    AdmitUser {
        /// A name for display.
        display_name: Text,
        /// The user's role.
        role: Role,
        /// The user's identity at the provider.
        link: Link,
        /// The number of other enabled administrators: the last one must remain.
        others: usize,
    },
    /// Disables the user, who can no longer sign in.
    DisableUser {
        /// The number of other enabled administrators: the last one must remain.
        others: usize,
    },
    /// Enables the user, who can sign in again.
    EnableUser,
    /// Locks the user out for a while, after too many failed sign-ins in a row.
    LockOut {
        /// The address of the attempts, if it is a single one.
        client: Option<IpAddr>,
        /// Whether attempts from other addresses must wait too, unless the user has signed in from there before.
        everywhere: bool,
        /// When the lock-out began.
        at: Timestamp,
    },
    /// Ends the lock-out.
    UnlockUser,
    /// Records attempts to sign in that failed.
    RecordFailedSignIns(FailedSignIns),
}

/// An event of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum UserEvent {
    /// The user was created and may sign in.
    UserCreated {
        /// A name for display.
        display_name: Text,
        /// The user's role.
        role: Role,
        /// How the user signs in.
        sign_in: SignIn,
    },
    /// The user's role was changed.
    UserRoleChanged {
        /// The new role.
        role: Role,
    },
    /// The user's password was replaced.
    UserPasswordChanged {
        /// The id of the new password's stored hash.
        password: PasswordId,
        /// Whether the user must change the password at the next sign-in.
        one_time: bool,
    },
    /// The user was linked to an identity at the provider. No other user can be linked to it.
    UserLinked {
        /// The user's identity at the provider.
        link: Link,
    },
    /// The user was disabled and can no longer sign in.
    UserDisabled {},
    /// The user was enabled and can sign in again.
    UserEnabled {},
    /// After too many failed sign-ins in a row, further attempts must wait for a while.
    UserLockedOut {
        /// The attempts that must wait.
        limited: Limited,
        /// When the lock-out began.
        at: Timestamp,
    },
    /// The lock-out was ended.
    UserUnlocked {},
    /// Attempts to sign in as the user failed.
    UserSignInsFailed(FailedSignIns),
}

/// Attempts to sign in that failed. They are recorded together, so that no one can flood the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedSignIns {
    /// The number of attempts.
    pub count: u32,
    /// The address of the attempts; `None` if they came from several addresses or from an unknown one.
    pub client: Option<IpAddr>,
    /// The number of addresses that the attempts came from.
    pub clients: u32,
    /// When the first of the attempts failed.
    pub since: Timestamp,
}

/// The attempts to sign in that must wait during a lock-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limited {
    /// Attempts from this address; `None` if the address is not known.
    Client(Option<IpAddr>),
    /// Attempts from all addresses, unless the user has signed in from there before.
    Everywhere,
}

impl Limited {
    /// The address, if only attempts from a known one must wait.
    pub fn client(self) -> Option<IpAddr> {
        match self {
            Self::Client(client) => client,
            Self::Everywhere => None,
        }
    }
}

/// A recorded lock-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOut {
    everywhere: bool,
    at: Timestamp,
}

/// The state of a user, as far as the rules need it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// The state before the user is created.
    #[default]
    None,
    /// Created, and either enabled or disabled.
    Created {
        /// The user's role.
        role: Role,
        /// How the user signs in.
        sign_in: SignIn,
        /// Whether the user may sign in.
        enabled: bool,
        /// The user's identity at the provider, once it is known.
        link: Option<Link>,
        /// The last lock-out, unless the user was unlocked since then.
        locked_out: Option<LockOut>,
    },
}

impl User {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, Refused> {
        use UserCommand as C;
        let Self::Created { role: current, sign_in: old, enabled, link: known, locked_out } = self else {
            return match command {
                C::AdmitUser { display_name, role, link, .. } => {
                    let created = UserEvent::UserCreated { display_name, role, sign_in: SignIn::OpenidConnect };
                    Ok(vec![created, UserEvent::UserLinked { link }])
                }
                C::CreateUser { display_name, role, sign_in } => Ok(vec![UserEvent::UserCreated { display_name, role, sign_in }]),
                _ => Err(Refused::unknown(Rule::UserUnknown, "user", "check the name, or create the user first")),
            };
        };
        let (current, old, enabled) = (*current, *old, *enabled);
        let last = |others: usize| enabled && current == Role::Administrator && others == 0;
        match command {
            C::CreateUser { .. } if enabled => {
                Err(Refused::because("name", Rule::UserExists, "a user with this name already exists; choose another name"))
            }
            C::CreateUser { .. } => {
                let message = "a disabled user with this name already exists; enable that user, or choose another name";
                Err(Refused::because("name", Rule::UserExists, message))
            }
            C::ChangeRole { role, .. } if role == current => Ok(vec![]),
            C::ChangeRole { others, .. } if last(others) => {
                let message = "this is the last administrator who can sign in; give another user the role administrator first";
                Err(Refused::because("role", Rule::LastAdministrator, message))
            }
            C::ChangeRole { role, .. } => Ok(vec![UserEvent::UserRoleChanged { role }]),
            C::ChangePassword { .. } if old == SignIn::OpenidConnect => {
                let message = "this user signs in through OpenID Connect and has no password here; change it at the provider";
                Err(Refused::because("password", Rule::PasswordElsewhere, message))
            }
            // The same password id again means that the caller repeats the command.
            C::ChangePassword { password, one_time } if old == (SignIn::Password { password, one_time }) => Ok(vec![]),
            C::ChangePassword { password, one_time } => Ok(vec![UserEvent::UserPasswordChanged { password, one_time }]),
            C::AdmitUser { role, link, others, .. } => {
                let refused = |rule, message| Err(Refused::because("", rule, message));
                if !enabled {
                    return refused(Rule::UserDisabled, "this user is disabled; contact an administrator");
                }
                if old != SignIn::OpenidConnect {
                    let message = "the user with this name signs in with a password, not through the provider; sign in with \
                                   the password";
                    return refused(Rule::PasswordHere, message);
                }
                if known.as_ref().is_some_and(|known| *known != link) {
                    let message = "the user with this name is linked to another account of the provider; contact an \
                                   administrator";
                    return refused(Rule::LinkedElsewhere, message);
                }
                if role != current && last(others) {
                    let message = "the provider gives another role to the last administrator; give another user the role administrator first";
                    return refused(Rule::LastAdministrator, message);
                }
                let linked = known.is_none().then_some(UserEvent::UserLinked { link });
                let changed = (role != current).then_some(UserEvent::UserRoleChanged { role });
                Ok(linked.into_iter().chain(changed).collect())
            }
            C::DisableUser { .. } if !enabled => Ok(vec![]),
            C::DisableUser { others } if last(others) => {
                let message = "this is the last administrator who can sign in; give another user the role administrator first";
                Err(Refused::because("", Rule::LastAdministrator, message))
            }
            C::DisableUser { .. } => Ok(vec![UserEvent::UserDisabled {}]),
            C::EnableUser if enabled => Ok(vec![]),
            C::EnableUser => Ok(vec![UserEvent::UserEnabled {}]),
            // A user who is disabled or uses the provider cannot sign in with a password, regardless of the number of attempts.
            C::LockOut { .. } if !enabled || old == SignIn::OpenidConnect => Ok(vec![]),
            C::LockOut { client, everywhere, at } => {
                let on_record = locked_out.is_some_and(|last| {
                    let recent = at < last.at.plus_seconds(LOCK_OUT_SECONDS);
                    recent && (last.everywhere || !everywhere)
                });
                let limited = if everywhere { Limited::Everywhere } else { Limited::Client(client) };
                if on_record { Ok(vec![]) } else { Ok(vec![UserEvent::UserLockedOut { limited, at }]) }
            }
            C::RecordFailedSignIns(failed) => Ok(vec![UserEvent::UserSignInsFailed(failed)]),
            C::UnlockUser if locked_out.is_none() => Ok(vec![]),
            C::UnlockUser => Ok(vec![UserEvent::UserUnlocked {}]),
        }
    }

    fn evolve(&mut self, event: UserEvent) {
        if let UserEvent::UserCreated { role, sign_in, .. } = event {
            *self = Self::Created { role, sign_in, enabled: true, link: None, locked_out: None };
            return;
        }
        let Self::Created { role, sign_in, enabled, link, locked_out } = self else { return };
        match event {
            UserEvent::UserCreated { .. } | UserEvent::UserSignInsFailed(_) => {}
            UserEvent::UserRoleChanged { role: new } => *role = new,
            UserEvent::UserPasswordChanged { password, one_time } => *sign_in = SignIn::Password { password, one_time },
            UserEvent::UserLinked { link: known } => *link = Some(known),
            UserEvent::UserDisabled {} => *enabled = false,
            UserEvent::UserEnabled {} => *enabled = true,
            UserEvent::UserLockedOut { limited, at } => {
                *locked_out = Some(LockOut { everywhere: limited == Limited::Everywhere, at });
            }
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
    UserUnlocked,
    UserSignInsFailed
});
