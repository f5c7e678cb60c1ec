//! Finds what events after a position have begun to use, for changes of the catalogue that were decided at that position.

use super::super::append::Batch;
use bootledger_aggregates::event::Event;
use bootledger_aggregates::placement::{ChangeScope, Use};

/// The maximum number of events that are read. A change whose views are further behind is decided again with newer views.
pub(super) const MOST: i64 = 10_000;

/// A stored event, without the columns that only readers need.
pub(super) struct Stored {
    pub(super) position: i64,
    pub(super) aggregate_type: String,
    pub(super) aggregate_id: String,
    pub(super) payload: String,
}

/// What has come into use, by position.
#[derive(Debug, Default)]
pub(super) struct Used {
    uses: Vec<(i64, Use)>,
    /// Whether there are more events than were read, or one that cannot be parsed.
    uncertain: bool,
}

impl Used {
    /// What these events use; more than [`MOST`] mean that there may be others.
    pub(super) fn of(rows: Vec<Stored>) -> Self {
        let mut used = Self { uses: vec![], uncertain: i64::try_from(rows.len()).is_ok_and(|count| count > MOST) };
        for row in rows {
            used.note(row.position, &row.aggregate_type, &row.aggregate_id, &row.payload);
        }
        used
    }

    fn note(&mut self, position: i64, aggregate_type: &str, aggregate_id: &str, payload: &str) {
        match Event::read(aggregate_type, aggregate_id, payload) {
            Ok(event) => self.uses.extend(event.uses().into_iter().map(|one| (position, one))),
            Err(_) => self.uncertain = true,
        }
    }

    /// Adds an earlier batch of the same group.
    pub(super) fn add(&mut self, batch: &Batch, position: i64) {
        for event in &batch.events {
            self.note(position, &event.aggregate_type, &event.aggregate_id, &event.payload);
        }
    }

    /// Whether anything after a position is within this scope.
    pub(super) fn concerns(&self, after: i64, scope: &ChangeScope) -> bool {
        self.uncertain || self.uses.iter().any(|(position, one)| *position > after && scope.concerns(one))
    }
}
