//! The log as an event store of cqrs-es, for one command.
//!
//! `CqrsFramework` calls `load_aggregate`, then `handle` of the aggregate, then `commit`. Both methods are those of a [`Draft`],
//! so a command of one aggregate and a command of several aggregates load, fold and append in the same way. Each command gets a
//! new store, which passes the command's preconditions and idempotency key in, and the position of the appended events out.
//! cqrs-es has no place for these.

use super::append::{Appended, Batch, Idempotency, Precondition, Rejection, metadata_text};
use super::draft::Draft;
use super::writer::EventLog;
use bootledger_aggregates::event::Claiming;
use bootledger_aggregates::rules::Refused;
use bootledger_aggregates::upcast::upcast;
use cqrs_es::persist::{PersistedEventRepository, SerializedEvent};
use cqrs_es::{Aggregate, AggregateContext, AggregateError, EventEnvelope, EventStore};
use postgres_es::PostgresEventRepository;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// What a command needs to append its events.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The conditions that must hold at the append.
    pub preconditions: Vec<Precondition>,
    /// The aggregate's id was just created, so it has no events to read.
    pub fresh: bool,
}

/// The event store of one command.
pub struct CommandStore {
    log: EventLog,
    terms: Terms,
    idempotency: Option<Idempotency>,
    appended: Arc<OnceLock<Appended>>,
}

impl CommandStore {
    /// A store with these terms, and the place where the result will be stored. `idempotency` is how a repeated request is
    /// recognised.
    pub fn new(log: EventLog, terms: Terms, idempotency: Option<Idempotency>) -> (Self, Arc<OnceLock<Appended>>) {
        let appended = Arc::new(OnceLock::new());
        (Self { log, terms, idempotency, appended: appended.clone() }, appended)
    }
}

impl<A: Aggregate> AggregateContext<A> for Draft<A> {
    fn aggregate(&mut self) -> &mut A {
        self.aggregate_mut()
    }
}

impl<A: Aggregate<Event: Claiming, Error = Refused>> EventStore<A> for CommandStore {
    type AC = Draft<A>;

    /// The trait requires this method, and `CqrsFramework` does not call it. It reads the stream with postgres-es, so a test and
    /// a bench compare [`Draft::load`] with the library.
    async fn load_events(&self, aggregate_id: &str) -> Result<Vec<EventEnvelope<A>>, AggregateError<Refused>> {
        let repository = PostgresEventRepository::new(self.log.pool().plain());
        let stored = repository.get_events::<A>(aggregate_id).await?;
        let today = |event: SerializedEvent| {
            let payload = upcast(&event.event_type, &event.event_version, event.payload);
            EventEnvelope::<A>::try_from(SerializedEvent { payload, ..event })
        };
        Ok(stored.into_iter().map(today).collect::<Result<_, _>>()?)
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<Draft<A>, AggregateError<Refused>> {
        if self.terms.fresh {
            return Ok(Draft::fresh(aggregate_id));
        }
        Draft::load(&self.log, aggregate_id).await.map_err(failed)
    }

    /// Appends the events of a command. cqrs-es would pass the returned events to its queries; there are none, because the
    /// projector reads the log.
    async fn commit(
        &self,
        events: Vec<A::Event>,
        mut draft: Draft<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<Refused>> {
        draft.decided(events);
        let events = draft.into_events(&metadata_text(&metadata)).map_err(failed)?;
        let (preconditions, idempotency) = (self.terms.preconditions.clone(), self.idempotency.clone());
        let appended = self.log.append(Batch { events, preconditions, idempotency }).await.map_err(failed)?;
        drop(self.appended.set(appended));
        Ok(vec![])
    }
}

fn failed(rejection: Rejection) -> AggregateError<Refused> {
    match rejection {
        Rejection::Conflict { .. } => AggregateError::AggregateConflict,
        other => AggregateError::UnexpectedError(Box::new(other)),
    }
}
