//! The first tab of a device: its properties, its venture and role, and its actions. Deploying comes last.

use super::list::kind_words;
use super::show::{DeviceDetails, link};
use crate::english::complete_sentence;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::components::setting::shown;
use crate::pages::components::time::{moment, since, span};
use crate::pages::live::Region;
use crate::wording;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::devices::{self, Device};
use maud::{Markup, html};

/// The data that the tab needs in addition to the device.
pub(super) struct Info {
    parent: Option<Device>,
    /// Ventures and their roles.
    roles: Vec<(Name, Vec<Name>)>,
}

impl Info {
    pub(super) async fn load(snapshot: &mut Snapshot<'_>, device: &Device) -> Result<Self, Error> {
        let at = snapshot.at;
        let parent = match device.parent {
            Some(parent) => devices::find(snapshot.connection(), parent, at).await?,
            None => None,
        };
        // Ventures and roles are only offered if they may be changed.
        let ventures = if device.verified { vec![] } else { catalogue::ventures(snapshot.connection(), at).await? };
        let roles = ventures.into_iter().map(|entry| (entry.key, entry.spec.roles.into_keys().collect())).collect();
        Ok(Self { parent, roles })
    }
}

/// The tab's parts.
pub(super) fn regions(found: &DeviceDetails, info: &Info, now: Timestamp) -> Vec<Region> {
    vec![
        Region::new("facts", facts(found, info, now)),
        Region::new("assignment", assignment(found, info)),
        Region::new("settings", settings(found)),
        Region::new("upkeep", upkeep(found)),
        Region::new("deploy", deploy(found)),
    ]
}

fn settings(found: &DeviceDetails) -> Markup {
    let device = &found.device;
    let shown = html! {
        @if device.settings.is_empty() { p.quiet { "None set for this device." } }
        @else { dl.facts { @for (name, value) in &device.settings { dt { code { (name) } } dd { (shown(value)) } } } }
        p { a href=(format!("/devices/{}/settings", device.id)) { "Effective settings, and values for this device" } }
    };
    block::card("settings", "Boot settings", &shown)
}

fn facts(found: &DeviceDetails, info: &Info, now: Timestamp) -> Markup {
    let device = &found.device;
    let text = |text: Option<String>| html! { @if let Some(text) = text { (text) } @else { span.quiet { "–" } } };
    let mut rows = vec![
        ("Kind", html! { (kind_words(device.kind)) }),
        ("Serial number", text(device.serial.as_ref().map(ToString::to_string))),
        ("Asset number", text(device.asset.as_ref().map(ToString::to_string))),
        ("Site", html! { a href=(format!("/sites/{}", device.site)) { (device.site) } }),
        (
            "Rack",
            html! {
                @match &device.rack {
                    Some(rack) => {
                        a href=(format!("/racks/{rack}")) { (rack) }
                        @if let Some(unit) = device.rack_position { ", unit " (unit) }
                    }
                    None => { span.quiet { "none recorded" } }
                }
            },
        ),
        ("Management", management(device)),
        (
            "Deployment",
            html! {
                @match &found.live {
                    Some(live) => {
                        a href=(format!("/deployments/{}", live.id)) { (live.hostname) } " as "
                        (live.venture) " / " (live.role) ", started " (since(live.started_at, now)) " ago"
                    }
                    None => { span.quiet { "none live; " } a href=(format!("/devices/{}/history", device.id)) { "earlier deployments" } }
                }
            },
        ),
        ("Operating system", text(device.operating_system.as_ref().map(ToString::to_string))),
    ];
    if let Some(parent) = &info.parent {
        rows.push(("Part of", link(parent)));
    }
    if let Some(uptime) = device.uptime_seconds {
        rows.push(("Uptime", html! { (span(uptime)) " at the last report" }));
    }
    if !device.remarks.is_empty() {
        rows.push(("Remarks", html! { ul { @for remark in &device.remarks { li { (wording::devices::remark(remark)) } } } }));
    }
    rows.push(("Registered", moment(device.registered_at)));
    rows.push(("Last changed", html! { (moment(device.changed_at)) ", " (since(device.changed_at, now)) " ago" }));
    rows.push(("ID", html! { code { (device.id) } }));
    let edit = action::link("edit", &format!("/devices/{}/edit", device.id), Look::Usual, "pencil", "Edit…", &found.allows(None));
    block::card("facts", "Details", &html! { (block::facts(&rows)) div.actions { (edit) } })
}

fn management(device: &Device) -> Markup {
    html! {
        @match &device.management {
            None => { span.quiet { "None (power is managed manually)" } }
            Some(management) => {
                span.mono { (management.address) } " by " (wording::devices::protocol(management.protocol))
                @match &management.credentials {
                    Some(secret) => { ", with the secret " code { (secret) } }
                    None => { ", " strong { "without credentials" } }
                }
            }
        }
    }
}

