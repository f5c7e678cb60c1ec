//! Route for DHCP entries: the fixed addresses that DHCP servers assign.

use crate::http::auth::caller::Viewer;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::dhcp_entries::{self, DhcpEntry, Filter};
use serde::Deserialize;
use std::net::Ipv4Addr;
use utoipa::IntoParams;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/dhcp-entries").get(index));
}

/// Filters of the list. A filter that is left out matches everything.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DhcpEntryQuery {
    /// Only the entry with this IPv4 address.
    #[param(value_type = Option<String>)]
    ip: Option<Ipv4Addr>,
    /// Only entries with this MAC address.
    #[param(value_type = Option<String>)]
    mac: Option<MacAddress>,
    /// Only entries in this network.
    #[param(value_type = Option<String>)]
    network: Option<Name>,
    /// Only entries of this device.
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// Only entries with this text in their address, MAC address or host name. Upper and lower case are the same.
    q: Option<String>,
    /// Only items after this cursor: the `next` of the previous page.
    after: Option<String>,
    /// Maximum number of items, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// Lists DHCP entries by address.
#[utoipa::path(get, path = "/api/v1/dhcp-entries", tag = "dhcp-entries", params(DhcpEntryQuery), responses((status = 200, body = Page<DhcpEntry>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<DhcpEntryQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let limit = limit(query.limit)?;
    let filter =
        Filter { ip: query.ip, mac: query.mac, network: query.network, device: query.device, q: query.q, after: query.after };
    let at = snapshot.at;
    let found = dhcp_entries::list(snapshot.connection(), &filter, at, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, DhcpEntry::cursor);
    Ok(snapshot.answer(&page))
}
