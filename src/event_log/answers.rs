//! The stored answers to requests with an idempotency key.

use bootledger_projections::database::pool::Pool;

/// The stored answer to a request.
#[derive(Debug)]
pub struct Answered {
    /// SHA-256 of the request.
    pub fingerprint: Vec<u8>,
    /// The position of the request's last event.
    pub position: i64,
    /// The answer, as JSON text.
    pub answer: String,
}

/// The answer to the request with this key, if it was answered.
///
/// # Errors
/// Returns an error if the query fails.
pub async fn find(pool: &Pool, key: &str) -> Result<Option<Answered>, sqlx::Error> {
    sqlx::query_as!(Answered, r#"SELECT fingerprint, position, answer::text AS "answer!" FROM commands WHERE key = $1"#, key)
        .fetch_optional(pool)
        .await
}
