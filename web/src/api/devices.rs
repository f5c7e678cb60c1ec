//! Routes for devices: register, describe, verify, record facts, decommission.

use crate::api::catalogue::ChangeMode;
use crate::api::deployments::Reason;
use crate::http::auth::caller::{Administrator, Caller, Operator, Viewer};
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::images::device_settings::{DeviceSettings, Wanted, of_device};
use crate::wording;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::device::event::DeviceKind;
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec};
use bootledger_aggregates::device::remark::Remark;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::tag::Tag;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Command, DeviceAction};
use bootledger_projections::rows::devices::{self, Device, Filter, Sort};
use bootledger_projections::rows::parked;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/devices").get(index).post(create))
        .service(resource("/api/v1/devices/{id}").get(show).patch(change))
        .service(resource("/api/v1/devices/{id}/verify").post(verify))
        .service(resource("/api/v1/devices/{id}/unverify").post(unverify))
        .service(resource("/api/v1/devices/{id}/lock").post(lock))
        .service(resource("/api/v1/devices/{id}/unlock").post(unlock))
        .service(resource("/api/v1/devices/{id}/decommission").post(decommission))
        .service(resource("/api/v1/devices/{id}/facts").put(record_facts))
        .service(resource("/api/v1/devices/{id}/settings").get(settings));
}

/// Filters of the list. A filter that is left out matches everything.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// Only devices in this site.
    #[param(value_type = Option<String>)]
    site: Option<Name>,
    /// Only devices in this rack.
    #[param(value_type = Option<String>)]
    rack: Option<Name>,
    /// Only devices of this venture.
    #[param(value_type = Option<String>)]
    venture: Option<Name>,
    /// Only devices of this role.
    #[param(value_type = Option<String>)]
    role: Option<Name>,
    /// Only devices of this kind.
    #[param(value_type = Option<String>)]
    kind: Option<DeviceKind>,
    /// Only devices that are verified (true), or that are not (false).
    verified: Option<bool>,
    /// Only devices that are decommissioned (true), or that are not (false).
    decommissioned: Option<bool>,
    /// Only devices with this MAC address.
    #[param(value_type = Option<String>)]
    mac: Option<MacAddress>,
    /// Only devices with this serial number.
    #[param(value_type = Option<String>)]
    serial: Option<Text>,
    /// Only devices with a deployment that is open or in progress (true), or without one (false).
    live: Option<bool>,
    /// Only devices with this tag.
    #[param(value_type = Option<String>)]
    tag: Option<Tag>,
    /// Only devices that are locked (true), or that are not (false).
    locked: Option<bool>,
    /// Only devices with this text in their name, serial or asset number, MAC addresses, host names, IP addresses or tags.
    q: Option<String>,
    /// The order: `registered` (the default), `name`, `serial`, `asset`, `site`, `rack` (and unit), `role` (venture and role),
    /// `hostnames`, `addresses` (by the first one) or `changed`. A leading `-` reverses it.
    #[param(value_type = Option<String>)]
    sort: Option<Sort>,
    /// Only items after this cursor: the `next` of the previous page, in the same order.
    after: Option<String>,
    /// Maximum number of items, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

impl DeviceQuery {
    /// Whether the request names an order.
    pub(crate) fn is_ordered(&self) -> bool {
        self.sort.is_some()
    }

    /// The same filters in the form that the views take.
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
            tag: self.tag,
            locked: self.locked,
            q: self.q,
            sort: self.sort.unwrap_or_default(),
            after: self.after,
        }
    }
}

/// A device to register.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewDevice {
    /// The device's description.
    #[serde(flatten)]
    spec: DeviceSpec,
    /// The venture that owns the device.
    venture: Option<Name>,
    /// The role of the device, one of the venture's roles.
    role: Option<Name>,
}

/// A device, as it is listed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceItem {
    #[serde(flatten)]
    device: Device,
    /// Remarks about the device as sentences, oldest first. The sentences may change between versions.
    remarks: Vec<String>,
    /// The same remarks, each as a code with its values.
    remark_values: Vec<Remark>,
}

