//! The history of a catalogue entry, as sentences, the newest first.

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::block;
use crate::pages::components::lines::lines;
use bootledger_projections::rows::timeline::{self, Filter, Line, Order};
use maud::{Markup, html};

/// How many sentences a page shows; the timeline has all.
const SHOWN: u8 = 25;

/// The latest events of an entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    lines: Vec<Line>,
    /// The path of the entry's timeline.
    path: String,
    /// Whether there are older events.
    older: bool,
}

impl History {
    /// The sentences, the newest first.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The path of the entry's timeline.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether there are more events than sentences.
    pub(crate) fn older(&self) -> bool {
        self.older
    }
}

/// Reads the history of an entry, up to the snapshot's moment.
pub(crate) async fn read(snapshot: &mut Snapshot<'_>, kind: &str, key: &str) -> Result<History, Error> {
    let filter = Filter {
        aggregate_type: Some(kind.to_owned()),
        aggregate_id: Some(key.to_owned()),
        before: Some(snapshot.position + 1),
        ..Filter::default()
    };
    let mut lines = timeline::list(snapshot.connection(), &filter, Order::NewestFirst, i64::from(SHOWN) + 1).await?;
    let older = lines.len() > usize::from(SHOWN);
    lines.truncate(SHOWN.into());
    Ok(History { lines, path: format!("/timeline?aggregate={kind}/{key}"), older })
}

/// The card of a history.
pub(crate) fn card(history: &History) -> Markup {
    titled("History", history)
}

/// The card of a history with another title.
pub(crate) fn titled(title: &str, history: &History) -> Markup {
    block::card(
        "history",
        title,
        &html! {
            (lines(&history.lines))
            @if history.older { p { a.button.small href=(history.path) { "All events in the timeline" } } }
            @else { p { a href=(history.path) { "In the timeline" } } }
        },
    )
}
