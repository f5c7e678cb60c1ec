//! Checks tokens, and remembers for a few seconds which were valid, so that a busy program costs no
//! query a request. What is remembered counts only while the views stand still: a revocation moves
//! them, and the next request asks the database again.

use super::credentials::Presented;
use super::principal::Principal;
use crate::application::Application;
use crate::error::{Challenge, Error};
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::tokens;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// How long a token that was valid is not looked up again.
const REMEMBERED: Duration = Duration::from_secs(5);
/// How many tokens are remembered.
const MOST: usize = 1_000;
/// How long the database may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The tokens that were valid a moment ago, by id and hash of the secret.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<(TokenId, Sha256), Session>>);

#[derive(Debug)]
struct Session {
    principal: Principal,
    position: i64,
    checked: Instant,
}

impl Sessions {
    fn find(&self, key: (TokenId, Sha256), position: i64) -> Option<Principal> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&key)?;
        (session.position == position && session.checked.elapsed() < REMEMBERED).then(|| session.principal.clone())
    }

    fn remember(&self, key: (TokenId, Sha256), principal: Principal, position: i64) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= MOST {
            sessions.clear();
        }
        sessions.insert(key, Session { principal, position, checked: Instant::now() });
    }
}

/// Whose token it is. 401 where it is unknown, wrong, revoked or over; 503 where nobody can say.
pub(super) async fn open(
    application: &Application,
    sessions: Option<&Sessions>,
    presented: &Presented,
    challenge: Challenge,
) -> Result<Principal, Error> {
    let key = (presented.token, presented.secret.sha256());
    // Read before the query: what is remembered must not be newer than what was asked.
    let position = *application.position.borrow();
    let known = sessions.and_then(|sessions| sessions.find(key, position));
    let principal = if let Some(principal) = known {
        principal
    } else {
        let principal = look_up(application, key, challenge).await?;
        if let Some(sessions) = sessions {
            sessions.remember(key, principal.clone(), position);
        }
        principal
    };
    if principal.expires.is_some_and(|end| (application.now)() >= end) {
        return Err(refusal("the token's time is over; ask an administrator for a new one", challenge));
    }
    Ok(principal)
}

async fn look_up(
    application: &Application,
    (token, presented): (TokenId, Sha256),
    challenge: Challenge,
) -> Result<Principal, Error> {
    let asked = async {
        let mut connection = application.views.acquire().await?;
        tokens::find(&mut connection, token).await
    };
    let found = tokio::time::timeout(DEADLINE, asked)
        .await
        .map_err(|_| Error::unavailable("the database does not answer, so nobody can be let in; try again", 2))?
        .map_err(|error| Error::Unavailable {
            message: "the token cannot be checked, so nobody can be let in; try again".to_owned(),
            retry_after: 2,
            source: Some(error.into()),
        })?;
    // Compared also for unknown tokens, so that the time taken tells nothing about which ids exist.
    let stored = found.as_ref().map_or([0; 32], |row| *row.sha256.bytes());
    let same = bool::from(stored.ct_eq(presented.bytes()));
    match found {
        Some(row) if same && !row.revoked => Ok(Principal { token, name: row.name, scope: row.scope, expires: row.expires }),
        Some(_) if same => Err(refusal("the token was revoked; ask an administrator for a new one", challenge)),
        _ => Err(refusal("the token is not valid", challenge)),
    }
}

fn refusal(message: &str, challenge: Challenge) -> Error {
    Error::Unauthorized { message: message.to_owned(), challenge }
}
