//! Who asks, as metadata of events, and how a repeated request is recognised.

use crate::ledger::Ledger;
use crate::store::answers;
use crate::store::append::Idempotency;
use bootledger_web::commands::{Command, CommandError, Context, Receipt};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// A context whose idempotency key is bound to the request: `key`, a space and the request's SHA-256.
pub(super) struct Bound {
    pub(super) context: Context,
}

/// The command's name for logs, such as `StartDeployment`; never its content.
pub(super) fn name(command: &Command) -> String {
    let debug = format!("{command:?}");
    debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

pub(super) fn with_fingerprint(mut context: Context, command: &Command) -> Bound {
    // Keys are the caller's own: two actors may use the same one for different things.
    if let Some(key) = &context.idempotency_key {
        let request = hex::encode(Sha256::digest(format!("{command:?}")));
        context.idempotency_key = Some(format!("{}/{key} {request}", context.actor));
    }
    Bound { context }
}

/// The metadata of every event of a command.
pub(crate) fn metadata(context: &Context) -> HashMap<String, String> {
    let mut metadata = HashMap::from([
        ("actor".to_owned(), context.actor.clone()),
        ("correlation_id".to_owned(), context.correlation_id.clone()),
    ]);
    metadata.extend(context.causation_id.iter().map(|id| ("causation_id".to_owned(), id.clone())));
    metadata
}

/// The metadata as JSON text, its keys sorted.
pub(crate) fn metadata_text(context: &Context) -> String {
    let sorted: std::collections::BTreeMap<_, _> = metadata(context).into_iter().collect();
    serde_json::json!(sorted).to_string()
}

fn split(bound: &str) -> (&str, [u8; 32]) {
    let (key, request) = bound.rsplit_once(' ').unwrap_or((bound, ""));
    let fingerprint = hex::decode(request).ok().and_then(|bytes| bytes.try_into().ok());
    (key, fingerprint.unwrap_or_default())
}

/// The key of a bound context, with what to answer again.
pub(super) fn idempotency(context: &Context, id: &str) -> Option<Idempotency> {
    let (key, fingerprint) = split(context.idempotency_key.as_deref()?);
    Some(Idempotency { key: key.to_owned(), fingerprint, answer: serde_json::json!({ "id": id }).to_string() })
}

/// The receipt of a repeated request.
pub(super) fn receipt(position: i64, answer: &str) -> Receipt {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    Receipt { position, id: answer["id"].as_str().unwrap_or_default().to_owned() }
}

impl Ledger {
    /// What the request was answered before, where it was: asked first, since its rules would now
    /// be broken by its own effect.
    pub(super) async fn answered(&self, bound: &Bound) -> Result<Option<Receipt>, CommandError> {
        let Some(bound) = bound.context.idempotency_key.as_deref() else { return Ok(None) };
        let (key, fingerprint) = split(bound);
        let found = answers::find(&self.views, key).await.map_err(CommandError::of_database)?;
        match found {
            Some(answered) if answered.fingerprint != fingerprint => Err(CommandError::KeyReused),
            Some(answered) => Ok(Some(receipt(answered.position, &answered.answer))),
            None => Ok(None),
        }
    }
}
