//! The bearer of a valid token.

use super::level::Level;
use super::{credentials, sessions};
use crate::application::Application;
use crate::error::{Challenge, Error};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use anyhow::anyhow;
use bootledger_aggregates::token::Scope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use futures::future::{FutureExt, LocalBoxFuture};

/// Who asks: the name and scope of their token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Which token.
    pub token: TokenId,
    /// The token's name.
    pub name: Text,
    /// What it may do.
    pub scope: Scope,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

impl Principal {
    /// The actor that events name: `token ops`.
    pub fn actor(&self) -> String {
        format!("token {}", self.name)
    }

    /// Whose request it is, where the gate let it in.
    pub(crate) fn of_request(request: &HttpRequest) -> Result<Self, Error> {
        let known = request.extensions().get::<Self>().cloned();
        known.ok_or_else(|| Error::Internal(anyhow!("the gate did not say who asks")))
    }

    /// The role in a word.
    pub(crate) fn role_words(&self) -> String {
        Level::of(&self.scope).map_or_else(|| "none".to_owned(), |level| level.to_string())
    }

    /// The one place that refuses a role.
    pub fn require(&self, needed: Level) -> Result<(), Error> {
        if Level::of(&self.scope).is_some_and(|level| level >= needed) {
            return Ok(());
        }
        let role = match (&self.scope, Level::of(&self.scope)) {
            (Scope::DhcpServer(server), _) => format!("only for confirming the DHCP server {server}"),
            (Scope::PuppetReports, _) => "only for handing in Puppet's reports".to_owned(),
            (_, Some(level)) => format!("a {level}'s"),
            (_, None) => "without a role".to_owned(),
        };
        Err(Error::Forbidden { needed, has: format!("the token {} is {role} and", self.name) })
    }

    /// Whose token the request carries as of now, for answers that take long.
    pub async fn ask_again(request: &HttpRequest) -> Result<Self, Error> {
        authenticate(request, Challenge::Bearer).await
    }

    /// Whether the bearer may confirm configurations of this DHCP server: its own token, or an administrator's.
    pub fn require_dhcp_server(&self, server: &Name) -> Result<(), Error> {
        match &self.scope {
            Scope::DhcpServer(own) if own == server => Ok(()),
            _ => self.require(Level::Administrator),
        }
    }
}

/// Somebody who may hand in reports of Puppet's agents: with a token for that, or an operator.
#[derive(Clone, Debug)]
pub struct Reporter(pub Principal);

impl FromRequest for Reporter {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let principal = Principal::from_request(request, payload);
        async move {
            let principal = principal.await?;
            if principal.scope != Scope::PuppetReports {
                principal.require(Level::Operator)?;
            }
            Ok(Self(principal))
        }
        .boxed_local()
    }
}

/// Reads the credentials of a request and asks the database whose they are.
pub(super) async fn authenticate(request: &HttpRequest, challenge: Challenge) -> Result<Principal, Error> {
    let application = request
        .app_data::<web::Data<Application>>()
        .cloned()
        .ok_or_else(|| Error::Internal(anyhow!("the application is not part of this server")))?;
    let presented = credentials::read(request.headers(), challenge)?;
    let sessions = request.app_data::<web::Data<sessions::Sessions>>().cloned();
    sessions::open(&application, sessions.as_deref().map(|sessions| &**sessions), &presented, challenge).await
}

/// The bearer of the request's `Authorization: Bearer` token, whatever it may do; 401 without one.
impl FromRequest for Principal {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            if let Some(known) = request.extensions().get::<Self>() {
                return Ok(known.clone());
            }
            authenticate(&request, Challenge::Bearer).await
        }
        .boxed_local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(scope: Scope) -> Principal {
        Principal { token: TokenId::default(), name: Text::fitted("ops"), scope, expires: None }
    }

    #[test]
    fn each_role_may_do_what_those_below_it_may() {
        let levels = [Level::Viewer, Level::Operator, Level::Administrator];
        for (rank, scope) in [Scope::Viewer, Scope::Operator, Scope::Administrator].into_iter().enumerate() {
            for (needed, level) in levels.into_iter().enumerate() {
                assert_eq!(principal(scope.clone()).require(level).is_ok(), rank >= needed, "{scope:?} {level}");
            }
        }
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
