//! Route for DNS records: the A and PTR records of all devices.

use crate::http::auth::caller::Viewer;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::rows::dns_records::{self, DnsRecord, Filter};
use serde::Deserialize;
use utoipa::IntoParams;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/dns-records").get(index));
}

/// Filters of the list. A filter that is left out matches everything.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DnsRecordQuery {
    /// Only records with this name.
    name: Option<String>,
    /// Only records of this type: `A` or `PTR`.
    r#type: Option<String>,
    /// Only records of this device.
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// Only records in this zone: its own name and the names below it.
    #[param(value_type = Option<String>)]
    zone: Option<DomainName>,
    /// Only records with this text in their name or value.
    q: Option<String>,
    /// Only items after this cursor: the `next` of the previous page.
    after: Option<String>,
    /// Maximum number of items, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// Lists DNS records by name.
#[utoipa::path(get, path = "/api/v1/dns-records", tag = "dns-records", params(DnsRecordQuery), responses((status = 200, body = Page<DnsRecord>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<DnsRecordQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let limit = limit(query.limit)?;
    let filter = Filter {
        name: query.name.map(|name| name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase()),
        r#type: query.r#type,
        device: query.device,
        zone: query.zone,
        q: query.q,
        after: query.after,
    };
    let at = snapshot.at;
    let found = dns_records::list(snapshot.connection(), &filter, at, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, DnsRecord::cursor);
    Ok(snapshot.answer(&page))
}
