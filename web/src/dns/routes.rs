//! `GET /dns/zones/{zone}`, with its revision as `ETag` and `?at=`.

use super::zone::{Zone, render};
use crate::dhcp::revision::Revision;
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::path::Path;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::{HttpRequest, HttpResponse, web};
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::reverse_zone::above;
use bootledger_projections::{catalogue, dns_records};

/// The route. A reverse zone of RFC 2317 has a slash in its name, encoded or not.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/dns/zones/{zone:.+}").route(web::get().to(show)).route(web::head().to(show)));
}

async fn show(request: HttpRequest, Path(zone): Path<DomainName>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let at = reading.at;
    let sites = catalogue::sites(reading.connection(), at).await?;
    let mut managed: Vec<DomainName> = sites.iter().flat_map(|site| site.spec.zones.iter().cloned()).collect();
    managed.sort();
    managed.dedup();
    let Some(site) = sites.into_iter().find(|site| site.spec.zones.contains(&zone)) else {
        return Err(Error::NotFound(format!("no site manages the zone {zone}; add it to the zones of its site")));
    };
    // The views have PTR records under the reverse names of their addresses.
    let named = above(&zone);
    let records = dns_records::of_zone(reading.connection(), &named, at).await?;
    let changed = dns_records::zone_changed_at(reading.connection(), &named, at).await?;
    let position = reading.position;
    drop(reading);
    let written = tokio::task::spawn_blocking(move || {
        render(&Zone { name: &zone, domain: &site.spec.domain, managed: &managed, records: &records, changed }).map(Revision::of)
    });
    let revision = written.await.map_err(|error| Error::Internal(error.into()))??;
    let held = revision.is_held_by(&request);
    let mut response = if held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, revision.tag.clone())).insert_header((CACHE_CONTROL, "no-cache"));
    response.insert_header(("Bootledger-Position", position));
    if held {
        return Ok(response.finish());
    }
    // RFC 4027.
    Ok(response.insert_header((CONTENT_TYPE, "text/dns; charset=utf-8")).body(revision.bytes))
}
