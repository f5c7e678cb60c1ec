//! Runs one command through cqrs-es, or appends the drafts of several aggregates together, and converts the result into the
//! caller's answer.

use super::context::{idempotency, metadata, metadata_text, receipt};
use super::{CATCH_UP, Ledger};
use crate::store::append::{Appended, Batch, NewEvent, Precondition, Rejection};
use crate::store::repository::{CommandRepository, Terms};
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::deployment::start::held_claim;
use bootledger_aggregates::rules::{BrokenRule, Refused};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::pool::is_closed;
use bootledger_web::commands::{CommandError, Context, Receipt};
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateError, CqrsFramework};

/// Why one attempt of a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The state on which the decision was based has changed. Look up the facts and decide again.
    Conflict,
    /// Validation failed: a rule refused the command.
    Refused(Refused),
    /// Another aggregate holds a value that the events claim. The rules did not know that when they decided.
    Claimed(Claim, String),
    /// A query on the views used a connection that the database had closed. Nothing was appended; look up the facts again.
    Closed(CommandError),
    /// Any other failure. An immediate retry does not help.
    Other(CommandError),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<bootledger_projections::error::Error> for Failure {
    fn from(error: bootledger_projections::error::Error) -> Self {
        match error {
            bootledger_projections::error::Error::Database(error) if is_closed(&error) => {
                Self::Closed(CommandError::of_database(error))
            }
            other => Self::Other(CommandError::of_database(other)),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Other(CommandError::of_database(error))
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Conflict { .. } => Self::Conflict,
            Rejection::Claimed { claim, holder } => Self::Claimed(claim, holder),
            Rejection::KeyReused => Self::Other(CommandError::KeyReused),
            Rejection::Unavailable(message) => Self::Other(CommandError::Unavailable(anyhow::anyhow!(message))),
            Rejection::Impeded(impediment) => Self::Other(CommandError::of_database(impediment)),
            Rejection::Defect(message) => Self::Other(CommandError::Internal(anyhow::anyhow!(message))),
        }
    }
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict => Self::Conflict("somebody else changed the same thing; try again".to_owned()),
            // A problem of the whole request that says "unknown" refers to the resource in the URL.
            Failure::Refused(Refused(broken)) => match &broken[..] {
                [only] if only.field.is_empty() && only.rule.ends_with("_unknown") => Self::NotFound(only.message.clone()),
                _ => Self::Refused(broken),
            },
            Failure::Claimed(claim, holder) => Self::Refused(vec![claimed(&claim, &holder)]),
            Failure::Closed(error) | Failure::Other(error) => error,
        }
    }
}

/// The validation problem for a value that another aggregate has claimed first, in the same form as the rules would give it.
pub(super) fn claimed(claim: &Claim, holder: &str) -> BrokenRule {
    let device = if let Claim::Deployment(device) = claim { *device } else { DeviceId::default() };
    let known = holder.parse::<Holder>().ok().and_then(|holder| held_claim(claim, holder, device));
    let (kind, value) = claim.parts();
    known.unwrap_or_else(|| {
        BrokenRule::new(kind, &format!("{kind}_claimed"), format!("{value} is held by {holder}")).held_by(holder)
    })
}

impl Ledger {
    /// Runs a command of one aggregate.
    pub(crate) async fn run<A>(
        &self,
        id: impl ToString,
        command: A::Command,
        mut terms: Terms,
        context: &Context,
    ) -> Result<Receipt, Failure>
    where
        A: Aggregate<Error = Refused, Services = ()>,
    {
        let id = id.to_string();
        terms.idempotency = idempotency(context, &id);
        terms.dry = self.dry;
        let (repository, appended) = CommandRepository::new(self.log.clone(), terms);
        let cqrs = CqrsFramework::<A, _>::new(PersistedEventStore::new_event_store(repository), vec![], ());
        cqrs.execute_with_metadata(&id, command, metadata(context)).await.map_err(failure)?;
        match appended.get() {
            Some(Appended::At(position)) => Ok(Receipt { position: *position, id }),
            Some(Appended::Repeated { position, answer }) => Ok(receipt(*position, answer)),
            None => Err(Failure::Other(CommandError::Internal(anyhow::anyhow!("the log gave no position")))),
        }
    }

    /// Appends the events of several aggregates in one batch.
    pub(crate) async fn append(
        &self,
        id: impl ToString,
        events: Vec<NewEvent>,
        preconditions: Vec<Precondition>,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let id = id.to_string();
        if self.dry {
            return Ok(Receipt { position: 0, id });
        }
        let batch = Batch { events, preconditions, idempotency: idempotency(context, &id) };
        match self.log.append(batch).await? {
            Appended::At(position) => {
                self.feed.saw_appended(position);
                Ok(Receipt { position, id })
            }
            Appended::Repeated { position, answer } => Ok(receipt(position, &answer)),
        }
    }

    /// The metadata of drafts, as text.
    pub(crate) fn metadata(context: &Context) -> String {
        metadata_text(context)
    }

    /// Waits until the views show the current end of the log, because facts from the views were outdated.
    pub(crate) async fn catch_up(&self) -> Result<(), CommandError> {
        let end = bootledger_projections::log::last_position(&self.views).await.map_err(CommandError::of_database)?;
        self.feed.saw_appended(end);
        if self.feed.wait_for(end, CATCH_UP).await {
            return Ok(());
        }
        Err(CommandError::Unavailable(anyhow::anyhow!(
            "the views are behind the log by more than {} s of work",
            CATCH_UP.as_secs()
        )))
    }
}

fn failure(error: AggregateError<Refused>) -> Failure {
    match error {
        AggregateError::UserError(refused) => Failure::Refused(refused),
        AggregateError::AggregateConflict => Failure::Conflict,
        AggregateError::DatabaseConnectionError(error) => Failure::Other(boxed(error)),
        AggregateError::UnexpectedError(error) => match error.downcast::<Rejection>() {
            Ok(rejection) => Failure::from(*rejection),
            // A failed read. postgres-es returns every error of the database this way.
            Err(error) if error.is::<sqlx::Error>() => Failure::Other(boxed(error)),
            Err(error) => Failure::Other(CommandError::Internal(anyhow::anyhow!(error))),
        },
        AggregateError::DeserializationError(error) => Failure::Other(CommandError::Internal(anyhow::anyhow!(error))),
    }
}

/// Unboxes an error of the database. Inside the box, its cause could not be found.
fn boxed(error: Box<dyn std::error::Error + Send + Sync>) -> CommandError {
    match error.downcast::<sqlx::Error>() {
        Ok(error) => CommandError::of_database(*error),
        Err(error) => CommandError::Unavailable(anyhow::anyhow!(error)),
    }
}
