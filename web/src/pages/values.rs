//! The pages of an address, a MAC address and a host name: who held it from when to when, by which deployment, and what DNS and
//! DHCP said. They show the history up to the moment that the page shows.

mod view;

use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_projections::questions::value_history::{self, Place, Value, ValueHistory};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::devices;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use view::Shown;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/addresses/{ip}").get(address))
        .service(resource("/macs/{mac}").get(mac))
        .service(resource("/names/{hostname}").get(hostname));
}

async fn address(page_context: PageContext, Path(ip): Path<Ipv4Addr>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let place = value_history::place(snapshot.connection(), ip, at).await?;
    answer(page_context, snapshot, &Value::Ip(ip), Some(&place), Section::Networks).await
}

async fn mac(page_context: PageContext, Path(mac): Path<MacAddress>, mut backend: Backend) -> Result<HttpResponse, Error> {
    answer(page_context, backend.read().await?, &Value::Mac(mac), None, Section::Devices).await
}

async fn hostname(page_context: PageContext, Path(name): Path<Hostname>, mut backend: Backend) -> Result<HttpResponse, Error> {
    answer(page_context, backend.read().await?, &Value::Hostname(name), None, Section::Devices).await
}

async fn answer(
    page_context: PageContext,
    mut snapshot: Snapshot<'_>,
    value: &Value,
    place: Option<&Place>,
    section: Section,
) -> Result<HttpResponse, Error> {
    let at = snapshot.at;
    let history = value_history::find(snapshot.connection(), value, at).await?;
    let names = names(&mut snapshot, &history, place).await?;
    let shown = Shown { value, place, history: &history, names: &names, is_past: at != At::Now };
    let (title, json) = match value {
        Value::Ip(ip) => (ip.to_string(), format!("/api/v1/addresses/{ip}/history")),
        Value::Mac(mac) => (mac.to_string(), format!("/api/v1/macs/{mac}/history")),
        Value::Hostname(name) => (name.to_string(), format!("/api/v1/hostnames/{name}/history")),
    };
    let content = view::page(&title, &shown);
    page_context.answer(snapshot, Page { json: Some(json), ..Page::new(&title, section, content) }).await
}

/// The labels of all devices that a history names.
async fn names(
    snapshot: &mut Snapshot<'_>,
    history: &ValueHistory,
    place: Option<&Place>,
) -> Result<HashMap<DeviceId, String>, Error> {
    let holders = history.holders.iter().filter_map(|tenure| match tenure.holder {
        Holder::Device(id) => Some(id),
        Holder::Deployment(_) | Holder::Reservation(_) => None,
    });
    let ids: BTreeSet<DeviceId> = holders
        .chain(history.deployments.iter().map(|one| one.device))
        .chain(history.dns_records.iter().map(|one| one.record.device))
        .chain(history.dhcp_entries.iter().map(|one| one.entry.device))
        .chain(place.and_then(|place| place.manages))
        .collect();
    let at = snapshot.at;
    let found = devices::find_many(snapshot.connection(), &ids.into_iter().collect::<Vec<_>>(), at).await?;
    Ok(found.into_iter().map(|device| (device.id, device.called())).collect())
}
