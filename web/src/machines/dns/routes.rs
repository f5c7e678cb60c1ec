//! The route `GET /dns/zones/{zone}`, with the revision as `ETag` and `?at=`.

use super::zone::{Zone, render};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::machines::dhcp::revision::Revision;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::{HttpRequest, HttpResponse, web};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::zone;
use bootledger_projections::questions::zone_serials;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::dns_records;

/// Mounts the route. A reverse zone of RFC 2317 has a slash in its name, encoded or not.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/dns/zones/{zone:.+}").route(web::get().to(show)).route(web::head().to(show)));
}

/// Finds a zone, the site that manages it, and every managed zone. If several sites manage the zone, the one with settings for
/// it is used.
pub(crate) async fn find(
    snapshot: &mut Snapshot<'_>,
    name: &DomainName,
) -> Result<(zone::Zone, Entry<SiteSpec>, Vec<zone::Zone>), Error> {
    let at = snapshot.at;
    let sites = catalogue::sites(snapshot.connection(), at).await?;
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
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let (zone, site, managed) = find(&mut snapshot, &zone).await?;
    // The views have PTR records under the reverse names of their addresses.
    let records = dns_records::of_zone(snapshot.connection(), &zone.above(), at).await?;
    let serial = zone_serials::of_zone(snapshot.connection(), &zone, at).await?;
    let position = snapshot.position;
    drop(snapshot);
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
