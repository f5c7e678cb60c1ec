//! What the pages of one device share: the device with the data that all of them need, and small parts.

use crate::english::as_sentence;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::Allowed;
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::{block, field};
use crate::pages::layout::PageContext;
use bootledger_aggregates::deployment::start::undeployable;
use bootledger_aggregates::device::allowed::decommissioned;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::devices::{self, Device};
use bootledger_projections::rows::holders::HolderNames;
use bootledger_projections::rows::parked;
use maud::{Markup, html};

/// A device with the data that all its tabs need.
pub(super) struct DeviceDetails {
    /// The device of the page.
    pub(super) device: Device,
    /// Its live deployment.
    pub(super) live: Option<Deployment>,
    /// Whether the visitor may make changes from the page.
    pub(super) may: Allowed,
    /// Whether an event of the device could not be applied.
    pub(super) blocked: bool,
    /// Whether the visitor may unlock the device.
    pub(super) lifts: Allowed,
}

impl DeviceDetails {
    /// Reads a device.
    pub(super) async fn load(snapshot: &mut Snapshot<'_>, id: DeviceId, may: Allowed) -> Result<Self, Error> {
        let at = snapshot.at;
        let device = devices::find(snapshot.connection(), id, at).await?;
        let device = device.ok_or_else(|| Error::NotFound(format!("there is no device {id}")))?;
        let live = deployments::live_of_device(snapshot.connection(), id, at).await?;
        let blocked = parked::is_blocked(snapshot.connection(), "device", &id.to_string()).await?;
        // A page that offers to unlock the device finds out whether its visitor may.
        Ok(Self { device, live, may, blocked, lifts: Err("This requires the role administrator.".to_owned()) })
    }

    /// Reads a device for a page, which offers the changes that its visitor may make.
    pub(super) async fn visit(page_context: &PageContext, snapshot: &mut Snapshot<'_>, id: DeviceId) -> Result<Self, Error> {
        let may = page_context.may_change(snapshot, Role::Operator);
        let lifts = page_context.may_change(snapshot, Role::Administrator);
        Ok(Self { lifts, ..Self::load(snapshot, id, may).await? })
    }

    /// Whether the device may be deployed, by the same rule as the command's.
    pub(super) fn deployable(&self) -> Allowed {
        self.may.clone().and_then(|()| unless(self.undeployable()))
    }

    /// Every rule that keeps the device from being deployed now, with the name of its live deployment.
    fn undeployable(&self) -> Vec<BrokenRule> {
        let live = self.live.as_ref().map(|live| live.id);
        let mut broken = undeployable(self.device.id, &self.device.deployment_facts(), live);
        let names = HolderNames::of(&[], &self.live);
        for rule in &mut broken {
            names.complete(rule);
        }
        broken
    }

    /// Whether these errors include every reason why the device cannot be deployed, so that a page need not repeat it.
    pub(super) fn reports_all(&self, errors: &[&ProblemError]) -> bool {
        let reported = |rule: &BrokenRule| errors.iter().any(|error| error.rule == rule.rule);
        self.may.is_ok() && self.undeployable().iter().all(reported)
    }

    /// Whether the visitor may do something, given the rules that it would violate.
    pub(super) fn allows(&self, broken: impl IntoIterator<Item = BrokenRule>) -> Allowed {
        self.may.clone()?;
        if self.device.decommissioned {
            return unless([decommissioned()]);
        }
        unless(broken)
    }
}

/// Allowed if no rule is violated; otherwise the reason contains the message of every violated rule as a sentence.
pub(super) fn unless(broken: impl IntoIterator<Item = BrokenRule>) -> Allowed {
    let reasons: Vec<String> = broken.into_iter().map(|broken| as_sentence(&broken.message)).collect();
    if reasons.is_empty() { Ok(()) } else { Err(reasons.join(". ")) }
}

/// The head of a page about one device that is not a tab, such as a form: breadcrumbs and title.
pub(super) fn form_head(device: &Device, title: &str, errors: &[ProblemError], fields: &[&str]) -> Markup {
    let name = device.called();
    html! {
        (block::heading(&[("Devices", "/devices"), (&name, &format!("/devices/{}", device.id))], &html! { (title) }, &html! {}))
        (field::summary(errors, fields))
    }
}

/// The text for an empty part.
pub(super) fn none(words: &str) -> Markup {
    html! { p.quiet { (words) } }
}

/// A device's name as a link, and whether the device is in use.
pub(super) fn link(device: &Device) -> Markup {
    html! {
        a href=(format!("/devices/{}", device.id)) { (device.called()) }
        @if device.decommissioned { " " (badge(Tone::Neutral, "Decommissioned")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::{deployment, device};

    fn found(change: impl FnOnce(&mut DeviceDetails)) -> DeviceDetails {
        let mut found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false, lifts: Ok(()) };
        change(&mut found);
        found
    }

    #[test]
    fn a_verified_device_without_a_live_deployment_may_be_deployed_and_others_show_why_not() {
        assert_eq!(found(|_| {}).deployable(), Ok(()));
        let refused = |change: fn(&mut DeviceDetails)| found(change).deployable().expect_err("refused");
        let reasons = [
            refused(|found| found.device.verified = false),
            refused(|found| found.device.decommissioned = true),
            refused(|found| found.live = Some(deployment())),
        ];
        insta::assert_snapshot!("why_a_device_cannot_be_deployed", reasons.join("\n"));
        assert_eq!(refused(|found| found.may = Err("Not you.".to_owned())), "Not you.");
    }
}