/// The venture, the role, and whether the device is verified.
fn assignment(found: &DeviceDetails, info: &Info) -> Markup {
    let device = &found.device;
    let id = device.id;
    let verify = found.allows(allowed::verifying(device.venture.as_ref(), device.role.as_ref()));
    let unverify = found.allows(allowed::ending(found.live.as_ref().map(|live| live.id), "its verification can be revoked"));
    let of = html! {
        @match (&device.venture, &device.role) {
            (Some(venture), role) => {
                a href=(format!("/ventures/{venture}")) { (venture) }
                @if let Some(role) = role { " / " a href=(format!("/ventures/{venture}/roles/{role}")) { (role) } }
            }
            _ => { span.quiet { "none yet" } }
        }
    };
    let checked = html! { @if device.verified { (badge(Tone::Good, "Verified")) } @else { (badge(Tone::Warn, "Not verified")) } };
    let content = html! {
        p.quiet { "The venture is the owner of the server, such as a team or a service. The role is what the server does in its venture." }
        (block::facts(&[("Venture and role", of), ("Verification", checked)]))
        @match allowed::reassigning(device.verified, "venture") {
            // Nothing of a decommissioned device can be changed; the reason is beside each button.
            Some(_) if device.decommissioned => "",
            Some(broken) => p.quiet { (complete_sentence(&broken.message)) },
            None => (choice(found, info)),
        }
        div.actions {
            @if device.verified {
                (action::post("unverify", &format!("/devices/{id}/unverify"), Look::Usual, "", "Revoke verification", &unverify, &html! {}))
            } @else {
                (action::post("verify", &format!("/devices/{id}/verify"), Look::Primary, "check-circle-fill", "Verify", &verify, &html! {}))
            }
        }
    };
    block::card("assignment", "Owner", &content)
}

/// The select for venture and role, while the device is not verified.
fn choice(found: &DeviceDetails, info: &Info) -> Markup {
    let device = &found.device;
    let current = |venture: &Name, role: &Name| device.venture.as_ref() == Some(venture) && device.role.as_ref() == Some(role);
    html! {
        @if found.allows(None).is_ok() {
            @if info.roles.is_empty() {
                p { "There are no ventures yet. " a href="/ventures" { "Create one with its roles" } " first." }
            } @else {
                form.form method="post" action=(format!("/devices/{}/edit", device.id)) {
                    (action::once())
                    div.field {
                        label for="field-assignment" { "Venture and role" }
                        select id="field-assignment" name="assignment" required {
                            option value="" { "Choose one" }
                            @for (venture, roles) in &info.roles {
                                optgroup label=(venture) {
                                    @for role in roles {
                                        option value=(format!("{venture}/{role}")) selected[current(venture, role)] { (venture) " / " (role) }
                                    }
                                }
                            }
                        }
                    }
                    div.actions { button type="submit" { "Set venture and role" } }
                }
            }
        }
    }
}

/// Power and decommissioning.
fn upkeep(found: &DeviceDetails) -> Markup {
    let device = &found.device;
    let id = device.id;
    let power = found.allows(allowed::switching(device.management.as_ref()));
    let end = found.allows(allowed::ending(found.live.as_ref().map(|live| live.id), "it can be decommissioned"));
    let content = html! {
        div.actions { (action::link("power", &format!("/devices/{id}/power"), Look::Usual, "power", "Power…", &power)) }
        div.actions { (action::link("decommission", &format!("/devices/{id}/decommission"), Look::Danger, "trash", "Decommission…", &end)) }
    };
    block::card("upkeep", "Power and decommissioning", &content)
}

/// The deploy button, and why it cannot be used.
fn deploy(found: &DeviceDetails) -> Markup {
    let device = &found.device;
    let allowed: Allowed = found.deployable();
    let content = html! {
        @if allowed.is_ok() { p { "The form suggests the next free address and name. All rules are checked before the deployment starts." } }
        div.actions {
            (action::link("deploy", &format!("/devices/{}/deploy", device.id), Look::Primary, "rocket-takeoff", "Deploy…", &allowed))
            @if let Some(live) = &found.live { a href=(format!("/deployments/{}", live.id)) { "Show deployment" } }
        }
    };
    block::card("deploy", "Deploy", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;
    use crate::pages::tests::selectors::texts;

    fn page(change: impl FnOnce(&mut DeviceDetails)) -> Markup {
        let mut found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false };
        change(&mut found);
        let roles = vec![("shop".parse().expect("a name"), vec!["web".parse().expect("a name")])];
        let regions = regions(&found, &Info { parent: None, roles }, Timestamp::default());
        html! { @for region in &regions { (region.html) } }
    }

    #[test]
    fn deploying_is_last_and_possible_for_a_verified_device_only() {
        let verified = page(|_| {});
        assert_eq!(texts(&verified, "section:last-of-type a.primary[href$='/deploy']").len(), 1);
        let unverified = page(|found| found.device.verified = false);
        assert_eq!(texts(&unverified, "button[aria-disabled] ~ #deploy-reason").len(), 1);
        assert!(texts(&unverified, "a[href$='/deploy']").is_empty());
    }

    #[test]
    fn venture_and_role_are_chosen_only_while_the_device_is_not_verified_and_the_page_says_why() {
        assert!(texts(&page(|_| {}), "#assignment select").is_empty());
        assert!(!texts(&page(|_| {}), "#assignment p").is_empty());
        let unverified = page(|found| found.device.verified = false);
        assert_eq!(texts(&unverified, "#assignment option[selected]"), ["shop / web"]);
    }

    #[test]
    fn verifying_needs_a_venture_and_a_role_and_says_so() {
        let page = page(|found| {
            found.device.verified = false;
            (found.device.venture, found.device.role) = (None, None);
        });
        let reason = &texts(&page, "button[aria-disabled] ~ #verify-reason")[0];
        assert!(reason.contains("venture") && reason.contains("role"), "{reason}");
    }

    #[test]
    fn nothing_can_be_done_with_a_decommissioned_device() {
        let page = page(|found| found.device.decommissioned = true);
        assert!(texts(&page, "a.button, button[type=submit]").is_empty());
        assert_eq!(texts(&page, "button[aria-disabled] ~ #decommission-reason").len(), 1);
    }
}
