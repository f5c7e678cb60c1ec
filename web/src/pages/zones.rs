//! Pages of DNS zones: their records, the drift of their primary, and the updates that the primary has not accepted yet.

mod form;
mod view;

use super::catalogue::entry::{self, Parts};
use super::catalogue::list::is_csv;
use super::csv::download;
use super::differences;
use super::list::paging::{Place, Slice, size};
use super::list::views::{Known, Views};
use super::live::Topic;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::page::{self, USUAL};
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::machines::dns::routes::find;
use crate::machines::dns::zone::{Zone as File, name_in_zone, render};
use crate::pages::components::action::Allowed;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::drift::{RecordType, Subject};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::hostname::{DomainName, reverse_name};
use bootledger_aggregates::values::reverse_zone::reversed;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::zone::data::Data as RecordData;
use bootledger_aggregates::zone::{Zone, holding};
use bootledger_projections::progress::dns_updates;
use bootledger_projections::questions::zone_serials;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::dns_records::{self, DnsRecord};
use bootledger_projections::rows::{catalogue, devices, drift};
use futures::future::FutureExt;
use maud::html;
use serde::Deserialize;
use std::collections::HashMap;

pub(super) fn configure(config: &mut ServiceConfig) {
    // A reverse zone of RFC 2317 has a slash in its name.
    config
        .service(resource("/zones").get(index))
        .service(resource("/zones/{zone:.+}/live/{since}").get(live))
        .service(resource("/zones/{zone:.+}/edit").get(form::edit).post(form::change))
        .service(resource("/zones/{zone:.+}").get(show));
}

/// How many pending updates of a primary are shown.
const SHOWN_UPDATES: i64 = 50;

/// Maximum number of devices' records that are compared with the zone's extra records.
const COMPARED: i64 = 1_000;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    q: Option<String>,
    /// The order: `zone` or `site` (the default), with a leading `-` for descending.
    sort: Option<String>,
}

async fn index(mut page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let views = Views::load(&page_context, &mut snapshot, "zones", Known::fixed(&[], vec!["zone", "site"])).await?;
    views.assume(&mut page_context);
    let query: ListQuery = page_context.query_without(&["after", "before", "limit", "as"])?;
    let at = snapshot.at;
    let sites = catalogue::sites(snapshot.connection(), at).await?;
    let counts = drift::counts_by_site(snapshot.connection(), at).await?;
    let checks = differences::LastChecks::read(&mut snapshot).await?;
    let q = query.q.as_deref().unwrap_or_default().to_lowercase();
    let all = sites.iter().flat_map(|site| {
        let primary = site.spec.dns_updates.as_ref().map(|updates| updates.primary);
        site.spec.zones.iter().map(move |zone| view::Row { site: &site.key, zone, primary })
    });
    let mut rows: Vec<_> = all.filter(|row| row.zone.name.as_str().contains(&q) || row.site.as_str().contains(&q)).collect();
    let sort = query.sort.as_deref().unwrap_or("site");
    if !["site", "-site", "zone", "-zone"].contains(&sort) {
        return Err(Error::bad_request("sort", Rule::ParameterMalformed, format!("sort: {sort:?} is not site or zone")));
    }
    rows.sort_by_key(
        |row| if sort.ends_with("zone") { (row.zone.to_string(), row.place()) } else { (String::new(), row.place()) },
    );
    if sort.starts_with('-') {
        rows.reverse();
    }
    if is_csv(&page_context) {
        let mut lines = Some(rows.iter().map(view::line).collect::<String>());
        return download("zones.csv", view::CSV, snapshot, async |_| Ok(lines.take())).await;
    }
    let total = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let slice = Slice::of_all(rows, size(&page_context)? as usize, &Place::of(&page_context), view::Row::place);
    let content =
        view::list(&page_context, (&slice, total, sort), &views, sites.is_empty(), &counts, (&checks, snapshot.moment()));
    let page = Page { json: Some(view::JSON.to_owned()), ..Page::new("DNS zones", Section::Zones, content) };
    page_context.answer(snapshot, page).await
}

/// The query of a zone's page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OneQuery {
    /// Only records with this text.
    q: Option<String>,
    /// Only records after this cursor.
    after: Option<String>,
}

async fn parts(
    snapshot: &mut Snapshot<'_>,
    application: &Application,
    zone: &DomainName,
    may: &Allowed,
    now: Timestamp,
) -> Result<Parts, Error> {
    let (zone, site, managed) = &find(snapshot, zone).await?;
    let secret = site.spec.dns_updates.as_ref().map(|updates| &updates.key.secret);
    let secret_problem = secret.filter(|_| snapshot.at == At::Now).and_then(|secret| application.commands.secret_problem(secret));
    let zones = &site.spec.zones;
    let of_zone = |subject: &Subject| match subject {
        Subject::Dns { name, record } => {
            let reverse = reversed(name.as_str()).filter(|_| *record == RecordType::Ptr);
            holding(zones, name.as_str(), reverse).is_some_and(|(smallest, _)| smallest.name == zone.name)
        }
        Subject::Dhcp { .. } => false,
    };
    let at = snapshot.at;
    let serial = zone_serials::of_zone(snapshot.connection(), zone, at).await?;
    let (names, cuts) = beside_extra(zone).await?;
    let records = dns_records::beside(snapshot.connection(), &names, &cuts, at, COMPARED).await?;
    let (of_file, domain, all) = (zone.clone(), site.spec.domain.clone(), managed.clone());
    let written = tokio::task::spawn_blocking(move || {
        render(&File { zone: &of_file, domain: &domain, managed: &all, records: &records, serial })
    });
    let file = written.await.map_err(|error| Error::Internal(error.into()))??;
    let mut found = differences::some_of_site(snapshot, &site.key, now, of_zone).await?;
    if at == At::Now && site.spec.dns_updates.is_none() {
        found.uncompared = Some("The site has no DNS primary, so the records of the zone cannot be compared.");
    }
    let pending = match snapshot.at {
        At::Now => Some(dns_updates::in_zone(snapshot.connection(), &zone.above(), SHOWN_UPDATES).await?),
        At::Position(_) => None,
    };
    Ok(vec![
        ("facts", view::facts(zone, site, secret_problem.as_deref())),
        ("soa", view::soa(zone, &site.spec.domain, serial, &file)),
        ("updates", view::updates(&site.spec, pending.as_deref(), now)),
        ("drift", differences::card(&site.key, &found, now, may, &format!("/zones/{zone}"))),
    ])
}

