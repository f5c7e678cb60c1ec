//! Routes for bulk actions: one change of many devices or deployments.

use crate::http::auth::caller::{Caller, Operator, Viewer};
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::bulk::{BulkAction, BulkCounts, RowState, Started};
use bootledger_aggregates::values::ids::BulkId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{BulkOrder, Command};
use bootledger_projections::rows::bulk::{self, BulkView};
use bootledger_projections::rows::catalogue::Entry;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/bulk-actions").get(index).post(create))
        .service(resource("/api/v1/bulk-actions/{id}").get(show))
        .service(resource("/api/v1/bulk-actions/{id}/retry").post(retry))
        .service(resource("/api/v1/bulk-actions/{id}/stop").post(stop));
}

/// A bulk action to start.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBulkAction {
    /// What it does to each row.
    change: BulkAction,
    /// The IDs of the devices or deployments, at most 1000, each once.
    ids: Vec<Uuid>,
}

/// A bulk action with its progress.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BulkActionAnswer {
    /// The ID of the bulk action. Deployments that it started have it as their `import`.
    id: BulkId,
    /// What it does to each row.
    change: Option<Box<BulkAction>>,
    /// The path of the list that the rows were selected from; empty if the API started the action.
    list: String,
    /// The current attempt, from 1.
    attempt: u32,
    /// Whether it was stopped: rows without a result stay as they are.
    stopped: bool,
    /// Why the service stopped it; null if a user did, or if it was not stopped.
    stop_reason: Option<Text>,
    /// How many rows have each result.
    counts: BulkCounts,
    /// Who started it.
    started_by: String,
    /// Who retried it last; null if it was not retried. The rows that had no result then were changed in the name of this caller.
    retried_by: Option<String>,
    /// When it was started.
    started_at: Timestamp,
    /// When the last row got its result, or when it was stopped; null while it runs.
    ended_at: Option<Timestamp>,
    /// The rows with their results; left out in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<RowState>,
}

impl From<Entry<BulkView, BulkId>> for BulkActionAnswer {
    fn from(entry: Entry<BulkView, BulkId>) -> Self {
        let BulkView { bulk, counts, started_by, started_at, ended_at } = entry.spec;
        let started = bulk.into_started();
        let answer = Self {
            id: entry.key,
            change: None,
            list: String::new(),
            attempt: 0,
            stopped: false,
            stop_reason: None,
            counts,
            started_by,
            retried_by: None,
            started_at,
            ended_at,
            rows: vec![],
        };
        let Some(Started { action, list, retried_by, attempt, stopped, stop_reason, rows, .. }) = started else { return answer };
        Self { change: Some(action), list, retried_by, attempt, stopped, stop_reason, rows, ..answer }
    }
}

/// The part of the list to return.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct BulkQuery {
    /// Only bulk actions after this ID: the `next` of the previous page.
    #[param(value_type = Option<String>)]
    after: Option<BulkId>,
    /// Maximum number of bulk actions, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// Lists bulk actions without their rows, newest first.
#[utoipa::path(get, path = "/api/v1/bulk-actions", tag = "bulk actions", params(BulkQuery),
    responses((status = 200, body = Page<BulkActionAnswer>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<BulkQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (limit, at) = (limit(query.limit)?, snapshot.at);
    let found = bulk::list(snapshot.connection(), at, query.after, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, |entry| entry.key.to_string()).map(BulkActionAnswer::from);
    Ok(snapshot.answer(&page))
}

async fn find(snapshot: &mut Snapshot<'_>, id: BulkId) -> Result<BulkActionAnswer, Error> {
    let at = snapshot.at;
    let found = bulk::find(snapshot.connection(), id, at).await?;
    found.map(BulkActionAnswer::from).ok_or_else(|| Error::NotFound(format!("there is no bulk action {id}")))
}

/// Returns a bulk action with the result of each row.
#[utoipa::path(get, path = "/api/v1/bulk-actions/{id}", tag = "bulk actions",
    params(("id" = BulkId, Path, description = "The bulk action")), responses((status = 200, body = BulkActionAnswer)))]
pub(crate) async fn show(_: Viewer, Path(id): Path<BulkId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let answer = find(&mut snapshot, id).await?;
    Ok(snapshot.answer(&answer))
}

async fn change(backend: &mut Backend, caller: &Caller, order: BulkOrder) -> Result<HttpResponse, Error> {
    let new = matches!(order, BulkOrder::StartBulk { .. });
    let change = Change::make(backend, caller, Command::Bulk(order)).await?;
    let change = if new { change.created("/api/v1/bulk-actions/") } else { change };
    let id = change.receipt.id.parse().unwrap_or_default();
    match change.shown(backend).await {
        Shown::Now(mut snapshot) => {
            let answer = find(&mut snapshot, id).await?;
            Ok(change.answer(snapshot, &answer))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}

/// Starts a bulk action. Each row is changed separately, in the background and in the caller's name; rows that are refused do
/// not affect the others. To start deployments for all rows or none, use an import.
#[utoipa::path(post, path = "/api/v1/bulk-actions", tag = "bulk actions", request_body = NewBulkAction,
    responses((status = 201, body = BulkActionAnswer)))]
pub(crate) async fn create(
    caller: Operator,
    mut backend: Backend,
    Json(NewBulkAction { change: action, ids }): Json<NewBulkAction>,
) -> Result<HttpResponse, Error> {
    change(&mut backend, &caller, BulkOrder::StartBulk { action: Box::new(action), ids, list: String::new() }).await
}

/// Works through the refused rows again, and through those that a stop left without a result, in the caller's name.
#[utoipa::path(post, path = "/api/v1/bulk-actions/{id}/retry", tag = "bulk actions",
    params(("id" = BulkId, Path, description = "The bulk action")), responses((status = 200, body = BulkActionAnswer)))]
pub(crate) async fn retry(caller: Operator, Path(id): Path<BulkId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    change(&mut backend, &caller, BulkOrder::RetryBulk(id)).await
}

/// Stops a bulk action. Rows without a result stay as they are.
#[utoipa::path(post, path = "/api/v1/bulk-actions/{id}/stop", tag = "bulk actions",
    params(("id" = BulkId, Path, description = "The bulk action")), responses((status = 200, body = BulkActionAnswer)))]
pub(crate) async fn stop(caller: Operator, Path(id): Path<BulkId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    change(&mut backend, &caller, BulkOrder::StopBulk { bulk: id, reason: None }).await
}
