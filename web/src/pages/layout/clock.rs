//! The clock in the header of every page: which moment the page shows, and the ways to another one.

use super::PageContext;
use crate::pages::components::icon::icon;
use crate::pages::components::moment::{self, Entered};
use crate::pages::components::time::words;
use bootledger_projections::rows::at::At;
use maud::{Markup, html};

/// What the clock of a page offers besides a choice of the moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// The aggregate that the page shows: type and key.
    pub(super) object: Option<(&'static str, String)>,
    /// The position of the object's last change before the moment.
    pub(super) previous: Option<i64>,
    /// The position of the object's first change after the moment.
    pub(super) next: Option<i64>,
    /// The last position that the views show; 0 on pages of the present.
    pub(super) last: i64,
}

/// The path that compares an object at two moments.
fn compare((aggregate_type, id): &(&'static str, String), from: i64, to: i64) -> String {
    let object = format!("{aggregate_type}/{id}");
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("object", &object).append_pair("from", &from.to_string()).append_pair("to", &to.to_string());
    format!("/compare?{}", query.finish())
}

/// The page that explains moments, and leads back to a path.
fn about(path: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", path).finish();
    format!("{}?{query}", moment::PATH)
}

/// The clock of a page that shows a position.
pub(super) fn clock(page_context: &PageContext, position: i64, at: At) -> Markup {
    let Clock { object, previous, next, last } = &page_context.clock;
    let is_now = at == At::Now && page_context.unresolved.is_none();
    let shown = page_context.past.or(page_context.unresolved).map(|time| time.to_string()).unwrap_or_default();
    let entered = Entered { time: shown.get(..19).unwrap_or_default(), ..Entered::default() };
    html! {
        details.clock {
            summary {
                (icon("clock-history"))
                span.visually-hidden { "Moment that this page shows: " }
                @if let Some(time) = page_context.unresolved { "As of " (words(time)) }
                @else if is_now { "Now" } @else { "As of " (position) }
            }
            div.clock-panel {
                (moment::form("clock", &page_context.as_of(None), &entered, page_context.now))
                @if let Some(object) = object {
                    ul.clock-steps {
                        @if let Some(previous) = previous {
                            li { a href=(page_context.as_of(Some(*previous))) data-now="" {
                                @if is_now { "Last change of this object" } @else { "Previous change of this object" } " (event " (previous) ")"
                            } }
                            @if is_now { li { a href=(compare(object, previous - 1, position)) { "Compare before and after the last change" } } }
                        } @else if !is_now { li.quiet { "No earlier change of this object" } }
                        @if let Some(next) = next { li { a href=(page_context.as_of(Some(*next))) data-now="" { "Next change of this object (event " (next) ")" } } }
                        @if !is_now {
                            @if next.is_none() { li.quiet { "No later change of this object" } }
                            li { a href=(compare(object, position, *last)) { "Compare with the present" } }
                        }
                    }
                }
                div.clock-more {
                    @if !is_now { a href=(page_context.as_of(None)) data-now="" { "Return to the present" } }
                    a href=(about(&page_context.as_of(None))) { "About moments" }
                }
            }
        }
    }
}
