//! Routes for DHCP servers, and for the configuration that each server has confirmed.

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
use bootledger_aggregates::dhcp_server::DhcpServerSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Kind};
use bootledger_projections::rows::catalogue::{Confirmed, DhcpServerView, Entry, Failing};
use serde::Serialize;
use utoipa::ToSchema;

/// A DHCP server with its last report.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DhcpServerAnswer {
    /// The DHCP server's name, unique among DHCP servers.
    key: Name,
    /// The number of events of this DHCP server so far.
    sequence: i64,
    /// Whether the DHCP server is retired.
    retired: bool,
    /// The description, in the form that `PUT` accepts.
    spec: DhcpServerSpec,
    /// The configuration that the server runs, as it confirmed; null before the first confirmation.
    confirmed: Option<Confirmed>,
    /// The configuration that the server could not use; null if it has confirmed one since then.
    failing: Option<Failing>,
}

impl Answer for DhcpServerAnswer {
    type View = DhcpServerView;

    fn of(Entry { key, sequence, retired, spec: view }: Entry<DhcpServerView>) -> Self {
        let DhcpServerView { spec, confirmed, failing } = view;
        Self { key, sequence, retired, spec, confirmed, failing }
    }
}

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/dhcp-servers").get(index))
        .service(resource("/api/v1/dhcp-servers/{key}").get(show).put(define).delete(retire));
}

/// Lists DHCP servers by name, including retired ones.
#[utoipa::path(get, path = "/api/v1/dhcp-servers", tag = "dhcp-servers", params(CatalogueQuery),
    responses((status = 200, body = Page<DhcpServerAnswer>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    catalogue::index::<DhcpServerAnswer>("dhcp_server", query, backend.read().await?).await
}

/// Returns one DHCP server.
#[utoipa::path(get, path = "/api/v1/dhcp-servers/{key}", tag = "dhcp-servers", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = DhcpServerAnswer)))]
pub(crate) async fn show(_: Viewer, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    catalogue::show::<DhcpServerAnswer>("dhcp_server", &key, backend.read().await?).await
}

/// Creates or changes a DHCP server. A retired DHCP server is restored.
#[utoipa::path(put, path = "/api/v1/dhcp-servers/{key}", tag = "dhcp-servers", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    request_body = DhcpServerSpec, responses((status = 200, body = DhcpServerAnswer)))]
pub(crate) async fn define(
    caller: Administrator,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<DhcpServerSpec>,
) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::DefineDhcpServer(key.clone(), spec);
    catalogue::change::<DhcpServerAnswer>("dhcp_server", &key, &mut backend, &caller, action).await
}

/// Retires a DHCP server.
#[utoipa::path(delete, path = "/api/v1/dhcp-servers/{key}", tag = "dhcp-servers", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    responses((status = 200, body = DhcpServerAnswer)))]
pub(crate) async fn retire(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::Retire(Kind::DhcpServer, key.clone());
    catalogue::change::<DhcpServerAnswer>("dhcp_server", &key, &mut backend, &caller, action).await
}
