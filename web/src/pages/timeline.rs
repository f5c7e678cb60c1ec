//! The page `/timeline`: everything that happened, one sentence for each event, the newest first, filtered by who, what, when
//! and any words.

mod export;
mod filters;
mod proof;

use super::compare::page_of;
use super::live::{self, Region, State, Topic};
use crate::confidential::Reader;
use crate::event_filter::{self, Matches, Resolved, WINDOW, accounts};
use crate::http::access::VERIFY;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::block;
use crate::pages::components::copy;
use crate::pages::components::lines::{changes, lines, same_request};
use crate::pages::components::time::moment;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::at_path;
use crate::pages::list::views::{Known, Views};
use crate::wording::actors;
use crate::wording::timeline::sentence;
use actix_web::web::{ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::user::Role;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::timeline::{self, Filter, Line, Order};
use filters::{FILTERS, Query, Suggestions, without};
use maud::{Markup, html};

/// How many lines a page shows.
const SHOWN: usize = 100;
/// The limit of a query for a whole page: one more than is shown.
const LIMIT: i64 = 101;
/// Matching events are counted up to this number.
const COUNTED: i64 = 10_000;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/timeline").get(index))
        .service(resource("/timeline/export.csv").get(export::csv))
        .service(resource("/timeline/export.jsonl").get(export::json_lines))
        .service(resource("/timeline/proof").get(proof::show))
        .service(resource(VERIFY).post(proof::verify))
        .service(resource("/timeline/live/{since}").get(live))
        .service(resource("/timeline/{position}").get(show));
}

/// Handles the request for the page.
async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (position, now) = (snapshot.position, page_context.now);
    let query: Query = page_context.query()?;
    let first = query.before.is_none();
    let proof = proof::read(&page_context, &mut snapshot).await?;
    let views = Views::load(&page_context, &mut snapshot, "timeline", Known::filters(&FILTERS)).await?;
    let principal = &page_context.caller.principal;
    let suggestions = Suggestions::read(principal, &mut snapshot).await?;
    let entered = query.entered(Reader::of(principal));
    let resolved = event_filter::resolve(&entered, principal, snapshot.connection(), position, now).await?;
    let start = without(&page_context, &["before"]);
    let heading = block::heading(&[], &html! { "Timeline" }, &html! {});
    let introduction = html! {
        p { "All events, newest first. Each event has a number, its position in the log. A plugin is one step of a deployment. Events are never changed or removed: each contains a hash of the one before it, which “Verify” and " code { "bootledger verify" } " check." }
        @if page_context.may(Role::Auditor).is_err() {
            p.quiet { "Only auditors and administrators see the events of users, tokens, sessions and the scopes of secrets." }
        }
        (proof)
    };
    let mut resolved = match resolved {
        Ok(resolved) => resolved,
        Err(unknown) => {
            // The other filters stay, so that correcting one of them does not widen the search.
            let (from, to) = event_filter::range(&entered, now);
            let kept = Resolved { from, to, ..Resolved::default() };
            let content = html! {
                (heading) (introduction)
                (filters::form(&page_context, &suggestions, &kept, &unknown))
                (filters::chips(&page_context))
                (filters::unknown(&page_context, &unknown))
            };
            return page_context.answer(snapshot, Page::new("Timeline", Section::Timeline, content)).await;
        }
    };
    let count = if resolved.words.is_empty() {
        Some(timeline::count(snapshot.connection(), &resolved.filter, COUNTED + 1).await?)
    } else {
        None
    };
    if let Some(before) = query.before {
        resolved.filter.before = Some(resolved.filter.before.unwrap_or(i64::MAX).min(before));
    }
    let found = event_filter::find(snapshot.connection(), &resolved, Order::NewestFirst, SHOWN).await?;
    let next = found.next.map(|next| filters::with(&page_context, "before", &next.to_string()));
    let shown: Vec<Line> = found.lines.iter().map(|(line, _)| line.clone()).collect();
    let content = html! {
        (heading) (introduction)
        (filters::form(&page_context, &suggestions, &resolved, &[]))
        (filters::chips(&page_context))
        div.timeline-count {
            p role="status" id="timeline-count" { (total(&found, count, position)) }
            div.actions {
                (views.menu(&page_context))
                a.button.small href=(at_path(&start, "/timeline/export.csv")) { "Export CSV" }
                a.button.small href=(at_path(&start, "/timeline/export.jsonl")) { "Export JSON lines" }
            }
        }
        (live::news(0, &start))
        @if shown.is_empty() {
            @if let Some(next) = &next { (block::empty("None of these events contains the words.", &html! { a.button href=(next) { "Search earlier events" } })) }
            @else { (block::empty("No events match these filters.", &html! { a.button href="/timeline" { "Show all" } })) }
        }
        @else { section.card aria-label="Events" { (lines(&shown)) } }
        (block::pager(shown.len(), (!first).then_some(start.as_str()), next.as_deref()))
    };
    let live = first.then(|| start.replacen("/timeline", &format!("/timeline/live/{position}"), 1));
    let json = at_path(&filters::for_api(&page_context), "/api/v1/events");
    let csv = at_path(&start, "/timeline/export.csv");
    page_context
        .answer(snapshot, Page { live, json: Some(json), csv: Some(csv), ..Page::new("Timeline", Section::Timeline, content) })
        .await
}

