//! Users and their sessions: what the views say of them, and, for checking who asks, the hashes of their secrets, which are no
//! views, since a rebuild could not bring them back.

use crate::at::At;
use crate::error::Result;
use crate::pool::Connection;
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

/// A user. A disabled one is out of use in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// For people.
    pub display_name: Text,
    /// What the person may do.
    pub role: Role,
    /// How the person signs in.
    pub sign_in: SignIn,
    /// Who the user is to the `OpenID` Connect provider, once that is known.
    #[serde(default)]
    pub link: Option<Link>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// The last lock-out, unless the user was unlocked since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_out: Option<LockedOut>,
    /// When the user was unlocked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocked: Option<Timestamp>,
}

/// A lock-out: for a while, attempts to sign in had to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockedOut {
    /// Where the failed attempts came from, where that is one address.
    #[schema(value_type = Option<String>)]
    pub client: Option<IpAddr>,
    /// Whether attempts from other addresses that the user has not signed in from before had to wait too.
    pub everywhere: bool,
    /// When.
    pub at: Timestamp,
}

/// A session. An ended one is out of use in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Who began it, from where.
    pub session: SessionSpec,
    /// When it began.
    pub started_at: Timestamp,
    /// When and why it ended, where it has.
    pub ended: Option<Ended>,
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// When.
    pub at: Timestamp,
}

/// What a sign-in is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: UserView,
    /// Whether the user is let in.
    pub enabled: bool,
    /// How many events the user has had.
    pub sequence: i64,
    /// The password's argon2id hash in PHC form, where the user has a password here.
    pub phc: Option<String>,
}

/// A session, as the check of a request needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Whose it is.
    pub name: UserName,
    /// The user.
    pub user: UserView,
    /// Whether neither the session is ended nor the user disabled.
    pub admitted: bool,
    /// The hash of its secret, to be compared in constant time.
    pub sha256: Sha256,
    /// The hash of the secret before.
    pub previous: Option<Sha256>,
    /// Until when that one is taken where the browser has shown that it has the new one.
    pub previous_until: Option<Timestamp>,
    /// Whether the browser has shown that it has the secret.
    pub confirmed: bool,
    /// When the secret was made.
    pub rotated_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_seen: Timestamp,
    /// When it ends, however much it is used.
    pub expires: Timestamp,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub id: SessionId,
    /// What the views say of it.
    pub view: SessionView,
    /// When it was used last, to the minute, and when it ends; nothing of those that are over.
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

/// What a sign-in of this user is checked against, as the views show it now.
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

/// Whether a user has signed in with a password from this network before.
pub async fn has_signed_in_from(executor: impl PgExecutor<'_>, name: &UserName, network: IpAddr) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM known_clients WHERE user_name = $1 AND network = $2) AS "known!""#,
        name.as_str(),
        network.to_string()
    );
    found.fetch_one(executor).await
}

/// A session as the views and its secrets show it now; whether a secret is its own and its time is not over, the caller
/// decides.
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

/// Up to `limit` sessions, the newest first, behind `after`: of one user or of all, only live ones or all.
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
        Ok(Listed {
            id: row.key.parse()?,
            view: serde_json::from_value(row.spec)?,
            times: row.last_seen.zip(row.expires).map(|(seen, ends)| (Timestamp(seen), Timestamp(ends))),
        })
    });
    listed.collect()
}

/// The live sessions of a user; with `before`, those that began before that position.
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

/// Live sessions that were last used before `idle`, or whose time was over before `now`.
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

/// The user who is this one to the provider, whatever the provider calls them now.
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

/// The administrators who may sign in, by name, with how many events each has had.
pub async fn administrators(executor: impl PgExecutor<'_>) -> Result<Vec<(UserName, i64)>> {
    let rows = sqlx::query!(
        "SELECT key, sequence FROM catalogue
         WHERE kind = 'user' AND valid_to IS NULL AND NOT retired AND spec ->> 'role' = 'administrator' ORDER BY key"
    );
    rows.fetch_all(executor).await?.into_iter().map(|row| Ok((row.key.parse()?, row.sequence))).collect()
}
