//! The principal of a request: the bearer of a valid token, or a signed-in user. `authentication` finds out who it is.

use crate::http::error::Error;
use actix_web::{HttpMessage, HttpRequest};
use anyhow::anyhow;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::{SessionId, TokenId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;

/// The authenticated caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The bearer of a token.
    Token(Bearer),
    /// A signed-in user.
    User(SignedIn),
}

/// The bearer of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The ID of the token.
    pub id: TokenId,
    /// The name of the token.
    pub name: Text,
    /// What the token allows.
    pub scope: TokenScope,
    /// When the token expires; `None` if it never does.
    pub expires: Option<Timestamp>,
}

/// A user with a live session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The name that the user signs in with.
    pub name: UserName,
    /// The name that pages show for the user; may be empty.
    pub display_name: Text,
    /// The user's role.
    pub role: Role,
    /// The ID of the session.
    pub session: SessionId,
    /// Whether the password must be changed before anything else.
    pub one_time: bool,
}

impl SignedIn {
    /// The name to show for the user.
    pub fn called(&self) -> &str {
        if self.display_name.is_empty() { self.name.as_str() } else { self.display_name.as_str() }
    }
}

impl Principal {
    /// The actor that events name: `token ops`, `user ada`.
    pub fn actor(&self) -> String {
        match self {
            Self::Token(bearer) => format!("token {}", bearer.name),
            Self::User(user) => format!("user {}", user.name),
        }
    }

    /// The principal that the guard has admitted for a request.
    pub(crate) fn of_request(request: &HttpRequest) -> Result<Self, Error> {
        let known = request.extensions().get::<Self>().cloned();
        known.ok_or_else(|| Error::Internal(anyhow!("the gate did not identify the caller")))
    }

    /// The name to show for the caller.
    pub(crate) fn called(&self) -> String {
        self.user().map_or_else(|| self.actor(), |user| user.called().to_owned())
    }

    /// The role as a word.
    pub(crate) fn role_words(&self) -> String {
        self.level().map_or_else(|| "none".to_owned(), |level| level.to_string())
    }

    /// The role; `None` for a token that is only for a DHCP server or for Puppet's reports.
    pub fn level(&self) -> Option<Role> {
        match self {
            Self::Token(bearer) => bearer.scope.role(),
            Self::User(user) => Some(user.role),
        }
    }

    /// The user, if the caller is a user.
    pub fn user(&self) -> Option<&SignedIn> {
        match self {
            Self::Token(_) => None,
            Self::User(user) => Some(user),
        }
    }

    /// Whether the role includes this one.
    pub fn may(&self, needed: Role) -> bool {
        self.level().is_some_and(|level| level.includes(needed))
    }

    /// Requires a role. All refusals because of a role come from here.
    ///
    /// # Errors
    /// Returns [`Error::Forbidden`] if the caller does not have the role.
    pub fn require(&self, needed: Role) -> Result<(), Error> {
        if self.may(needed) {
            return Ok(());
        }
        let role = |level: Option<Role>| level.map_or_else(|| "no role".to_owned(), |level| format!("the role {level}"));
        let has = match self {
            Self::User(user) => format!("{}, {} {},", self.actor(), article(user.role), user.role),
            Self::Token(Bearer { name, scope: TokenScope::DhcpServer(server), .. }) => {
                format!("the token {name} is limited to confirmations of the DHCP server {server} and")
            }
            Self::Token(Bearer { name, scope: TokenScope::PuppetReports, .. }) => {
                format!("the token {name} is limited to Puppet reports and")
            }
            Self::Token(bearer) => format!("the token {} has {} and", bearer.name, role(self.level())),
        };
        Err(Error::Forbidden { needed, has })
    }

    /// Requires that the caller may confirm configurations of this DHCP server: with the server's own token, or
    /// as an administrator.
    ///
    /// # Errors
    /// Returns [`Error::Forbidden`] if the caller is neither.
    pub fn require_dhcp_server(&self, server: &Name) -> Result<(), Error> {
        match self {
            Self::Token(Bearer { scope: TokenScope::DhcpServer(own), .. }) if own == server => Ok(()),
            _ => self.require(Role::Administrator),
        }
    }
}

fn article(role: Role) -> &'static str {
    match role {
        Role::Auditor | Role::Operator | Role::Administrator => "an",
        Role::Viewer => "a",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(scope: TokenScope) -> Principal {
        Principal::Token(Bearer { id: TokenId::default(), name: Text::fitted("ops"), scope, expires: None })
    }

    fn person(role: Role) -> Principal {
        Principal::User(SignedIn {
            name: "ada".parse().expect("a name"),
            display_name: Text::default(),
            role,
            session: SessionId::default(),
            one_time: false,
        })
    }

    #[test]
    fn each_role_may_do_what_the_roles_that_it_includes_may() {
        // (role, scope, whether it may do what a viewer, an auditor, an operator and an administrator may)
        let table = [
            (Role::Viewer, TokenScope::Viewer, [true, false, false, false]),
            (Role::Auditor, TokenScope::Auditor, [true, true, false, false]),
            (Role::Operator, TokenScope::Operator, [true, false, true, false]),
            (Role::Administrator, TokenScope::Administrator, [true, true, true, true]),
        ];
        for (role, scope, may) in table {
            let (token, person) = (principal(scope), person(role));
            for (needed, may) in Role::ALL.into_iter().zip(may) {
                assert_eq!(token.require(needed).is_ok(), may, "{token:?} {needed}");
                assert_eq!(person.require(needed).is_ok(), may, "{person:?} {needed}");
            }
        }
        let refused = person(Role::Viewer).require(Role::Operator).expect_err("refused").to_string();
        assert!(["ada", "viewer", "operator"].iter().all(|value| refused.contains(value)), "{refused}");
    }

    #[test]
    fn the_token_for_puppets_reports_has_no_role() {
        let puppet = principal(TokenScope::PuppetReports);
        assert!(puppet.require(Role::Viewer).is_err());
        assert!(puppet.require_dhcp_server(&"kea-1".parse().expect("a name")).is_err());
    }

    #[test]
    fn the_token_of_a_dhcp_server_confirms_that_server_and_nothing_else() {
        let [kea, other] = ["kea-1", "kea-2"].map(|name| name.parse::<Name>().expect("a name"));
        let agent = principal(TokenScope::DhcpServer(kea.clone()));
        assert!(agent.require_dhcp_server(&kea).is_ok() && agent.require_dhcp_server(&other).is_err());
        assert!(principal(TokenScope::Operator).require_dhcp_server(&kea).is_err());
        let refused = agent.require(Role::Viewer).expect_err("refused").to_string();
        assert!(["ops", "kea-1", "viewer"].iter().all(|value| refused.contains(value)), "{refused}");
    }
}
