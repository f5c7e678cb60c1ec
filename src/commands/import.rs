//! Bulk deployment: a CSV text becomes a plan, and the plan becomes one transaction; otherwise every error of every row is
//! returned and nothing is changed. The rules are those of a single deployment.

mod choose;
mod facts;
mod names;
mod plan;
mod read;

use super::execute::Failure;
use super::start::Choosing;
use super::{CommandService, TRIES, context};
use crate::event_log::append::{Batch, Idempotency};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::ImportId;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CommandError, Context, Imported, Receipt, RowError};
use choose::Beside;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// How long an import searches for addresses and names that are still free when it is appended. A file of the maximum size
/// takes seconds to plan.
const CHOOSING: Duration = Duration::from_mins(2);

/// Parses a file as an import does, and checks properties of the result. For the fuzz target.
///
/// # Errors
/// Returns the property that does not hold.
pub fn rehearse(csv: &[u8]) -> Result<(), String> {
    read::consistent(csv)
}

pub(super) async fn run(
    commands: &CommandService,
    csv: &[u8],
    dry_run: bool,
    rack: Option<&Name>,
    context: Context,
) -> Result<Imported, CommandError> {
    let mut file = read::content(csv);
    if let Some(rack) = rack {
        file.put_into(rack);
    }
    let read::Content { rows, errors: unread } = file;
    if rows.is_empty() {
        return Ok(Imported::Refused(unread));
    }
    let context = context::with_own_key(context);
    let idempotency = |import: ImportId| context::idempotency(&context, &import.to_string());
    if let Some(answered) = already(commands, idempotency(ImportId::default())).await? {
        return Ok(answered);
    }
    let mut choosing = Choosing::lasting(CHOOSING);
    let mut conflicts = 0;
    while conflicts < TRIES {
        let import = ImportId(Uuid::now_v7());
        let generation = commands.reservations.generation();
        commands.forget_shown();
        let undecided = AtomicBool::new(false);
        let beside = Beside { reservations: &commands.reservations, width: choosing.width(), undecided: &undecided };
        let planned = match plan::plan(commands, &rows, import, Some(beside).filter(|_| !dry_run), &context).await? {
            Ok(planned) if unread.is_empty() => planned,
            // All errors in the file are returned at once.
            Ok(_) => return Ok(Imported::Refused(unread)),
            Err(errors) => {
                let full = !dry_run && unread.is_empty() && errors.iter().all(is_used_up);
                if full && commands.look_again(undecided.load(Ordering::Relaxed), generation, &mut choosing).await? {
                    continue;
                }
                let mut errors: Vec<RowError> = unread.into_iter().chain(errors).collect();
                errors.sort_by_key(|error| error.row);
                return Ok(Imported::Refused(errors));
            }
        };
        if dry_run {
            return Ok(Imported::Planned(planned.without_new_ids()));
        }
        let mut reservation = commands.reservations.nothing();
        if !reservation.add(planned.chosen) {
            // Another command has chosen one of these values since the views were read.
            choosing.crowded()?;
            continue;
        }
        let batch = Batch { events: planned.events, preconditions: planned.preconditions, idempotency: idempotency(import) };
        reservation.appending();
        match commands.log.append(batch).await.map_err(Failure::from) {
            Ok(crate::event_log::append::Appended::At(position)) => {
                reservation.appended(position);
                let receipt = Receipt { position, id: import.to_string(), repeated: false };
                return Ok(Imported::Started { import, receipt, rows: planned.rows });
            }
            Ok(crate::event_log::append::Appended::Repeated { position, answer }) => return repeated(position, &answer),
            Err(Failure::Conflict) => {
                reservation.refused();
                conflicts += 1;
            }
            // A row that names a held value is refused with its row number once the views show that. Values that were chosen
            // here are chosen again.
            Err(Failure::Claimed(claim, _)) => {
                reservation.refused();
                if reservation.has(&claim) {
                    commands.note_taken(claim.clone()).await?;
                    choosing.lost(claim)?;
                }
            }
            // It is unknown whether the events are in the log, so the chosen values remain reserved for a moment.
            Err(failure) => return Err(failure.into()),
        }
        drop(reservation);
        commands.catch_up().await?;
    }
    Err(CommandError::Conflict("other requests kept changing the same objects; nothing was started. Try again".to_owned()))
}

/// Whether an error only says that nothing is free, which other commands may change.
fn is_used_up(error: &RowError) -> bool {
    error.broken.is(Rule::NetworkFull) || error.broken.is(Rule::HostnameMissing)
}

/// The earlier answer to the same file with the same key, if there is one.
async fn already(commands: &CommandService, idempotency: Option<Idempotency>) -> Result<Option<Imported>, CommandError> {
    let Some(Idempotency { key, fingerprint, .. }) = idempotency else { return Ok(None) };
    let found = crate::event_log::answers::find(&commands.views, &key).await.map_err(CommandError::of_database)?;
    match found {
        Some(answered) if answered.fingerprint != fingerprint => Err(CommandError::KeyReused),
        Some(answered) => repeated(answered.position, &answered.answer).map(Some),
        None => Ok(None),
    }
}

/// The answer to a repeated import. Its rows are its deployments, which the caller reads by the import's id.
fn repeated(position: i64, answer: &str) -> Result<Imported, CommandError> {
    let receipt = context::receipt(position, answer);
    let import = receipt.id.parse().map_err(|error| CommandError::Internal(anyhow::Error::new(error)))?;
    Ok(Imported::Started { import, receipt, rows: vec![] })
}
