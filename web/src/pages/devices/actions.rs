//! Actions on a device in one step: verify it, remove the verified mark, and decommission it. Decommissioning has a
//! confirmation page that lists everything that it releases.

use super::addresses::{self, Held};
use super::show::{Found, form_head};
use crate::auth::caller::Operator;
use crate::auth::level::Level;
use crate::commands::Command;
use crate::error::Error;
use crate::error::problem::ProblemError;
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::once;
use crate::pages::kit::block;
use crate::pages::kit::field::Field;
use crate::request::backend::Backend;
use crate::request::path::Path;
use actix_web::HttpResponse;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::devices::Device;
use maud::{Markup, html};

/// Handles `POST /devices/{id}/verify`.
pub(super) async fn verify(
    caller: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let receipt = backend.execute(Command::VerifyDevice(id), fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, &format!("/devices/{id}")).await)
}

/// Handles `POST /devices/{id}/unverify`.
pub(super) async fn unverify(
    caller: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let receipt = backend.execute(Command::UnverifyDevice(id), fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, &format!("/devices/{id}")).await)
}

/// Handles `GET /devices/{id}/decommission`: shows the confirmation page.
pub(super) async fn ask_decommission(
    _: Operator,
    visit: Visit,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Operator);
    let found = Found::ask(&mut reading, id, may).await?;
    let held = Held::ask(&mut reading, &found.device).await?;
    let page = Page::new("Decommission a device", Section::Devices, question(&found.device, &held, "", &[]));
    visit.answer(reading, page).await
}

/// Handles `POST /devices/{id}/decommission`.
pub(super) async fn decommission(
    caller: Operator,
    visit: Visit,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    if let Some(reason) = fields.required::<Text>("reason", "The reason") {
        let command = Command::DecommissionDevice { device: id, reason };
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/devices/{id}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut reading = backend.read().await?;
    let found = Found::ask(&mut reading, id, Ok(())).await?;
    let held = Held::ask(&mut reading, &found.device).await?;
    let content = question(&found.device, &held, fields.text("reason"), fields.broken());
    Ok(visit.refused(reading.position, Page::new("Decommission a device", Section::Devices, content)))
}

fn question(device: &Device, held: &Held, reason: &str, errors: &[ProblemError]) -> Markup {
    let path = format!("/devices/{}", device.id);
    let field = Field {
        name: "reason",
        label: "Reason",
        value: reason,
        hint: "For whoever asks later; it is kept on record.",
        required: true,
        errors,
    };
    html! {
        (form_head(device, &format!("Decommission {}?", device.called()), errors, &["reason"]))
        div.card {
            p { "This takes the device out of use for ever: nothing can change it afterwards, and it can be deployed no more. Its history stays. Another device may be registered with its numbers and interfaces." }
            @if held.holdings.is_empty() { p { "It holds nothing that would be given back." } }
            @else {
                p { "These are given back, and others can have them:" }
                ul { @for holding in &held.holdings { li { (addresses::kind(&holding.kind)) " " span.mono { (holding.value) } } } }
            }
            form.form method="post" action=(format!("{path}/decommission")) {
                (once())
                (field.text())
                div.actions {
                    button.danger type="submit" { "Decommission the device" }
                    a.button href=(path) { "Keep it" }
                }
            }
        }
        (block::card("records", "DNS records that are removed, also at the servers", &addresses::records(&held.records)))
        (block::card("entries", "DHCP entries that are removed, also at the servers", &addresses::entries(&held.entries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::devices::samples::device;
    use bootledger_aggregates::claims::Holder;
    use bootledger_projections::holdings::Holding;

    #[test]
    fn the_question_names_everything_that_is_given_back() {
        let holding = |kind: &str, value: &str| Holding {
            kind: kind.to_owned(),
            value: value.to_owned(),
            holder: Holder::Device(DeviceId::default()),
        };
        let held = Held::holding(vec![holding("ip", "10.0.0.11"), holding("serial", "SN1")]);
        let html = question(&device(), &held, "broken <disk>", &[]).into_string();
        for part in ["Address", "10.0.0.11", "Serial number", "SN1", "broken &lt;disk&gt;", "Decommission R640 &lt;no. 1&gt;?"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
