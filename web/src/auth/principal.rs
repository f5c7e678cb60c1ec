//! The principal of a request: the bearer of a valid token, or a signed-in user.

use super::known::Known;
use super::level::Level;
use super::{credentials, sessions, tokens};
use crate::application::Application;
use crate::error::{Challenge, Error};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use anyhow::anyhow;
use bootledger_aggregates::token::Scope;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::{SessionId, TokenId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use futures::future::{FutureExt, LocalBoxFuture};

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
    pub scope: Scope,
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
        known.ok_or_else(|| Error::Internal(anyhow!("the gate did not say who asks")))
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
    pub fn level(&self) -> Option<Level> {
        match self {
            Self::Token(bearer) => Level::of(&bearer.scope),
            Self::User(user) => Some(user.role.into()),
        }
    }

    /// The user, if the caller is a user.
    pub fn user(&self) -> Option<&SignedIn> {
        match self {
            Self::Token(_) => None,
            Self::User(user) => Some(user),
        }
    }

    /// Whether the role is at least this one.
    pub fn may(&self, needed: Level) -> bool {
        self.level().is_some_and(|level| level >= needed)
    }

    /// Requires a role. All refusals because of a role come from here.
    pub fn require(&self, needed: Level) -> Result<(), Error> {
        if self.may(needed) {
            return Ok(());
        }
        let role = |level: Option<Level>| level.map_or_else(|| "without a role".to_owned(), |level| format!("a {level}'s"));
        let has = match self {
            Self::User(user) => format!("{}, a {},", self.actor(), user.role),
            Self::Token(Bearer { name, scope: Scope::DhcpServer(server), .. }) => {
                format!("the token {name} is only for confirming the DHCP server {server} and")
            }
            Self::Token(Bearer { name, scope: Scope::PuppetReports, .. }) => {
                format!("the token {name} is only for handing in Puppet's reports and")
            }
            Self::Token(bearer) => format!("the token {} is {} and", bearer.name, role(self.level())),
        };
        Err(Error::Forbidden { needed, has })
    }

    /// Authenticates the caller of a request again, for answers that take long: by the request's token, or by the session that
    /// the request began with, whose secret may have been replaced since.
    pub async fn ask_again(request: &HttpRequest) -> Result<Self, Error> {
        let known = request.extensions().get::<Self>().cloned();
        let Some(Self::User(user)) = known else {
            return bearer(request, Challenge::Bearer).await.map(Self::Token);
        };
        let still = sessions::still(request, application(request)?, user.session).await?;
        let over =
            || Error::Unauthorized { message: "the session is over; sign in again".to_owned(), challenge: Challenge::Bearer };
        still.map(Self::User).ok_or_else(over)
    }

    /// Requires that the caller may confirm configurations of this DHCP server: with the server's own token, or
    /// as an administrator.
    pub fn require_dhcp_server(&self, server: &Name) -> Result<(), Error> {
        match self {
            Self::Token(Bearer { scope: Scope::DhcpServer(own), .. }) if own == server => Ok(()),
            _ => self.require(Level::Administrator),
        }
    }
}

/// A caller who may send reports of Puppet's agents: with a token for reports, or as an operator.
#[derive(Clone, Debug)]
pub struct Reporter(pub Principal);

impl FromRequest for Reporter {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let principal = Principal::from_request(request, payload);
        async move {
            let principal = principal.await?;
            if !matches!(&principal, Principal::Token(Bearer { scope: Scope::PuppetReports, .. })) {
                principal.require(Level::Operator)?;
            }
            Ok(Self(principal))
        }
        .boxed_local()
    }
}

/// The application that this server serves.
pub(super) fn application(request: &HttpRequest) -> Result<&Application, Error> {
    let application = request.app_data::<web::Data<Application>>();
    application.map(|data| &***data).ok_or_else(|| Error::Internal(anyhow!("the application is not part of this server")))
}

/// Reads the token of a request and looks it up in the database.
pub(super) async fn bearer(request: &HttpRequest, challenge: Challenge) -> Result<Bearer, Error> {
    let presented = credentials::read(request.headers(), challenge)?;
    let known = request.app_data::<web::Data<Known>>().map(|known| &***known);
    tokens::open(request, application(request)?, known, &presented, challenge).await
}

/// The caller that the guard has admitted or, on a path that is open to anyone, the bearer of the request's token.
/// 401 without one.
impl FromRequest for Principal {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let known = request.extensions().get::<Self>().cloned();
            match known {
                Some(known) => Ok(known),
                None => bearer(&request, Challenge::Bearer).await.map(Self::Token),
            }
        }
        .boxed_local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(scope: Scope) -> Principal {
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
    fn each_role_may_do_what_those_below_it_may() {
        let levels = [Level::Viewer, Level::Operator, Level::Administrator];
        let scopes = [Scope::Viewer, Scope::Operator, Scope::Administrator].map(principal);
        let people = [Role::Viewer, Role::Operator, Role::Administrator].map(person);
        for (rank, (token, person)) in scopes.into_iter().zip(people).enumerate() {
            for (needed, level) in levels.into_iter().enumerate() {
                assert_eq!(token.require(level).is_ok(), rank >= needed, "{token:?} {level}");
                assert_eq!(person.require(level).is_ok(), rank >= needed, "{person:?} {level}");
            }
        }
        assert_eq!(
            person(Role::Viewer).require(Level::Operator).expect_err("refused").to_string(),
            "user ada, a viewer, may not do this: the role operator is needed"
        );
    }

    #[test]
    fn the_token_for_puppets_reports_has_no_role() {
        let puppet = principal(Scope::PuppetReports);
        assert!(puppet.require(Level::Viewer).is_err());
        assert!(puppet.require_dhcp_server(&"kea-1".parse().expect("a name")).is_err());
    }

    #[test]
    fn the_token_of_a_dhcp_server_confirms_that_server_and_nothing_else() {
        let [kea, other] = ["kea-1", "kea-2"].map(|name| name.parse::<Name>().expect("a name"));
        let agent = principal(Scope::DhcpServer(kea.clone()));
        assert!(agent.require_dhcp_server(&kea).is_ok() && agent.require_dhcp_server(&other).is_err());
        assert!(principal(Scope::Operator).require_dhcp_server(&kea).is_err());
        assert_eq!(
            agent.require(Level::Viewer).expect_err("refused").to_string(),
            "the token ops is only for confirming the DHCP server kea-1 and may not do this: the role viewer is needed"
        );
    }
}
