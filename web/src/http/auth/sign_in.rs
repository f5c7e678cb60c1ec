//! Sign-in with a password. An unknown user, a disabled one and a wrong password get the same answer after the same time.

use super::address::network;
use super::fair_queue::Turn;
use super::password::Password;
use super::throttle::{Attempt, Throttle};
use super::token::Secret;
use super::{cookie, lock_out, sessions, transport};
use crate::http::application::Application;
use crate::http::client;
use crate::http::edge::correlation;
use crate::http::edge::position::{DEADLINE, reach};
use crate::http::error::Error;
use actix_web::HttpRequest;
use actix_web::http::header::{HeaderValue, USER_AGENT};
use anyhow::anyhow;
use bootledger_aggregates::session::{EndReason, Method, SessionSpec};
use bootledger_aggregates::user::{Role, SignIn};
use bootledger_aggregates::values::ids::SessionId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::password::Hash;
use bootledger_port::{AccountAction, Command, CommandError, Context, Receipt};
use bootledger_projections::rows::accounts::{self, Credentials};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often a session is started again if its user changes at the same moment.
const BEGUN_AGAIN: u32 = 5;
/// How long each of these attempts waits for the views.
const BEGIN_AGAIN: Duration = Duration::from_millis(500);

/// The result of a sign-in.
pub(crate) struct Started {
    /// The cookie that the browser must store.
    pub(crate) cookie: HeaderValue,
    /// Whether the password must be changed before anything else.
    pub(crate) one_time: bool,
}

/// Signs a user in with a password. The form shows [`Error::Unauthorized`] and [`Error::TooMany`].
pub(crate) async fn with_password(
    request: &HttpRequest,
    application: &Application,
    throttle: &Throttle,
    name: &str,
    password: String,
) -> Result<Started, Error> {
    let client = client::any_address(request, &application.trusted_proxies).ok();
    let parsed: Option<UserName> = name.parse().ok();
    let (found, known) = match &parsed {
        Some(name) => look_up(application, name, client).await?,
        None => (None, false),
    };
    let unlocked = found.as_ref().and_then(|found| found.user.unlocked);
    let attempt = Attempt { name, client, known, unlocked };
    let existing = found.as_ref().and(parsed.clone());
    if let Err(slowed) = throttle.begin(attempt, Instant::now()) {
        throttle.failures().record(application, &correlation::of(request), existing, client);
        if let (Some(name), Some(_), Some(lock_out)) = (&parsed, &found, slowed.report) {
            lock_out::record(application, correlation::of(request), name.clone(), client, lock_out);
        }
        return Err(slowed.into());
    }
    let phc = found.as_ref().filter(|found| found.enabled).and_then(|found| found.phc.clone());
    let turn = match &parsed {
        Some(name) if known => Turn::KnownUser(name.clone()),
        _ => Turn::Client(client),
    };
    let checked = Password::typed(password).is_of_in_turn(phc.map(Hash::stored), turn).await;
    let right = checked.inspect_err(|_| throttle.given_up(attempt))?;
    let (Some(name), Some(found), true) = (parsed, found, right) else {
        throttle.failures().record(application, &correlation::of(request), existing, client);
        tracing::info!(client = client.map(|client| client.to_string()), "a sign-in was refused");
        return Err(Error::Unauthorized {
            message: "the user name or the password is wrong".to_owned(),
            challenge: crate::http::error::Challenge::Bearer,
        });
    };
    throttle.succeeded(attempt);
    let one_time = matches!(found.user.sign_in, SignIn::Password { one_time: true, .. });
    let cookie = start(request, application, &name, &found, Method::Password).await?;
    Ok(Started { cookie, one_time })
}

/// Reads the data that a sign-in is checked against, and whether the user has signed in from this address before.
async fn look_up(
    application: &Application,
    name: &UserName,
    client: Option<IpAddr>,
) -> Result<(Option<Credentials>, bool), Error> {
    let mut connection = application.views.acquire().await?;
    let found = accounts::credentials(&mut connection, name).await?;
    let known = match client {
        Some(client) => accounts::has_signed_in_from(&mut connection, name, network(client)).await?,
        None => false,
    };
    Ok((found, known))
}

/// Starts a session for a user who has been authenticated, and ends the browser's previous session. Returns the cookie.
pub(crate) async fn start(
    request: &HttpRequest,
    application: &Application,
    name: &UserName,
    user: &Credentials,
    method: Method,
) -> Result<HeaderValue, Error> {
    let secret = Secret::random();
    let agent = request.headers().get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
    let spec = SessionSpec {
        user: name.clone(),
        method,
        client: client::any_address(request, &application.trusted_proxies).ok(),
        user_agent: Text::fitted(&agent.unwrap_or_default()),
    };
    let context = context(request, name);
    let secret_sha256 = secret.sha256();
    let (session, receipt) = begin(application, spec, secret_sha256, user, &context).await?;
    let secure = transport::is_secure(request, application);
    if let Some((old, presented)) = cookie::presented(request, secure) {
        let opened = sessions::open(request, application, None, (old, presented), false).await?;
        if opened.is_some_and(|opened| opened.user.name == *name) {
            let command = Command::Account(AccountAction::EndSession { session: old, reason: EndReason::SignedOut });
            application.commands.unguarded().execute(command, context).await?;
        }
    }
    if !reach(application, receipt.position, DEADLINE).await {
        return Err(Error::unavailable("your session is not available yet; sign in again in a moment", 5));
    }
    cookie::keep(session, &secret, secure).ok_or_else(|| Error::Internal(anyhow!("a cookie cannot be written")))
}

/// Starts a session. Events of the user that concern neither password nor admission, such as a lock-out elsewhere at this
/// moment, do not prevent the sign-in.
async fn begin(
    application: &Application,
    spec: SessionSpec,
    secret_sha256: Sha256,
    user: &Credentials,
    context: &Context,
) -> Result<(SessionId, Receipt), Error> {
    let mut user_sequence = user.sequence;
    for _ in 0..BEGUN_AGAIN {
        let session = SessionId(Uuid::now_v7());
        let command =
            Command::Account(AccountAction::StartSession { session, spec: Box::new(spec.clone()), secret_sha256, user_sequence });
        match application.commands.unguarded().execute(command, context.clone()).await {
            Ok(receipt) => return Ok((session, receipt)),
            Err(CommandError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
        // The views may not show the change yet.
        let mut shown = application.position.clone();
        drop(tokio::time::timeout(BEGIN_AGAIN, shown.changed()).await);
        let now = {
            let mut connection = application.views.acquire().await?;
            accounts::credentials(&mut connection, &spec.user).await?
        };
        let same = now.filter(|now| now.enabled && now.phc == user.phc && now.user.sign_in == user.user.sign_in);
        let Some(same) = same else { break };
        user_sequence = same.sequence;
    }
    Err(CommandError::Conflict(format!("user {} was changed during the sign-in; sign in again", spec.user)).into())
}

/// The context of a change that users make to their own account.
pub(crate) fn context(request: &HttpRequest, name: &UserName) -> Context {
    Context {
        actor: format!("user {name}"),
        correlation_id: correlation::of(request),
        causation_id: None,
        idempotency_key: None,
        level: Role::Viewer,
    }
}