/// How many events match, of all events up to the position. Positions have no gaps, so the position is the number of events.
fn total(found: &Matches, count: Option<i64>, position: i64) -> Markup {
    let all = thousands(position);
    html! {
        @match (found.searched, count) {
            (Some(searched), _) => {
                (found.lines.len()) " found in the " (thousands(i64::try_from(searched.events).unwrap_or(i64::MAX)))
                @if searched.all { " events that match the other filters, of " (all) " events in the log" }
                @else { " newest of the events searched, of " (all) " events in the log. One search reads at most " (thousands(i64::try_from(WINDOW).unwrap_or(i64::MAX))) " events; “Next page” continues with earlier ones" }
            }
            (None, Some(count)) if count > COUNTED => { "More than " (thousands(COUNTED)) " of " (all) " events" }
            (None, count) => { (thousands(count.unwrap_or_default())) " of " (all) " events" }
        }
    }
}

/// A number with commas between thousands.
fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    parts.join(",")
}

/// The number of events that the page does not show yet, live.
async fn live(page_context: PageContext, request: HttpRequest, Path(since): Path<i64>) -> Result<HttpResponse, Error> {
    let query: Query = page_context.query()?;
    let path = at_path(&without(&page_context, &["before"]), "/timeline");
    let (now, principal) = (page_context.now, page_context.caller.principal.clone());
    // Streams are shared among visitors with the same role, on which the result depends.
    let render = live::render(move |mut snapshot, _| {
        let (entered, path, principal) = (query.entered(Reader::of(&principal)), path.clone(), principal.clone());
        Box::pin(async move {
            let position = snapshot.position;
            let resolved = event_filter::resolve(&entered, &principal, snapshot.connection(), position, now).await?;
            let mut count = 0;
            if let Ok(mut resolved) = resolved {
                resolved.filter.after = Some(resolved.filter.after.unwrap_or(0).max(since));
                count = event_filter::find(snapshot.connection(), &resolved, Order::NewestFirst, SHOWN).await?.lines.len();
            }
            Ok(State { regions: vec![Region::new("news", live::news(count, &path))], rows: vec![] })
        })
    });
    live::answer(&request, since, vec![Topic::Everything], None, render)
}

