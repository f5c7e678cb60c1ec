//! The power of a device: the state that its management controller reports now, and power orders. An order that would interrupt
//! an installation has to name the deployment.

use super::show::{Found, form_head, unless};
use crate::auth::caller::Operator;
use crate::auth::level::Level;
use crate::commands::{Command, CommandError, Power};
use crate::error::Error;
use crate::error::problem::ProblemError;
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::{Allowed, once};
use crate::pages::kit::badge::{Tone, badge};
use crate::pages::kit::block;
use crate::pages::kit::time::moment;
use crate::request::backend::Backend;
use crate::request::path::Path;
use actix_web::HttpResponse;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_projections::deployments::{Deployment, Status};
use bootledger_projections::power_orders::{self, OrderStatus};
use maud::{Markup, html};

/// The controller's answer, or the error.
type Said = Result<Power, String>;

/// Handles `GET /devices/{id}/power`: queries the management controller.
pub(super) async fn ask(visit: Visit, Path(id): Path<DeviceId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Operator);
    let found = Found::ask(&mut reading, id, may).await?;
    let managed = found.allows(allowed::switching(found.device.management.as_ref()));
    // A controller may be slow, and no database connection is held during the wait.
    let context = visit.caller.context();
    let seen = visit.see(reading).await?;
    let said = match unless(allowed::switching(found.device.management.as_ref())) {
        Ok(()) => backend.power_state(id, context).await.map_err(|error| error.to_string()),
        Err(reason) => Err(reason),
    };
    Ok(seen.answer(&Page::new("Power", Section::Devices, content(&found, &said, &managed, &[]))))
}

/// Handles `POST /devices/{id}/power`.
pub(super) async fn order(
    caller: Operator,
    visit: Visit,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let action = match fields.text("action") {
        "on" => PowerAction::On,
        "off" => PowerAction::Off,
        "cycle" => PowerAction::Cycle,
        other => return Err(Error::rejected("action", "action_unknown", format!("{other:?} is none of on, off and cycle"))),
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
            let reason = failed.reason.map(|reason| reason.to_string()).unwrap_or_default();
            let uncertain = if failed.status == OrderStatus::Uncertain { "; it may have been done all the same" } else { "" };
            fields.refuse("", "controller_failed", format!("the management controller did not do it: {reason}{uncertain}"));
        }
        Err(CommandError::Controller { reason, .. }) => fields.refuse("", "controller_failed", reason),
        Err(error) => fields.refused(error)?,
    }
    let mut reading = backend.read_now().await?;
    let found = Found::ask(&mut reading, id, Ok(())).await?;
    let managed = found.allows(allowed::switching(found.device.management.as_ref()));
    let said = Err("Power state not refreshed. Reload the page to ask the controller.".to_owned());
    let content = content(&found, &said, &managed, fields.broken());
    Ok(visit.refused(reading.position, Page::new("Power", Section::Devices, content)))
}

fn content(found: &Found, said: &Said, managed: &Allowed, errors: &[ProblemError]) -> Markup {
    let device = &found.device;
    let path = format!("/devices/{}", device.id);
    let installing = found.live.as_ref().filter(|live| live.status == Status::InProgress);
    html! {
        (form_head(device, "Power", errors, &["interrupts", "network_boot"]))
        section.card aria-labelledby="said-title" {
            h2 id="said-title" { "What its management controller says" }
            p {
                @match said {
                    Ok(Power { at: None, .. }) => (badge(Tone::Neutral, "Not known")),
                    Ok(Power { state: PowerState::On, .. }) => (badge(Tone::Good, "On")),
                    Ok(Power { state: PowerState::Off, .. }) => (badge(Tone::Neutral, "Off")),
                    Ok(Power { state: PowerState::Unknown, .. }) => (badge(Tone::Warn, "It cannot tell")),
                    Err(reason) => { (badge(Tone::Warn, "No answer")) " " (reason) }
                }
            }
            @if let Ok(Power { live: false, at, .. }) = said {
                p.quiet {
                    @if let Some(at) = at { "Last heard at " (moment(*at)) ". " }
                    "The controller was not asked: that takes the role operator."
                }
            }
            div.actions { a.button href=(format!("{path}/power")) { "Ask again" } a.button href=(path) { "Back to the device" } }
        }
        section.card aria-labelledby="order-title" {
            h2 id="order-title" { "Switch it" }
            @match managed {
                Err(reason) => p { (reason) },
                Ok(()) => (switches(&path, installing)),
            }
        }
    }
}

fn switches(path: &str, installing: Option<&Deployment>) -> Markup {
    html! {
        form.form method="post" action=(format!("{path}/power")) {
            (once())
            p { "Off and cycle are at once, without asking the operating system: what it has not written is lost." }
            @if let Some(live) = installing {
                (block::note(Tone::Warn, &html! {
                    p { "Its deployment " a href=(format!("/deployments/{}", live.id)) { (live.hostname) } " is in progress: off and cycle interrupt its installation." }
                    div.check {
                        input type="checkbox" id="field-interrupts" name="interrupts" value=(live.id);
                        label for="field-interrupts" { "Interrupt the installation of " (live.hostname) }
                    }
                }))
            }
            div.check {
                input type="checkbox" id="field-network_boot" name="network_boot" value="true";
                label for="field-network_boot" { "The next boot, and only that, is one from the network" }
            }
            div.actions {
                button type="submit" name="action" value="on" { "Switch on" }
                button.danger type="submit" name="action" value="cycle" { "Off and on again" }
                button.danger type="submit" name="action" value="off" { "Switch off" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::deployments::samples::deployment;
    use crate::pages::devices::samples::device;
    use bootledger_aggregates::values::timestamp::Timestamp;

    #[test]
    fn an_installation_is_interrupted_only_by_who_says_so() {
        let live = Deployment { status: Status::InProgress, ..deployment() };
        let found = Found { device: device(), live: Some(live), may: Ok(()), blocked: false };
        let html =
            content(&found, &Ok(Power { state: PowerState::On, at: Some(Timestamp::default()), live: true }), &Ok(()), &[])
                .into_string();
        assert!(html.contains("name=\"interrupts\"") && html.contains("interrupt its installation"), "{html}");
        let idle = Found { live: None, ..found };
        let html = content(&idle, &Err("it is silent".to_owned()), &Ok(()), &[]).into_string();
        assert!(!html.contains("name=\"interrupts\"") && html.contains("it is silent"), "{html}");
    }

    #[test]
    fn a_device_without_a_management_controller_says_so_instead() {
        let found = Found { device: device(), live: None, may: Ok(()), blocked: false };
        let managed = found.allows(allowed::switching(None));
        let html = content(&found, &Err(String::new()), &managed, &[]).into_string();
        assert!(html.contains("has no management address") && !html.contains("value=\"cycle\""), "{html}");
    }
}
