//! The list of a catalogue kind: by key, with a search and a cursor, as in the API. It includes retired entries, which
//! have a badge.

use super::Noun;
use crate::http::error::Error;
use crate::http::request::page::{Page, USUAL};
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::layout::PageContext;
use crate::pages::list;
use bootledger_projections::rows::catalogue::{self, Entry, Item};
use maud::{Markup, html};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The query of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ListQuery {
    /// Only entries with this text in their key or description.
    pub(crate) q: Option<String>,
    /// Only entries after this key.
    pub(crate) after: Option<String>,
}

/// Reads a page of a kind's list, with the columns of each entry as JSON.
pub(crate) async fn items(snapshot: &mut Snapshot<'_>, kind: &str, query: &ListQuery) -> Result<Page<Item>, Error> {
    let at = snapshot.at;
    let (after, q) = (query.after.as_deref(), query.q.as_deref());
    let found = catalogue::list(snapshot.connection(), kind, at, after, i64::from(USUAL) + 1, q).await?;
    Ok(Page::of(found, USUAL, |item| item.key.clone()))
}

/// Reads a page of a kind's list.
pub(crate) async fn find<T: DeserializeOwned>(
    snapshot: &mut Snapshot<'_>,
    kind: &str,
    query: &ListQuery,
) -> Result<Page<Entry<T>>, Error> {
    let page = items(snapshot, kind, query).await?;
    let items = page.items.into_iter().map(Item::read::<T>).collect::<Result<Vec<_>, _>>()?;
    Ok(Page { items, next: page.next })
}

/// The text of an empty list.
pub(crate) struct Empty<'a> {
    /// What such entries are for, and what to do first.
    pub(crate) words: &'a str,
    /// What has to exist first, if it is missing: text and path of a link.
    pub(crate) first: Option<(&'a str, &'a str)>,
    /// Another way to create an entry: text and path of a link.
    pub(crate) also: Option<(&'a str, &'a str)>,
}

/// The page's content: heading, search, table, pager. `above` is put between search and table.
pub(crate) fn view(
    page_context: &PageContext,
    noun: &Noun,
    may: &Allowed,
    table: Option<&Markup>,
    (shown, next): (usize, Option<&str>),
    empty: &Empty<'_>,
) -> Markup {
    let new = |look| action::link("new", &noun.new_path(), look, "plus-lg", &format!("Create {}", noun.one), may);
    let searched = !page_context.parameter("q").is_empty() || !page_context.parameter("after").is_empty();
    html! {
        (block::heading(&[], &html! { (noun.many) }, &html! {
            @if let Some((words, path)) = empty.also { (action::link("also", path, Look::Usual, "", words, &Ok(()))) }
            (new(Look::Primary))
        }))
        @if shown > 0 || searched {
            (list::filters(page_context, noun.path, "Name or details", &[], &html! {}))
        }
        @match table {
            Some(table) => {
                div.scroll { (table) }
                (pager(page_context, shown, next))
            }
            None if searched => (block::empty("No results.", &html! { a.button href=(noun.path) { "Show all" } })),
            None => {
                @match empty.first {
                    Some((words, path)) => (block::empty(empty.words, &html! { a.button.primary href=(path) { (words) } })),
                    None => (block::empty(empty.words, &html! { a.button.primary href=(noun.new_path()) { "Create " (noun.one) } })),
                }
            }
        }
    }
}

/// The footer of a list. `next` is the cursor of the next page.
pub(crate) fn pager(page_context: &PageContext, shown: usize, next: Option<&str>) -> Markup {
    let first = (!page_context.parameter("after").is_empty()).then(|| page_context.with("", None));
    let next = next.map(|next| page_context.with("after", Some(next)));
    block::pager(shown, first.as_deref(), next.as_deref())
}

/// The name of an entry in a row: a link, with a badge if the entry is retired.
pub(crate) fn name(noun: &Noun, key: &str, retired: bool) -> Markup {
    html! {
        th scope="row" {
            a href=(noun.page(key)) { (key) }
            @if retired { " " (badge(Tone::Neutral, "Retired")) }
        }
    }
}
