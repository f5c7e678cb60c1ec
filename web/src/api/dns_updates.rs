//! Route for pending DNS updates: the changes that DNS primaries have not accepted yet.

use crate::auth::caller::Viewer;
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_projections::at::At;
use bootledger_projections::dns_updates::{self, DnsUpdate};
use serde::Deserialize;
use utoipa::IntoParams;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/dns-updates").get(index));
}

/// The part of the list to return.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DnsUpdateQuery {
    /// Only items after this cursor: the `next` of the previous page.
    after: Option<String>,
    /// Maximum number of items, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// Lists the records that still have to be added to, or deleted from, DNS primaries, by name. Not available for past positions.
#[utoipa::path(get, path = "/api/v1/dns-updates", tag = "dns-records", params(DnsUpdateQuery), responses((status = 200, body = Page<DnsUpdate>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<DnsUpdateQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    if reading.at != At::Now {
        return Err(Error::rejected("at", "at_not_kept", "what primaries had not taken yet is known only of now"));
    }
    let limit = limit(query.limit)?;
    let found = dns_updates::list(reading.connection(), query.after.as_deref(), i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, DnsUpdate::cursor);
    Ok(reading.answer(&page))
}
