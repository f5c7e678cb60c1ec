//! The context of a command: the caller as metadata of events, and the recognition of repeated requests.

use crate::commands::CommandService;
use crate::event_log::answers;
use crate::event_log::append::{self, Idempotency};
use bootledger_aggregates::actor::SystemActor;
use bootledger_port::fingerprint::IdempotencyKey;
use bootledger_port::{CommandError, Context, Receipt};
use std::collections::HashMap;

/// The context with its key in the stored form. Each caller has its own keys: two actors may use the same key for different
/// things. The command line's keys are stored with the words that named it before actors were codes, so that a key is
/// recognised that an older version stored.
pub(super) fn with_own_key(mut context: Context) -> Context {
    let owner = if context.actor == SystemActor::CommandLine.code() { "command line" } else { context.actor.as_str() };
    let own = |known: &IdempotencyKey| known.named(format!("{owner}/{}", known.key));
    context.idempotency_key = context.idempotency_key.as_ref().map(own);
    context
}

/// The metadata of each event of a command.
pub(crate) fn metadata(context: &Context) -> HashMap<String, String> {
    let mut metadata = HashMap::from([
        ("actor".to_owned(), context.actor.clone()),
        ("correlation_id".to_owned(), context.correlation_id.clone()),
    ]);
    metadata.extend(context.causation_id.iter().map(|id| ("causation_id".to_owned(), id.clone())));
    metadata
}

/// The metadata of each event of a command as JSON text.
pub(crate) fn metadata_text(context: &Context) -> String {
    append::metadata_text(&metadata(context))
}

/// The idempotency key of a context, with the answer to repeat.
pub(super) fn idempotency(context: &Context, id: &str) -> Option<Idempotency> {
    let IdempotencyKey { key, request } = context.idempotency_key.clone()?;
    Some(Idempotency { key, fingerprint: request.sha256(), answer: serde_json::json!({ "id": id }).to_string() })
}

/// The receipt of a repeated request.
pub(super) fn receipt(position: i64, answer: &str) -> Receipt {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    Receipt { position, id: answer["id"].as_str().unwrap_or_default().to_owned(), repeated: true }
}

impl CommandService {
    /// The earlier answer to the request, if it was answered before. It is looked up first, since the request's own effect
    /// would now make its rules fail.
    pub(super) async fn answered(&self, context: &Context) -> Result<Option<Receipt>, CommandError> {
        let Some(IdempotencyKey { key, request }) = &context.idempotency_key else { return Ok(None) };
        let found = answers::find(&self.views, key).await.map_err(CommandError::of_database)?;
        match found {
            Some(answered) if answered.fingerprint != request.sha256() => Err(CommandError::KeyReused),
            Some(answered) => Ok(Some(receipt(answered.position, &answered.answer))),
            None => Ok(None),
        }
    }
}
