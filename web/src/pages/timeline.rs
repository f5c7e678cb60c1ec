//! The page `/timeline`: everything that happened, one sentence for each event, the newest first.

use super::live::{self, Region, State, Topic};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::block;
use crate::pages::components::lines::{changes, lines, same_request};
use crate::pages::components::time::moment;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::list::at_path;
use crate::wording::actors;
use crate::wording::timeline::sentence;
use actix_web::web::{ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::actor;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_projections::rows::timeline::{self, Filter, Line, Order};
use maud::{Markup, html};
use serde::Deserialize;

/// How many lines a page shows.
const SHOWN: usize = 100;
/// The limit of the query: one more than is shown, to notice the last page.
const LIMIT: i64 = 101;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/timeline").get(index))
        .service(resource("/timeline/live/{since}").get(live))
        .service(resource("/timeline/{position}").get(show));
}

/// The query of the page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    device: Option<DeviceId>,
    deployment: Option<DeploymentId>,
    /// A type of aggregate, or `type/key`.
    aggregate: Option<String>,
    actor: Option<String>,
    correlation: Option<String>,
    r#type: Option<String>,
    before: Option<i64>,
}

impl Query {
    fn filter(self, position: i64) -> Filter {
        let (aggregate_type, aggregate_id) = match self.aggregate.as_deref().map(|text| text.split_once('/')) {
            Some(Some((kind, id))) => (Some(kind.to_owned()), Some(id.to_owned())),
            Some(None) => (self.aggregate, None),
            None => (None, None),
        };
        Filter {
            device: self.device,
            deployment: self.deployment,
            aggregate_type,
            aggregate_id,
            actor: self.actor.map(actor::upcast),
            correlation_id: self.correlation,
            event_type: self.r#type,
            after: None,
            before: Some(self.before.unwrap_or(i64::MAX).min(position + 1)),
        }
    }
}

/// Handles the request for the page.
async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: Query = page_context.query()?;
    let first = query.before.is_none();
    let filter = query.filter(snapshot.position);
    let mut found = timeline::list(snapshot.connection(), &filter, Order::NewestFirst, LIMIT).await?;
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let next = found.last().filter(|_| more).map(|line| page_context.with("before", Some(&line.position.to_string())));
    let start = page_context.with("before", None);
    let fields = html! {
        (field(&page_context, "actor", "Actor", "user ada"))
        (field(&page_context, "aggregate", "Object", "network/prod"))
        (field(&page_context, "type", "Event", "DeploymentStarted"))
        (field(&page_context, "correlation", "Request", ""))
    };
    let content = html! {
        (block::heading(&[], &html! { "Timeline" }, &html! {}))
        p { "All events, newest first. Each event has a number, its position in the log. A plugin is one step of a deployment. Events are never changed or removed; " code { "bootledger verify" } " checks this." }
        (filters_without_search(&page_context, &fields))
        (live::news(0, &start))
        @if found.is_empty() { (block::empty("No events match these filters.", &html! { a.button href="/timeline" { "Show all" } })) }
        @else { section.card aria-label="Events" { (lines(&found)) } }
        (block::pager(found.len(), (!first).then_some(start.as_str()), next.as_deref()))
    };
    let live = first.then(|| start.replacen("/timeline", &format!("/timeline/live/{}", snapshot.position), 1));
    page_context
        .answer(
            snapshot,
            Page { live, json: Some("/api/v1/events".to_owned()), ..Page::new("Timeline", Section::Timeline, content) },
        )
        .await
}

fn filters_without_search(page_context: &PageContext, fields: &Markup) -> Markup {
    html! {
        form.filters method="get" action="/timeline" {
            (fields)
            @for (name, value) in page_context.parameters().filter(|(name, value)| ["device", "deployment"].contains(name) && !value.is_empty()) {
                input type="hidden" name=(name) value=(value);
            }
            button type="submit" { "Filter" }
            @if page_context.parameters().any(|(_, value)| !value.is_empty()) { a.button href="/timeline" { "Show all" } }
        }
    }
}

fn field(page_context: &PageContext, name: &str, label: &str, placeholder: &str) -> Markup {
    html! {
        div.field {
            label for=(format!("filter-{name}")) { (label) }
            input type="text" id=(format!("filter-{name}")) name=(name) value=(page_context.parameter(name)) placeholder=(placeholder) maxlength="300";
        }
    }
}

