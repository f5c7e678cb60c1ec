//! Finds what events after a position have begun to use, for changes of the catalogue that were decided at that position.

use super::super::append::Batch;
use super::sql;
use bootledger_aggregates::event::Event;
use bootledger_aggregates::placement::{Scope, Use};
use sqlx::postgres::PgConnection;

/// The maximum number of events that are read. A change whose views are further behind is decided again with newer views.
const MOST: i64 = 10_000;

/// What has come into use, by position.
#[derive(Debug, Default)]
pub(super) struct Used {
    uses: Vec<(i64, Use)>,
    /// Whether there are more events than were read, or one that cannot be parsed.
    uncertain: bool,
}

impl Used {
    /// What the events of these types after a position use.
    pub(super) async fn read(connection: &mut PgConnection, after: i64, types: &[&str]) -> Result<Self, sqlx::Error> {
        let rows = sql::events_after(connection, after, types, MOST + 1).await?;
        let mut used = Self { uses: vec![], uncertain: i64::try_from(rows.len()).is_ok_and(|count| count > MOST) };
        for row in rows {
            used.note(row.position, &row.aggregate_type, &row.aggregate_id, &row.payload);
        }
        Ok(used)
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
    pub(super) fn concerns(&self, after: i64, scope: &Scope) -> bool {
        self.uncertain || self.uses.iter().any(|(position, one)| *position > after && scope.concerns(one))
    }
}
