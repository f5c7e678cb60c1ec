//! The first administrator: an access token, made at the first start.

use crate::ledger::Ledger;
use crate::secrets::Secret;
use anyhow::{Context as _, Result};
use bootledger_aggregates::token::Scope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_projections::at::At;
use bootledger_projections::catalogue;
use bootledger_web::auth::token::{self, Secret as TokenSecret};
use bootledger_web::commands::{CommandError, Context};
use uuid::Uuid;

/// Makes the administrator's token when there is no token at all: the given one, or a new one,
/// whose text is returned to be shown once.
pub async fn ensure(ledger: &Ledger, given: Option<&Secret>) -> Result<Option<String>> {
    ledger.catch_up().await.map_err(shown)?;
    if !catalogue::list(&ledger.views, "token", At::Now, None, 1, None).await?.is_empty() {
        return Ok(None);
    }
    let (id, secret) = match given {
        Some(given) => token::parse(given.expose())
            .context("BOOTLEDGER_ADMIN_TOKEN has the form bl_<32 hexadecimal digits>_<64 hexadecimal digits>; the digits are yours to choose at random")?,
        None => (TokenId(Uuid::now_v7()), TokenSecret::random()),
    };
    let name = "administrator".parse()?;
    ledger.create_token(id, name, Scope::Administrator, None, secret.sha256(), &by("first start")).await.map_err(shown)?;
    Ok(given.is_none().then(|| secret.bearer(id)))
}

/// The context of what this program does by itself.
pub fn by(actor: &str) -> Context {
    Context { actor: actor.to_owned(), correlation_id: Uuid::now_v7().to_string(), causation_id: None, idempotency_key: None }
}

/// A command's error for a person at a terminal: with its cause.
pub fn shown(error: CommandError) -> anyhow::Error {
    match error {
        CommandError::Unavailable(cause) => cause.context("the database cannot be reached"),
        CommandError::Internal(cause) => cause,
        other => other.into(),
    }
}