/// The number of events that the page does not show yet, live.
async fn live(page_context: PageContext, request: HttpRequest, Path(since): Path<i64>) -> Result<HttpResponse, Error> {
    let query: Query = page_context.query()?;
    let path = at_path(&page_context.with("before", None), "/timeline");
    let render = live::render(move |mut snapshot, _| {
        let (filter, path) = (Filter { after: Some(since), ..query.clone().filter(snapshot.position) }, path.clone());
        Box::pin(async move {
            let found = timeline::list(snapshot.connection(), &filter, Order::NewestFirst, LIMIT).await?;
            Ok(State { regions: vec![Region::new("news", live::news(found.len(), &path))], rows: vec![] })
        })
    });
    live::answer(&request, since, vec![Topic::Everything], None, render)
}

/// Handles `/timeline/{position}`: one event with all its data, and its neighbours from the same request.
async fn show(page_context: PageContext, Path(position): Path<i64>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let only = Filter { after: Some(position - 1), before: Some(position + 1), ..Filter::default() };
    let found = timeline::list(snapshot.connection(), &only, Order::NewestFirst, 1).await?;
    let line = found
        .into_iter()
        .next()
        .ok_or_else(|| Error::NotFound(format!("there is no event {position}, or it is not processed yet")))?;
    let all = bootledger_projections::database::log::Filter::default();
    let stored = bootledger_projections::database::log::read_after(snapshot.connection(), position - 1, 1, all).await?;
    let payload = stored.first().and_then(|stored| serde_json::from_str::<serde_json::Value>(&stored.payload).ok());
    let payload = payload.and_then(|payload| serde_json::to_string_pretty(&payload).ok()).unwrap_or_default();
    let chain = stored.first().map(|stored| hex::encode(&stored.chain)).unwrap_or_default();
    let same = Filter { correlation_id: Some(line.correlation_id.clone()), ..Filter::default() };
    let neighbours = timeline::list(snapshot.connection(), &same, Order::OldestFirst, LIMIT).await?;
    let rows = [
        ("Summary", html! { (sentence(&line)) (changes(&line)) }),
        ("Event", html! { code { (line.event_type) } " of " (about(&line)) }),
        ("Time", moment(line.recorded_at)),
        (
            "Actor",
            html! { (actors::actor(&line.actor)) @if actors::actor(&line.actor) != line.actor { " (" code { (line.actor) } ")" } },
        ),
        ("Request", html! { a href=(same_request(&line)) { code { (line.correlation_id) } } }),
        ("Hash chain", html! { code { (chain) } }),
    ];
    let title = format!("Event {position}");
    let content = html! {
        (block::heading(&[("Timeline", "/timeline")], &html! { (title) }, &html! {
            @if position > 1 { a.button href=(format!("/timeline/{}", position - 1)) rel="prev" { "Earlier" } }
            a.button href=(format!("/timeline/{}", position + 1)) rel="next" { "Later" }
        }))
        (block::card("event", "Event", &block::facts(&rows)))
        (block::card("payload", "Stored event", &html! { pre tabindex="0" role="region" aria-label="The event as JSON" { (payload) } }))
        @if neighbours.len() > 1 { (block::card("request", "Events of the same request", &lines(&neighbours))) }
    };
    page_context.answer(snapshot, Page::new(&title, Section::Timeline, content)).await
}

/// A link to what an event concerns, if that has a page.
fn about(line: &Line) -> Markup {
    let (kind, id) = (line.aggregate_type.as_str(), line.aggregate_id.as_str());
    let path = match kind {
        "deployment" => Some("deployments"),
        "device" => Some("devices"),
        "network" => Some("networks"),
        "rack" => Some("racks"),
        "site" => Some("sites"),
        "venture" => Some("ventures"),
        "boot_image" => Some("boot-images"),
        "dhcp_server" => Some("dhcp-servers"),
        _ => None,
    };
    html! {
        (kind.replace('_', " ")) " "
        @match path { Some(path) => { a href=(format!("/{path}/{id}")) { (id) } } None => (id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::event::Event;
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_projections::rows::holders::HolderNames;

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
