//! Events as sentences, one on each line, as on the timeline.

use super::time::moment;
use crate::wording::timeline::sentence;
use bootledger_projections::rows::timeline::Line;
use maud::{Markup, html};

/// Lines of the timeline. Each has a permanent link: `#event-POSITION` here, and a page of its own.
pub(crate) fn lines(lines: &[Line]) -> Markup {
    html! {
        ol.timeline {
            @for line in lines {
                li id=(format!("event-{}", line.position)) {
                    a href=(format!("/timeline/{}", line.position)) { (moment(line.recorded_at)) }
                    span { (sentence(line)) }
                    small {
                        (line.actor) " · " (line.event_type) " · event " (line.position)
                        " · " a href=(same_request(line)) { "same request" }
                    }
                }
            }
        }
    }
}

/// The path of the timeline with the events of the same request.
pub(crate) fn same_request(line: &Line) -> String {
    let id: String = form_urlencoded::byte_serialize(line.correlation_id.as_bytes()).collect();
    format!("/timeline?correlation={id}")
}