impl From<Device> for DeviceItem {
    fn from(device: Device) -> Self {
        let remarks = device.remarks.iter().map(wording::devices::remark).collect();
        Self { remarks, remark_values: device.remarks.clone(), device }
    }
}

/// A device, and whether the values shown are out of date.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceAnswer {
    #[serde(flatten)]
    device: DeviceItem,
    /// Whether an event of the device could not be applied, so that the values shown are out of date. `/readyz`
    /// gives the details.
    blocked: bool,
}

async fn answer(snapshot: &mut Snapshot<'_>, id: DeviceId) -> Result<DeviceAnswer, Error> {
    let at = snapshot.at;
    let device = devices::find(snapshot.connection(), id, at).await?;
    let device = device.ok_or_else(|| Error::NotFound(format!("there is no device {id}")))?;
    let blocked = parked::is_blocked(snapshot.connection(), "device", &id.to_string()).await?;
    Ok(DeviceAnswer { device: device.into(), blocked })
}

async fn changed(change: Change, backend: &mut Backend) -> Result<HttpResponse, Error> {
    match change.shown(backend).await {
        Shown::Now(mut snapshot) => {
            let id = change.receipt.id.parse().map_err(|error| Error::Internal(anyhow::Error::new(error)))?;
            let body = answer(&mut snapshot, id).await?;
            Ok(change.answer(snapshot, &body))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}

/// Changes a device and returns it; in a dry run, only checks the change.
async fn change_or_preview(action: DeviceAction, backend: &mut Backend, caller: &Caller) -> Result<HttpResponse, Error> {
    if backend.is_dry_run() {
        return Ok(HttpResponse::Ok().json(backend.preview_device(action, caller.context()).await?));
    }
    changed(Change::make(backend, caller, Command::Device(action)).await?, backend).await
}

/// Lists devices, in the order of their registration by default.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(DeviceQuery), responses((status = 200, body = Page<DeviceItem>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<DeviceQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let limit = limit(query.limit)?;
    let (filter, at) = (query.filter(), snapshot.at);
    let found = devices::list(snapshot.connection(), &filter, at, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, |device| devices::cursor(filter.sort, device));
    Ok(snapshot.answer(&page.map(DeviceItem::from)))
}

/// Registers a device.
#[utoipa::path(post, path = "/api/v1/devices", tag = "devices", request_body = NewDevice,
    responses((status = 201, body = DeviceAnswer)))]
pub(crate) async fn create(caller: Operator, mut backend: Backend, Json(new): Json<NewDevice>) -> Result<HttpResponse, Error> {
    caller.require_for(new.spec.settings.values())?;
    let command =
        Command::Device(DeviceAction::RegisterDevice { spec: Box::new(new.spec), venture: new.venture, role: new.role });
    changed(Change::make(&mut backend, &caller, command).await?.created("/api/v1/devices/"), &mut backend).await
}

/// Returns one device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = DeviceId, Path, description = "The device")),
    responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn show(_: Viewer, Path(id): Path<DeviceId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let body = answer(&mut snapshot, id).await?;
    Ok(snapshot.answer(&body))
}

/// The venture, role and boot image to resolve a device's settings for. The device's own values are the defaults.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SettingsQuery {
    /// The boot image; by default the one of the role or venture.
    #[param(value_type = Option<String>)]
    image: Option<Name>,
    /// The venture; by default the device's own.
    #[param(value_type = Option<String>)]
    venture: Option<Name>,
    /// The role; by default the device's own.
    #[param(value_type = Option<String>)]
    role: Option<Name>,
}

/// Returns the settings of a boot image as they apply to a device: each value with its source, and the settings that have
/// no value yet.
#[utoipa::path(get, path = "/api/v1/devices/{id}/settings", tag = "devices",
    params(("id" = DeviceId, Path, description = "The device"), SettingsQuery), responses((status = 200, body = DeviceSettings)))]