/// Handles `/timeline/{position}`: one event with all its data, and its neighbours from the same request.
async fn show(page_context: PageContext, Path(position): Path<i64>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let reader = Reader::of(&page_context.caller.principal);
    let mut snapshot = backend.read().await?;
    let (at, last) = (snapshot.at, snapshot.position);
    if position > last && at != At::Now {
        let message = format!("event {position} happened after event {last}, the moment that you are viewing");
        return Err(Error::NotFound(message));
    }
    let (before, after) = (Some(position.saturating_add(1)), Some(position.saturating_sub(1)));
    let only = Filter { after, before, ..Filter::default() };
    let found = timeline::list(snapshot.connection(), &only, Order::NewestFirst, 1).await?;
    let line = found
        .into_iter()
        .next()
        .map(|line| reader.line(line))
        .ok_or_else(|| Error::NotFound(format!("there is no event {position}, or it is not processed yet")))?;
    let principal = &page_context.caller.principal;
    accounts::require(principal, &line.aggregate_type)?;
    let all = bootledger_projections::database::log::Filter::default();
    let stored = bootledger_projections::database::log::read_after(snapshot.connection(), position - 1, 1, all).await?;
    let payload = stored.first().and_then(|stored| serde_json::from_str::<serde_json::Value>(&stored.payload).ok());
    let payload = payload.map(|payload| reader.state(&line.aggregate_type, payload));
    let payload = payload.and_then(|payload| serde_json::to_string_pretty(&payload).ok()).unwrap_or_default();
    let chain = stored.first().map(|stored| hex::encode(&stored.chain)).unwrap_or_default();
    let mut same = Filter { correlation_id: Some(line.correlation_id.clone()), before: Some(last + 1), ..Filter::default() };
    accounts::limit(principal, &mut same)?;
    let neighbours = timeline::list(snapshot.connection(), &same, Order::OldestFirst, LIMIT).await?;
    let neighbours: Vec<Line> = neighbours.into_iter().map(|line| reader.line(line)).collect();
    let rows = [
        ("Summary", html! { (sentence(&line)) (changes(&line)) }),
        ("Event", html! { code { (line.event_type) } " of " (about(&line)) }),
        ("Time", moment(line.recorded_at)),
        (
            "Actor",
            html! { (actors::actor(&line.actor)) @if actors::actor(&line.actor) != line.actor { " (" code { (line.actor) } ")" } },
        ),
        (
            "Request",
            html! { a href=(same_request(&line)) { code { (line.correlation_id) } } " " (copy::copy(&line.correlation_id, "request ID")) },
        ),
        ("Hash chain", copy::code(&chain, "hash")),
    ];
    let title = format!("Event {position}");
    let content = html! {
        (block::heading(&[("Timeline", "/timeline")], &html! { (title) }, &html! {
            @if position > 1 { a.button href=(format!("/timeline/{}", position - 1)) rel="prev" { "Earlier" } }
            @if position < last { a.button href=(format!("/timeline/{}", position + 1)) rel="next" { "Later" } }
        }))
        (block::card("event", "Event", &block::facts(&rows)))
        (block::card("payload", "Stored event", &html! {
            pre tabindex="0" role="region" aria-label="The event as JSON" { (payload) }
            @if reader.is_limited(&line.aggregate_type) { p.quiet { "Only administrators see the path and the query of a webhook's URL." } }
        }))
        @if neighbours.len() > 1 { (block::card("request", "Events of the same request", &lines(&neighbours))) }
    };
    let json = Some(format!("/api/v1/events?after={}&limit=1", position - 1));
    page_context.answer(snapshot, Page { json, ..Page::new(&title, Section::Timeline, content) }).await
}

/// A link to what an event concerns, if that has a page.
fn about(line: &Line) -> Markup {
    let (kind, id) = (line.aggregate_type.as_str(), line.aggregate_id.as_str());
    html! {
        (kind.replace('_', " ")) " "
        @match page_of(kind, id) { Some(page) => { a href=(page) { (id) } } None => (id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::event::Event;
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_projections::rows::holders::HolderNames;

    #[test]
    fn a_count_names_the_matches_and_the_whole_log() {
        assert_eq!([0, 999, 1_402, 1_000_000].map(thousands), ["0", "999", "1,402", "1,000,000"]);
        let text = |count| total(&Matches::default(), Some(count), 1_402).into_string();
        assert_eq!(text(56), "56 of 1,402 events");
        assert!(text(COUNTED + 1).contains("10,000"));
    }

    #[test]
    fn a_line_says_what_who_and_when_and_links_to_itself() {
        let line = Line {
            position: 7,
            sequence: 2,
            recorded_at: Timestamp::default(),
            aggregate_type: "network".to_owned(),
            aggregate_id: "prod".to_owned(),
            event_type: "NetworkRetired".to_owned(),
            actor: "token <ops>".to_owned(),
            correlation_id: "a&b".to_owned(),
            device: None,
            deployment: None,
            event: Event::read("network", "prod", r#"{"type":"NetworkRetired"}"#).ok(),
            subject: None,
            parent: None,
            holders: HolderNames::default(),
            states: None,
        };
        let html = lines(std::slice::from_ref(&line)).into_string();
        for part in [
            "id=\"event-7\"",
            "href=\"/timeline/7\"",
            "token &lt;ops&gt;",
            "correlation=a%26b",
            "Token &lt;ops&gt; retired network prod",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(about(&line).into_string().contains("href=\"/networks/prod\""));
    }
}
