//! The log as cqrs-es wants it: a repository of streams, for one command.
//!
//! Streams are read together with those of other commands; what is seldom asked, postgres-es reads; `persist` goes through the group writer. A new handle is made for
//! each command, since it carries the command's preconditions and idempotency key in, and the
//! position of what was appended out, which cqrs-es has no place for.

use super::append::{Appended, Batch, Idempotency, NewEvent, Precondition, Rejection};
use super::writer::EventLog;
use bootledger_aggregates::event::Event;
use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// What a command brings beside its events.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// What must still hold.
    pub preconditions: Vec<Precondition>,
    /// How a repeat is recognised.
    pub idempotency: Option<Idempotency>,
    /// The aggregate's id was just made, so it has no events to read.
    pub fresh: bool,
    /// Nothing is appended; the answer is as if it were, at the end of the log as it is known.
    pub dry: bool,
}

/// The repository of one command.
pub struct CommandRepository {
    log: EventLog,
    terms: Terms,
    appended: Arc<OnceLock<Appended>>,
}

impl CommandRepository {
    /// A repository on these terms, and where the outcome will be found.
    pub fn new(log: EventLog, terms: Terms) -> (Self, Arc<OnceLock<Appended>>) {
        let appended = Arc::new(OnceLock::new());
        (Self { log, terms, appended: appended.clone() }, appended)
    }
}

impl PersistedEventRepository for CommandRepository {
    async fn get_events<A: Aggregate>(&self, aggregate_id: &str) -> Result<Vec<SerializedEvent>, PersistenceError> {
        if self.terms.fresh {
            return Ok(vec![]);
        }
        self.log.streams.read(A::TYPE, aggregate_id).await.map_err(|error| PersistenceError::UnknownError(Box::new(error)))
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
        last: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.log.repository.get_last_events::<A>(aggregate_id, last).await
    }

    /// There are no snapshots: our streams are short, and those of cqrs-es 0.5 apply events twice.
    async fn get_snapshot<A: Aggregate>(&self, _: &str) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        events: &[SerializedEvent],
        _: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        let events = events.iter().map(new_event).collect::<Result<_, _>>()?;
        if self.terms.dry {
            drop(self.appended.set(Appended::At(0)));
            return Ok(());
        }
        let batch =
            Batch { events, preconditions: self.terms.preconditions.clone(), idempotency: self.terms.idempotency.clone() };
        match self.log.append(batch).await {
            Ok(appended) => {
                drop(self.appended.set(appended));
                Ok(())
            }
            Err(Rejection::Conflict { .. }) => Err(PersistenceError::OptimisticLockError),
            Err(rejection) => Err(PersistenceError::UnknownError(Box::new(rejection))),
        }
    }

    async fn stream_events<A: Aggregate>(&self, aggregate_id: &str) -> Result<ReplayStream, PersistenceError> {
        self.log.repository.stream_events::<A>(aggregate_id).await
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        self.log.repository.stream_all_events::<A>().await
    }
}

fn new_event(event: &SerializedEvent) -> Result<NewEvent, PersistenceError> {
    let payload = serde_json::to_string(&event.payload)?;
    let unreadable = |error| PersistenceError::DeserializationError(Box::new(error));
    let claims = Event::read(&event.aggregate_type, &event.aggregate_id, &payload).map_err(unreadable)?.claims();
    Ok(NewEvent {
        aggregate_type: event.aggregate_type.clone(),
        aggregate_id: event.aggregate_id.clone(),
        sequence: i64::try_from(event.sequence).unwrap_or(i64::MAX),
        event_type: event.event_type.clone(),
        event_version: event.event_version.clone(),
        payload,
        metadata: serde_json::to_string(&event.metadata)?,
        claims,
    })
}
