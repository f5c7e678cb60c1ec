//! Devices: registering, describing, checking and retiring servers.

use crate::api::catalogue::{ChangeMode, preview};
use crate::api::deployments::Reason;
use crate::auth::caller::{Operator, Viewer};
use crate::commands::Command;
use crate::error::Error;
use crate::request::answer::Change;
use crate::request::backend::Backend;
use crate::request::body::Json;
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use crate::request::path::Path;
use crate::request::reading::Reading;
use crate::settings::{DeviceSettings, Wanted, of_device};
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::device::event::DeviceKind;
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::devices::{self, Device, Filter, Sort};
use bootledger_projections::parked;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/devices").get(index).post(create))
        .service(resource("/api/v1/devices/{id}").get(show).patch(change))
        .service(resource("/api/v1/devices/{id}/verify").post(verify))
        .service(resource("/api/v1/devices/{id}/unverify").post(unverify))
        .service(resource("/api/v1/devices/{id}/decommission").post(decommission))
        .service(resource("/api/v1/devices/{id}/facts").put(record_facts))
        .service(resource("/api/v1/devices/{id}/settings").get(settings));
}

/// Which devices; what is left out does not matter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// In this site.
    #[param(value_type = Option<String>)]
    site: Option<Name>,
    /// In this rack.
    #[param(value_type = Option<String>)]
    rack: Option<Name>,
    /// Of this venture.
    #[param(value_type = Option<String>)]
    venture: Option<Name>,
    /// Of this role.
    #[param(value_type = Option<String>)]
    role: Option<Name>,
    /// Of this kind.
    #[param(value_type = Option<String>)]
    kind: Option<DeviceKind>,
    /// Checked, or not.
    verified: Option<bool>,
    /// Out of use, or not.
    decommissioned: Option<bool>,
    /// With this interface.
    #[param(value_type = Option<String>)]
    mac: Option<MacAddress>,
    /// With this serial number.
    #[param(value_type = Option<String>)]
    serial: Option<Text>,
    /// With a live deployment, or without.
    live: Option<bool>,
    /// With this text in name, numbers, interfaces, host names or addresses.
    q: Option<String>,
    /// In which order: `registered`, `name`, `serial` or `changed`, with `-` before it backwards; `registered` by default.
    #[param(value_type = Option<String>)]
    sort: Option<Sort>,
    /// Only those behind this one: the `next` of the page before, of the same order.
    after: Option<String>,
    /// At most this many, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

impl DeviceQuery {
    /// Whether an order is named.
    pub(crate) fn is_ordered(&self) -> bool {
        self.sort.is_some()
    }

    /// The question for the views.
    pub(crate) fn filter(self) -> Filter {
        Filter {
            site: self.site,
            rack: self.rack,
            venture: self.venture,
            role: self.role,
            verified: self.verified,
            decommissioned: self.decommissioned,
            deploying: self.live,
            mac: self.mac,
            serial: self.serial,
            kind: self.kind,
            q: self.q,
            sort: self.sort.unwrap_or_default(),
            after: self.after,
        }
    }
}

/// A device to be registered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewDevice {
    /// The device.
    #[serde(flatten)]
    spec: DeviceSpec,
    /// Who owns it.
    venture: Option<Name>,
    /// What it does.
    role: Option<Name>,
}

/// A device, and whether what is shown of it is old.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceAnswer {
    #[serde(flatten)]
    device: Device,
    /// Whether an event of the device could not be applied, so that what is shown of it is old; `/readyz` says more.
    blocked: bool,
}

async fn answer(reading: &mut Reading<'_>, id: DeviceId) -> Result<DeviceAnswer, Error> {
    let at = reading.at;
    let device = devices::find(reading.connection(), id, at).await?;
    let device = device.ok_or_else(|| Error::NotFound(format!("there is no device {id}")))?;
    let blocked = parked::is_blocked(reading.connection(), "device", &id.to_string()).await?;
    Ok(DeviceAnswer { device, blocked })
}

async fn changed(change: Change, backend: &mut Backend) -> Result<HttpResponse, Error> {
    match change.shown(backend).await {
        Ok(mut reading) => {
            let id = change.receipt.id.parse().map_err(|error| Error::Internal(anyhow::Error::new(error)))?;
            let body = answer(&mut reading, id).await?;
            Ok(change.answer(reading, &body))
        }
        Err(accepted) => Ok(accepted),
    }
}

/// The devices, in the order of their registration or another.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(DeviceQuery), responses((status = 200, body = Page<Device>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<DeviceQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let limit = limit(query.limit)?;
    let (filter, at) = (query.filter(), reading.at);
    let found = devices::list(reading.connection(), &filter, at, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, |device| devices::cursor(filter.sort, device));
    Ok(reading.answer(&page))
}

