//! The hashes of passwords and of session secrets, and the networks that users have signed in from. The passwords and secrets
//! themselves are not stored.

use bootledger_aggregates::values::ids::{PasswordId, SessionId, TokenId};
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_projections::database::pool::Pool;
use std::net::IpAddr;

/// How many networks are stored for a user, the latest ones.
const NETWORKS: i64 = 64;

/// Stores the hash of a password. Until an event of the user names it, it cannot be used to sign in.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn remember_password(pool: &Pool, id: PasswordId, user: &UserName, phc: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO user_passwords (password, user_name, phc) VALUES ($1, $2, $3) ON CONFLICT (password) DO NOTHING",
        id.0,
        user.as_str(),
        phc
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Deletes the hashes that are older than the one that the views name for their user. Hashes of the last minutes are kept,
/// because a command in progress may be about to name one.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn forget_passwords(pool: &Pool) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query!(
        "DELETE FROM user_passwords old
         USING user_passwords current, catalogue c
         WHERE c.kind = 'user' AND c.valid_to IS NULL AND c.key = old.user_name
           AND current.user_name = c.key AND current.password::text = c.spec #>> '{sign_in,password,password}'
           AND old.made_at < current.made_at AND old.made_at < clock_timestamp() - interval '10 minutes'"
    );
    Ok(forgotten.execute(pool).await?.rows_affected())
}

/// Stores the hash of a session's secret. Until the session's first event, it cannot be used.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn remember_session(
    pool: &Pool,
    session: SessionId,
    secret: Sha256,
    now: Timestamp,
    expires: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO session_secrets (session, sha256, rotated_at, last_seen, expires) VALUES ($1, $2, $3, $3, $4)
         ON CONFLICT (session) DO NOTHING",
        session.0,
        &secret.bytes()[..],
        now.0,
        expires.0
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Stores the network that a user has signed in from.
///
/// # Errors
/// Returns an error if a statement fails.
pub async fn remember_client(pool: &Pool, user: &UserName, network: IpAddr, now: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO known_clients (user_name, network, last_used) VALUES ($1, $2, $3)
         ON CONFLICT (user_name, network) DO UPDATE SET last_used = greatest(known_clients.last_used, excluded.last_used)",
        user.as_str(),
        network.to_string(),
        now.0
    )
    .execute(pool)
    .await?;
    sqlx::query!(
        "DELETE FROM known_clients WHERE user_name = $1 AND network IN
             (SELECT network FROM known_clients WHERE user_name = $1 ORDER BY last_used DESC, network OFFSET $2)",
        user.as_str(),
        NETWORKS
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Records that a token was used. Within a minute of a recorded use, nothing is written.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn saw_token(pool: &Pool, token: TokenId, now: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO token_uses (token, used_at) VALUES ($1, $2)
         ON CONFLICT (token) DO UPDATE SET used_at = EXCLUDED.used_at
         WHERE token_uses.used_at < EXCLUDED.used_at - interval '1 minute'",
        token.0,
        now.0
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Records that a session was used, and whether with its newest secret. In that case, the previous secret gets an expiry time.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn saw_session(
    pool: &Pool,
    session: SessionId,
    newest: bool,
    now: Timestamp,
    previous_until: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE session_secrets SET last_seen = greatest(last_seen, $3),
                previous_until = CASE WHEN $2 AND NOT confirmed THEN $4 ELSE previous_until END,
                confirmed = confirmed OR $2
         WHERE session = $1",
        session.0,
        newest,
        now.0,
        previous_until.0
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Gives a session a new secret, if `presented` is the current one, or the previous one from a browser that never received the
/// new one. Returns whether it did: of simultaneous requests, only one succeeds.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn rotate_session(
    pool: &Pool,
    session: SessionId,
    presented: Sha256,
    next: Sha256,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let rotated = sqlx::query!(
        "UPDATE session_secrets SET previous = $2, previous_until = NULL, sha256 = $3, confirmed = false, rotated_at = $4, last_seen = $4
         WHERE session = $1 AND (sha256 = $2 OR previous = $2 AND NOT confirmed AND rotated_at < $4::timestamptz - interval '1 minute')",
        session.0,
        &presented.bytes()[..],
        &next.bytes()[..],
        now.0
    );
    Ok(rotated.execute(pool).await?.rows_affected() == 1)
}

/// Deletes the secrets of sessions that have ended, and of those that never started. A secret is kept for a day after its last
/// use: it opens nothing, but a form that arrives after the end of its session is kept only for a browser that has the secret.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn forget_sessions(pool: &Pool, now: Timestamp) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query!(
        "DELETE FROM session_secrets x
         WHERE x.last_seen < $1::timestamptz - interval '1 day'
               AND EXISTS (SELECT FROM catalogue c
                           WHERE c.kind = 'session' AND c.key = x.session::text AND c.valid_to IS NULL AND c.retired)
            OR x.expires < $1::timestamptz - interval '1 day'",
        now.0
    );
    Ok(forgotten.execute(pool).await?.rows_affected())
}
