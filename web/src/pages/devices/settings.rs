//! The page `/devices/{id}/settings`: the settings of a boot image as they apply to a device, and the form for the
//! device's own settings.

use super::details::{DeviceDetails, form_head};
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::images::device_settings::{DeviceSetting, DeviceSettings, SettingSources, Wanted, of_device};
use crate::pages::catalogue::{form as forms, settings as rows};
use crate::pages::components::action::once;
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::components::field::Field;
use crate::pages::components::setting::{shown, source};
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::settings::SettingsChange;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::Settings;
use bootledger_port::{Command, DeviceAction};
use bootledger_projections::rows::devices::Device;
use maud::{Markup, html};
use serde::Deserialize;

/// The field with the device's settings when the form was rendered.
const WAS: &str = "was";

/// The boot image, venture and role to resolve settings for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    image: Option<Name>,
    venture: Option<Name>,
    role: Option<Name>,
}

async fn content(snapshot: &mut Snapshot<'_>, found: &DeviceDetails, query: Query, fields: &Fields) -> Result<Markup, Error> {
    let device = &found.device;
    let image = query.image.clone();
    let wanted = Wanted { venture: query.venture, role: query.role, boot_image: query.image };
    let resolved = of_device(snapshot, device, wanted).await?;
    let images = forms::boot_images(snapshot).await?;
    let known = SettingSources::read(snapshot).await?;
    Ok(html! {
        (form_head(device, &format!("Boot settings of {}", device.called()), fields.broken(), &[rows::FIELD]))
        @if found.allows(None).is_ok() { p { a href="#field-settings" { "Set values for this device" } } }
        (counting(device, &resolved, &images))
        @match found.allows(None) {
            Ok(()) => (own(device, fields, &known, image.as_ref())),
            Err(reason) => { (rows::card(&device.settings, "The device's settings override all others.")) p { (reason) } }
        }
    })
}

fn own(device: &Device, fields: &Fields, known: &SettingSources, image: Option<&Name>) -> Markup {
    let was =
        if fields.has(WAS) { fields.text(WAS).to_owned() } else { serde_json::to_string(&device.settings).unwrap_or_default() };
    let path = format!("/devices/{}", device.id);
    html! {
        form.form.card method="post" action=(format!("{path}/settings")) {
            (once())
            input type="hidden" name=(WAS) value=(was);
            @if let Some(image) = image { input type="hidden" name="image" value=(image); }
            (rows::table(fields, known, "Settings of the device. They override those of its role, venture and site."))
            div.actions { button.primary type="submit" { "Save" } a.button href=(path) { "Back" } }
        }
    }
}

/// The table of the settings that apply, for an image that the user can select.
fn counting(device: &Device, resolved: &DeviceSettings, images: &[(String, String)]) -> Markup {
    let image = resolved.boot_image.as_ref().map(ToString::to_string).unwrap_or_default();
    let choose = Field { name: "image", label: "Boot image", value: &image, required: true, ..Field::default() };
    block::card(
        "resolved",
        "Effective settings",
        &html! {
            form.form method="get" action=(format!("/devices/{}/settings", device.id)) {
                @if let Some(venture) = &resolved.venture { input type="hidden" name="venture" value=(venture); }
                @if let Some(role) = &resolved.role { input type="hidden" name="role" value=(role); }
                (choose.select(Some("Choose one"), images))
                div.actions { button type="submit" { "Show" } }
            }
            @if resolved.boot_image.is_none() { p.quiet { "Its role and venture have no default boot image. Choose a boot image." } }
            @else if resolved.settings.is_empty() { p.quiet { "The boot image declares no settings." } }
            @else {
                p {
                    @if resolved.complete { (badge(Tone::Good, "Complete")) } @else { (badge(Tone::Bad, "Incomplete")) }
                    " For " (image) ", revision " (resolved.revision.unwrap_or_default())
                    @if let (Some(venture), Some(role)) = (&resolved.venture, &resolved.role) { ", as " (venture) " / " (role) }
                    ". The most specific value applies: device, role, venture, site, boot image."
                }
                div.scroll { (table(&resolved.settings)) }
            }
        },
    )
}

fn table(settings: &[DeviceSetting]) -> Markup {
    html! {
        table.cards {
            thead { tr { th scope="col" { "Setting" } th scope="col" { "Type" } th scope="col" { "Value" } th scope="col" { "From" } } }
            tbody {
                @for setting in settings {
                    tr {
                        th scope="row" {
                            code { (setting.name) } @if setting.required { " " span.quiet { "(required)" } }
                            @if !setting.description.is_empty() { div.quiet { small { (setting.description) } } }
                            @if !setting.used { div.quiet { small { "Not used by any template." } } }
                        }
                        td data-label="Type" { (setting.kind.as_str()) }
                        td data-label="Value" {
                            div {
                                @match &setting.resolved { Some(resolved) => (shown(&resolved.value)), None => span.quiet { "none" } }
                                @if let Some(broken) = &setting.broken { p.error { (broken.message) } }
                            }
                        }
                        td data-label="From" { @if let Some(resolved) = &setting.resolved { (source(&resolved.from)) } @else { "–" } }
                    }
                }
            }
        }
    }
}

