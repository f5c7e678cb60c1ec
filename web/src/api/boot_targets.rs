//! Route for boot targets: the servers that may boot their image at the moment, by address.

use crate::http::auth::caller::Viewer;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::boot_targets::{self, BootTarget, Filter};
use serde::Deserialize;
use std::net::Ipv4Addr;
use utoipa::IntoParams;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/boot-targets").get(index));
}

/// Filters of the list. A filter that is left out matches everything.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct BootTargetQuery {
    /// Only the server with this IPv4 address.
    #[param(value_type = Option<String>)]
    ip: Option<Ipv4Addr>,
    /// Only servers with this MAC address.
    #[param(value_type = Option<String>)]
    mac: Option<MacAddress>,
    /// Only servers in this site.
    #[param(value_type = Option<String>)]
    site: Option<Name>,
    /// Only servers with this boot image.
    #[param(value_type = Option<String>)]
    boot_image: Option<Name>,
    /// Only servers with this text in their address, MAC address or host name. Upper and lower case are the same.
    q: Option<String>,
    /// Only items after this cursor: the `next` of the previous page.
    after: Option<String>,
    /// Maximum number of items, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// Lists boot targets by address.
#[utoipa::path(get, path = "/api/v1/boot-targets", tag = "boot-targets", params(BootTargetQuery), responses((status = 200, body = Page<BootTarget>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<BootTargetQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let limit = limit(query.limit)?;
    let filter =
        Filter { ip: query.ip, mac: query.mac, site: query.site, boot_image: query.boot_image, q: query.q, after: query.after };
    let at = snapshot.at;
    let found = boot_targets::list(snapshot.connection(), &filter, at, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, BootTarget::cursor);
    Ok(snapshot.answer(&page))
}
