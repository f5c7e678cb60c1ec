//! Sign-in through an OpenID Connect provider: the redirect to the provider, and the return from it.
//!
//! The state that is needed when the browser returns is in a signed cookie, for ten minutes, so that any instance can finish
//! the sign-in. A browser without the cookie did not begin the sign-in, so that another user's code signs no one in.

use super::guard::local;
use super::{cookie, sign_in, transport};
use crate::http::access::SIGN_IN;
use crate::http::application::Application;
use crate::http::edge::position::{DEADLINE, reach};
use crate::http::error::{Challenge, Error};
use crate::http::provider::{Identity, Pending, ProviderError};
use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;
use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bootledger_aggregates::session::Method;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::{AccountAction, Command, CommandError};
use bootledger_projections::rows::accounts;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The path at which a sign-in through the provider begins.
pub(crate) const BEGIN: &str = "/sign-in/openid";
/// The path to which the provider redirects the browser.
pub const CALLBACK: &str = "/sign-in/openid/callback";

/// How many seconds a user may take at the provider.
const PATIENCE_SECONDS: i64 = 600;

/// The state that the browser stores while the user is at the provider.
#[derive(Debug, Serialize, Deserialize)]
struct Away {
    pending: Pending,
    /// The path to open after the sign-in.
    to: String,
    /// When the sign-in expires, in seconds since 1970.
    until: i64,
}

/// The parameters with which the browser returns.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Returned {
    code: String,
    state: String,
    error: String,
    error_description: String,
}

fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-bootledger-openid" } else { "bootledger-openid" }
}

/// The URL to redirect the browser to, and the cookie that it must store.
pub(crate) async fn begin(request: &HttpRequest, application: &Application, to: &str) -> Result<(String, HeaderValue), Error> {
    let provider = application.provider.as_ref().ok_or_else(no_provider)?;
    let begun = provider.begin().await.map_err(|error| refused(&error))?;
    let until = (application.now)().plus_seconds(PATIENCE_SECONDS).0.unix_timestamp();
    let away = Away { pending: begun.pending, to: local(to).unwrap_or("/").to_owned(), until };
    let secure = transport::is_secure(request, application);
    let kept = cookie::header(cookie_name(secure), &sealed(application, &away)?, PATIENCE_SECONDS, secure);
    Ok((begun.url, kept.ok_or_else(|| Error::Internal(anyhow!("a cookie cannot be written")))?))
}

/// Signs in the user who returns. Returns the path to open, and the cookies to store and delete.
pub(crate) async fn finish(
    request: &HttpRequest,
    application: &Application,
    returned: Returned,
) -> Result<(String, [HeaderValue; 2]), Error> {
    let provider = application.provider.as_ref().ok_or_else(no_provider)?;
    let secure = transport::is_secure(request, application);
    let away = cookie::value(request, cookie_name(secure)).and_then(|kept| opened(application, kept));
    let away = away.filter(|away| away.until > (application.now)().0.unix_timestamp() && away.pending.state == returned.state);
    let away = away.ok_or_else(|| unauthorized("this sign-in was not started here, or it took too long; start again"))?;
    if !returned.error.is_empty() {
        let said = Text::fitted(&format!("{} {}", returned.error, returned.error_description));
        return Err(unauthorized(&format!("the provider {} refused the sign-in: {said}", provider.label())));
    }
    let identity = provider.finish(returned.code, &away.pending).await.map_err(|error| refused(&error))?;
    let kept = admit(request, application, provider.label(), identity).await?;
    let forget = cookie::header(cookie_name(secure), "", 0, secure);
    let forget = forget.ok_or_else(|| Error::Internal(anyhow!("a cookie cannot be written")))?;
    Ok((away.to, [kept, forget]))
}

async fn admit(
    request: &HttpRequest,
    application: &Application,
    label: &str,
    Identity { name: called, display_name, role, link }: Identity,
) -> Result<HeaderValue, Error> {
    let name: UserName = called.parse().map_err(|error| {
        unauthorized(&format!("the provider {label} sends the name {called:?}, which is not a valid user name: {error}"))
    })?;
    // The provider may have renamed the user since: the user is the one that was linked at the first sign-in.
    let known = {
        let mut connection = application.views.acquire().await?;
        accounts::linked(&mut connection, &link).await?
    };
    let name = known.unwrap_or(name);
    let role = role.map_err(|why| {
        unauthorized(&format!(
            "the provider {label} identifies you as {name}, but you have no role in Bootledger: {why}. Contact an administrator of the provider or of Bootledger"
        ))
    })?;
    let context = sign_in::context(request, &name);
    let command =
        Command::Account(AccountAction::AdmitUser { name: name.clone(), display_name: Text::fitted(&display_name), role, link });
    let admitted = match application.commands.unguarded().execute(command, context).await {
        Err(CommandError::Refused(broken)) => {
            let reported: Vec<&str> = broken.iter().map(|broken| broken.message.as_str()).collect();
            return Err(unauthorized(&reported.join("; ")));
        }
        other => other?,
    };
    if !reach(application, admitted.position, DEADLINE).await {
        return Err(Error::unavailable("your user is not available yet; sign in again in a moment", 5));
    }
    let found = {
        let mut connection = application.views.acquire().await?;
        accounts::credentials(&mut connection, &name).await?
    };
    let found = found.filter(|found| found.enabled).ok_or_else(|| unauthorized("the user was disabled during the sign-in"))?;
    sign_in::start(request, application, &name, &found, Method::OpenidConnect).await
}

fn unauthorized(message: &str) -> Error {
    Error::Unauthorized { message: message.to_owned(), challenge: Challenge::Bearer }
}

fn no_provider() -> Error {
    Error::NotFound(format!("no OpenID Connect provider is configured; sign in at {SIGN_IN}"))
}

fn refused(error: &ProviderError) -> Error {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!("a sign-in through the provider failed: {error}: {source}");
    unauthorized(&error.to_string())
}

fn mac(application: &Application, payload: &str) -> Result<Hmac<Sha256>, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(application.key.bytes()).map_err(|error| Error::Internal(anyhow!("{error}")))?;
    mac.update(b"openid connect\0");
    mac.update(payload.as_bytes());
    Ok(mac)
}

fn sealed(application: &Application, away: &Away) -> Result<String, Error> {
    let json = serde_json::to_vec(away).map_err(|error| Error::Internal(error.into()))?;
    let payload = URL_SAFE_NO_PAD.encode(json);
    let seal = hex::encode(mac(application, &payload)?.finalize().into_bytes());
    Ok(format!("{payload}.{seal}"))
}

fn opened(application: &Application, kept: &str) -> Option<Away> {
    let (payload, seal) = kept.split_once('.')?;
    mac(application, payload).ok()?.verify_slice(&hex::decode(seal).ok()?).ok()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}
