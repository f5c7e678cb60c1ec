//! Deploying again: the same device with the values of a deployment that has ended, or another device with its venture, role and
//! boot image. Both lead to the form that deploys a device, which is filled in and shows every rule that refuses it.

use super::details::{DeploymentDetails, find};
use crate::english::as_sentence;
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::block;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::deployment::start::undeployable;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::Deployment;
use bootledger_projections::rows::devices::{self, Device};
use maud::{Markup, html};

/// How many devices the page offers; the search finds the others.
const OFFERED: i64 = 50;

/// The link to deploy the device again.
pub(super) fn redeploy(found: &DeploymentDetails, look: Look) -> Markup {
    let path = format!("/devices/{}/deploy?from={}", found.deployment.device, found.deployment.id);
    action::link("redeploy", &path, look, "arrow-repeat", "Redeploy…", &may_redeploy(found))
}

/// The link to deploy another device alike.
pub(super) fn clone(found: &DeploymentDetails) -> Markup {
    let path = format!("/deployments/{}/clone", found.deployment.id);
    action::link("clone", &path, Look::Usual, "plus-lg", "Clone…", &found.may)
}

/// Whether the device can be deployed again now.
fn may_redeploy(found: &DeploymentDetails) -> Allowed {
    found.may.clone()?;
    if found.deployment.status.is_live() {
        return Err("The deployment has not ended. Wait until it is done, or cancel it.".to_owned());
    }
    if found.live.is_some() {
        return Err("The device is already being deployed by another deployment. Wait until that ends, or cancel it.".to_owned());
    }
    let device = found.device.as_ref().ok_or_else(|| "The device is not known.".to_owned())?;
    match undeployable(device.id, &device.deployment_facts(), None).first() {
        Some(broken) => Err(as_sentence(&broken.message)),
        None => Ok(()),
    }
}

/// Handles `GET /deployments/{id}/clone`: offers the devices that can be deployed.
pub(super) async fn choose(
    _: Operator,
    page_context: PageContext,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let deployment = find(&mut snapshot, id, At::Now).await?;
    let q = page_context.parameter("q").to_owned();
    let filter = devices::Filter {
        site: Some(deployment.site.clone()),
        verified: Some(true),
        decommissioned: Some(false),
        deploying: Some(false),
        locked: Some(false),
        q: Some(q.clone()).filter(|q| !q.trim().is_empty()),
        ..devices::Filter::default()
    };
    let found = devices::list(snapshot.connection(), &filter, At::Now, OFFERED + 1).await?;
    let page = Page::new("Clone a deployment", Section::Deployments, offered(&deployment, &found, &q));
    page_context.answer(snapshot, page).await
}

fn offered(deployment: &Deployment, found: &[Device], q: &str) -> Markup {
    let (path, hostname) = (format!("/deployments/{}", deployment.id), deployment.hostname.as_str());
    let most = usize::try_from(OFFERED).unwrap_or(usize::MAX);
    html! {
        (block::heading(&[("Deployments", "/deployments"), (hostname, &path)], &html! { "Clone the deployment of " (hostname) }, &html! {}))
        p {
            "Choose the device to deploy for " (deployment.venture) " / " (deployment.role) " with the boot image " (deployment.boot_image)
            ". You can change everything before the deployment starts."
        }
        form.filters method="get" action=(format!("{path}/clone")) {
            div.field.grow {
                label for="clone-q" { "Search" }
                input type="search" id="clone-q" name="q" value=(q) placeholder="Name, serial number, MAC, host name" maxlength="300";
            }
            button type="submit" { "Filter" }
        }
        @if found.is_empty() {
            (block::empty("No verified device of this site is free to deploy.", &html! { a.button href="/devices?verified=true" { "Verified devices" } }))
        } @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Devices that can be deployed" }
                    thead { tr { th scope="col" { "Device" } th scope="col" { "Rack" } th scope="col" { "MAC" } th scope="col" { "Action" } } }
                    tbody {
                        @for device in found.iter().take(most) {
                            tr {
                                th scope="row" { a href=(format!("/devices/{}", device.id)) { (device.called()) } }
                                td data-label="Rack" { @match &device.rack { Some(rack) => (rack), None => "–" } }
                                td data-label="MAC" { span.mono { @match device.macs.first() { Some(mac) => (mac), None => "–" } } }
                                td data-label="Action" {
                                    a.button.small href=(format!("/devices/{}/deploy?from={}", device.id, deployment.id)) aria-label=(format!("Deploy {}", device.called())) { "Deploy…" }
                                }
                            }
                        }
                    }
                }
            }
            @if found.len() > most { p.quiet { "The first " (most) " devices. Search to find others." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::{deployment, device};
    use crate::pages::tests::selectors::texts;
    use bootledger_projections::rows::deployments::Status;
    use bootledger_projections::rows::installations::Installation;

    fn details(status: Status, device: Option<Device>, may: Allowed) -> DeploymentDetails {
        let row = Deployment { status, ..deployment() };
        DeploymentDetails { device, ..DeploymentDetails::sample(row, Installation::default(), None, may) }
    }

    #[test]
    fn a_deployment_that_has_ended_leads_to_the_form_of_its_device() {
        for status in [Status::Done, Status::Cancelled] {
            let found = details(status, Some(device()), Ok(()));
            let html = html! { (redeploy(&found, Look::Usual)) (clone(&found)) };
            assert_eq!(texts(&html, "a[href*='/deploy?from=']").len(), 1, "{status:?}");
            assert_eq!(texts(&html, "a[href$='/clone']").len(), 1, "{status:?}");
        }
    }

    #[test]
    fn every_reason_against_deploying_again_is_beside_the_button() {
        let viewer = Err("This requires the role operator.".to_owned());
        let unverified = Device { verified: false, ..device() };
        let other = DeploymentDetails { live: Some(DeploymentId::default()), ..details(Status::Done, Some(device()), Ok(())) };
        let refused = [
            details(Status::Open, Some(device()), Ok(())),
            details(Status::Done, Some(unverified), Ok(())),
            details(Status::Done, None, Ok(())),
            details(Status::Cancelled, Some(device()), viewer),
            other,
        ];
        for found in refused {
            let html = html! { (redeploy(&found, Look::Usual)) (clone(&found)) };
            assert_eq!(texts(&html, "button[aria-disabled] ~ #redeploy-reason").len(), 1);
            assert!(texts(&html, "a[href*='from=']").is_empty());
        }
    }

    #[test]
    fn a_clone_is_offered_for_each_device_and_names_the_deployment_it_copies() {
        let html = offered(&deployment(), &[device()], "<b>");
        assert_eq!(texts(&html, "tbody tr a.button[href*='/deploy?from=']").len(), 1);
        assert_eq!(texts(&html, "input[name='q'][value='<b>']").len(), 1);
        assert_eq!(texts(&offered(&deployment(), &[], ""), ".empty").len(), 1);
    }
}
