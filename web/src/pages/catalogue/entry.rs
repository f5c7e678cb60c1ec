//! The page of one catalogue entry: finding it, showing its parts, and keeping them current.

use super::Noun;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::layout::PageContext;
use crate::pages::live::{self, Region, State, Topic};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::catalogue::{self, Entry};
use futures::future::{FutureExt, LocalBoxFuture};
use maud::{Markup, html};
use serde::de::DeserializeOwned;

/// The live parts of a page: the ID and content of each, in the order of the page.
pub(crate) type Parts = Vec<(&'static str, Markup)>;

/// The parts one after the other.
pub(crate) fn shown(parts: &Parts) -> Markup {
    html! { @for (_, part) in parts { (part) } }
}

/// The entry with this key, retired or not.
pub(crate) async fn find<T: DeserializeOwned>(snapshot: &mut Snapshot<'_>, noun: &Noun, key: &str) -> Result<Entry<T>, Error> {
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), noun.kind, key, at).await?;
    let item = item.ok_or_else(|| Error::NotFound(format!("there is no {} {key}; {} lists all of them", noun.one, noun.path)))?;
    Ok(item.read()?)
}

/// The live part with the heading of an entry's page: its name, and its actions. `more` are actions of its kind, which come
/// first.
pub(crate) fn heading<T>(noun: &Noun, entry: &Entry<T>, may: &Allowed, more: &Markup) -> (&'static str, Markup) {
    let page = noun.page(&entry.key);
    let again = if entry.retired { "Restore" } else { "Edit" };
    let heading = block::heading(
        &[(noun.many, noun.path)],
        &html! { (entry.key) @if entry.retired { " " (badge(Tone::Neutral, "Retired")) } },
        &html! {
            (more)
            (action::link("change", &format!("{page}/edit"), Look::Usual, "pencil", again, may))
            @if !entry.retired { (action::link("retire", &format!("{page}/retire"), Look::Usual, "trash", "Retire", may)) }
        },
    );
    ("heading", html! { div id="heading" { (heading) } })
}

/// The live stream of a page. `remake` renders its parts.
pub(crate) fn stream(
    request: &HttpRequest,
    application: &Application,
    since: i64,
    topics: Vec<Topic>,
    remake: impl for<'a> Fn(Snapshot<'a>, Timestamp) -> LocalBoxFuture<'a, Result<Parts, Error>> + 'static,
) -> Result<HttpResponse, Error> {
    let clock = application.now;
    let render = live::render(move |snapshot, _| {
        let parts = remake(snapshot, clock());
        async move {
            let regions = parts.await?.into_iter().map(|(id, part)| Region::new(id, part)).collect();
            Ok(State { regions, rows: vec![] })
        }
        .boxed_local()
    });
    live::answer(request, since, topics, None, render)
}

/// The path of a page's stream, with the position of its snapshot and the page's query.
pub(crate) fn live_path(page: &str, position: i64, page_context: &PageContext) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(page_context.parameters().filter(|(name, _)| *name != "at"));
    let query = query.finish();
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{page}/live/{position}{separator}{query}")
}