/// Reads the records that affect what the page shows of the file, which contains every record: those of the usual name server,
/// and those that can conflict with extra records. The names are in the form of the views; the second list has the delegated
/// names that records may be below.
async fn beside_extra(zone: &Zone) -> Result<(Vec<String>, Vec<String>), Error> {
    let zone = zone.clone();
    let listed = tokio::task::spawn_blocking(move || {
        let (extra, _) = zone.readable();
        let (mut names, mut cuts) = (vec![format!("ns.{}", zone.name)], vec![]);
        for record in extra {
            if matches!(record.data, RecordData::Ns(_)) && record.name.as_str() != zone.name.as_str() {
                cuts.push(record.name.to_string());
            }
            names.push(record.name.to_string());
        }
        // The names of such a zone are not in the form of the views; it has at most 256 addresses.
        if let Some(range) = zone.addresses().filter(|range| zone.above() != zone.name && range.is_of_one_24()) {
            let addresses = u32::from(range.first())..=u32::from(range.last());
            names = addresses.map(|address| reverse_name(address.into())).collect();
        }
        names.sort_unstable();
        names.dedup();
        cuts.sort_unstable();
        cuts.dedup();
        (names, cuts)
    });
    listed.await.map_err(|error| Error::Internal(error.into()))
}

async fn show(
    page_context: PageContext,
    application: Data<Application>,
    Path(zone): Path<DomainName>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: OneQuery = page_context.query()?;
    let (may, moment) = (page_context.may_change(&snapshot, Role::Operator), snapshot.moment());
    let parts = parts(&mut snapshot, &application, &zone, &may, moment).await?;
    let records = records(&mut snapshot, &zone, &query).await?;
    // A zone is a part of its site.
    let site = find(&mut snapshot, &zone).await?.1.key;
    let page_path = format!("/zones/{zone}");
    let content = html! {
        (view::heading(&zone, &page_context.may_change(&snapshot, Role::Administrator)))
        (entry::shown(&parts))
        (view::records(&page_context, &page_path, &records))
    };
    let page = Page {
        live: Some(format!("{page_path}/live/{}", snapshot.position)),
        json: Some(format!(
            "/api/v1/dns-records?{}",
            form_urlencoded::Serializer::new(String::new()).append_pair("zone", zone.as_str()).finish()
        )),
        ..Page::new(zone.as_str(), Section::Zones, content)
    };
    page_context.about("site", site).answer(snapshot, page).await
}

/// Reads a page of a zone's records, with the names of their devices.
async fn records(snapshot: &mut Snapshot<'_>, zone: &DomainName, query: &OneQuery) -> Result<view::Records, Error> {
    let (at, (known, _, managed)) = (snapshot.at, find(snapshot, zone).await?);
    let filter = dns_records::Filter {
        zone: Some(known.above()),
        r#type: Some(if known.is_reverse() { "PTR" } else { "A" }.to_owned()),
        q: query.q.clone(),
        after: query.after.clone(),
        ..dns_records::Filter::default()
    };
    let found = dns_records::list(snapshot.connection(), &filter, at, i64::from(USUAL) + 1).await?;
    let found = page::Page::of(found, USUAL, DnsRecord::cursor);
    // A zone inside this one has its own records.
    let items: Vec<(String, DnsRecord)> =
        found.items.into_iter().filter_map(|record| Some((name_in_zone(zone, &managed, &record)?, record))).collect();
    let mut ids: Vec<_> = items.iter().map(|(_, record)| record.device).collect();
    ids.sort_unstable();
    ids.dedup();
    let known = devices::find_many(snapshot.connection(), &ids, at).await?;
    let names: HashMap<_, _> = known.iter().map(|device| (device.id, device.called_by_host())).collect();
    Ok(view::Records { items, names, next: found.next })
}

async fn live(
    page_context: PageContext,
    request: HttpRequest,
    application: Data<Application>,
    Path((zone, since)): Path<(DomainName, i64)>,
) -> Result<HttpResponse, Error> {
    let may = page_context.may(Role::Operator);
    // Records change with devices, and pending updates of the primary follow them.
    let topics = ["site", "drift", "device"].map(Topic::Kind).to_vec();
    let shared = application.clone();
    entry::stream(&request, &application, since, topics, move |mut snapshot, now| {
        let (application, zone, may) = (shared.clone(), zone.clone(), may.clone());
        async move { parts(&mut snapshot, &application, &zone, &may, now).await }.boxed_local()
    })
}
