//! Access tokens, as the check of a request needs them: the catalogue's row and the hash of the
//! secret, which is no view, since a rebuild could not bring it back.

use crate::pool::Connection;
use bootledger_aggregates::token::Scope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Deserialize;

/// A token that was created once, valid or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// For people.
    pub name: Text,
    /// What its bearer may do.
    pub scope: Scope,
    /// When it ends; never, where `None`.
    pub expires: Option<Timestamp>,
    /// Whether it was ended.
    pub revoked: bool,
    /// The hash of its secret, to be compared in constant time.
    pub sha256: Sha256,
}

#[derive(Deserialize)]
struct Spec {
    name: Text,
    scope: Scope,
    expires: Option<Timestamp>,
}

/// The token of this id as the views show it now; whether a secret is its own and its time is not over, the caller
/// decides.
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
