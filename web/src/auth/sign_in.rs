//! Signing in with a password: one answer, in words and in time, for an unknown user, a disabled one, and a wrong password.

use super::password::{Hash, Password};
use super::throttle::Throttle;
use super::token::Secret;
use super::{cookie, sessions, transport};
use crate::application::Application;
use crate::boot::client;
use crate::commands::{Command, Context};
use crate::edge::correlation;
use crate::edge::position::{DEADLINE, reach};
use crate::error::Error;
use actix_web::HttpRequest;
use actix_web::http::header::{HeaderValue, USER_AGENT};
use anyhow::anyhow;
use bootledger_aggregates::session::{EndReason, Method, SessionSpec};
use bootledger_aggregates::user::SignIn;
use bootledger_aggregates::values::ids::SessionId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::accounts::{self, Credentials};
use std::time::Instant;
use uuid::Uuid;

/// What became of a sign-in.
pub(crate) struct Started {
    /// What the browser shall keep.
    pub(crate) cookie: HeaderValue,
    /// Whether the password has to be changed before anything else.
    pub(crate) one_time: bool,
}

/// Signs somebody in with a password. [`Error::Unauthorized`] and [`Error::TooMany`] are for the form.
pub(crate) async fn with_password(
    request: &HttpRequest,
    application: &Application,
    throttle: &Throttle,
    name: &str,
    password: String,
) -> Result<Started, Error> {
    let client = client::any_address(request, &application.trusted_proxies).ok();
    if let Err(wait) = throttle.begin(name, client, Instant::now()) {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        return Err(Error::TooMany { retry_after: seconds });
    }
    let parsed: Option<Name> = name.parse().ok();
    let found = match &parsed {
        Some(name) => {
            let mut connection = application.views.acquire().await?;
            accounts::credentials(&mut connection, name).await?
        }
        None => None,
    };
    let phc = found.as_ref().filter(|found| found.enabled).and_then(|found| found.phc.clone());
    let right = Password::typed(password).is_of(phc.map(Hash::stored)).await?;
    let (Some(name), Some(found), true) = (parsed, found, right) else {
        tracing::info!(client = client.map(|client| client.to_string()), "a sign-in was refused");
        return Err(Error::Unauthorized {
            message: "the user name or the password is wrong".to_owned(),
            challenge: crate::error::Challenge::Bearer,
        });
    };
    throttle.succeeded(name.as_str(), client);
    let one_time = matches!(found.user.sign_in, SignIn::Password { one_time: true, .. });
    let cookie = start(request, application, &name, &found, Method::Password).await?;
    Ok(Started { cookie, one_time })
}

/// Begins a session for a user who has proved who they are, and ends the one that the browser had. Gives the cookie.
pub(crate) async fn start(
    request: &HttpRequest,
    application: &Application,
    name: &Name,
    user: &Credentials,
    method: Method,
) -> Result<HeaderValue, Error> {
    let (session, secret) = (SessionId(Uuid::now_v7()), Secret::random());
    let agent = request.headers().get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
    let spec = SessionSpec {
        user: name.clone(),
        method,
        client: client::any_address(request, &application.trusted_proxies).ok(),
        user_agent: Text::fitted(&agent.unwrap_or_default()),
    };
    let context = context(request, name);
    let secret_sha256 = secret.sha256();
    let command = Command::StartSession { session, spec: Box::new(spec), secret_sha256, user_sequence: user.sequence };
    let receipt = application.commands.unguarded().execute(command, context.clone()).await?;
    let secure = transport::is_secure(request, application);
    if let Some((old, presented)) = cookie::presented(request, secure) {
        let opened = sessions::open(request, application, None, (old, presented), false).await?;
        if opened.is_some_and(|opened| opened.user.name == *name) {
            let command = Command::EndSession { session: old, reason: EndReason::SignedOut };
            application.commands.unguarded().execute(command, context).await?;
        }
    }
    if !reach(application, receipt.position, DEADLINE).await {
        return Err(Error::unavailable("you are signed in, but the views do not show it yet; sign in again in a moment", 5));
    }
    cookie::keep(session, &secret, secure).ok_or_else(|| Error::Internal(anyhow!("a cookie cannot be written")))
}

/// The context of what a user does to their own account.
pub(crate) fn context(request: &HttpRequest, name: &Name) -> Context {
    Context { actor: format!("user {name}"), correlation_id: correlation::of(request), causation_id: None, idempotency_key: None }
}
