//! Routes for sites (data centres), and for the free host names of their templates.

use crate::api::catalogue::{self, CatalogueQuery, ChangeMode};
use crate::api::networks::FreeQuery;
use crate::http::auth::caller::{Administrator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::Page;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Kind};
use bootledger_projections::questions::free;
use bootledger_projections::rows::catalogue::Entry;
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/sites").get(index))
        .service(resource("/api/v1/sites/{key}").get(show).put(define).delete(retire))
        .service(resource("/api/v1/sites/{key}/hostnames").get(hostnames));
}

/// Lists sites by code, including retired ones.
#[utoipa::path(get, path = "/api/v1/sites", tag = "sites", params(CatalogueQuery),
    responses((status = 200, body = Page<Entry<SiteSpec>>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    catalogue::index::<Entry<SiteSpec>>("site", query, backend.read().await?).await
}

/// Returns one site.
#[utoipa::path(get, path = "/api/v1/sites/{key}", tag = "sites", params(("key" = Name, Path, description = "Its code")),
    responses((status = 200, body = Entry<SiteSpec>)))]
pub(crate) async fn show(_: Viewer, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    catalogue::show::<Entry<SiteSpec>>("site", &key, backend.read().await?).await
}

/// Creates or changes a site. A retired site is restored.
#[utoipa::path(put, path = "/api/v1/sites/{key}", tag = "sites", params(("key" = Name, Path, description = "Its code"), ChangeMode),
    request_body = SiteSpec, responses((status = 200, body = Entry<SiteSpec>)))]
pub(crate) async fn define(
    caller: Administrator,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<SiteSpec>,
) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::DefineSite(key.clone(), Box::new(spec));
    catalogue::change::<Entry<SiteSpec>>("site", &key, &mut backend, &caller, action).await
}

/// Retires a site.
#[utoipa::path(delete, path = "/api/v1/sites/{key}", tag = "sites", params(("key" = Name, Path, description = "Its code"), ChangeMode),
    responses((status = 200, body = Entry<SiteSpec>)))]
pub(crate) async fn retire(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::Retire(Kind::Site, key.clone());
    catalogue::change::<Entry<SiteSpec>>("site", &key, &mut backend, &caller, action).await
}

/// The next free host names of a site. A host name is claimed only when a deployment starts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FreeHostnames {
    /// The site's code.
    site: Name,
    /// The next free host names, in the order of the template. There are fewer than requested if the template is
    /// nearly used up.
    free: Vec<Hostname>,
}

/// Returns the next free host names of a site's template.
#[utoipa::path(get, path = "/api/v1/sites/{key}/hostnames", tag = "sites", responses((status = 200, body = FreeHostnames)),
    params(("key" = Name, Path, description = "The site"), FreeQuery))]
pub(crate) async fn hostnames(
    _: Viewer,
    Path(key): Path<Name>,
    Parameters(query): Parameters<FreeQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (count, at) = (query.count()?, snapshot.at);
    let site: SiteSpec = catalogue::in_use("site", &key, &mut snapshot).await?;
    let template = site.hostname_template.ok_or_else(|| {
        let message = format!("the site {key} has no hostname_template; add one to the site");
        Error::rejected("key", Rule::HostnameTemplateMissing, message)
    })?;
    let free = free::hostnames(snapshot.connection(), &template, &BTreeSet::new(), at, count).await?;
    Ok(snapshot.answer(&FreeHostnames { site: key, free }))
}
