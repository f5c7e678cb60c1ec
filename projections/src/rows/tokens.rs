//! Access tokens, with the data that checks a request: the catalogue's row and the hash of the secret. The hash is not a view,
//! since a rebuild could not restore it.

use crate::database::pool::Connection;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Deserialize;

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
