//! Drafts: an aggregate, folded from its stream, with the events that a command adds to it.
//!
//! `CqrsFramework` changes one aggregate for each command, and uses one draft (`store.rs`). A cancelled deployment with the
//! entries that it removes, a plugin's effect with its outcome, and the rows of an import change several aggregates. Their
//! events are drafted one aggregate at a time and appended as one batch.

use super::append::{NewEvent, Rejection};
use super::writer::EventLog;
use bootledger_aggregates::event::Claiming;
use bootledger_aggregates::rules::Refused;
use cqrs_es::{Aggregate, DomainEvent};

/// An aggregate with the events that were drafted so far.
#[derive(Debug)]
pub struct Draft<A: Aggregate> {
    id: String,
    aggregate: A,
    sequence: i64,
    /// How many drafted events were taken.
    taken: i64,
    events: Vec<A::Event>,
}

impl<A: Aggregate> Draft<A> {
    /// The draft of an aggregate that has no events yet.
    pub fn fresh(id: impl Into<String>) -> Self {
        Self { id: id.into(), aggregate: A::default(), sequence: 0, taken: 0, events: vec![] }
    }

    /// The draft of an aggregate, loaded from the log.
    ///
    /// # Errors
    /// Returns [`Rejection::Unavailable`] or [`Rejection::Impeded`] if the events cannot be read, and [`Rejection::Defect`] if
    /// the database rejects the query or an event cannot be parsed.
    pub async fn load(log: &EventLog, id: impl Into<String>) -> Result<Self, Rejection> {
        let mut draft = Self::fresh(id);
        let unreadable = |error: &dyn std::fmt::Display| Rejection::Defect(format!("{} {}: {error}", A::TYPE, draft.id));
        let stored = log.streams.read(A::TYPE, &draft.id).await?;
        let mut events = Vec::with_capacity(stored.len());
        for event in stored {
            draft.sequence = event.sequence;
            events.push(event.read::<A::Event>().map_err(|error| unreadable(&error))?);
        }
        for event in events {
            draft.aggregate.apply(event);
        }
        Ok(draft)
    }

    /// The aggregate after all drafted events.
    pub fn aggregate(&self) -> &A {
        &self.aggregate
    }

    /// The aggregate, for `CqrsFramework`, which applies the events of a command to it.
    pub(super) fn aggregate_mut(&mut self) -> &mut A {
        &mut self.aggregate
    }

    /// Drafts events that the aggregate has decided and applied already.
    pub(super) fn decided(&mut self, events: Vec<A::Event>) {
        self.events.extend(events);
    }

    /// The sequence number of the last event in the log, 0 for none.
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// The events that were drafted since events were last taken.
    pub fn drafted(&self) -> &[A::Event] {
        &self.events
    }

    /// Whether no events were drafted since events were last taken.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Drafts the events that a rule of the aggregate returns.
    ///
    /// # Errors
    /// Returns the refusal of the rule, with the aggregate's key where it says that the aggregate does not exist. The draft is
    /// then unchanged.
    pub fn decide(&mut self, rule: impl FnOnce(&A) -> Result<Vec<A::Event>, Refused>) -> Result<(), Refused> {
        for event in rule(&self.aggregate).map_err(|refused| refused.of_object(&self.id))? {
            self.aggregate.apply(event.clone());
            self.events.push(event);
        }
        Ok(())
    }
}

impl<A: Aggregate<Event: Claiming>> Draft<A> {
    /// The drafted events, in the form in which they are appended.
    ///
    /// # Errors
    /// Returns [`Rejection::Defect`] if an event cannot be written as JSON, or if the aggregate's key is malformed.
    pub fn into_events(mut self, metadata: &str) -> Result<Vec<NewEvent>, Rejection> {
        self.take_events(metadata)
    }

    /// Takes the events that were drafted since the last call. More can be drafted after them.
    ///
    /// # Errors
    /// Returns [`Rejection::Defect`] if an event cannot be written as JSON, or if the aggregate's key is malformed.
    pub fn take_events(&mut self, metadata: &str) -> Result<Vec<NewEvent>, Rejection> {
        let defect = |error: &dyn std::fmt::Display| Rejection::Defect(error.to_string());
        let mut events = Vec::with_capacity(self.events.len());
        for event in self.events.drain(..) {
            self.taken += 1;
            // The event is converted through `Value`, as in cqrs-es, so that an event always has the same JSON text.
            let payload = serde_json::to_value(&event).map_err(|error| defect(&error))?.to_string();
            let claims = event.claims_of(&self.id).map_err(|error| defect(&error))?;
            events.push(NewEvent {
                aggregate_type: A::TYPE.to_owned(),
                aggregate_id: self.id.clone(),
                sequence: self.sequence + self.taken,
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload,
                metadata: metadata.to_owned(),
                claims,
            });
        }
        Ok(events)
    }
}
