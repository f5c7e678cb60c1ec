//! The A and PTR records of all devices.

use crate::auth::caller::Viewer;
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::dns_records::{self, DnsRecord, Filter};
use serde::Deserialize;
use utoipa::IntoParams;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/dns-records").get(index));
}

/// Which ones; what is left out does not matter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DnsRecordQuery {
    /// With this name.
    name: Option<String>,
    /// A or PTR.
    r#type: Option<String>,
    /// For this device.
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// In this zone: its own name or below it.
    #[param(value_type = Option<String>)]
    zone: Option<DomainName>,
    /// With this text somewhere.
    q: Option<String>,
    /// Only those behind this one: the `next` of the page before.
    after: Option<String>,
    /// At most this many, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// The DNS records, by name.
#[utoipa::path(get, path = "/api/v1/dns-records", tag = "dns-records", params(DnsRecordQuery), responses((status = 200, body = Page<DnsRecord>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<DnsRecordQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let limit = limit(query.limit)?;
    let filter = Filter {
        name: query.name.map(|name| name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase()),
        r#type: query.r#type,
        device: query.device,
        zone: query.zone,
        q: query.q,
        after: query.after,
    };
    let at = reading.at;
    let found = dns_records::list(reading.connection(), &filter, at, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, DnsRecord::cursor);
    Ok(reading.answer(&page))
}
