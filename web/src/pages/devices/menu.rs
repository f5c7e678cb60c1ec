//! The actions in the head of a device's pages: the one that comes next, editing, and a menu with the rare and destructive ones.
//! Each of those leads to a page that names what happens before it happens.

use super::details::DeviceDetails;
use crate::pages::components::action::{self, Look};
use crate::pages::components::block;
use bootledger_aggregates::device::{allowed, lock};
use maud::{Markup, html};

/// The actions of a device.
pub(super) fn actions(found: &DeviceDetails) -> Markup {
    let device = &found.device;
    let path = format!("/devices/{}", device.id);
    let deploy = found.deployable();
    let verify = found.allows(allowed::verifying(device.venture.as_ref(), device.role.as_ref()));
    // A device that is not verified is verified first.
    let look = if device.verified { Look::Primary } else { Look::Usual };
    html! {
        @if !device.verified && !device.decommissioned {
            (action::post("verify", &format!("{path}/verify"), Look::Primary, "check-circle-fill", "Verify", &verify, &html! {}))
        }
        span id="deploy" { (action::link("deploy", &format!("{path}/deploy"), look, "rocket-takeoff", "Deploy…", &deploy)) }
        (action::link("edit", &format!("{path}/edit"), Look::Usual, "pencil", "Edit…", &found.allows(None)))
        (menu(found, &path))
    }
}

fn menu(found: &DeviceDetails, path: &str) -> Markup {
    let device = &found.device;
    let live = found.live.as_ref().map(|live| live.id);
    let power = found.allows(allowed::switching(device.management.as_ref()));
    let unverify = found.allows(allowed::ending(live, "its verification can be revoked"));
    let locked = device.lock.as_ref().map(|present| lock::refusal(present, "", "it can be decommissioned"));
    let end = found.allows(allowed::ending(live, "it can be decommissioned").into_iter().chain(locked));
    let unlock = found.allows(None).and(found.lifts.clone());
    block::more_actions(&html! {
        (action::link("power", &format!("{path}/power"), Look::Usual, "power", "Power…", &power))
        @if device.lock.is_some() {
            (action::link("unlock", &format!("{path}/unlock"), Look::Usual, "lock-fill", "Unlock…", &unlock))
        } @else {
            (action::link("lock", &format!("{path}/lock"), Look::Usual, "lock-fill", "Lock…", &found.allows(None)))
        }
        @if device.verified {
            (action::link("unverify", &format!("{path}/unverify"), Look::Usual, "x-circle-fill", "Revoke verification…", &unverify))
        }
        (action::link("decommission", &format!("{path}/decommission"), Look::Usual, "trash", "Decommission…", &end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::device::lock::Lock;
    use bootledger_aggregates::values::text::Text;
    use bootledger_aggregates::values::timestamp::Timestamp;

    fn shown(change: impl FnOnce(&mut DeviceDetails)) -> Markup {
        let mut found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false, lifts: Ok(()) };
        change(&mut found);
        actions(&found)
    }

    fn locked(found: &mut DeviceDetails) {
        let lock = Lock { reason: Text::fitted("only copy"), by: Text::fitted("user ada"), at: Timestamp::default() };
        found.device.lock = Some(lock);
    }

    #[test]
    fn there_is_one_primary_action_and_it_is_the_next_step() {
        assert_eq!(texts(&shown(|_| {}), ".primary"), ["Deploy…"]);
        let unverified = shown(|found| found.device.verified = false);
        assert_eq!(texts(&unverified, ".primary"), ["Verify"]);
        assert_eq!(texts(&unverified, "button[aria-disabled] ~ #deploy-reason").len(), 1);
    }

    #[test]
    fn a_locked_device_says_why_it_is_neither_deployed_nor_decommissioned() {
        let page = shown(locked);
        for id in ["#deploy-reason", "#decommission-reason"] {
            assert!(texts(&page, id)[0].contains("only copy"), "{id}");
        }
        assert_eq!(texts(&page, "details a[href$='/unlock']").len(), 1);
        let operator = shown(|found| {
            locked(found);
            found.lifts = Err("not you".to_owned());
        });
        assert_eq!(texts(&operator, "details #unlock-reason").len(), 1);
    }

    #[test]
    fn verifying_needs_a_venture_and_a_role_and_says_so() {
        let page = shown(|found| {
            found.device.verified = false;
            (found.device.venture, found.device.role) = (None, None);
        });
        let reason = &texts(&page, "button[aria-disabled] ~ #verify-reason")[0];
        assert!(reason.contains("venture") && reason.contains("role"), "{reason}");
    }

    #[test]
    fn nothing_can_be_done_with_a_decommissioned_device() {
        let page = shown(|found| found.device.decommissioned = true);
        assert!(texts(&page, "a.button, button[type=submit]").is_empty());
        assert_eq!(texts(&page, "button[aria-disabled] ~ #decommission-reason").len(), 1);
    }
}
