//! Differences between what a site's servers have and what the views say: looked at, checked anew, repaired.

use crate::application::Application;
use crate::auth::caller::{Operator, Viewer};
use crate::commands::Command;
use crate::error::Error;
use crate::request::answer::Change;
use crate::request::backend::Backend;
use crate::request::body::Json;
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::drift::DriftKey;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::at::At;
use bootledger_projections::catalogue;
use bootledger_projections::drift::{self, Check, Drifted};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/sites/{key}/drift").get(show))
        .service(resource("/api/v1/sites/{key}/drift/check").post(check))
        .service(resource("/api/v1/sites/{key}/drift/repair").post(repair));
}

/// Which part of the list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DriftQuery {
    /// Only those behind this one: the `next` of the page before.
    after: Option<String>,
    /// At most this many, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// The differences of a site.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DriftAnswer {
    /// When that was looked at; null where the past is asked about.
    check: Option<Check>,
    /// How many differences there are.
    count: i64,
    /// Some of them, by key.
    items: Vec<Drifted>,
    /// The `after` of the next page; null where this is the last.
    next: Option<String>,
}

/// What is to be repaired.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepairOrder {
    /// Their keys. Left out: all that nobody else has made, since what somebody else has made is removed only by name.
    keys: Option<Vec<DriftKey>>,
}

/// What a site's DNS primary and DHCP servers have otherwise than they should, and when that was looked at.
#[utoipa::path(get, path = "/api/v1/sites/{key}/drift", tag = "sites", params(("key" = Name, Path, description = "Its code"), DriftQuery),
    responses((status = 200, body = DriftAnswer)))]
pub(crate) async fn show(
    _: Viewer,
    application: Data<Application>,
    Path(site): Path<Name>,
    Parameters(query): Parameters<DriftQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let body = answer(&application, &site, &query, &mut reading).await?;
    Ok(reading.answer(&body))
}

/// Has a site's servers compared with the views at once. 202: what was found is told by `GET` once `checked_at` is later.
#[utoipa::path(post, path = "/api/v1/sites/{key}/drift/check", tag = "sites", params(("key" = Name, Path, description = "Its code")),
    responses((status = 202, body = DriftAnswer)))]
pub(crate) async fn check(
    _: Operator,
    application: Data<Application>,
    mut backend: Backend,
    Path(site): Path<Name>,
) -> Result<HttpResponse, Error> {
    backend.check_drift(&site).await?;
    let mut reading = backend.read_now().await?;
    let body = answer(&application, &site, &DriftQuery::default(), &mut reading).await?;
    Ok(accepted(reading.answer(&body)))
}

/// Orders that servers be brought to what the views say, from what was found there. 202: the difference goes, or tells why not.
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
        Ok(mut reading) => {
            let body = answer(&application, &site, &DriftQuery::default(), &mut reading).await?;
            Ok(accepted(change.answer(reading, &body)))
        }
        Err(accepted) => Ok(accepted),
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
    reading: &mut Reading<'_>,
) -> Result<DriftAnswer, Error> {
    let (limit, at) = (limit(query.limit)?, reading.at);
    if catalogue::site(reading.connection(), site, at).await?.is_none() {
        return Err(Error::NotFound(format!("there is no site {site}")));
    }
    let found = drift::list(reading.connection(), site, at, query.after.as_deref(), i64::from(limit) + 1).await?;
    let Page { items, next } = Page::of(found, limit, |drifted| drifted.key.to_string());
    let count = drift::count(reading.connection(), site, at).await?;
    let check = match at {
        At::Now => Some(drift::check(reading.connection(), site, (application.now)()).await?),
        At::Position(_) => None,
    };
    Ok(DriftAnswer { check, count, items, next })
}
