//! The route `GET /dns/zones/{zone}`, with the revision as `ETag` and `?at=`.

use super::zone::{Zone, render};
use crate::dhcp::revision::Revision;
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::{HttpRequest, HttpResponse, web};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::zone;
use bootledger_projections::catalogue::{self, Entry};
use bootledger_projections::{dns_records, zone_serials};

/// Mounts the route. A reverse zone of RFC 2317 has a slash in its name, encoded or not.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/dns/zones/{zone:.+}").route(web::get().to(show)).route(web::head().to(show)));
}

/// Finds a zone, the site that manages it, and every managed zone. If several sites manage the zone, the one with settings for
/// it is used.
pub(crate) async fn find(
    reading: &mut Reading<'_>,
    name: &DomainName,
) -> Result<(zone::Zone, Entry<SiteSpec>, Vec<zone::Zone>), Error> {
    let at = reading.at;
    let sites = catalogue::sites(reading.connection(), at).await?;
    let managed = sites.iter().flat_map(|site| site.spec.zones.iter().cloned()).collect();
    let of_site = |site: Entry<SiteSpec>| Some((site.spec.zones.iter().find(|zone| zone.name == *name)?.clone(), site));
    let mut found: Vec<_> = sites.into_iter().filter_map(of_site).collect();
    let index = found.iter().position(|(zone, _)| zone.has_settings()).unwrap_or_default();
    if found.is_empty() {
        return Err(Error::NotFound(format!("no site manages the zone {name}; add it to the zones of its site")));
    }
    let (zone, site) = found.swap_remove(index);
    Ok((zone, site, managed))
}

async fn show(request: HttpRequest, Path(zone): Path<DomainName>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let at = reading.at;
    let (zone, site, managed) = find(&mut reading, &zone).await?;
    // The views have PTR records under the reverse names of their addresses.
    let records = dns_records::of_zone(reading.connection(), &zone.above(), at).await?;
    let serial = zone_serials::of_zone(reading.connection(), &zone, at).await?;
    let position = reading.position;
    drop(reading);
    let written = tokio::task::spawn_blocking(move || {
        render(&Zone { zone: &zone, domain: &site.spec.domain, managed: &managed, records: &records, serial }).map(Revision::of)
    });
    let revision = written.await.map_err(|error| Error::Internal(error.into()))??;
    let held = revision.is_held_by(&request);
    let mut response = if held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, revision.tag.clone())).insert_header((CACHE_CONTROL, "no-cache"));
    response.insert_header(("Bootledger-Position", position));
    if held {
        return Ok(response.finish());
    }
    // The media type of RFC 4027.
    Ok(response.insert_header((CONTENT_TYPE, "text/dns; charset=utf-8")).body(revision.bytes))
}
