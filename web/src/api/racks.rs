//! Routes for racks: list, read, define, retire.

use crate::api::catalogue::{self, CatalogueQuery, ChangeMode};
use crate::http::auth::caller::{Administrator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::Page;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Kind};
use bootledger_projections::rows::catalogue::Entry;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/racks").get(index))
        .service(resource("/api/v1/racks/{key}").get(show).put(define).delete(retire));
}

/// Lists racks by name, including retired ones.
#[utoipa::path(get, path = "/api/v1/racks", tag = "racks", params(CatalogueQuery),
    responses((status = 200, body = Page<Entry<RackSpec>>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    catalogue::index::<Entry<RackSpec>>("rack", query, backend.read().await?).await
}

/// Returns one rack.
#[utoipa::path(get, path = "/api/v1/racks/{key}", tag = "racks", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = Entry<RackSpec>)))]
pub(crate) async fn show(_: Viewer, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    catalogue::show::<Entry<RackSpec>>("rack", &key, backend.read().await?).await
}

/// Creates or changes a rack. A retired rack is restored.
#[utoipa::path(put, path = "/api/v1/racks/{key}", tag = "racks", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    request_body = RackSpec, responses((status = 200, body = Entry<RackSpec>)))]
pub(crate) async fn define(
    caller: Administrator,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<RackSpec>,
) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::DefineRack(key.clone(), spec);
    catalogue::change::<Entry<RackSpec>>("rack", &key, &mut backend, &caller, action).await
}

/// Retires a rack.
#[utoipa::path(delete, path = "/api/v1/racks/{key}", tag = "racks", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    responses((status = 200, body = Entry<RackSpec>)))]
pub(crate) async fn retire(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::Retire(Kind::Rack, key.clone());
    catalogue::change::<Entry<RackSpec>>("rack", &key, &mut backend, &caller, action).await
}
