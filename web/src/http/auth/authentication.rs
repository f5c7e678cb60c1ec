//! Authenticates the caller of a request: by its token, or by the session that it began with.

use super::principal::{Bearer, Principal};
use super::recent_passwords::RecentPasswords;
use super::{credentials, sessions, tokens};
use crate::http::application::Application;
use crate::http::error::{Challenge, Error};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use anyhow::anyhow;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use futures::future::{FutureExt, LocalBoxFuture};

impl Principal {
    /// Authenticates the caller of a request again, for answers that take long: by the request's token, or by the session that
    /// the request began with, whose secret may have been replaced since.
    ///
    /// # Errors
    /// Returns [`Error::Unauthorized`] if the token or the session is no longer valid. Returns [`Error::Unavailable`] or
    /// [`Error::Busy`] if the database does not respond in time, or if the client's address has used up its share of queries.
    pub async fn revalidate(request: &HttpRequest) -> Result<Self, Error> {
        let known = request.extensions().get::<Self>().cloned();
        let Some(Self::User(user)) = known else {
            return bearer(request, Challenge::Bearer).await.map(Self::Token);
        };
        let still = sessions::still(request, application(request)?, user.session).await?;
        let over =
            || Error::Unauthorized { message: "the session has ended; sign in again".to_owned(), challenge: Challenge::Bearer };
        still.map(Self::User).ok_or_else(over)
    }
}

/// A caller who may send reports of Puppet's agents: with a token for reports, or as an operator.
#[derive(Clone, Debug)]
pub(crate) struct Reporter(pub(crate) Principal);

impl FromRequest for Reporter {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let principal = Principal::from_request(request, payload);
        async move {
            let principal = principal.await?;
            if !matches!(&principal, Principal::Token(Bearer { scope: TokenScope::PuppetReports, .. })) {
                principal.require(Role::Operator)?;
            }
            Ok(Self(principal))
        }
        .boxed_local()
    }
}

/// The application that this server serves.
pub(super) fn application(request: &HttpRequest) -> Result<&Application, Error> {
    let application = request.app_data::<web::Data<Application>>();
    application.map(|data| &***data).ok_or_else(|| Error::Internal(anyhow!("the application is not configured in this server")))
}

/// Reads the token of a request and looks it up in the database.
pub(super) async fn bearer(request: &HttpRequest, challenge: Challenge) -> Result<Bearer, Error> {
    let presented = credentials::read(request.headers(), challenge)?;
    let known = request.app_data::<web::Data<RecentPasswords>>().map(|known| &***known);
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
