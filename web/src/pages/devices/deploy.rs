//! The form that deploys a device. It is filled in as far as possible, and its suggestions show where they come from. The
//! domain checks every rule while the user types, and again when the form is sent.

mod choices;
mod suggested;
mod view;

use super::details::DeviceDetails;
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::field::checked;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{Command, CommandError, DeploymentAction, NewDeployment, Proposed, Suggested};
use bootledger_projections::rows::devices::Device;
use bootledger_projections::rows::dhcp_entries;
use bootledger_projections::rows::{catalogue, deployments};
use choices::{Choices, Options};
use maud::html;
use suggested::{started, suggest, untouched};
use view::{FIELDS, NOTES, OTHER, field_errors, form, inherited, roles};

/// The initial values of the form, as in Ralph: the first interface with a DHCP entry and that entry's address, the present
/// venture and role, the role's image, and the device's name. A value that none of these provides is the next free one.
async fn filled_in(snapshot: &mut Snapshot<'_>, device: &Device, choices: &Choices) -> Result<Fields, Error> {
    let at = snapshot.at;
    let filter = dhcp_entries::Filter { device: Some(device.id), ..Default::default() };
    let entries = dhcp_entries::list(snapshot.connection(), &filter, at, 1_000).await?;
    let entry = device.macs.iter().find_map(|mac| entries.iter().find(|entry| entry.mac == *mac));
    let mac = entry.map(|entry| entry.mac).or(device.macs.first().copied());
    let (venture, role) = (device.venture.as_ref(), device.role.as_ref());
    let image = choices.inherited(venture.map_or("", Name::as_str), role.map_or("", Name::as_str));
    let named = device.name.as_str().parse::<Hostname>().ok().or(device.hostnames.first().cloned());
    let first = |options: &Options| options.first().map(|(value, _)| value.clone());
    let ip = entry.map(|entry| entry.ip.to_string()).or_else(|| first(&choices.addresses));
    let values = [
        ("venture", venture.map(ToString::to_string)),
        ("role", role.map(ToString::to_string)),
        ("boot_image", image.map(|image| image.to_string())),
        ("mac", mac.map(|mac| mac.to_string())),
        ("ip", ip),
        ("hostname", named.map(|name| name.to_string()).or_else(|| first(&choices.hostnames))),
    ];
    Ok(Fields::new(values.into_iter().map(|(name, value)| (name.to_owned(), value.unwrap_or_default())).collect()))
}

/// The values of the deployment that the URL names with `from`: its venture, role and boot image and, for the same device, its
/// interface, address and host name.
async fn like(page_context: &PageContext, snapshot: &mut Snapshot<'_>, device: &Device, fields: Fields) -> Result<Fields, Error> {
    let Ok(from) = page_context.parameter("from").parse() else { return Ok(fields) };
    let at = snapshot.at;
    let Some(from) = deployments::find(snapshot.connection(), from, at).await? else { return Ok(fields) };
    let fields = fields.with("venture", from.venture.as_str()).with("role", from.role.as_str());
    let fields = fields.with("boot_image", from.boot_image.as_str());
    if from.device != device.id {
        return Ok(fields);
    }
    let has_mac = device.macs.contains(&from.mac);
    let fields = if has_mac { fields.with("mac", &from.mac.to_string()) } else { fields };
    Ok(fields.with("ip", &from.ip.to_string()).with("hostname", from.hostname.as_str()))
}

/// The deployment that the fields describe. Errors are stored in the fields.
fn read(id: DeviceId, fields: &mut Fields) -> NewDeployment {
    let (mut left, suggested) = untouched(fields);
    let new = NewDeployment { suggested, ..read_left(id, &mut left) };
    for problem in left.broken().iter().skip(fields.broken().len()).cloned().collect::<Vec<_>>() {
        fields.add(&problem.field.clone(), problem);
    }
    new
}

fn read_left(id: DeviceId, fields: &mut Fields) -> NewDeployment {
    let text = fields.text("ip").to_owned();
    let ip = text.parse().ok();
    if !text.is_empty() && ip.is_none() {
        fields.refuse("ip", Rule::Malformed, format!("{text:?} is not an IPv4 address such as 10.0.0.7"));
    }
    // Upper and lower case are the same (RFC 4343).
    let text = fields.text("hostname").to_lowercase();
    let hostname = text.parse::<Hostname>();
    if let (false, Err(error)) = (text.is_empty(), &hostname) {
        fields.refuse("hostname", Rule::Malformed, error.to_string());
    }
    NewDeployment {
        device: id,
        mac: fields.read("mac"),
        ip,
        network: None,
        hostname: hostname.ok(),
        venture: fields.read("venture"),
        role: fields.read("role"),
        boot_image: fields.read("boot_image"),
        note: fields.read("note"),
        ticket: fields.read("ticket"),
        suggested: Suggested::default(),
        import: None,
    }
}

