//! Route for pending DNS updates: the changes that DNS primaries have not accepted yet.

use crate::http::auth::caller::Viewer;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use crate::wording;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::problem::PublishProblem;
use bootledger_aggregates::rules::Rule;
use bootledger_projections::progress::dns_updates::{self, DnsUpdate};
use bootledger_projections::rows::at::At;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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

/// A record set that may differ from the one at its DNS primary.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DnsUpdateItem {
    #[serde(flatten)]
    update: DnsUpdate,
    /// Why the last attempt failed, as a sentence; null before the first attempt has ended. The sentence may change between
    /// versions.
    problem: Option<String>,
    /// Why the last attempt failed, as a code with its values.
    cause: Option<PublishProblem>,
}

impl From<DnsUpdate> for DnsUpdateItem {
    fn from(update: DnsUpdate) -> Self {
        let problem = update.problem.as_ref().map(wording::dns::problem);
        Self { problem, cause: update.problem.clone(), update }
    }
}

/// Lists the records that still have to be added to, or deleted from, DNS primaries, by name. Not available for past positions.
#[utoipa::path(get, path = "/api/v1/dns-updates", tag = "dns-records", params(DnsUpdateQuery), responses((status = 200, body = Page<DnsUpdateItem>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<DnsUpdateQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    if snapshot.at != At::Now {
        return Err(Error::rejected("at", Rule::AtNotKept, "pending updates are available only for the present"));
    }
    let limit = limit(query.limit)?;
    let found = dns_updates::list(snapshot.connection(), query.after.as_deref(), i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, DnsUpdate::cursor);
    Ok(snapshot.answer(&page.map(DnsUpdateItem::from)))
}
