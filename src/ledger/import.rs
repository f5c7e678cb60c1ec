//! Bulk deployment: a CSV text becomes a plan, and the plan one transaction, or every error of
//! every row and nothing else. The rules are those of a single deployment.

mod choose;
mod facts;
mod plan;
mod read;

use super::execute::{Failure, claimed};
use super::{Ledger, TRIES, context};
use crate::store::append::{Batch, Idempotency};
use bootledger_aggregates::values::ids::ImportId;
use bootledger_web::commands::{CommandError, Context, Imported, Receipt, RowError};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(super) async fn run(ledger: &Ledger, csv: &[u8], dry_run: bool, context: Context) -> Result<Imported, CommandError> {
    let read::Content { rows, errors: unread } = read::content(csv);
    if rows.is_empty() {
        return Ok(Imported::Refused(unread));
    }
    let idempotency = |import: ImportId| {
        let key = context.idempotency_key.as_ref()?;
        Some(Idempotency {
            key: format!("{}/{key}", context.actor),
            fingerprint: Sha256::digest(csv).into(),
            answer: serde_json::json!({ "id": import.to_string() }).to_string(),
        })
    };
    if let Some(answered) = already(ledger, idempotency(ImportId::default())).await? {
        return Ok(answered);
    }
    let mut raced = vec![];
    for _ in 0..TRIES {
        let import = ImportId(Uuid::now_v7());
        let planned = match plan::plan(ledger, &rows, import, &context).await {
            Ok(Ok(planned)) if unread.is_empty() => planned,
            // Whoever mends the file is told at once what else is wrong with it.
            Ok(planned) => {
                let mut errors: Vec<RowError> = unread.into_iter().chain(planned.err().unwrap_or_default()).collect();
                errors.sort_by_key(|error| error.row);
                return Ok(Imported::Refused(errors));
            }
            Err(failure) => return Err(failure.into()),
        };
        if dry_run {
            return Ok(Imported::Planned(planned.without_new_ids()));
        }
        let batch = Batch { events: planned.events, preconditions: planned.preconditions, idempotency: idempotency(import) };
        match ledger.log.append(batch).await.map_err(Failure::from) {
            Ok(crate::store::append::Appended::At(position)) => {
                ledger.feed.saw_appended(position);
                let receipt = Receipt { position, id: import.to_string() };
                return Ok(Imported::Started { import, receipt, rows: planned.rows });
            }
            Ok(crate::store::append::Appended::Repeated { position, answer }) => return repeated(position, &answer),
            Err(Failure::Conflict) => {}
            Err(Failure::Claimed(claim, holder)) => {
                raced = vec![RowError { row: 0, column: String::new(), broken: claimed(&claim, &holder) }];
            }
            Err(failure) => return Err(failure.into()),
        }
        ledger.catch_up().await?;
    }
    if raced.is_empty() {
        return Err(CommandError::Conflict(
            "others changed the same things again and again; nothing was started, try again".to_owned(),
        ));
    }
    Ok(Imported::Refused(raced))
}

/// The answer to the same file with the same key, if it was given before.
async fn already(ledger: &Ledger, idempotency: Option<Idempotency>) -> Result<Option<Imported>, CommandError> {
    let Some(Idempotency { key, fingerprint, .. }) = idempotency else { return Ok(None) };
    let found = crate::store::answers::find(&ledger.views, &key).await.map_err(CommandError::of_database)?;
    match found {
        Some(answered) if answered.fingerprint != fingerprint => Err(CommandError::KeyReused),
        Some(answered) => repeated(answered.position, &answered.answer).map(Some),
        None => Ok(None),
    }
}

/// A repeated import: its rows are its deployments, which the caller reads by the import's id.
fn repeated(position: i64, answer: &str) -> Result<Imported, CommandError> {
    let receipt = context::receipt(position, answer);
    let import = receipt.id.parse().map_err(|error| CommandError::Internal(anyhow::Error::new(error)))?;
    Ok(Imported::Started { import, receipt, rows: vec![] })
}
