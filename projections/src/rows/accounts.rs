//! Users and their sessions: the views' rows, and the hashes of passwords and session secrets, against which requests are
//! checked. The hashes are not views, since a rebuild could not restore them.

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use bootledger_aggregates::session::{EndReason, SessionSpec};
use bootledger_aggregates::user::{Link, Role, SignIn};
use bootledger_aggregates::values::ids::SessionId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use std::net::IpAddr;
use utoipa::ToSchema;

/// A user. A disabled user is marked as retired in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// The name shown for the user.
    pub display_name: Text,
    /// The user's role, which determines what the user may do.
    pub role: Role,
    /// How the user signs in.
    pub sign_in: SignIn,
    /// The user's identity at the OpenID Connect provider, once it is known.
    #[serde(default)]
    pub link: Option<Link>,
    /// When the user was created.
    pub created_at: Timestamp,
    /// The last lock-out, unless the user has been unlocked since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_out: Option<LockedOut>,
    /// When the user was last unlocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocked: Option<Timestamp>,
}

/// A lock-out: attempts to sign in had to wait for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockedOut {
    /// The address that the failed attempts came from, if they came from a single one.
    #[schema(value_type = Option<String>)]
    pub client: Option<IpAddr>,
    /// Whether attempts from other addresses also had to wait, if the user had not signed in from them before.
    pub everywhere: bool,
    /// When the lock-out began.
    pub at: Timestamp,
}

/// A session. An ended session is marked as retired in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Who started the session, and from which address.
    pub session: SessionSpec,
    /// When the session started.
    pub started_at: Timestamp,
    /// When and why the session ended, if it has.
    pub ended: Option<Ended>,
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ended {
    /// Why the session ended.
    pub reason: EndReason,
    /// When the session ended.
    pub at: Timestamp,
}

/// The data against which a sign-in is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user who signs in.
    pub user: UserView,
    /// Whether the user may sign in.
    pub enabled: bool,
    /// How many events the user has.
    pub sequence: i64,
    /// The argon2id hash of the password in PHC string format, if the user has a local password.
    pub phc: Option<String>,
}

/// A session, with the data that checks a request's cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The name of the session's user.
    pub name: UserName,
    /// The session's user.
    pub user: UserView,
    /// Whether the session may be used: it has not ended, and its user is not disabled.
    pub admitted: bool,
    /// The hash of the session's secret, to be compared in constant time.
    pub sha256: Sha256,
    /// The hash of the previous secret.
    pub previous: Option<Sha256>,
    /// Until when the previous secret is accepted after the browser has presented the new one.
    pub previous_until: Option<Timestamp>,
    /// Whether the browser has presented the current secret.
    pub confirmed: bool,
    /// When the current secret was created.
    pub rotated_at: Timestamp,
    /// When the session was last used, to the minute.
    pub last_seen: Timestamp,
    /// When the session expires, regardless of use.
    pub expires: Timestamp,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The session's id.
    pub id: SessionId,
    /// The session's row in the views.
    pub view: SessionView,
    /// When the session was last used, to the minute, and when it expires; `None` for sessions that have ended, and for past
    /// positions.
    pub times: Option<(Timestamp, Timestamp)>,
}

fn damaged(what: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("the {what} cannot be read").into())
}

fn sha256(bytes: Vec<u8>) -> sqlx::Result<Sha256> {
    Ok(Sha256::new(bytes.try_into().map_err(|_| damaged("hash of a session's secret"))?))
}

fn user(spec: serde_json::Value) -> sqlx::Result<UserView> {
    serde_json::from_value(spec).map_err(|_| damaged("description of a user"))
}

/// The data against which this user's sign-in is checked, from the current views.
///
/// # Errors
/// Returns an error if the query fails, or if the description of the user cannot be parsed.
pub async fn credentials(connection: &mut Connection, name: &UserName) -> sqlx::Result<Option<Credentials>> {
    let row = sqlx::query!(
        r#"SELECT catalogue.spec, catalogue.retired, catalogue.sequence, user_passwords.phc AS "phc?"
           FROM catalogue
           LEFT JOIN user_passwords ON user_passwords.password::text = catalogue.spec #>> '{sign_in,password,password}'
                                   AND user_passwords.user_name = catalogue.key
           WHERE catalogue.kind = 'user' AND catalogue.key = $1 AND catalogue.valid_to IS NULL"#,
        name.as_str(),
    );
    let row = row.fetch_optional(connection).await?;
    row.map(|row| Ok(Credentials { user: user(row.spec)?, enabled: !row.retired, sequence: row.sequence, phc: row.phc }))
        .transpose()
}

/// Whether the user has signed in with a password from this network before.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn has_signed_in_from(executor: impl PgExecutor<'_>, name: &UserName, network: IpAddr) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM known_clients WHERE user_name = $1 AND network = $2) AS "known!""#,
        name.as_str(),
        network.to_string()
    );
    found.fetch_one(executor).await
}

