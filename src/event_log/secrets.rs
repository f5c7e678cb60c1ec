//! The hashes of access tokens' secrets. The secrets themselves are not stored.

use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_projections::database::pool::Pool;

/// Stores the hash of a token's secret. Until the token's first event, it cannot be used.
///
/// # Errors
/// Returns an error if the statement fails.
pub async fn remember(pool: &Pool, token: TokenId, secret: Sha256) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO token_secrets (token, sha256) VALUES ($1, $2) ON CONFLICT (token) DO NOTHING",
        token.0,
        &secret.bytes()[..]
    )
    .execute(pool)
    .await
    .map(drop)
}
