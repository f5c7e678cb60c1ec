//! Routes for reservations of addresses: an operator keeps an address of a network free of servers.

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
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::reservation::ReservationSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::schema::Ipv4Address;
use bootledger_port::{Command, ReservationAction};
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::reservations::{self, Reservation};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/networks/{key}/reservations").get(index))
        .service(resource("/api/v1/networks/{key}/reservations/{ip}").get(show).put(reserve).delete(release));
}

/// Filters of the list.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ReservationQuery {
    /// Only reservations after this address: the `next` of the previous page.
    #[param(value_type = Option<Ipv4Address>)]
    after: Option<Ipv4Addr>,
    /// Maximum number of items, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// The address that is no longer reserved.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Released {
    /// The released address.
    #[schema(value_type = Ipv4Address)]
    ip: Ipv4Addr,
}

/// Lists the reserved addresses of a network, lowest first.
#[utoipa::path(get, path = "/api/v1/networks/{key}/reservations", tag = "networks",
    params(("key" = Name, Path, description = "The network"), ReservationQuery), responses((status = 200, body = Page<Reservation>)))]
pub(crate) async fn index(
    _: Viewer,
    Path(key): Path<Name>,
    Parameters(query): Parameters<ReservationQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let limit = limit(query.limit)?;
    let mut snapshot = backend.read().await?;
    let mut found = of_network(&mut snapshot, &key).await?;
    found.retain(|reservation| query.after.is_none_or(|after| reservation.ip > after));
    Ok(snapshot.answer(&Page::of(found, limit, |reservation| reservation.ip.to_string())))
}

async fn of_network(snapshot: &mut Snapshot<'_>, key: &Name) -> Result<Vec<Reservation>, Error> {
    let at = snapshot.at;
    let item = catalogue::find(snapshot.connection(), "network", key.as_str(), at).await?;
    let item = item.ok_or_else(|| Error::NotFound(format!("there is no network {key}")))?;
    let spec = item.read::<NetworkSpec>()?.spec;
    Ok(reservations::within(snapshot.connection(), spec.cidr, at).await?)
}

async fn find(snapshot: &mut Snapshot<'_>, key: &Name, ip: Ipv4Addr) -> Result<Reservation, Error> {
    let at = snapshot.at;
    let found = reservations::find_many(snapshot.connection(), &[ip], at).await?.pop();
    let found = found.filter(|reservation| reservation.view.network == *key);
    found.ok_or_else(|| Error::NotFound(format!("{ip} is not reserved in network {key}")))
}

/// Returns the reservation of an address.
#[utoipa::path(get, path = "/api/v1/networks/{key}/reservations/{ip}", tag = "networks",
    params(("key" = Name, Path, description = "The network"), ("ip" = Ipv4Address, Path, description = "The address")),
    responses((status = 200, body = Reservation)))]
pub(crate) async fn show(
    _: Viewer,
    Path((key, ip)): Path<(Name, Ipv4Addr)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let body = find(&mut snapshot, &key, ip).await?;
    Ok(snapshot.answer(&body))
}

/// Reserves an address, or changes the note and the end of its reservation. A reserved address is neither suggested nor assigned.
#[utoipa::path(put, path = "/api/v1/networks/{key}/reservations/{ip}", tag = "networks",
    params(("key" = Name, Path, description = "The network"), ("ip" = Ipv4Address, Path, description = "The address")),
    request_body = ReservationSpec, responses((status = 200, body = Reservation)))]
pub(crate) async fn reserve(
    caller: Operator,
    mut backend: Backend,
    Path((key, ip)): Path<(Name, Ipv4Addr)>,
    Json(spec): Json<ReservationSpec>,
) -> Result<HttpResponse, Error> {
    let action = ReservationAction::ReserveAddress { network: key.clone(), ip, spec, replaces: true };
    let change = Change::make(&mut backend, &caller, Command::Reservation(action)).await?;
    match change.shown(&mut backend).await {
        Shown::Now(mut snapshot) => {
            let body = find(&mut snapshot, &key, ip).await?;
            Ok(change.answer(snapshot, &body))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}

/// Releases a reserved address: it can be assigned again.
#[utoipa::path(delete, path = "/api/v1/networks/{key}/reservations/{ip}", tag = "networks",
    params(("key" = Name, Path, description = "The network"), ("ip" = Ipv4Address, Path, description = "The address")),
    responses((status = 200, body = Released)))]
pub(crate) async fn release(
    caller: Operator,
    mut backend: Backend,
    Path((key, ip)): Path<(Name, Ipv4Addr)>,
) -> Result<HttpResponse, Error> {
    find(&mut backend.read_now().await?, &key, ip).await?;
    let change = Change::make(&mut backend, &caller, Command::Reservation(ReservationAction::ReleaseAddress(ip))).await?;
    match change.shown(&mut backend).await {
        Shown::Now(snapshot) => Ok(change.answer(snapshot, &Released { ip })),
        Shown::Later(accepted) => Ok(accepted),
    }
}
