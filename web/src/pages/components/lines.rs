//! Events as sentences, one on each line, as on the timeline.

use super::time::moment;
use crate::english::counted;
use crate::wording::fields::{Difference, changed};
use crate::wording::timeline::sentence;
use bootledger_projections::rows::timeline::{Line, States};
use maud::{Markup, html};

/// Lines of the timeline. Each has a permanent link: `#event-POSITION` here, and a page of its own.
pub(crate) fn lines(lines: &[Line]) -> Markup {
    html! {
        ol.timeline {
            @for line in lines {
                li id=(format!("event-{}", line.position)) {
                    a href=(format!("/timeline/{}", line.position)) { (moment(line.recorded_at)) }
                    span { (sentence(line)) }
                    (changes(line))
                    small {
                        (line.actor) " · " (line.event_type) " · event " (line.position)
                        " · " a href=(same_request(line)) { "same request" }
                    }
                }
            }
        }
    }
}

/// How many changes are shown at once; the others are shown on request.
const SHOWN: usize = 6;

/// What an edit changed: each field with its old and new value; nothing for an event whose sentence says everything.
pub(crate) fn changes(line: &Line) -> Markup {
    let Some(States { before, after }) = &line.states else { return html! {} };
    let changes = changed(&line.aggregate_type, before, after);
    let (first, more) = changes.split_at(changes.len().min(SHOWN));
    html! {
        (list_of(first))
        @if !more.is_empty() { details { summary { (counted(more.len(), "more change", "more changes")) } (list_of(more)) } }
    }
}

fn list_of(changes: &[Difference]) -> Markup {
    html! {
        @if !changes.is_empty() {
            dl.changes { @for change in changes { dt { (change.label) } dd { (old_and_new(change)) } } }
        }
    }
}

/// The old and the new value of a field, with signs, so that the colour is not needed.
pub(crate) fn old_and_new(change: &Difference) -> Markup {
    html! {
        @if let Some(before) = &change.before { del { "\u{2212}\u{a0}" (before) } }
        @if change.before.is_some() && change.after.is_some() { " " }
        @if let Some(after) = &change.after { ins { "+\u{a0}" (after) } }
    }
}

/// The path of the timeline with the events of the same request.
pub(crate) fn same_request(line: &Line) -> String {
    let id: String = form_urlencoded::byte_serialize(line.correlation_id.as_bytes()).collect();
    format!("/timeline?correlation={id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_projections::rows::holders::HolderNames;
    use serde_json::json;

    #[test]
    fn an_edit_shows_the_old_and_the_new_value_of_what_changed() {
        let spec = |gateway: &str| json!({"spec": {"cidr": "10.0.0.0/24", "gateway": gateway}});
        let line = Line {
            position: 7,
            sequence: 2,
            recorded_at: Timestamp::default(),
            aggregate_type: "network".to_owned(),
            aggregate_id: "prod".to_owned(),
            event_type: "NetworkDefined".to_owned(),
            actor: "token ops".to_owned(),
            correlation_id: "c".to_owned(),
            device: None,
            deployment: None,
            event: None,
            subject: None,
            parent: None,
            holders: HolderNames::default(),
            states: Some(States { before: spec("10.0.0.1"), after: spec("<b>") }),
        };
        let html = changes(&line).into_string();
        assert_eq!(
            (html.matches("<dt>").count(), html.matches("<del>").count(), html.matches("<ins>").count()),
            (1, 1, 1),
            "{html}"
        );
        assert!(html.contains("10.0.0.1</del>") && html.contains("&lt;b&gt;</ins>") && !html.contains("10.0.0.0/24"), "{html}");
        let unchanged = Line { states: Some(States { before: spec("a"), after: spec("a") }), ..line.clone() };
        assert!(changes(&unchanged).into_string().is_empty());
        assert!(changes(&Line { states: None, ..line }).into_string().is_empty());
    }
}
