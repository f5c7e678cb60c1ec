//! Runs a command of one aggregate through cqrs-es, or appends the drafts of several aggregates together, and converts the
//! result into the caller's answer.

use super::context::{idempotency, metadata, receipt};
use super::{CATCH_UP, CommandService};
use crate::event_log::append::{Appended, Batch, NewEvent, Precondition, Rejection};
use crate::event_log::store::{CommandStore, Terms};
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::deployment::start::held_claim;
use bootledger_aggregates::event::Claiming;
use bootledger_aggregates::rules::{BrokenRule, Refused};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_port::{CommandError, Context, Receipt};
use bootledger_projections::database::pool::is_closed;
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
            Failure::Conflict => Self::Conflict("another request changed the same object; try again".to_owned()),
            Failure::Refused(Refused(broken)) => match &broken[..] {
                [only] if only.is_not_found() => Self::NotFound(only.message.clone()),
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
        let before = format!("{value} is held by ");
        BrokenRule::naming(kind, claim.rule(), before, holder, "; choose another value").about(value)
    })
}

impl CommandService {
    /// Runs a command of one aggregate.
    pub(crate) async fn run<A>(
        &self,
        id: impl ToString,
        command: A::Command,
        terms: Terms,
        context: &Context,
    ) -> Result<Receipt, Failure>
    where
        A: Aggregate<Event: Claiming, Error = Refused, Services = ()>,
    {
        let id = id.to_string();
        let (store, appended) = CommandStore::new(self.log.clone(), terms, idempotency(context, &id));
        let cqrs = CqrsFramework::<A, _>::new(store, vec![], ());
        cqrs.execute_with_metadata(&id, command, metadata(context)).await.map_err(|error| failure(error, &id))?;
        let appended = appended.get().cloned();
        let appended = appended.ok_or_else(|| internal(anyhow::anyhow!("the log gave no position")))?;
        Ok(answer(appended, id))
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
        let batch = Batch { events, preconditions, idempotency: idempotency(context, &id) };
        Ok(answer(self.log.append(batch).await?, id))
    }

    /// Waits until the views show the current end of the log, because facts from the views were outdated.
    pub(crate) async fn catch_up(&self) -> Result<(), CommandError> {
        let end = bootledger_projections::database::log::last_position(&self.views).await.map_err(CommandError::of_database)?;
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

/// The answer to a command that was appended: its own, or the earlier one to the same request.
fn answer(appended: Appended, id: String) -> Receipt {
    match appended {
        Appended::At(position) => Receipt { position, id, repeated: false },
        Appended::Repeated { position, answer } => receipt(position, &answer),
    }
}

/// The failure of a command of the aggregate with this key.
fn failure(error: AggregateError<Refused>, id: &str) -> Failure {
    match error {
        AggregateError::UserError(refused) => Failure::Refused(refused.of_object(id)),
        AggregateError::AggregateConflict => Failure::Conflict,
        // The store returns every other failure of the log as a rejection.
        AggregateError::UnexpectedError(error) => match error.downcast::<Rejection>() {
            Ok(rejection) => Failure::from(*rejection),
            Err(error) => internal(anyhow::anyhow!(error)),
        },
        AggregateError::DatabaseConnectionError(error) | AggregateError::DeserializationError(error) => {
            internal(anyhow::anyhow!(error))
        }
    }
}

fn internal(error: anyhow::Error) -> Failure {
    Failure::Other(CommandError::Internal(error))
}
