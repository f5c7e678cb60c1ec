//! The power of a device: the state that its management controller reports now, and power orders. An order that would interrupt
//! an installation has to name the deployment.

use super::details::{DeviceDetails, form_head, unless};
use crate::english::complete_sentence;
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::{Allowed, once};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::components::copy;
use crate::pages::components::time::moment;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use crate::wording;
use actix_web::HttpResponse;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_port::{Command, CommandError, Power};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{Deployment, Status};
use bootledger_projections::rows::devices::Device;
use bootledger_projections::rows::power_orders::{self, OrderStatus};
use maud::{Markup, html};
use std::time::Duration;

/// The controller's answer, or the error.
type PowerReadout = Result<Power, String>;

/// Handles `GET /devices/{id}/power`: queries the management controller.
pub(super) async fn load(
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let found = DeviceDetails::visit(&page_context, &mut snapshot, id).await?;
    let managed = found.allows(allowed::switching(found.device.management.as_ref()));
    // A controller may be slow, and no database connection is held during the wait.
    let context = page_context.caller.context();
    let seen = page_context.see(snapshot).await?;
    let said = match unless(allowed::switching(found.device.management.as_ref())) {
        Ok(()) => backend.power_state(id, context).await.map_err(|error| error.to_string()),
        Err(reason) => Err(reason),
    };
    Ok(seen.answer(&Page::new("Power", Section::Devices, content(&found, &said, &managed, &[]))))
}

/// How long a device's page waits for its controller. The page about the power waits longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The ID of the element with the power state on a device's page.
const STATE: &str = "power-state";

/// Handles `GET /devices/{id}/live/power`: the power state, for a page that is already shown. The controller may be slow, so the
/// wait has a limit of its own.
pub(super) async fn state(
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let context = page_context.caller.context();
    let said = match tokio::time::timeout(PATIENCE, backend.power_state(id, context)).await {
        Ok(said) => said.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the management controller did not answer within {} s", PATIENCE.as_secs())),
    };
    let body = html! { div id=(STATE) { (reported(&said)) } };
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body.into_string()))
}

/// The card with the controller on a device's page. It is no live region: a change of the device does not query the controller
/// again. Without a script, the state is not queried, and a link leads to the page that does.
pub(super) fn card(found: &DeviceDetails, at: At) -> Markup {
    let path = format!("/devices/{}", found.device.id);
    let is_queried =
        at == At::Now && unless(allowed::switching(found.device.management.as_ref())).is_ok() && !found.device.decommissioned;
    let content = html! {
        (block::facts(&[("Controller", management(&found.device))]))
        @if is_queried {
            div id=(STATE) hx-get=(format!("{path}/live/power")) hx-trigger="load" hx-swap="outerHTML" {
                p { span.quiet { "Power state not queried. " } a href=(format!("{path}/power")) { "Query it" } }
            }
        } @else if at != At::Now { p.quiet { "The power state is not available for past positions." } }
    };
    block::card("controller", "Power control", &content)
}

fn management(device: &Device) -> Markup {
    html! {
        @match &device.management {
            None => { span.quiet { "None (power is managed manually)" } }
            Some(management) => {
                (copy::code(&management.address.to_string(), "address of the controller")) " by " (wording::devices::protocol(management.protocol))
                @match &management.credentials {
                    Some(secret) => { ", with the secret " code { (secret) } }
                    None => { ", " strong { "without credentials" } }
                }
            }
        }
    }
}

/// The power state as a badge, with the reason if it is not known.
fn reported(said: &PowerReadout) -> Markup {
    html! {
        p {
            @match said {
                Ok(Power { at: None, .. }) => (badge(Tone::Neutral, "Unknown")),
                Ok(Power { state: PowerState::On, .. }) => (badge(Tone::Good, "On")),
                Ok(Power { state: PowerState::Off, .. }) => (badge(Tone::Neutral, "Off")),
                Ok(Power { state: PowerState::Unknown, .. }) => (badge(Tone::Warn, "Unknown")),
                Err(reason) => { (badge(Tone::Warn, "No response")) " " (complete_sentence(reason)) }
            }
        }
        @if let Ok(Power { live: false, at, .. }) = said {
            p.quiet {
                @if let Some(at) = at { "Last reported at " (moment(*at)) ". " }
                "Power state not queried: this requires the role operator."
            }
        }
    }
}

