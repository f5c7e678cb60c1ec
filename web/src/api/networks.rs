//! Routes for networks, and for their free addresses.

use crate::api::catalogue::{self, CatalogueQuery, ChangeMode};
use crate::http::auth::caller::{Administrator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::{MOST, Page};
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Kind};
use bootledger_projections::questions::free;
use bootledger_projections::rows::catalogue::Entry;
use bootledger_projections::rows::holdings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/networks").get(index))
        .service(resource("/api/v1/networks/{key}").get(show).put(define).delete(retire))
        .service(resource("/api/v1/networks/{key}/addresses").get(addresses));
}

/// Lists networks by name, including retired ones.
#[utoipa::path(get, path = "/api/v1/networks", tag = "networks", params(CatalogueQuery),
    responses((status = 200, body = Page<Entry<NetworkSpec>>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<CatalogueQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    catalogue::index::<Entry<NetworkSpec>>("network", query, backend.read().await?).await
}

/// Returns one network.
#[utoipa::path(get, path = "/api/v1/networks/{key}", tag = "networks", params(("key" = Name, Path, description = "Its name")),
    responses((status = 200, body = Entry<NetworkSpec>)))]
pub(crate) async fn show(_: Viewer, Path(key): Path<Name>, mut backend: Backend) -> Result<HttpResponse, Error> {
    catalogue::show::<Entry<NetworkSpec>>("network", &key, backend.read().await?).await
}

/// Creates or changes a network. A retired network is restored.
#[utoipa::path(put, path = "/api/v1/networks/{key}", tag = "networks", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    request_body = NetworkSpec, responses((status = 200, body = Entry<NetworkSpec>)))]
pub(crate) async fn define(
    caller: Administrator,
    mut backend: Backend,
    Path(key): Path<Name>,
    Json(spec): Json<NetworkSpec>,
) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::DefineNetwork(key.clone(), Box::new(spec));
    catalogue::change::<Entry<NetworkSpec>>("network", &key, &mut backend, &caller, action).await
}

/// Retires a network.
#[utoipa::path(delete, path = "/api/v1/networks/{key}", tag = "networks", params(("key" = Name, Path, description = "Its name"), ChangeMode),
    responses((status = 200, body = Entry<NetworkSpec>)))]
pub(crate) async fn retire(caller: Administrator, mut backend: Backend, Path(key): Path<Name>) -> Result<HttpResponse, Error> {
    let action = CatalogueAction::Retire(Kind::Network, key.clone());
    catalogue::change::<Entry<NetworkSpec>>("network", &key, &mut backend, &caller, action).await
}

/// The number of free values to return.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FreeQuery {
    /// Maximum number of free values, 1 to 1000; 1 by default.
    #[serde(default = "one")]
    pub(super) free: u32,
}

fn one() -> u32 {
    1
}

impl FreeQuery {
    pub(super) fn count(self) -> Result<usize, Error> {
        if (1..=MOST).contains(&self.free) {
            Ok(self.free as usize)
        } else {
            Err(Error::rejected("free", Rule::FreeRange, format!("free must be 1 to {MOST}, not {}", self.free)))
        }
    }
}

/// The next free addresses of a network. An address is claimed only when a deployment starts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FreeAddresses {
    /// The network's name.
    network: Name,
    /// The next free addresses, lowest first. There are fewer than requested if the network is nearly full.
    #[schema(value_type = Vec<String>)]
    free: Vec<Ipv4Addr>,
    /// The number of the network's addresses that devices hold.
    held: i64,
}

/// Returns the next free addresses of a network. It leaves out the network, broadcast and gateway addresses, the addresses
/// reserved at the start and end, those that devices hold, and those of management controllers.
#[utoipa::path(get, path = "/api/v1/networks/{key}/addresses", tag = "networks", responses((status = 200, body = FreeAddresses)),
    params(("key" = Name, Path, description = "The network"), FreeQuery))]
pub(crate) async fn addresses(
    _: Viewer,
    Path(key): Path<Name>,
    Parameters(query): Parameters<FreeQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (count, at) = (query.count()?, snapshot.at);
    let network: NetworkSpec = catalogue::in_use("network", &key, &mut snapshot).await?;
    let free = free::addresses(snapshot.connection(), &network, &BTreeSet::new(), at, count).await?;
    let held = holdings::count_in(snapshot.connection(), &[network.cidr], at).await?.into_iter().sum();
    Ok(snapshot.answer(&FreeAddresses { network: key, free, held }))
}
