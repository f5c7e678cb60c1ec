//! Actions on a device in one step: verify it, revoke its verification, and decommission it. Decommissioning has a
//! confirmation page that lists everything that it releases.

use super::addresses::{self, Held};
use super::details::{DeviceDetails, form_head};
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::{self, Look, once};
use crate::pages::components::block;
use crate::pages::components::field::Field;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Command, DeviceAction};
use bootledger_projections::rows::devices::Device;
use maud::{Markup, html};

/// Handles `POST /devices/{id}/verify`.
pub(super) async fn verify(
    caller: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let receipt = backend.execute(Command::Device(DeviceAction::VerifyDevice(id)), fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, &format!("/devices/{id}")).await)
}

/// Handles `GET /devices/{id}/unverify`: shows the confirmation page.
pub(super) async fn confirm_unverify(
    _: Operator,
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let found = DeviceDetails::visit(&page_context, &mut snapshot, id).await?;
    let page = Page::new("Revoke the verification of a device", Section::Devices, revocation(&found));
    page_context.answer(snapshot, page).await
}

fn revocation(found: &DeviceDetails) -> Markup {
    let device = &found.device;
    let path = format!("/devices/{}", device.id);
    let live = found.live.as_ref().map(|live| live.id);
    let allowed = found.allows(allowed::ending(live, "its verification can be revoked"));
    html! {
        (form_head(device, &format!("Revoke the verification of {}", device.called()), &[], &[]))
        div.card {
            p { "The device cannot be deployed until it is verified again. Until then, its venture and role can be changed. What is installed on it stays as it is." }
            @if !device.verified { p { "The device is not verified." } }
            div.actions {
                @if device.verified { (action::post("unverify", &format!("{path}/unverify"), Look::Danger, "", "Revoke verification", &allowed, &html! {})) }
                a.button href=(path) { "Back" }
            }
        }
    }
}

/// Handles `POST /devices/{id}/unverify`.
pub(super) async fn unverify(
    caller: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let receipt = backend.execute(Command::Device(DeviceAction::UnverifyDevice(id)), fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, &format!("/devices/{id}")).await)
}

/// Handles `GET /devices/{id}/decommission`: shows the confirmation page.
pub(super) async fn confirm_decommission(
    _: Operator,
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let found = DeviceDetails::visit(&page_context, &mut snapshot, id).await?;
    let held = Held::load(&mut snapshot, &found.device).await?;
    let page = Page::new("Decommission a device", Section::Devices, question(&found.device, &held, "", &[]));
    page_context.answer(snapshot, page).await
}

/// Handles `POST /devices/{id}/decommission`.
pub(super) async fn decommission(
    caller: Operator,
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    if let Some(reason) = fields.required::<Text>("reason", "The reason") {
        let command = Command::Device(DeviceAction::DecommissionDevice { device: id, reason });
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/devices/{id}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut snapshot = backend.read().await?;
    let found = DeviceDetails::load(&mut snapshot, id, Ok(())).await?;
    let held = Held::load(&mut snapshot, &found.device).await?;
    let content = question(&found.device, &held, fields.text("reason"), fields.broken());
    Ok(page_context.refused(snapshot.position, Page::new("Decommission a device", Section::Devices, content)))
}

fn question(device: &Device, held: &Held, reason: &str, errors: &[ProblemError]) -> Markup {
    let path = format!("/devices/{}", device.id);
    let field =
        Field { name: "reason", label: "Reason", value: reason, hint: "Recorded with the device.", required: true, errors };
    html! {
        (form_head(device, &format!("Decommission {}", device.called()), errors, &["reason"]))
        div.card {
            p { "This decommissions the device permanently: it can no longer be changed or deployed. Its history is kept. Another device can be registered with its numbers and interfaces." }
            @if held.holdings.is_empty() { p { "It holds nothing to release." } }
            @else {
                p { "These are released for other devices:" }
                ul { @for holding in &held.holdings { li { (addresses::kind(&holding.kind)) " " span.mono { (holding.value) } } } }
            }
            form.form method="post" action=(format!("{path}/decommission")) {
                (once())
                (field.text())
                div.actions {
                    button.danger type="submit" { "Decommission device" }
                    a.button href=(path) { "Back" }
                }
            }
        }
        (block::card("records", "DNS records that are removed, also from the DNS servers", &addresses::records(&held.records)))
        (block::card("entries", "DHCP entries that are removed, also from the DHCP servers", &addresses::entries(&held.entries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;
    use bootledger_aggregates::claims::Holder;
    use bootledger_projections::rows::holdings::Holding;

    #[test]
    fn the_confirmation_lists_every_claim_that_is_released() {
        let holding = |kind: &str, value: &str| Holding {
            kind: kind.to_owned(),
            value: value.to_owned(),
            holder: Holder::Device(DeviceId::default()),
        };
        let held = Held::holding(vec![holding("ip", "10.0.0.11"), holding("serial", "SN1")]);
        let html = question(&device(), &held, "broken <disk>", &[]).into_string();
        for part in ["10.0.0.11", "SN1", "broken &lt;disk&gt;", "R640 &lt;no. 1&gt;"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
