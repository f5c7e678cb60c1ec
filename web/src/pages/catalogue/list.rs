//! The list of a catalogue kind, with search, order, pages and CSV. It includes retired entries, which have a badge.
//!
//! A catalogue is small, so that a list is sorted in memory. The lists of the settings are by key, as in the API.

use super::Noun;
use crate::http::error::Error;
use crate::http::request::page::{Page, USUAL};
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::csv::{cell, download};
use crate::pages::layout::PageContext;
use crate::pages::list::paging::{Place, Slice, size};
use crate::pages::list::views::{Known, Views};
use crate::pages::list::{self, Listing, sort_link};
use actix_web::HttpResponse;
use bootledger_aggregates::rules::Rule;
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
    /// The order: the name of a column, with a leading `-` for descending.
    sort: Option<String>,
}

/// The parameters that `paging` reads, and `as`, which is `csv` for all entries as a file.
const OWN: [&str; 3] = ["before", "limit", "as"];

/// The most entries that a list sorts.
const MOST: i64 = 10_000;

/// The value of a column, in the order of its list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A text that is sorted by a number, such as an address.
    Placed(i64, String),
}

impl Value {
    /// A text.
    pub(crate) fn text<T: ToString + ?Sized>(text: &T) -> Self {
        Self::Text(text.to_string())
    }

