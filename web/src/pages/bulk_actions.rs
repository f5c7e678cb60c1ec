//! Pages of bulk actions: the list, and the page of one action with its progress and the result of each row.

mod view;

use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::application;
use crate::pages::catalogue::entry::{self, Parts};
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::live::Topic;
use actix_web::web::{ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::bulk::BulkOutcome;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::BulkId;
use bootledger_port::{BulkOrder, Command};
use bootledger_projections::rows::bulk::{self, BulkView};
use bootledger_projections::rows::catalogue::Entry;
use futures::future::FutureExt;
use serde::Deserialize;

/// How many bulk actions or rows a page shows.
const SHOWN: usize = 100;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/bulk-actions").get(index))
        .service(resource("/bulk-actions/{id}").get(show))
        .service(resource("/bulk-actions/{id}/live/{since}").get(live))
        .service(resource("/bulk-actions/{id}/retry").post(retry))
        .service(resource("/bulk-actions/{id}/stop").post(stop));
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    /// The last bulk action of the previous page.
    after: Option<BulkId>,
}

async fn index(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: ListQuery = page_context.query()?;
    let at = snapshot.at;
    let mut found = bulk::list(snapshot.connection(), at, query.after, i64::try_from(SHOWN + 1).unwrap_or(i64::MAX)).await?;
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let next = found.last().filter(|_| more).map(|last| page_context.with("after", Some(&last.key.to_string())));
    let first = query.after.map(|_| page_context.with("", None));
    let content = view::list(&found, snapshot.moment(), first.as_deref(), next.as_deref());
    let page = Page { json: Some("/api/v1/bulk-actions".to_owned()), ..Page::new("Bulk actions", Section::BulkActions, content) };
    page_context.answer(snapshot, page).await
}

/// The query of a bulk action's page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OneQuery {
    /// Only rows with this result.
    result: Option<Wanted>,
    /// The first row that is shown, from 0.
    from: usize,
}

/// A result that rows can be filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    Done,
    Refused,
    Waiting,
}

impl Wanted {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
        }
    }

    fn is(self, result: Option<&BulkOutcome>) -> bool {
        match result {
            None => self == Self::Waiting,
            Some(BulkOutcome::Done { .. }) => self == Self::Done,
            Some(BulkOutcome::Refused { .. }) => self == Self::Refused,
        }
    }
}

async fn find(snapshot: &mut Snapshot<'_>, id: BulkId) -> Result<Entry<BulkView, BulkId>, Error> {
    let at = snapshot.at;
    let found = bulk::find(snapshot.connection(), id, at).await?;
    found.ok_or_else(|| Error::NotFound(format!("there is no bulk action {id}; /bulk-actions lists all of them")))
}

async fn show(page_context: PageContext, Path(id): Path<BulkId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: OneQuery = page_context.query()?;
    let entry = find(&mut snapshot, id).await?;
    let may = page_context.may_change(&snapshot, Role::Operator);
    let page_path = format!("/bulk-actions/{id}");
    let title = view::title(&entry);
    let parts = view::parts(&entry, &query, &page_path, &may, snapshot.moment());
    let page = Page {
        live: Some(entry::live_path(&page_path, snapshot.position, &page_context)),
        json: Some(format!("/api/v1{page_path}")),
        ..Page::new(&title, Section::BulkActions, entry::shown(&parts))
    };
    page_context.about("bulk", id).answer(snapshot, page).await
}

async fn live(
    page_context: PageContext,
    request: HttpRequest,
    Path((id, since)): Path<(BulkId, i64)>,
) -> Result<HttpResponse, Error> {
    let query: OneQuery = page_context.query()?;
    let may = page_context.may(Role::Operator);
    let application = application::of(&request)?;
    let topics = vec![Topic::One("bulk", id.to_string())];
    entry::stream(&request, &application, since, topics, move |mut snapshot, now| {
        let (query, may) = (query.clone(), may.clone());
        async move {
            let entry = find(&mut snapshot, id).await?;
            Ok::<Parts, Error>(view::parts(&entry, &query, &format!("/bulk-actions/{id}"), &may, now))
        }
        .boxed_local()
    })
}

async fn retry(caller: Operator, Path(id): Path<BulkId>, mut backend: Backend, fields: Fields) -> Result<HttpResponse, Error> {
    let receipt = backend.execute(Command::Bulk(BulkOrder::RetryBulk(id)), fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, &format!("/bulk-actions/{id}")).await)
}

async fn stop(caller: Operator, Path(id): Path<BulkId>, mut backend: Backend, fields: Fields) -> Result<HttpResponse, Error> {
    let receipt = backend.execute(Command::Bulk(BulkOrder::StopBulk { bulk: id, reason: None }), fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, &format!("/bulk-actions/{id}")).await)
}
