//! Routes for drift: the differences between a site's servers and the views. They list, check and repair them.

mod item;

use self::item::{CheckItem, DriftItem};
use crate::http::application::Application;
use crate::http::auth::caller::{Operator, Viewer};
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::drift::DriftKey;
use bootledger_aggregates::values::name::Name;
use bootledger_port::Command;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::drift;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/sites/{key}/drift").get(show))
        .service(resource("/api/v1/sites/{key}/drift/check").post(check))
        .service(resource("/api/v1/sites/{key}/drift/repair").post(repair));
}

/// The part of the list to return.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DriftQuery {
    /// Only items after this cursor: the `next` of the previous page.
    after: Option<String>,
    /// Maximum number of items, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// The drift of a site: the differences from the expected state.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DriftAnswer {
    /// When the servers were last compared; null for past positions.
    check: Option<CheckItem>,
    /// The total number of differences.
    count: i64,
    /// One page of the differences, by key.
    items: Vec<DriftItem>,
    /// The `after` of the next page; null on the last page.
    next: Option<String>,
}

/// The differences to repair.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepairOrder {
    /// The keys of the differences to repair. Without keys, all are repaired except entries that another party created: those
    /// are removed only if their keys are named.
    keys: Option<Vec<DriftKey>>,
}

/// Lists the drift of a site: how its DNS primary and DHCP servers differ from the expected state, and when they were compared.
#[utoipa::path(get, path = "/api/v1/sites/{key}/drift", tag = "sites", params(("key" = Name, Path, description = "Its code"), DriftQuery),
    responses((status = 200, body = DriftAnswer)))]
pub(crate) async fn show(
    _: Viewer,
    application: Data<Application>,
    Path(site): Path<Name>,
    Parameters(query): Parameters<DriftQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let body = answer(&application, &site, &query, &mut snapshot).await?;
    Ok(snapshot.answer(&body))
}

/// Requests a comparison of a site's servers with the views as soon as possible. The response is 202; `GET` returns the result
/// once `checked_at` is later than the request.
#[utoipa::path(post, path = "/api/v1/sites/{key}/drift/check", tag = "sites", params(("key" = Name, Path, description = "Its code")),
    responses((status = 202, body = DriftAnswer)))]
pub(crate) async fn check(
    _: Operator,
    application: Data<Application>,
    mut backend: Backend,
    Path(site): Path<Name>,
) -> Result<HttpResponse, Error> {
    backend.check_drift(&site).await?;
    let mut snapshot = backend.read_now().await?;
    let body = answer(&application, &site, &DriftQuery::default(), &mut snapshot).await?;
    Ok(accepted(snapshot.answer(&body)))
}

/// Requests the repair of differences that were found at a site's servers. The response is 202; the difference then disappears,
/// or shows why it could not be repaired.
#[utoipa::path(post, path = "/api/v1/sites/{key}/drift/repair", tag = "sites", request_body = RepairOrder,
    params(("key" = Name, Path, description = "Its code")), responses((status = 202, body = DriftAnswer)))]
pub(crate) async fn repair(
    caller: Operator,
    application: Data<Application>,
    mut backend: Backend,
    Path(site): Path<Name>,
    Json(RepairOrder { keys }): Json<RepairOrder>,
) -> Result<HttpResponse, Error> {
    let command = Command::RepairDrift { site: site.clone(), keys };
    let change = Change::make(&mut backend, &caller, command).await?;
    match change.shown(&mut backend).await {
        Shown::Now(mut snapshot) => {
            let body = answer(&application, &site, &DriftQuery::default(), &mut snapshot).await?;
            Ok(accepted(change.answer(snapshot, &body)))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}

fn accepted(mut answer: HttpResponse) -> HttpResponse {
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer
}

async fn answer(
    application: &Application,
    site: &Name,
    query: &DriftQuery,
    snapshot: &mut Snapshot<'_>,
) -> Result<DriftAnswer, Error> {
    let (limit, at) = (limit(query.limit)?, snapshot.at);
    if catalogue::site(snapshot.connection(), site, at).await?.is_none() {
        return Err(Error::NotFound(format!("there is no site {site}")));
    }
    let found = drift::list(snapshot.connection(), site, at, query.after.as_deref(), i64::from(limit) + 1).await?;
    let Page { items, next } = Page::of(found, limit, |drifted| drifted.key.to_string());
    let count = drift::count(snapshot.connection(), site, at).await?;
    let check = match at {
        At::Now => Some(drift::check(snapshot.connection(), site, (application.now)()).await?.into()),
        At::Position(_) => None,
    };
    Ok(DriftAnswer { check, count, items: items.into_iter().map(DriftItem::from).collect(), next })
}
