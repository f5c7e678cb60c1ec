//! Checks access tokens.

use super::credentials::Presented;
use super::principal::{Bearer, Principal};
use super::recent_passwords::RecentPasswords;
use crate::http::application::Application;
use crate::http::error::{Challenge, Error};
use crate::http::share::{self, Work};
use actix_web::HttpRequest;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::database::pool::Connection;
use bootledger_projections::rows::tokens;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long the database may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Looks up the bearer of a token. 401 if the token is unknown, wrong, revoked or expired; 503 if the database does not answer.
pub(super) async fn open(
    request: &HttpRequest,
    application: &Application,
    known: Option<&RecentPasswords>,
    presented: &Presented,
    challenge: Challenge,
) -> Result<Bearer, Error> {
    let key = (presented.token.0, presented.secret.sha256());
    // Read before the query: what is remembered must not be newer than the data that was queried.
    let position = *application.position.borrow();
    let remembered = known.and_then(|known| known.find(key, position));
    let bearer = if let Some(Principal::Token(bearer)) = remembered {
        bearer
    } else {
        let bearer = look_up(request, application, (presented.token, key.1), challenge).await?;
        if let Some(known) = known {
            known.remember(key, Principal::Token(bearer.clone()), position);
        }
        bearer
    };
    if bearer.expires.is_some_and(|end| (application.now)() >= end) {
        return Err(refusal("the token has expired; request a new one from an administrator", challenge));
    }
    if known.is_some_and(|known| known.is_due(bearer.id.0))
        && let Err(error) = application.commands.unguarded().saw_token(bearer.id).await
    {
        tracing::warn!("cannot record the use of a token: {error}");
    }
    Ok(bearer)
}

async fn look_up(
    request: &HttpRequest,
    application: &Application,
    (token, presented): (TokenId, Sha256),
    challenge: Challenge,
) -> Result<Bearer, Error> {
    let found = in_time(request, application, async |mut connection| tokens::find(&mut connection, token).await).await?;
    // Compared also for unknown tokens, so that the time taken does not reveal which IDs exist.
    let stored = found.as_ref().map_or([0; 32], |row| *row.sha256.bytes());
    let same = bool::from(stored.ct_eq(presented.bytes()));
    match found {
        Some(row) if same && !row.revoked => Ok(Bearer { id: token, name: row.name, scope: row.scope, expires: row.expires }),
        Some(_) if same => Err(refusal("the token was revoked; request a new one from an administrator", challenge)),
        _ => Err(refusal("the token is not valid", challenge)),
    }
}

/// Runs a query that authenticates a caller. If the database does not answer in time, the caller is refused. The client's
/// address has a share of such queries, so that a client with many wrong tokens does not use up other callers'
/// connections for long.
pub(super) async fn in_time<T>(
    request: &HttpRequest,
    application: &Application,
    question: impl AsyncFnOnce(Connection) -> sqlx::Result<T>,
) -> Result<T, Error> {
    let pool = share::views(application, request);
    let _permit = share::of_address(request, application).take(Work::Read).await?;
    let requested = async { question(pool.acquire().await?).await };
    tokio::time::timeout(DEADLINE, requested)
        .await
        .map_err(|_| {
            Error::unavailable("authentication is temporarily unavailable because the database does not answer; try again", 2)
        })?
        .map_err(|error| Error::Unavailable {
            message: "authentication is temporarily unavailable; try again".to_owned(),
            retry_after: 2,
            source: Some(error.into()),
        })
}

fn refusal(message: &str, challenge: Challenge) -> Error {
    Error::Unauthorized { message: message.to_owned(), challenge }
}
