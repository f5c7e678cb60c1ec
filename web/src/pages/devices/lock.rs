//! Locking and unlocking a device. Each has a confirmation page that names what happens. An operator can lock a device, and only
//! an administrator can unlock it.

use super::details::{DeviceDetails, form_head};
use crate::http::auth::caller::{Administrator, Operator};
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::{self, Look, once};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::components::field::Field;
use crate::pages::components::time::moment;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use crate::wording::actors::actor;
use actix_web::HttpResponse;
use bootledger_aggregates::device::lock::Lock;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Command, DeviceAction};
use maud::{Markup, html};

/// Handles `GET /devices/{id}/lock`: shows the form.
pub(super) async fn confirm_lock(
    _: Operator,
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let found = DeviceDetails::visit(&page_context, &mut snapshot, id).await?;
    let content = locking(&found, "", &[]);
    page_context.answer(snapshot, Page::new("Lock a device", Section::Devices, content)).await
}

/// Handles `POST /devices/{id}/lock`.
pub(super) async fn lock(
    caller: Operator,
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    if let Some(reason) = fields.required::<Text>("reason", "The reason") {
        let command = Command::Device(DeviceAction::LockDevice { device: id, reason });
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/devices/{id}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut snapshot = backend.read_now().await?;
    let found = DeviceDetails::load(&mut snapshot, id, Ok(())).await?;
    let content = locking(&found, fields.text("reason"), fields.broken());
    Ok(page_context.refused(snapshot.position, Page::new("Lock a device", Section::Devices, content)))
}

/// Handles `GET /devices/{id}/unlock`: shows the confirmation page.
pub(super) async fn confirm_unlock(
    _: Administrator,
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let found = DeviceDetails::visit(&page_context, &mut snapshot, id).await?;
    page_context.answer(snapshot, Page::new("Unlock a device", Section::Devices, unlocking(&found))).await
}

/// Handles `POST /devices/{id}/unlock`.
pub(super) async fn unlock(
    caller: Administrator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let receipt = backend.execute(Command::Device(DeviceAction::UnlockDevice(id)), fields.context(&caller)).await?;
    Ok(done(&mut backend, &receipt, &format!("/devices/{id}")).await)
}

fn locking(found: &DeviceDetails, reason: &str, errors: &[ProblemError]) -> Markup {
    let device = &found.device;
    let path = format!("/devices/{}", device.id);
    let hint = "Why the device must not be installed again. Everyone who tries to deploy it sees this.";
    let field = Field { name: "reason", label: "Reason", value: reason, hint, required: true, errors };
    html! {
        (form_head(device, &format!("Lock {}", device.called()), errors, &["reason"]))
        @if let Some(live) = &found.live {
            (block::note(Tone::Warn, &html! {
                p { "The deployment " a href=(format!("/deployments/{}", live.id)) { (live.hostname) } " of this device has already started. The lock does not stop it. To stop it, cancel the deployment." }
            }))
        }
        div.card {
            p { "A locked device is never installed again:" }
            ul {
                li { "No deployment of it starts, whether from a page, a CSV file, a bulk action or the API." }
                li { "It cannot be decommissioned, and its interfaces cannot be removed." }
                li { "Everything else can still be changed. Only an administrator can unlock it." }
            }
            @match (&device.lock, found.allows(None)) {
                (_, Err(why)) => { p { (why) } div.actions { a.button href=(path) { "Back" } } }
                (Some(lock), _) if errors.is_empty() => { (state(lock)) div.actions { a.button href=(path) { "Back" } } }
                _ => {
                    form.form method="post" action=(format!("{path}/lock")) {
                        (once())
                        (field.text())
                        div.actions { button.primary type="submit" { "Lock device" } a.button href=(path) { "Back" } }
                    }
                }
            }
        }
    }
}

fn unlocking(found: &DeviceDetails) -> Markup {
    let device = &found.device;
    let path = format!("/devices/{}", device.id);
    html! {
        (form_head(device, &format!("Unlock {}", device.called()), &[], &[]))
        div.card {
            @match &device.lock {
                None => { p { "The device is not locked." } div.actions { a.button href=(path) { "Back" } } }
                Some(lock) => {
                    (state(lock))
                    p { "After this, operators can deploy the device, which erases what is installed on it, and decommission it." }
                    div.actions {
                        (action::post("unlock", &format!("{path}/unlock"), Look::Danger, "", "Unlock device", &found.lifts, &html! {}))
                        a.button href=(path) { "Back" }
                    }
                }
            }
        }
    }
}

/// Who locked the device, when, and why.
fn state(lock: &Lock) -> Markup {
    block::facts(&[
        ("Reason", html! { (lock.reason) }),
        ("Locked by", html! { (actor(lock.by.as_str())) }),
        ("Locked", moment(lock.at)),
    ])
}

/// The card on the device's page.
pub(super) fn card(found: &DeviceDetails) -> Markup {
    let content = html! {
        @match &found.device.lock {
            None => p.quiet { "Not locked. A locked device is never installed again." },
            Some(lock) => {
                p { (badge(Tone::Warn, "Locked")) " No deployment of this device starts until an administrator unlocks it." }
                (state(lock))
                @if let Some(live) = &found.live {
                    p { "The deployment " a href=(format!("/deployments/{}", live.id)) { (live.hostname) } " started before the lock, or at the same time. The lock does not stop it." }
                }
            }
        }
    };
    block::card("lock", "Lock", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::{deployment, device};
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_projections::rows::devices::Device;

    fn found(locked: bool) -> DeviceDetails {
        let lock = Lock { reason: Text::fitted("<only> copy"), by: Text::fitted("user ada"), at: Timestamp::default() };
        let device = Device { lock: locked.then_some(lock), ..device() };
        DeviceDetails { device, live: None, may: Ok(()), blocked: false, lifts: Ok(()) }
    }

    #[test]
    fn locking_needs_a_reason_and_says_that_a_running_deployment_goes_on() {
        let page = locking(&found(false), "", &[]);
        assert_eq!(texts(&page, "form[action$='/lock'] button[type=submit]").len(), 1);
        assert!(texts(&page, ".note").is_empty());
        let page = locking(&DeviceDetails { live: Some(deployment()), ..found(false) }, "", &[]);
        assert_eq!(texts(&page, ".note a[href^='/deployments/']").len(), 1);
    }

    #[test]
    fn a_locked_device_shows_who_locked_it_and_why_and_is_not_locked_again() {
        let page = locking(&found(true), "", &[]);
        assert!(texts(&page, "form").is_empty());
        let card = card(&found(true));
        assert_eq!(texts(&card, "dd")[..2], ["<only> copy", "user ada"]);
        assert!(texts(&super::card(&found(false)), "dd").is_empty());
    }

    #[test]
    fn only_an_administrator_is_offered_to_unlock() {
        assert_eq!(texts(&unlocking(&found(true)), "form[action$='/unlock'] button").len(), 1);
        let operator = DeviceDetails { lifts: Err("not you".to_owned()), ..found(true) };
        assert!(texts(&unlocking(&operator), "form").is_empty());
    }
}
