//! The servers that may boot their image at the moment, by address.

use crate::auth::caller::Viewer;
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::boot_targets::{self, BootTarget, Filter};
use serde::Deserialize;
use std::net::Ipv4Addr;
use utoipa::IntoParams;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/boot-targets").get(index));
}

/// Which ones; what is left out does not matter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct BootTargetQuery {
    /// With this address.
    #[param(value_type = Option<String>)]
    ip: Option<Ipv4Addr>,
    /// With this interface.
    #[param(value_type = Option<String>)]
    mac: Option<MacAddress>,
    /// In this site.
    #[param(value_type = Option<String>)]
    site: Option<Name>,
    /// With this boot image.
    #[param(value_type = Option<String>)]
    boot_image: Option<Name>,
    /// With this text somewhere.
    q: Option<String>,
    /// Only those behind this one: the `next` of the page before.
    after: Option<String>,
    /// At most this many, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// The boot targets, by address.
#[utoipa::path(get, path = "/api/v1/boot-targets", tag = "boot-targets", params(BootTargetQuery), responses((status = 200, body = Page<BootTarget>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<BootTargetQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let limit = limit(query.limit)?;
    let filter =
        Filter { ip: query.ip, mac: query.mac, site: query.site, boot_image: query.boot_image, q: query.q, after: query.after };
    let at = reading.at;
    let found = boot_targets::list(reading.connection(), &filter, at, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, BootTarget::cursor);
    Ok(reading.answer(&page))
}