/// Handles `POST /devices/{id}/power`.
pub(super) async fn order(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let action = match fields.text("action") {
        "on" => PowerAction::On,
        "off" => PowerAction::Off,
        "cycle" => PowerAction::Cycle,
        other => return Err(Error::rejected("action", Rule::ActionUnknown, format!("{other:?} is not one of on, off, cycle"))),
    };
    let network_boot = fields.ticked("network_boot") && action != PowerAction::Off;
    let interrupts: Option<DeploymentId> = fields.read("interrupts");
    let command = Command::OrderPower { device: id, action, network_boot, interrupts };
    match backend.execute(command, fields.context(&caller)).await {
        Ok(receipt) => {
            let order = receipt.id.parse().map_err(|error| Error::Internal(anyhow::Error::new(error)))?;
            let order = power_orders::find(backend.read_now().await?.connection(), id, order).await?;
            let failed = order.filter(|order| matches!(order.status, OrderStatus::Failed | OrderStatus::Uncertain));
            let Some(failed) = failed else {
                return Ok(done(&mut backend, &receipt, &format!("/devices/{id}/history")).await);
            };
            let reason = failed.failure.map(|failure| failure.to_string()).unwrap_or_default();
            let uncertain =
                if failed.status == OrderStatus::Uncertain { "; the request may still have taken effect" } else { "" };
            fields.refuse(
                "",
                Rule::ControllerFailed,
                format!("the management controller did not carry out the request: {reason}{uncertain}"),
            );
        }
        Err(CommandError::Controller { reason, .. }) => fields.refuse("", Rule::ControllerFailed, reason),
        Err(error) => fields.refused(error)?,
    }
    let mut snapshot = backend.read_now().await?;
    let found = DeviceDetails::load(&mut snapshot, id, Ok(())).await?;
    let managed = found.allows(allowed::switching(found.device.management.as_ref()));
    let said = Err("Power state not refreshed. Reload the page to query the controller.".to_owned());
    let content = content(&found, &said, &managed, fields.broken());
    Ok(page_context.refused(snapshot.position, Page::new("Power", Section::Devices, content)))
}

fn content(found: &DeviceDetails, said: &PowerReadout, managed: &Allowed, errors: &[ProblemError]) -> Markup {
    let device = &found.device;
    let path = format!("/devices/{}", device.id);
    let installing = found.live.as_ref().filter(|live| live.status == Status::InProgress);
    html! {
        (form_head(device, "Power", errors, &["interrupts", "network_boot"]))
        section.card aria-labelledby="said-title" {
            h2 id="said-title" { "State reported by the management controller" }
            (reported(said))
            div.actions { a.button href=(format!("{path}/power")) { "Refresh" } a.button href=(path) { "Back to the device" } }
        }
        section.card aria-labelledby="order-title" {
            h2 id="order-title" { "Switch power" }
            @match managed {
                Err(reason) => p { (complete_sentence(reason)) },
                Ok(()) => (switches(&path, installing)),
            }
        }
    }
}

fn switches(path: &str, installing: Option<&Deployment>) -> Markup {
    html! {
        form.form method="post" action=(format!("{path}/power")) {
            (once())
            p { "Off and cycle act immediately, without shutting down the operating system. Unsaved data is lost." }
            @if let Some(live) = installing {
                (block::note(Tone::Warn, &html! {
                    p { "Its deployment " a href=(format!("/deployments/{}", live.id)) { (live.hostname) } " is in progress: off and cycle interrupt its installation, and a network boot starts it again." }
                    div.check {
                        input type="checkbox" id="field-interrupts" name="interrupts" value=(live.id);
                        label for="field-interrupts" { "Interrupt the installation of " (live.hostname) }
                    }
                }))
            }
            div.check {
                input type="checkbox" id="field-network_boot" name="network_boot" value="true";
                label for="field-network_boot" { "Network boot once" }
            }
            div.actions {
                button type="submit" name="action" value="on" { "Switch on" }
                button.danger type="submit" name="action" value="cycle" { "Power cycle" }
                button.danger type="submit" name="action" value="off" { "Switch off" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::{deployment, device};
    use bootledger_aggregates::values::timestamp::Timestamp;

    #[test]
    fn the_form_requires_a_confirmation_to_interrupt_an_installation() {
        let live = Deployment { status: Status::InProgress, ..deployment() };
        let found = DeviceDetails { device: device(), live: Some(live), may: Ok(()), blocked: false, lifts: Ok(()) };
        let html =
            content(&found, &Ok(Power { state: PowerState::On, at: Some(Timestamp::default()), live: true }), &Ok(()), &[])
                .into_string();
        assert!(html.contains("name=\"interrupts\""), "{html}");
        let idle = DeviceDetails { live: None, ..found };
        let html = content(&idle, &Err("it is silent".to_owned()), &Ok(()), &[]).into_string();
        assert!(!html.contains("name=\"interrupts\"") && html.contains("It is silent"), "{html}");
    }

    #[test]
    fn a_device_without_a_management_controller_has_no_power_actions() {
        let found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false, lifts: Ok(()) };
        let managed = found.allows(allowed::switching(None));
        let html = content(&found, &Err(String::new()), &managed, &[]).into_string();
        assert!(managed.is_err() && !html.contains("value=\"cycle\""), "{html}");
    }
}
