//! Routes for the scopes of secrets: the management controllers that each secret may be sent to. Only administrators may use
//! them. They never return a secret itself, or whether it can be read.

use crate::api::catalogue::{self, CatalogueQuery, ChangeMode};
use crate::http::auth::caller::{Administrator, Auditor};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::Page;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::secret::SecretSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Kind};
use bootledger_projections::rows::catalogue::Entry;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/secrets").get(index))
        .service(resource("/api/v1/secrets/{key}").get(show).put(define).delete(retire));
}

/// Lists the scopes of secrets by name, including retired ones.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets", params(CatalogueQuery),
    responses((status = 200, body = Page<Entry<SecretSpec>>)))]
pub(crate) async fn index(
    _: Auditor,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    catalogue::index::<Entry<SecretSpec>>("secret", query, backend.read().await?).await
}

/// Returns the scope of one secret.
#[utoipa::path(get, path = "/api/v1/secrets/{key}", tag = "secrets",
    params(("key" = Name, Path, description = "The secret's name")), responses((status = 200, body = Entry<SecretSpec>)))]
pub(crate) async fn show(_: Auditor, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    catalogue::show::<Entry<SecretSpec>>("secret", &key, backend.read().await?).await
}

/// Sets the management controllers that a secret may be sent to. A secret without a scope is sent to none.
#[utoipa::path(put, path = "/api/v1/secrets/{key}", tag = "secrets",
    params(("key" = Name, Path, description = "The secret's name"), ChangeMode), request_body = SecretSpec,
    responses((status = 200, body = Entry<SecretSpec>)))]
pub(crate) async fn define(
    caller: Administrator,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<SecretSpec>,
) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::DefineSecret(key.clone(), Box::new(spec));
    catalogue::change::<Entry<SecretSpec>>("secret", &key, &mut backend, &caller, action).await
}

/// Retires the scope of a secret: the secret is sent to no management controller. The secret itself is not deleted.
#[utoipa::path(delete, path = "/api/v1/secrets/{key}", tag = "secrets",
    params(("key" = Name, Path, description = "The secret's name"), ChangeMode), responses((status = 200, body = Entry<SecretSpec>)))]
pub(crate) async fn retire(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::Retire(Kind::Secret, key.clone());
    catalogue::change::<Entry<SecretSpec>>("secret", &key, &mut backend, &caller, action).await
}