/// Registers a device.
#[utoipa::path(post, path = "/api/v1/devices", tag = "devices", request_body = NewDevice,
    responses((status = 201, body = DeviceAnswer)))]
pub(crate) async fn create(caller: Operator, mut backend: Backend, Json(new): Json<NewDevice>) -> Result<HttpResponse, Error> {
    caller.require_for(new.spec.settings.values())?;
    let command = Command::RegisterDevice { spec: Box::new(new.spec), venture: new.venture, role: new.role };
    changed(Change::make(&mut backend, &caller, command).await?.created("/api/v1/devices/"), &mut backend).await
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = DeviceId, Path, description = "The device")),
    responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn show(_: Viewer, Path(id): Path<DeviceId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let body = answer(&mut reading, id).await?;
    Ok(reading.answer(&body))
}

/// For what the settings of a device are resolved; the device's own, where something is left out.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SettingsQuery {
    /// The boot image; the default of role or venture, where it is left out.
    #[param(value_type = Option<String>)]
    image: Option<Name>,
    /// The venture.
    #[param(value_type = Option<String>)]
    venture: Option<Name>,
    /// The role.
    #[param(value_type = Option<String>)]
    role: Option<Name>,
}

/// The settings of a boot image as they count for a device: each value with where it comes from, and what is missing.
#[utoipa::path(get, path = "/api/v1/devices/{id}/settings", tag = "devices",
    params(("id" = DeviceId, Path, description = "The device"), SettingsQuery), responses((status = 200, body = DeviceSettings)))]
pub(crate) async fn settings(
    _: Viewer,
    Path(id): Path<DeviceId>,
    Parameters(query): Parameters<SettingsQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let at = reading.at;
    let device = devices::find(reading.connection(), id, at).await?;
    let device = device.ok_or_else(|| Error::NotFound(format!("there is no device {id}")))?;
    let wanted = Wanted { venture: query.venture, role: query.role, boot_image: query.image };
    let body = of_device(&mut reading, &device, wanted).await?;
    Ok(reading.answer(&body))
}

/// Changes a device's description; what is left out stays.
#[utoipa::path(patch, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = DeviceId, Path, description = "The device"), ChangeMode),
    request_body = DeviceChange, responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn change(
    caller: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    Json(change): Json<DeviceChange>,
) -> Result<HttpResponse, Error> {
    caller.require_for(change.settings.values().flatten())?;
    let command = Command::ChangeDevice(id, Box::new(change));
    if backend.is_dry_run() {
        return preview(&mut backend, &caller, command).await;
    }
    changed(Change::make(&mut backend, &caller, command).await?, &mut backend).await
}

/// Says that somebody checked the device: it may be deployed. It needs a venture and a role.
#[utoipa::path(post, path = "/api/v1/devices/{id}/verify", tag = "devices",
    params(("id" = DeviceId, Path, description = "The device")), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn verify(caller: Operator, mut backend: Backend, Path(id): Path<DeviceId>) -> Result<HttpResponse, Error> {
    changed(Change::make(&mut backend, &caller, Command::VerifyDevice(id)).await?, &mut backend).await
}

/// Takes the check back: the device may not be deployed.
#[utoipa::path(post, path = "/api/v1/devices/{id}/unverify", tag = "devices",
    params(("id" = DeviceId, Path, description = "The device")), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn unverify(caller: Operator, mut backend: Backend, Path(id): Path<DeviceId>) -> Result<HttpResponse, Error> {
    changed(Change::make(&mut backend, &caller, Command::UnverifyDevice(id)).await?, &mut backend).await
}

/// Takes a device out of use and releases everything that it holds.
#[utoipa::path(post, path = "/api/v1/devices/{id}/decommission", tag = "devices", request_body = Reason,
    params(("id" = DeviceId, Path, description = "The device"), ChangeMode), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn decommission(
    caller: Operator,
    mut backend: Backend,
    Path(device): Path<DeviceId>,
    Json(Reason { reason }): Json<Reason>,
) -> Result<HttpResponse, Error> {
    let command = Command::DecommissionDevice { device, reason };
    if backend.is_dry_run() {
        return preview(&mut backend, &caller, command).await;
    }
    changed(Change::make(&mut backend, &caller, command).await?, &mut backend).await
}

/// Records what an inventory found on a device; what is left out stays.
#[utoipa::path(put, path = "/api/v1/devices/{id}/facts", tag = "devices", request_body = Facts,
    params(("id" = DeviceId, Path, description = "The device"), ChangeMode), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn record_facts(
    caller: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    Json(facts): Json<Facts>,
) -> Result<HttpResponse, Error> {
    let command = Command::RecordFacts(id, Box::new(facts));
    if backend.is_dry_run() {
        return preview(&mut backend, &caller, command).await;
    }
    changed(Change::make(&mut backend, &caller, command).await?, &mut backend).await
}