/// Adds every rule that the domain finds violated to the fields' own errors. If there is no error, returns the deployment that
/// would be started.
async fn examine(backend: &mut Backend, new: &NewDeployment, fields: &mut Fields) -> Result<Option<Proposed>, Error> {
    let known: Vec<String> = fields.broken().iter().map(|error| error.field.clone()).collect();
    match backend.check_deployment(new).await {
        Ok(proposed) => Ok(Some(proposed)),
        Err(CommandError::Refused(mut broken)) => {
            broken.retain(|broken| !known.contains(&broken.field));
            fields.refused(CommandError::Refused(broken))?;
            Ok(None)
        }
        Err(other) => Err(other.into()),
    }
}

/// Adds an error for every empty field, except for selects that offer the empty choice.
fn require_all(fields: &mut Fields) {
    for (name, label) in FIELDS {
        if fields.text(name).is_empty() && !["ip", "hostname"].contains(&name) {
            fields.refuse(name, Rule::Missing, format!("{label} is missing"));
        }
    }
}

/// Handles `GET /devices/{id}/deploy`.
pub(super) async fn load(
    _: Operator,
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let found = DeviceDetails::visit(&page_context, &mut snapshot, id).await?;
    let choices = Choices::load(&mut snapshot, &found.device).await?;
    let filled_in = filled_in(&mut snapshot, &found.device, &choices).await?;
    let mut fields = suggest(like(&page_context, &mut snapshot, &found.device, filled_in).await?);
    // Initial values may violate rules as well as values that a user enters.
    let new = read(id, &mut fields);
    let seen = page_context.see(snapshot).await?;
    if let Some(proposed) = examine(&mut backend, &new, &mut fields).await? {
        // Another device may now hold what this device had.
        let (ip, hostname) = (proposed.assignment.ip.to_string(), proposed.assignment.hostname.to_string());
        fields = suggest(fields.with("ip", &ip).with("hostname", &hostname));
    }
    let content = form(&found, &fields, &choices, false);
    Ok(seen.answer(&Page::new("Deploy a device", Section::Devices, content)))
}

/// Handles `POST /devices/{id}/deploy`.
pub(super) async fn start(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    require_all(&mut fields);
    let new = read(id, &mut fields);
    if fields.broken().is_empty() {
        let suggested = new.suggested.clone();
        match backend
            .execute(Command::Deployment(DeploymentAction::StartDeployment(Box::new(new))), fields.context(&caller))
            .await
        {
            Ok(receipt) => {
                let path = started(&mut backend, &receipt, &suggested).await;
                return Ok(done(&mut backend, &receipt, &path).await);
            }
            Err(error) => fields.refused(error)?,
        }
    } else {
        examine(&mut backend, &new, &mut fields).await?;
    }
    let mut snapshot = backend.read_now().await?;
    let found = DeviceDetails::load(&mut snapshot, id, Ok(())).await?;
    let choices = Choices::load(&mut snapshot, &found.device).await?;
    let content = form(&found, &fields, &choices, true);
    Ok(page_context.refused(snapshot.position, Page::new("Deploy a device", Section::Devices, content)))
}

/// Handles `POST /devices/{id}/deploy/check`: renders the places of errors again, and what depends on the selected
/// venture and role.
pub(super) async fn check(
    _: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    require_all(&mut fields);
    let new = read(id, &mut fields);
    examine(&mut backend, &new, &mut fields).await?;
    let errors = field_errors(fields.broken());
    let names: Vec<&str> = FIELDS.iter().chain(&NOTES).map(|(name, _)| *name).chain([OTHER]).collect();
    let mut snapshot = backend.read_now().await?;
    let at = snapshot.at;
    let choices = Choices {
        ventures: catalogue::ventures(snapshot.connection(), at).await?,
        images: vec![],
        addresses: vec![],
        hostnames: vec![],
    };
    let (venture, role) = (fields.text("venture"), fields.text("role"));
    let body = html! {
        (checked(&names, &errors))
        hx-partial id="inherited" hx-swap="outerMorph" { (inherited(&choices, venture, role)) }
        // The roles are those of the selected venture. If it has not changed, the field is not replaced.
        @if fields.text("roles_of") != venture { hx-partial id="roles" hx-swap="outerMorph" { (roles(&choices, venture, role, &errors)) } }
    };
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body.into_string()))
}
