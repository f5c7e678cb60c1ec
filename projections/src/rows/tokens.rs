//! Access tokens, with the data that checks a request: the catalogue's row and the hash of the secret. The hash is not a view,
//! since a rebuild could not restore it.

use crate::database::pool::Connection;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// A token that was created, whether still valid or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The token's name; events name it as the actor.
    pub name: Text,
    /// What the token allows.
    pub scope: TokenScope,
    /// When the token expires; `None` if it never does.
    pub expires: Option<Timestamp>,
    /// Whether the token was revoked.
    pub revoked: bool,
    /// The hash of the token's secret, to be compared in constant time.
    pub sha256: Sha256,
}

/// Who created a token, and when it was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The token.
    pub token: TokenId,
    /// The actor that created the token; `None` if its event is not in the views yet.
    pub creator: Option<String>,
    /// When the token was last used, to a minute or so; `None` if it never was since this has been recorded.
    pub used_at: Option<Timestamp>,
}

/// Who created these tokens, and when each was last used. The creator is the same at every position, but the last use is known
/// only of now.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn uses(connection: &mut Connection, tokens: &[TokenId]) -> sqlx::Result<Vec<Use>> {
    let ids: Vec<Uuid> = tokens.iter().map(|token| token.0).collect();
    let rows = sqlx::query!(
        r#"SELECT t.id AS "id!", c.actor AS "creator?", u.used_at AS "used_at?"
           FROM unnest($1::uuid[]) AS t(id)
           LEFT JOIN token_uses u ON u.token = t.id
           LEFT JOIN LATERAL (
               SELECT actor FROM timeline WHERE aggregate_type = 'token' AND aggregate_id = t.id::text ORDER BY position LIMIT 1
           ) c ON true"#,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|row| Use { token: TokenId(row.id), creator: row.creator, used_at: row.used_at.map(Timestamp) }).collect())
}

#[derive(Deserialize)]
struct Spec {
    name: Text,
    scope: TokenScope,
    expires: Option<Timestamp>,
}

/// The token with this id, from the current views. The caller decides whether a secret matches and whether the token has
/// expired.
///
/// # Errors
/// Returns an error if the query fails, or if the description of the token or the hash of its secret cannot be parsed.
pub async fn find(connection: &mut Connection, token: TokenId) -> sqlx::Result<Option<Token>> {
    let row = sqlx::query!(
        "SELECT catalogue.spec, catalogue.retired, token_secrets.sha256
         FROM token_secrets
         JOIN catalogue ON catalogue.kind = 'token' AND catalogue.key = $2 AND catalogue.valid_to IS NULL
         WHERE token_secrets.token = $1",
        token.0,
        token.to_string(),
    )
    .fetch_optional(connection)
    .await?;
    let damaged = |what: &str| sqlx::Error::Decode(format!("the {what} of token {token} cannot be read").into());
    row.map(|row| {
        let spec: Spec = serde_json::from_value(row.spec).map_err(|_| damaged("description"))?;
        let sha256 = Sha256::new(row.sha256.try_into().map_err(|_| damaged("hash"))?);
        Ok(Token { name: spec.name, scope: spec.scope, expires: spec.expires, revoked: row.retired, sha256 })
    })
    .transpose()
}
