//! The page `/search`: one search for every kind of object, and the suggestions while one types.

mod view;

use super::form::see_other;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::parameters::AT;
use crate::http::request::snapshot::Snapshot;
use crate::pages::layout::{Page, PageContext, Section, visible};
use actix_web::web::{ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::user::Role;
use bootledger_projections::questions::search::{self, Extent, Group, Terms};
use bootledger_projections::rows::at::At;
use view::Results;

/// How many results of each kind the page shows.
const SHOWN: usize = 10;
/// How many results of each kind are suggested.
const SUGGESTED: usize = 3;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/search").get(index)).service(resource("/search/suggest").get(suggest));
}

async fn find(page_context: &PageContext, snapshot: &mut Snapshot<'_>, each: usize) -> Result<(Terms, Vec<Group>), Error> {
    let terms = Terms::of(page_context.parameter("q"));
    let extent = Extent { each, users: page_context.may(Role::Auditor).is_ok() };
    let at = snapshot.at;
    let groups = search::find(snapshot.connection(), &terms, at, extent).await?;
    Ok((terms, groups))
}

/// Whether the visitor may see the pages of webhooks.
fn sees_webhooks(page_context: &PageContext) -> bool {
    page_context.may(Role::Administrator).is_ok()
}

/// A path as of the moment that the request names. The layout adds the moment to the links of whole pages only.
fn as_requested(page_context: &PageContext, path: &str) -> String {
    let at = page_context.parameter(AT);
    if at.is_empty() {
        return path.to_owned();
    }
    let pair = form_urlencoded::Serializer::new(String::new()).append_pair(AT, at).finish();
    format!("{path}{}{pair}", if path.contains('?') { '&' } else { '?' })
}

async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (terms, groups) = find(&page_context, &mut snapshot, SHOWN).await?;
    let webhooks = sees_webhooks(&page_context);
    if let Some(path) = search::single(&groups).and_then(|hit| view::path(hit, webhooks)) {
        drop(snapshot);
        return Ok(see_other(&as_requested(&page_context, &path)));
    }
    let content = view::page(&Results { terms: &terms, groups: &groups, is_past: snapshot.at != At::Now, webhooks });
    let json = (!terms.is_empty()).then(|| view::with_query("/api/v1/search", &terms.text));
    page_context.answer(snapshot, Page { json, ..Page::new("Search", Section::Dashboard, content) }).await
}

/// Handles `/search/suggest`: the best results as the options of a list, for the script. Anyone else gets the page.
async fn suggest(page_context: PageContext, request: HttpRequest, mut backend: Backend) -> Result<HttpResponse, Error> {
    let all = as_requested(&page_context, &view::with_query("/search", page_context.parameter("q")));
    if !request.headers().contains_key("hx-request") {
        return Ok(see_other(&all));
    }
    let mut snapshot = backend.read().await?;
    let (terms, groups) = find(&page_context, &mut snapshot, SUGGESTED).await?;
    let results =
        Results { terms: &terms, groups: &groups, is_past: snapshot.at != At::Now, webhooks: sees_webhooks(&page_context) };
    drop(snapshot);
    let options = view::suggestions(&results, &all, |path| as_requested(&page_context, path)).into_string();
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(visible(&options).into_owned()))
}
