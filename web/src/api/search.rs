//! Routes for the search of every kind of object, and for the histories of addresses, MAC addresses and host names.

use crate::http::auth::caller::Viewer;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::page::limit;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::questions::search::{self, Extent, Group, MOST, Terms};
use bootledger_projections::questions::value_history::{self, AddressState, Place, Value, ValueHistory};
use bootledger_projections::rows::reservations::Reservation;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/search").get(index))
        .service(resource("/api/v1/addresses/{ip}/history").get(address))
        .service(resource("/api/v1/macs/{mac}/history").get(mac))
        .service(resource("/api/v1/hostnames/{hostname}/history").get(hostname));
}

/// What to search for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// The text: a name, an address or a range of addresses, a MAC address in any notation, a serial or asset number, the reason
    /// of a cancelled deployment, an id, or an event's number. A part of a word is found from three characters on.
    q: String,
    /// Maximum number of objects of each kind, 1 to 1000; 100 by default. No more than 100 are returned.
    limit: Option<u32>,
}

/// The results of a search.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SearchResults {
    /// The objects by kind. Kinds with an exact match come first.
    groups: Vec<Group>,
}

/// Searches every kind of object. Users are found by administrators and auditors only. At a past position, a part of a word is found only if
/// the object still has it.
#[utoipa::path(get, path = "/api/v1/search", tag = "search", params(SearchQuery), responses((status = 200, body = SearchResults)))]
pub(crate) async fn index(
    caller: Viewer,
    Parameters(query): Parameters<SearchQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let each = (limit(query.limit)? as usize).min(usize::try_from(MOST).unwrap_or(usize::MAX));
    let mut snapshot = backend.read().await?;
    let extent = Extent { each, users: caller.0.principal.may(Role::Auditor) };
    let at = snapshot.at;
    let groups = search::find(snapshot.connection(), &Terms::of(&query.q), at, extent).await?;
    Ok(snapshot.answer(&SearchResults { groups }))
}

/// The history of an address, and what the address is used for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AddressHistory {
    /// The smallest network in use that contains the address.
    network: Option<Name>,
    /// What the address is used for.
    state: AddressState,
    /// What the catalogue uses the address for.
    uses: Vec<String>,
    /// The reservation that holds the address; null for none.
    reservation: Option<Reservation>,
    #[serde(flatten)]
    history: ValueHistory,
}

/// Returns who held an address from when to when, by which deployment, and its DNS records and DHCP entries, newest first.
#[utoipa::path(get, path = "/api/v1/addresses/{ip}/history", tag = "search",
    params(("ip" = String, Path, description = "The IPv4 address")), responses((status = 200, body = AddressHistory)))]
pub(crate) async fn address(_: Viewer, Path(ip): Path<Ipv4Addr>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let place = value_history::place(snapshot.connection(), ip, at).await?;
    let history = value_history::find(snapshot.connection(), &Value::Ip(ip), at).await?;
    let network = place.network_name().cloned();
    let Place { state, uses, reservation, .. } = place;
    Ok(snapshot.answer(&AddressHistory { network, state, uses, reservation, history }))
}

/// Returns which device had a MAC address from when to when, its deployments and DHCP entries, newest first.
#[utoipa::path(get, path = "/api/v1/macs/{mac}/history", tag = "search",
    params(("mac" = MacAddress, Path, description = "The MAC address in any notation")), responses((status = 200, body = ValueHistory)))]
pub(crate) async fn mac(_: Viewer, Path(mac): Path<MacAddress>, backend: Backend) -> Result<HttpResponse, Error> {
    answer(&Value::Mac(mac), backend).await
}

/// Returns who held a host name from when to when, its deployments, DNS records and DHCP entries, newest first.
#[utoipa::path(get, path = "/api/v1/hostnames/{hostname}/history", tag = "search",
    params(("hostname" = Hostname, Path, description = "The host name with its domain")), responses((status = 200, body = ValueHistory)))]
pub(crate) async fn hostname(_: Viewer, Path(name): Path<Hostname>, backend: Backend) -> Result<HttpResponse, Error> {
    answer(&Value::Hostname(name), backend).await
}

async fn answer(value: &Value, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let history = value_history::find(snapshot.connection(), value, at).await?;
    Ok(snapshot.answer(&history))
}
