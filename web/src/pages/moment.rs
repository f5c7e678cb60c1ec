//! The page `/moment`: finds the position of a moment, and leads to a page as of it. The clock in the header of every page is its
//! form; the page itself is shown only if the moment is refused.

use super::form::{local, see_other};
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::pages::components::moment::{self, Entered, Moment};
use crate::pages::layout::{Page, PageContext, Section, with_at};
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::shortened;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log;
use maud::html;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource(moment::PATH).get(show));
}

/// Redirects to the page as of the moment, or shows why it cannot.
async fn show(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let now = page_context.now;
    let (time, event) = (page_context.parameter("time").to_owned(), page_context.parameter("event").to_owned());
    let to = local(page_context.parameter("to")).to_owned();
    let mut snapshot = backend.read_now().await?;
    let mut problems = vec![];
    // The text wins: a browser may have filled in the other field.
    let (field, text) = if event.trim().is_empty() { ("time", time.as_str()) } else { ("event", event.as_str()) };
    if !text.trim().is_empty() {
        match position(&mut snapshot, field, text, now).await? {
            Ok(position) => return Ok(see_other(&with_at(&to, &position.to_string()))),
            Err(problem) => problems.push(problem),
        }
    }
    let entered = Entered { time: &time, event: &event, problems: &problems };
    let content = html! {
        (block::heading(&[], &html! { "Choose a moment" }, &html! {}))
        @if !problems.is_empty() { div role="alert" tabindex="-1" { (block::note(Tone::Bad, &html! { p { "The page cannot be shown as of this moment." } })) } }
        p { "Every page shows the state after an event. A time selects the last event that was recorded by then." }
        section.card { (moment::form("moment", &to, &entered, now)) }
        p { a href=(to) data-now="" { "Back to the present" } }
    };
    let page = Page::new("Choose a moment", Section::Timeline, content);
    let position = snapshot.position;
    drop(snapshot);
    Ok(if problems.is_empty() { page_context.shown(position, page) } else { page_context.refused(position, page) })
}

/// The position of a moment, or why there is none.
async fn position(
    snapshot: &mut Snapshot<'_>,
    field: &str,
    text: &str,
    now: Timestamp,
) -> Result<Result<i64, ProblemError>, Error> {
    let last = snapshot.position;
    let refused = |rule, message: String| Ok(Err(ProblemError::new(field, rule, shortened(message))));
    match moment::read(text) {
        None => refused(
            Rule::AtMalformed,
            format!("{text:?} is neither an event number nor a time. Enter a time such as 2026-01-31T14:03:07Z"),
        ),
        Some(Moment::Event(..0)) => refused(Rule::AtNegative, "Event numbers start at 1. Enter 0 for the time before".to_owned()),
        Some(Moment::Event(number)) if number > last => {
            refused(Rule::AtInFuture, format!("There is no event {number} yet. The last event is {last}"))
        }
        Some(Moment::Event(number)) => Ok(Ok(number)),
        Some(Moment::Time(first, _)) if first > now => {
            refused(Rule::AtInFuture, format!("{first} is in the future. It is {now}. Choose an earlier time"))
        }
        Some(Moment::Time(_, end)) => Ok(Ok(log::position_at(snapshot.connection(), end).await?.min(last))),
    }
}
