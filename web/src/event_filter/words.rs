//! Free text: an event matches if its sentence, its names or its stored values contain all words.
//!
//! Sentences are written when they are shown, so no index has them. A search reads a limited number of events, and reports how
//! many, and where to continue.

use super::Resolved;
use crate::http::error::Error;
use crate::wording::timeline::sentence;
use crate::wording::{actors, events};
use bootledger_projections::database::pool::Connection;
use bootledger_projections::rows::timeline::{self, Filter, Line, Order};

/// How many events one search reads.
pub(crate) const WINDOW: usize = 5_000;
/// How many events are in memory at a time.
const BATCH: i64 = 500;

/// The words to search for, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words(Vec<String>);

/// How far a search came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Searched {
    /// How many events it read.
    pub(crate) events: usize,
    /// Whether it read all events that match the other filters.
    pub(crate) all: bool,
}

/// Lines that match.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    /// The lines, each with its event's payload, as the reader may see them.
    pub(crate) lines: Vec<(Line, String)>,
    /// The position to continue from, if there may be more.
    pub(crate) next: Option<i64>,
    /// How far the search for words came, if there are words.
    pub(crate) searched: Option<Searched>,
}

impl Words {
    /// The words of a text.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.split_whitespace().take(20).map(str::to_lowercase).collect())
    }

    /// Whether there are none, so that every line matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a line contains all words.
    pub(crate) fn match_line(&self, line: &Line, payload: &str) -> bool {
        if self.is_empty() {
            return true;
        }
        let parts = [
            &sentence(line),
            &line.event_type,
            &events::label(&line.event_type),
            &line.actor,
            actors::actor(&line.actor),
            &line.aggregate_id,
            line.subject.as_deref().unwrap_or_default(),
            line.parent.as_deref().unwrap_or_default(),
            payload,
        ];
        let text = parts.join("\n").to_lowercase();
        self.0.iter().all(|word| text.contains(word.as_str()))
    }
}

/// Up to `limit` lines that match, and where to continue. Reads at most [`WINDOW`] events if there are words.
pub(crate) async fn find(connection: &mut Connection, resolved: &Resolved, order: Order, limit: usize) -> Result<Matches, Error> {
    if resolved.words.is_empty() {
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut lines = timeline::list_with_payloads(connection, &resolved.filter, order, wanted).await?;
        let more = lines.len() > limit;
        lines.truncate(limit);
        let next = lines.last().filter(|_| more).map(|(line, _)| line.position);
        let lines = lines.into_iter().map(|event| resolved.reader.event(event)).collect();
        return Ok(Matches { lines, next, searched: None });
    }
    let (mut filter, mut lines, mut events) = (resolved.filter.clone(), vec![], 0);
    while events < WINDOW {
        let read = timeline::list_with_payloads(connection, &filter, order, BATCH).await?;
        let ended = i64::try_from(read.len()).is_ok_and(|count| count < BATCH);
        for (line, payload) in read.into_iter().map(|event| resolved.reader.event(event)) {
            let position = line.position;
            events += 1;
            move_on(&mut filter, order, position);
            if resolved.words.match_line(&line, &payload) {
                lines.push((line, payload));
            }
            if lines.len() == limit {
                return Ok(Matches { lines, next: Some(position), searched: Some(Searched { events, all: false }) });
            }
        }
        if ended {
            return Ok(Matches { lines, next: None, searched: Some(Searched { events, all: true }) });
        }
    }
    let next = match order {
        Order::NewestFirst => filter.before,
        Order::OldestFirst => filter.after,
    };
    Ok(Matches { lines, next, searched: Some(Searched { events, all: false }) })
}

/// Continues a filter behind a position.
pub(crate) fn move_on(filter: &mut Filter, order: Order, position: i64) {
    match order {
        Order::NewestFirst => filter.before = Some(position),
        Order::OldestFirst => filter.after = Some(position),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::event::Event;
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_projections::rows::holders::HolderNames;

    #[test]
    fn all_words_must_be_in_the_sentence_or_in_the_stored_values() {
        let payload = r#"{"type":"NetworkRetired"}"#;
        let line = Line {
            position: 7,
            sequence: 2,
            recorded_at: Timestamp::default(),
            aggregate_type: "network".to_owned(),
            aggregate_id: "prod".to_owned(),
            event_type: "NetworkRetired".to_owned(),
            actor: "command_line".to_owned(),
            correlation_id: "a".to_owned(),
            device: None,
            deployment: None,
            event: Event::read("network", "prod", payload).ok(),
            subject: None,
            parent: None,
            holders: HolderNames::default(),
            states: None,
        };
        for text in ["", "PROD retired", "administrator network", "networkretired", "network retired"] {
            assert!(Words::of(text).match_line(&line, payload), "{text}");
        }
        assert!(!Words::of("prod created").match_line(&line, payload));
    }
}
