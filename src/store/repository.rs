//! The log as a repository of cqrs-es: the streams, for one command.
//!
//! Streams are read together with those of other commands; rarely used queries go through postgres-es; `persist` goes through
//! the group writer. Each command gets a new handle, which passes the command's preconditions and idempotency key in, and the
//! position of the appended events out. cqrs-es has no place for these.

use super::append::{Appended, Batch, Idempotency, NewEvent, Precondition, Rejection};
use super::writer::EventLog;
use bootledger_aggregates::event::Event;
use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// What a command needs to append its events.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The conditions that must hold at the append.
    pub preconditions: Vec<Precondition>,
    /// How a repeated request is recognised.
    pub idempotency: Option<Idempotency>,
    /// The aggregate's id was just created, so it has no events to read.
    pub fresh: bool,
    /// Nothing is appended; the answer is as if it had been, at the known end of the log.
    pub dry: bool,
}

/// The repository of one command.
pub struct CommandRepository {
    log: EventLog,
    terms: Terms,
    appended: Arc<OnceLock<Appended>>,
}

impl CommandRepository {
    /// A repository with these terms, and the place where the result will be stored.
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

    /// There are no snapshots: the streams are short, and cqrs-es 0.5 applies events twice with snapshots.
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