    /// A number.
    pub(crate) fn number(number: impl TryInto<i64>) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) | Self::Placed(_, text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// A column of a list.
pub(crate) struct Heading<T> {
    /// The name in the URL and in the CSV.
    pub(crate) name: &'static str,
    /// The heading.
    pub(crate) label: &'static str,
    /// The value that the list can be sorted by, if there is one.
    pub(crate) value: Option<fn(&Entry<T>) -> Value>,
}

impl<T> Heading<T> {
    /// A column that the list can be sorted by.
    pub(crate) const fn new(name: &'static str, label: &'static str, value: fn(&Entry<T>) -> Value) -> Self {
        Self { name, label, value: Some(value) }
    }

    /// A column whose cells are not part of the entries.
    pub(crate) const fn shown(name: &'static str, label: &'static str) -> Self {
        Self { name, label, value: None }
    }
}

/// The orders of a list, for its saved views.
pub(crate) fn known<T>(headings: &[Heading<T>]) -> Known {
    Known::fixed(&[], headings.iter().filter(|heading| heading.value.is_some()).map(|heading| heading.name).collect())
}

/// One page of a list.
pub(crate) struct Found<T> {
    /// The entries.
    pub(crate) slice: Slice<Entry<T>>,
    /// How many entries match the search.
    pub(crate) total: i64,
}

/// The value of an entry that a list is sorted by.
type Key<T> = fn(&Entry<T>) -> Value;

/// The order of a list: the column's value, and whether it is descending.
fn order<T>(query: &ListQuery, headings: &[Heading<T>]) -> Result<(Key<T>, bool), Error> {
    let wanted = query.sort.as_deref().unwrap_or_default();
    let name = wanted.strip_prefix('-').unwrap_or(wanted);
    let found = headings.iter().filter_map(|heading| Some((heading.name, heading.value?)));
    let known: Vec<&str> = found.clone().map(|(name, _)| name).collect();
    let mut found = found.filter(|(known, _)| name.is_empty() || *known == name);
    let value = found.next().map(|(_, value)| value).ok_or_else(|| {
        let message = format!("sort: {name:?} is not one of {}", known.join(", "));
        Error::bad_request("sort", Rule::ParameterMalformed, message)
    })?;
    Ok((value, wanted.starts_with('-')))
}

async fn sorted<T: DeserializeOwned>(
    snapshot: &mut Snapshot<'_>,
    kind: &str,
    query: &ListQuery,
    headings: &[Heading<T>],
) -> Result<Vec<Entry<T>>, Error> {
    let (value, descending) = order(query, headings)?;
    let at = snapshot.at;
    let found = catalogue::list(snapshot.connection(), kind, at, None, MOST, query.q.as_deref()).await?;
    let mut all = found.into_iter().map(Item::read::<T>).collect::<Result<Vec<_>, _>>()?;
    all.sort_by_cached_key(|entry| (value(entry), entry.key.clone()));
    if descending {
        all.reverse();
    }
    Ok(all)
}

/// Reads a page of a kind's list. The order is that of one of the columns, the first one by default.
pub(crate) async fn find<T: DeserializeOwned>(
    page_context: &PageContext,
    snapshot: &mut Snapshot<'_>,
    kind: &str,
    headings: &[Heading<T>],
) -> Result<Found<T>, Error> {
    let query: ListQuery = page_context.query_without(&OWN)?;
    let all = sorted(snapshot, kind, &query, headings).await?;
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let (size, place) = (size(page_context)? as usize, Place::of(page_context));
    Ok(Found { slice: Slice::of_all(all, size, &place, |entry| entry.key.to_string()), total })
}

/// All entries that match the search as CSV, if the page was requested so.
pub(crate) async fn as_csv<T: DeserializeOwned>(
    page_context: &PageContext,
    snapshot: Snapshot<'_>,
    noun: &Noun,
    headings: &[Heading<T>],
) -> Result<HttpResponse, Error> {
    let query: ListQuery = page_context.query_without(&OWN)?;
    let names = headings.iter().filter(|heading| heading.value.is_some()).map(|heading| heading.name);
    let head = format!("{},retired\r\n", names.collect::<Vec<_>>().join(","));
    let mut ended = false;
    download(&format!("{}.csv", noun.path.trim_start_matches('/')), &head, snapshot, async |snapshot| {
        if std::mem::replace(&mut ended, true) {
            return Ok(None);
        }
        let all = sorted(snapshot, noun.kind, &query, headings).await?;
        let line = |entry: &Entry<T>| {
            let cells = headings.iter().filter_map(|heading| Some(cell(&heading.value?(entry).to_string())));
            format!("{},{}\r\n", cells.collect::<Vec<_>>().join(","), entry.retired)
        };
        Ok(Some(all.iter().map(line).collect()))
    })
    .await
}

/// The path of the API's list, with the text that this list is searched for.
pub(crate) fn json(page_context: &PageContext, path: &str) -> String {
    match page_context.parameter("q") {
        "" => path.to_owned(),
        q => format!("{path}?{}", form_urlencoded::Serializer::new(String::new()).append_pair("q", q).finish()),
    }
}

/// Whether the page was requested as CSV.
pub(crate) fn is_csv(page_context: &PageContext) -> bool {
    page_context.parameter("as") == "csv"
}

/// The row of headings, whose links sort.
pub(crate) fn head<T>(page_context: &PageContext, headings: &[Heading<T>]) -> Markup {
    let first = headings.first().map_or("", |heading| heading.name);
    let sort = match page_context.parameter("sort") {
        "" => first,
        sort => sort,
    };
    html! {
        thead { tr { @for heading in headings { (sort_link(page_context, sort, heading.name, heading.label, heading.value.is_some())) } } }
    }
}

/// Reads a page of a kind's list, with the columns of each entry as JSON.
pub(crate) async fn items(snapshot: &mut Snapshot<'_>, kind: &str, query: &ListQuery) -> Result<Page<Item>, Error> {
    let at = snapshot.at;
    let (after, q) = (query.after.as_deref(), query.q.as_deref());
    let found = catalogue::list(snapshot.connection(), kind, at, after, i64::from(USUAL) + 1, q).await?;
    Ok(Page::of(found, USUAL, |item| item.key.clone()))
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

/// The page's content: heading, search, table, pager. `json` is the path of the API's list.
pub(crate) fn view<T>(
    page_context: &PageContext,
    noun: &Noun,
    may: &Allowed,
    (found, table): (&Found<T>, &Markup),
    (views, json): (&Views, &str),
    empty: &Empty<'_>,
) -> Markup {
    let new = |look| action::link("new", &noun.new_path(), look, "plus-lg", &format!("Create {}", noun.one), may);
    let searched = !page_context.parameter("q").is_empty() || Place::of(page_context) != Place::First;
    let shown = found.slice.rows.len();
    let plural = list::within_sentence(noun.many);
    let csv = page_context.with("as", Some("csv"));
    let listing = Listing {
        page_context,
        many: &plural,
        choices: &[],
        total: found.total,
        columns: None,
        views: views.menu(page_context),
        exports: (Some(&csv), Some(json)),
    };
    html! {
        (block::heading(&[], &html! { (noun.many) }, &html! {
            @if let Some((words, path)) = empty.also { (action::link("also", path, Look::Usual, "", words, &Ok(()))) }
            (new(Look::Primary))
        }))
        @if shown > 0 || searched {
            (list::filters::bar(page_context, noun.path, "Name or details", &[]))
            (listing.tools(shown))
        }
        @if shown > 0 { (listing.table(&found.slice, table, &html! {})) }
        @else if searched { (block::empty("No results.", &html! { a.button href=(noun.path) { "Show all" } })) }
        @else {
            @match empty.first {
                Some((words, path)) => (block::empty(empty.words, &html! { a.button.primary href=(path) { (words) } })),
                None => (block::empty(empty.words, &html! { a.button.primary href=(noun.new_path()) { "Create " (noun.one) } })),
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