/// The session and its secrets as they are now. The caller decides whether a secret matches and whether the session has
/// expired.
///
/// # Errors
/// Returns an error if the query fails, or if the name or description of the user or the hash of a secret cannot be parsed.
pub async fn live(connection: &mut Connection, session: SessionId) -> sqlx::Result<Option<Live>> {
    let row = sqlx::query!(
        r#"SELECT u.key AS name, u.spec, NOT u.retired AND NOT s.retired AS "admitted!",
                  x.sha256, x.previous, x.previous_until, x.confirmed, x.rotated_at, x.last_seen, x.expires
           FROM session_secrets x
           JOIN catalogue s ON s.kind = 'session' AND s.key = $2 AND s.valid_to IS NULL
           JOIN catalogue u ON u.kind = 'user' AND u.key = s.spec -> 'session' ->> 'user' AND u.valid_to IS NULL
           WHERE x.session = $1"#,
        session.0,
        session.to_string(),
    );
    let Some(row) = row.fetch_optional(connection).await? else { return Ok(None) };
    Ok(Some(Live {
        name: row.name.parse().map_err(|_| damaged("name of a user"))?,
        user: user(row.spec)?,
        admitted: row.admitted,
        sha256: sha256(row.sha256)?,
        previous: row.previous.map(sha256).transpose()?,
        previous_until: row.previous_until.map(Timestamp),
        confirmed: row.confirmed,
        rotated_at: Timestamp(row.rotated_at),
        last_seen: Timestamp(row.last_seen),
        expires: Timestamp(row.expires),
    }))
}

/// Up to `limit` sessions, the newest first, after the cursor `after`: of one user or of all, only live ones or all.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn sessions(
    executor: impl PgExecutor<'_>,
    of: Option<&UserName>,
    live: bool,
    at: At,
    after: Option<SessionId>,
    limit: i64,
) -> Result<Vec<Listed>> {
    let rows = sqlx::query!(
        r#"SELECT c.key, c.spec, x.last_seen AS "last_seen?", x.expires AS "expires?"
           FROM catalogue c
           LEFT JOIN session_secrets x ON x.session::text = c.key AND NOT c.retired
           WHERE c.kind = 'session'
             AND (($1::bigint IS NULL AND c.valid_to IS NULL)
                  OR (c.valid_from <= $1 AND (c.valid_to IS NULL OR c.valid_to > $1)))
             AND ($2::text IS NULL OR c.spec -> 'session' ->> 'user' = $2)
             AND (NOT $3::bool OR NOT c.retired)
             AND ($4::text IS NULL OR c.key < $4)
           ORDER BY c.key DESC LIMIT $5"#,
        at.position(),
        of.map(UserName::as_str),
        live,
        after.map(|id| id.to_string()),
        limit,
    );
    let rows = rows.fetch_all(executor).await?;
    let listed = rows.into_iter().map(|row| {
        // The table of secrets is not temporal: it has the last use of now.
        let times = row.last_seen.zip(row.expires).filter(|_| at == At::Now);
        Ok(Listed {
            id: row.key.parse()?,
            view: serde_json::from_value(row.spec)?,
            times: times.map(|(seen, ends)| (Timestamp(seen), Timestamp(ends))),
        })
    });
    listed.collect()
}

/// The live sessions of a user; with `before`, only those that started before that position.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn live_of(executor: impl PgExecutor<'_>, name: &UserName, before: Option<i64>) -> Result<Vec<SessionId>> {
    let keys = sqlx::query_scalar!(
        "SELECT key FROM catalogue
         WHERE kind = 'session' AND valid_to IS NULL AND NOT retired AND spec -> 'session' ->> 'user' = $1
           AND ($2::bigint IS NULL OR valid_from < $2)",
        name.as_str(),
        before
    );
    keys.fetch_all(executor).await?.iter().map(|key| Ok(key.parse()?)).collect()
}

/// Live sessions that were last used before `idle`, or that expired before `now`.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn over(executor: impl PgExecutor<'_>, idle: Timestamp, now: Timestamp, limit: i64) -> Result<Vec<SessionId>> {
    let ids = sqlx::query_scalar!(
        "SELECT x.session FROM session_secrets x
         JOIN catalogue c ON c.kind = 'session' AND c.key = x.session::text AND c.valid_to IS NULL AND NOT c.retired
         WHERE x.last_seen < $1 OR x.expires < $2 LIMIT $3",
        idle.0,
        now.0,
        limit
    );
    Ok(ids.fetch_all(executor).await?.into_iter().map(SessionId).collect())
}

/// The user who is linked to this identity of the provider. The provider may have changed the name since.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn linked(executor: impl PgExecutor<'_>, link: &Link) -> Result<Option<UserName>> {
    let key = sqlx::query_scalar!(
        "SELECT key FROM catalogue
         WHERE kind = 'user' AND valid_to IS NULL AND spec #>> '{link,subject}' = $1 AND spec #>> '{link,issuer}' = $2
         ORDER BY key LIMIT 1",
        link.subject.as_str(),
        link.issuer.as_str()
    );
    Ok(key.fetch_optional(executor).await?.map(|key| key.parse()).transpose()?)
}

/// The administrators who may sign in, by name, each with the number of events.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn administrators(executor: impl PgExecutor<'_>) -> Result<Vec<(UserName, i64)>> {
    let rows = sqlx::query!(
        "SELECT key, sequence FROM catalogue
         WHERE kind = 'user' AND valid_to IS NULL AND NOT retired AND spec ->> 'role' = 'administrator' ORDER BY key"
    );
    rows.fetch_all(executor).await?.into_iter().map(|row| Ok((row.key.parse()?, row.sequence))).collect()
}