/// Handles `GET /devices/{id}/settings`.
pub(super) async fn show(
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let query: Query = page_context.query()?;
    let found = DeviceDetails::visit(&page_context, &mut snapshot, id).await?;
    let fields = Fields::new(rows::pairs(&found.device.settings));
    let content = content(&mut snapshot, &found, query, &fields).await?;
    let json = Some(format!("/api/v1/devices/{id}/settings"));
    page_context
        .about("device", id)
        .answer(snapshot, Page { json, ..Page::new("Boot settings of a device", Section::Devices, content) })
        .await
}

/// The differences between a form and its initial values, so that two users who change different settings do not undo
/// each other's changes.
fn changes(fields: &mut Fields) -> SettingsChange {
    let was: Settings = serde_json::from_str(fields.text(WAS)).unwrap_or_default();
    let new = rows::read(fields);
    let gone = was.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), None));
    let set = new.iter().filter(|(name, value)| was.get(*name) != Some(*value));
    gone.chain(set.map(|(name, value)| (name.clone(), Some(value.clone())))).collect()
}

/// Handles `POST /devices/{id}/settings`.
pub(super) async fn change(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let change = DeviceChange { settings: changes(&mut fields), ..DeviceChange::default() };
    caller.require_for(change.settings.values().flatten())?;
    let command = Some(Command::Device(DeviceAction::ChangeDevice(id, Box::new(change))));
    // The next page shows the same image as this one.
    let image = fields.text("image").parse::<Name>().ok();
    if let Some(receipt) = forms::execute(&mut backend, &caller, &mut fields, command).await? {
        let shown = image.map_or_else(String::new, |image| format!("?image={image}"));
        return Ok(done(&mut backend, &receipt, &format!("/devices/{id}/settings{shown}")).await);
    }
    let mut snapshot = backend.read_now().await?;
    let found = DeviceDetails::load(&mut snapshot, id, Ok(())).await?;
    let content = content(&mut snapshot, &found, Query { image, ..Query::default() }, &fields).await?;
    Ok(page_context.refused(snapshot.position, Page::new("Boot settings of a device", Section::Devices, content)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::catalogue::form::pair;
    use crate::pages::tests::samples::device;
    use crate::pages::tests::selectors::{attributes, texts};
    use bootledger_aggregates::rules::Rule;
    use serde_json::json;

    #[test]
    fn only_what_was_touched_is_changed() {
        let was = json!({ "disk": "auto", "vlan": 4, "proxy": "http://proxy:3128" });
        let rows = [("disk", "text", "auto"), ("vlan", "number", "5"), ("layout", "text", "lvm")];
        let rows = rows.iter().flat_map(|(name, kind, value)| {
            [pair("settings.name", name), pair("settings.type", kind), pair("settings.value", value)]
        });
        let mut fields = Fields::new(rows.chain([pair(WAS, was)]).collect());
        let expected = json!({ "layout": "lvm", "proxy": null, "vlan": 5 });
        assert_eq!(serde_json::to_value(changes(&mut fields)).expect("JSON"), expected);
    }

    #[test]
    fn every_setting_is_shown_with_where_it_comes_from_and_what_is_missing() {
        let setting = |name: &str, resolved: serde_json::Value, broken: Option<&str>| DeviceSetting {
            name: name.parse().expect("a name"),
            kind: bootledger_aggregates::values::setting::SettingType::Text,
            description: "Disk <to> install on".to_owned(),
            required: broken.is_some(),
            used: true,
            resolved: serde_json::from_value(resolved).expect("a value"),
            broken: broken
                .map(|message| bootledger_aggregates::rules::BrokenRule::new("boot_image", Rule::SettingMissing, message)),
        };
        let resolved = DeviceSettings {
            boot_image: Some("debian".parse().expect("a name")),
            revision: Some(4),
            venture: Some("shop".parse().expect("a name")),
            role: Some("web".parse().expect("a name")),
            site: "dc1".parse().expect("a name"),
            complete: false,
            settings: vec![
                setting("disk", json!({ "value": "/dev/sda", "from": "role shop/web" }), None),
                setting("hash", json!(null), Some("hash has no value")),
            ],
        };
        let html = counting(&device(), &resolved, &[]);
        assert_eq!(attributes(&html, "td a", "href"), ["/ventures/shop/roles/web"]);
        assert_eq!(texts(&html, ".error"), ["hash has no value"]);
        assert!(texts(&html, "p")[0].starts_with("Incomplete"), "{html:?}");
    }
}