pub(crate) async fn settings(
    _: Viewer,
    Path(id): Path<DeviceId>,
    Parameters(query): Parameters<SettingsQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let device = devices::find(snapshot.connection(), id, at).await?;
    let device = device.ok_or_else(|| Error::NotFound(format!("there is no device {id}")))?;
    let wanted = Wanted { venture: query.venture, role: query.role, boot_image: query.image };
    let body = of_device(&mut snapshot, &device, wanted).await?;
    Ok(snapshot.answer(&body))
}

/// Changes a device's description. Fields that are left out keep their values.
#[utoipa::path(patch, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = DeviceId, Path, description = "The device"), ChangeMode),
    request_body = DeviceChange, responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn change(
    caller: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    Json(change): Json<DeviceChange>,
) -> Result<HttpResponse, Error> {
    caller.require_for(change.settings.values().flatten())?;
    let action = DeviceAction::ChangeDevice(id, Box::new(change));
    change_or_preview(action, &mut backend, &caller).await
}

/// Marks a device as verified, so that it can be deployed. The device needs a venture and a role.
#[utoipa::path(post, path = "/api/v1/devices/{id}/verify", tag = "devices",
    params(("id" = DeviceId, Path, description = "The device")), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn verify(caller: Operator, mut backend: Backend, Path(id): Path<DeviceId>) -> Result<HttpResponse, Error> {
    changed(Change::make(&mut backend, &caller, Command::Device(DeviceAction::VerifyDevice(id))).await?, &mut backend).await
}

/// Revokes the verification of a device. It cannot be deployed until it is verified again.
#[utoipa::path(post, path = "/api/v1/devices/{id}/unverify", tag = "devices",
    params(("id" = DeviceId, Path, description = "The device")), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn unverify(caller: Operator, mut backend: Backend, Path(id): Path<DeviceId>) -> Result<HttpResponse, Error> {
    changed(Change::make(&mut backend, &caller, Command::Device(DeviceAction::UnverifyDevice(id))).await?, &mut backend).await
}

/// Locks a device, so that it is not installed again: no deployment of it starts, and it is not decommissioned, until an
/// administrator unlocks it. A deployment that has started is not affected.
#[utoipa::path(post, path = "/api/v1/devices/{id}/lock", tag = "devices", request_body = Reason,
    params(("id" = DeviceId, Path, description = "The device")), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn lock(
    caller: Operator,
    mut backend: Backend,
    Path(device): Path<DeviceId>,
    Json(Reason { reason }): Json<Reason>,
) -> Result<HttpResponse, Error> {
    let command = Command::Device(DeviceAction::LockDevice { device, reason });
    changed(Change::make(&mut backend, &caller, command).await?, &mut backend).await
}

/// Unlocks a device.
#[utoipa::path(post, path = "/api/v1/devices/{id}/unlock", tag = "devices",
    params(("id" = DeviceId, Path, description = "The device")), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn unlock(caller: Administrator, mut backend: Backend, Path(id): Path<DeviceId>) -> Result<HttpResponse, Error> {
    changed(Change::make(&mut backend, &caller, Command::Device(DeviceAction::UnlockDevice(id))).await?, &mut backend).await
}

/// Decommissions a device and releases everything that it holds.
#[utoipa::path(post, path = "/api/v1/devices/{id}/decommission", tag = "devices", request_body = Reason,
    params(("id" = DeviceId, Path, description = "The device"), ChangeMode), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn decommission(
    caller: Operator,
    mut backend: Backend,
    Path(device): Path<DeviceId>,
    Json(Reason { reason }): Json<Reason>,
) -> Result<HttpResponse, Error> {
    let action = DeviceAction::DecommissionDevice { device, reason };
    change_or_preview(action, &mut backend, &caller).await
}

/// Records facts that an inventory collected about a device. Fields that are left out keep their values.
#[utoipa::path(put, path = "/api/v1/devices/{id}/facts", tag = "devices", request_body = Facts,
    params(("id" = DeviceId, Path, description = "The device"), ChangeMode), responses((status = 200, body = DeviceAnswer)))]
pub(crate) async fn record_facts(
    caller: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    Json(facts): Json<Facts>,
) -> Result<HttpResponse, Error> {
    let action = DeviceAction::RecordFacts(id, Box::new(facts));
    change_or_preview(action, &mut backend, &caller).await
}
