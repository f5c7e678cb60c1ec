//! Routes for ventures and their roles.

use crate::api::catalogue::{self, Answer, CatalogueQuery, ChangeMode};
use crate::http::auth::caller::{Administrator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::Page;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::{RoleSpec, VentureSpec};
use bootledger_port::{CatalogueAction, Kind};
use bootledger_projections::rows::catalogue::{Entry, VentureView};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A venture with its roles.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VentureAnswer {
    /// The venture's name, unique among ventures.
    key: Name,
    /// The number of events of this venture so far.
    sequence: i64,
    /// Whether the venture is retired.
    retired: bool,
    /// The description, in the form that `PUT` accepts.
    spec: VentureSpec,
    /// The venture's roles by name, each in the form that `PUT` accepts.
    roles: BTreeMap<Name, RoleSpec>,
}

impl Answer for VentureAnswer {
    type View = VentureView;

    fn of(Entry { key, sequence, retired, spec: VentureView { spec, roles } }: Entry<VentureView>) -> Self {
        Self { key, sequence, retired, spec, roles }
    }
}

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/ventures").get(index))
        .service(resource("/api/v1/ventures/{key}").get(show).put(define).delete(retire))
        .service(resource("/api/v1/ventures/{key}/roles/{role}").put(define_role).delete(retire_role));
}

/// Lists ventures by name, including retired ones.
#[utoipa::path(get, path = "/api/v1/ventures", tag = "ventures", params(CatalogueQuery),
    responses((status = 200, body = Page<VentureAnswer>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    catalogue::index::<VentureAnswer>("venture", query, backend.read().await?).await
}

/// Returns one venture.
#[utoipa::path(get, path = "/api/v1/ventures/{key}", tag = "ventures", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = VentureAnswer)))]
pub(crate) async fn show(_: Viewer, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    catalogue::show::<VentureAnswer>("venture", &key, backend.read().await?).await
}

/// Creates or changes a venture. A retired venture is restored.
#[utoipa::path(put, path = "/api/v1/ventures/{key}", tag = "ventures", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    request_body = VentureSpec, responses((status = 200, body = VentureAnswer)))]
pub(crate) async fn define(
    caller: Administrator,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<VentureSpec>,
) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::DefineVenture(key.clone(), spec);
    catalogue::change::<VentureAnswer>("venture", &key, &mut backend, &caller, action).await
}

/// Retires a venture.
#[utoipa::path(delete, path = "/api/v1/ventures/{key}", tag = "ventures", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    responses((status = 200, body = VentureAnswer)))]
pub(crate) async fn retire(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::Retire(Kind::Venture, key.clone());
    catalogue::change::<VentureAnswer>("venture", &key, &mut backend, &caller, action).await
}

/// Creates or changes a role of a venture.
#[utoipa::path(put, path = "/api/v1/ventures/{key}/roles/{role}", tag = "ventures", request_body = RoleSpec,
    params(("key" = Name, Path, description = "The venture"), ("role" = Name, Path, description = "Its role"), ChangeMode),
    responses((status = 200, body = VentureAnswer)))]
pub(crate) async fn define_role(
    caller: Administrator,
    mut backend: Backend,
    Path((venture, role)): Path<(Name, Name)>,
    Json(spec): Json<RoleSpec>,
) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::DefineRole { venture: venture.clone(), role, spec };
    catalogue::change::<VentureAnswer>("venture", &venture, &mut backend, &caller, action).await
}

/// Retires a role of a venture.
#[utoipa::path(delete, path = "/api/v1/ventures/{key}/roles/{role}", tag = "ventures",
    params(("key" = Name, Path, description = "The venture"), ("role" = Name, Path, description = "Its role"), ChangeMode),
    responses((status = 200, body = VentureAnswer)))]
pub(crate) async fn retire_role(
    caller: Administrator,
    mut backend: Backend,
    Path((venture, role)): Path<(Name, Name)>,
) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::RetireRole { venture: venture.clone(), role };
    catalogue::change::<VentureAnswer>("venture", &venture, &mut backend, &caller, action).await
}
