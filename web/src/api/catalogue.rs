//! Handlers that the routes of all catalogue kinds share: list, read, define, retire.

use crate::confidential::Reader;
use crate::http::auth::caller::Caller;
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::page::{Page, limit};
use crate::http::request::snapshot::Snapshot;
use actix_web::HttpResponse;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Command};
use bootledger_projections::rows::catalogue::{self, Entry, Item};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// Filters of the list. A filter that is left out matches everything.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CatalogueQuery {
    /// Only items with this text in their key or description.
    q: Option<String>,
    /// Only items after this key: the `next` of the previous page.
    after: Option<String>,
    /// Maximum number of items, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// The most entries of a kind that are read to be searched here and not by the database.
const LARGEST: i64 = 10_000;

/// The form in which the API returns a catalogue entry. A client can send the returned `spec` back with `PUT` unchanged.
pub(crate) trait Answer: Serialize {
    /// The entry's columns in the views.
    type View: DeserializeOwned;

    /// Converts a row of the views to the API's form.
    fn of(entry: Entry<Self::View>) -> Self;
}

impl<T: DeserializeOwned + Serialize> Answer for Entry<T> {
    type View = T;

    fn of(entry: Self) -> Self {
        entry
    }
}

/// One page of the entries of a kind by key, including retired ones.
pub(super) async fn page(kind: &str, query: &CatalogueQuery, snapshot: &mut Snapshot<'_>) -> Result<Page<Item>, Error> {
    let limit = limit(query.limit)?;
    let (at, after, q) = (snapshot.at, query.after.as_deref(), query.q.as_deref());
    let found = catalogue::list(snapshot.connection(), kind, at, after, i64::from(limit) + 1, q).await?;
    Ok(Page::of(found, limit, |item| item.key.clone()))
}

/// The same page for a reader who may not see all of the entries: what is hidden is not searched, either.
pub(super) async fn page_for(
    reader: Reader,
    kind: &str,
    query: &CatalogueQuery,
    snapshot: &mut Snapshot<'_>,
) -> Result<Page<Item>, Error> {
    let Some(q) = query.q.as_ref().filter(|_| reader.is_limited(kind)) else { return page(kind, query, snapshot).await };
    let (limit, at, q) = (limit(query.limit)?, snapshot.at, q.to_lowercase());
    let all = catalogue::list(snapshot.connection(), kind, at, query.after.as_deref(), LARGEST, None).await?;
    let shown = all.into_iter().map(|item| Item { spec: reader.state(kind, item.spec), ..item });
    let found = shown.filter(|item| format!("{} {}", item.key, item.spec).to_lowercase().contains(&q));
    Ok(Page::of(found.take(limit as usize + 1).collect(), limit, |item| item.key.clone()))
}

/// Lists the entries of a kind by key, including retired ones, which are marked.
pub(super) async fn index<A: Answer>(
    kind: &str,
    query: CatalogueQuery,
    mut snapshot: Snapshot<'_>,
) -> Result<HttpResponse, Error> {
    let page = page(kind, &query, &mut snapshot).await?;
    let answer = |item: Item| Ok(A::of(item.read::<A::View>()?));
    let items = page.items.into_iter().map(answer).collect::<Result<Vec<_>, Error>>()?;
    Ok(snapshot.answer(&Page { items, next: page.next }))
}

async fn find<A: Answer>(kind: &str, key: &str, snapshot: &mut Snapshot<'_>) -> Result<A, Error> {
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), kind, key, at).await?;
    let item = item.ok_or_else(|| Error::NotFound(format!("there is no {} {key}", kind.replace('_', " "))))?;
    Ok(A::of(item.read()?))
}

/// The description of an entry that is not retired.
pub(super) async fn in_use<T: DeserializeOwned>(kind: &str, key: &Name, snapshot: &mut Snapshot<'_>) -> Result<T, Error> {
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), kind, key.as_str(), at).await?.filter(|item| !item.retired);
    let item = item.ok_or_else(|| Error::NotFound(format!("there is no {} {key} in use", kind.replace('_', " "))))?;
    Ok(item.read::<T>()?.spec)
}

/// Returns one entry of a kind, retired or not.
pub(super) async fn show<A: Answer>(kind: &str, key: &Name, mut snapshot: Snapshot<'_>) -> Result<HttpResponse, Error> {
    let entry = find::<A>(kind, key.as_str(), &mut snapshot).await?;
    Ok(snapshot.answer(&entry))
}

/// Changes an entry of a kind and returns it.
pub(super) async fn change<A: Answer>(
    kind: &str,
    key: &Name,
    backend: &mut Backend,
    caller: &Caller,
    action: CatalogueAction,
) -> Result<HttpResponse, Error> {
    if backend.is_dry_run() {
        let is_retired = matches!(action, CatalogueAction::Retire(..));
        let preview = backend.preview_catalogue(action, caller.context()).await?;
        if is_retired {
            // Retiring an entry that does not exist changes nothing and returns 404.
            find::<A>(kind, key.as_str(), &mut backend.read_now().await?).await?;
        }
        return Ok(HttpResponse::Ok().json(preview));
    }
    let change = Change::make(backend, caller, Command::Catalogue(action)).await?;
    match change.shown(backend).await {
        Shown::Now(mut snapshot) => {
            let entry = find::<A>(kind, key.as_str(), &mut snapshot).await?;
            Ok(change.answer(snapshot, &entry))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}

/// Whether to make a change or only to check it.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ChangeMode {
    /// Only check the change: return what would change with it, as a `Preview`, or why it would be refused.
    #[allow(dead_code, reason = "the backend reads it; this describes it")]
    dry_run: bool,
}
