//! The first tab of a device: what it is and where on the left; its deployment, lock, owner, tags and notes on the right.

use super::details::{DeviceDetails, link};
use super::list::kind_words;
use super::{lock, power};
use crate::english::complete_sentence;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action;
use crate::pages::components::badge::{self, Tone, badge};
use crate::pages::components::block;
use crate::pages::components::copy;
use crate::pages::components::setting::shown;
use crate::pages::components::time::{moment, since, span};
use crate::pages::live::Region;
use crate::wording;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::devices::{self, Device};
use maud::{Markup, html};

/// The data that the tab needs in addition to the device.
pub(super) struct Info {
    parent: Option<Device>,
    /// The other devices that take a unit of the rack that this one takes. Only old logs and moved sub-devices have any.
    overlapping: Vec<Device>,
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
        let overlapping = match (&device.rack, device.footprint()) {
            (Some(rack), Some(own)) if !device.decommissioned => {
                let mut placed = devices::placed_in(snapshot.connection(), rack, at).await?;
                placed.retain(|other| other.id != device.id && other.footprint().is_some_and(|other| other.overlaps(own)));
                placed
            }
            _ => vec![],
        };
        // Ventures and roles are only offered if they may be changed.
        let ventures = if device.verified { vec![] } else { catalogue::ventures(snapshot.connection(), at).await? };
        let roles = ventures.into_iter().map(|entry| (entry.key, entry.spec.roles.into_keys().collect())).collect();
        Ok(Self { parent, overlapping, roles })
    }
}

/// The parts in the right column: what is happening to the device, and what operators decided about it.
const RIGHT: [&str; 6] = ["deployment", "lock", "assignment", "tags", "notes", "settings"];

/// The tab's parts, except for the controller, which is no live region.
pub(super) fn regions(found: &DeviceDetails, info: &Info, now: Timestamp) -> Vec<Region> {
    vec![
        Region::new("facts", facts(found, info, now)),
        Region::new("network", network(&found.device)),
        Region::new("deployment", deployment(found, now)),
        Region::new("lock", lock::card(found)),
        Region::new("assignment", assignment(found, info)),
        Region::new("tags", tags(&found.device)),
        Region::new("notes", notes(&found.device)),
        Region::new("settings", settings(found)),
    ]
}

/// The page: the head, facts on the left and decisions on the right, and the latest events below. A narrow window has one column.
pub(super) fn page(found: &DeviceDetails, regions: Vec<Region>, at: At) -> Markup {
    let (below, regions): (Vec<Region>, Vec<Region>) = regions.into_iter().partition(|region| region.id == "timeline");
    let (head, regions): (Vec<Region>, Vec<Region>) = regions.into_iter().partition(|region| region.id == "head");
    let (right, left): (Vec<Region>, Vec<Region>) = regions.into_iter().partition(|region| RIGHT.contains(&region.id.as_str()));
    html! {
        @for region in &head { (region.html) }
        div.device-columns {
            div { @for region in &left { (region.html) } (power::card(found, at)) }
            div { @for region in &right { (region.html) } }
        }
        @for region in &below { (region.html) }
    }
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
                        ", " (units(device))
                        @for other in &info.overlapping { " " (badge(Tone::Bad, "Conflict")) " " (link(other)) " takes the same units" }
                    }
                    None => { span.quiet { "none recorded" } }
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
    rows.push(("ID", copy::code(&device.id.to_string(), "device ID")));
    block::card("facts", "Details", &block::facts(&rows))
}

/// The units of its rack that a device takes.
fn units(device: &Device) -> String {
    match (device.footprint(), device.rack_position) {
        (Some(footprint), _) => footprint.to_string(),
        (None, Some(unit)) => format!("unit {unit}"),
        (None, None) => "no unit recorded".to_owned(),
    }
}

/// Interfaces, addresses and names. The other tabs have their entries.
fn network(device: &Device) -> Markup {
    let listed = |values: Vec<String>, (folder, label, empty): (&str, &str, &str)| {
        html! {
            @if values.is_empty() { span.quiet { (empty) } }
            @else { ul.plain { @for value in &values { li { (copy::linked(&format!("/{folder}/{value}"), value, label)) } } } }
        }
    };
    let macs = device.macs.iter().map(ToString::to_string).collect();
    let addresses = device.addresses.iter().map(ToString::to_string).collect();
    let names = device.hostnames.iter().map(ToString::to_string).collect();
    let rows = [
        ("Interfaces", listed(macs, ("macs", "MAC address", "none recorded"))),
        ("Addresses", listed(addresses, ("addresses", "IP address", "none"))),
        ("Host names", listed(names, ("names", "host name", "none"))),
    ];
    block::card("network", "Interfaces and addresses", &block::facts(&rows))
}

/// The live deployment.
fn deployment(found: &DeviceDetails, now: Timestamp) -> Markup {
    let content = html! {
        @match &found.live {
            Some(live) => {
                p { (badge::deployment(live.status, live.overdue)) " " a href=(format!("/deployments/{}", live.id)) { (live.hostname) } }
                (block::facts(&[
                    ("Address", copy::linked(&format!("/addresses/{}", live.ip), &live.ip.to_string(), "IP address")),
                    ("Venture and role", html! { (live.venture) " / " (live.role) }),
                    ("Boot image", html! { a href=(format!("/boot-images/{}", live.boot_image)) { (live.boot_image) } }),
                    ("Started", html! { (since(live.started_at, now)) " ago" }),
                ]))
            }
            None => p.quiet { "Not being deployed. " a href=(format!("/devices/{}/history", found.device.id)) { "Earlier deployments" } },
        }
    };
    block::card("deployment", "Current deployment", &content)
}

fn tags(device: &Device) -> Markup {
    let content = html! {
        @if device.tags.is_empty() { p.quiet { "None." } }
        @else { ul.tags { @for tag in &device.tags { li { a href=(format!("/devices?tag={tag}")) { (tag) } } } } }
        @if !device.decommissioned { p { a href=(format!("/devices/{}/edit#field-tags", device.id)) { "Edit tags" } } }
    };
    block::card("tags", "Tags", &content)
}

fn notes(device: &Device) -> Markup {
    let content = html! {
        @if device.notes.is_empty() { p.quiet { "None. Notes stay when the device is deployed again." } }
        @else { p.notes { (device.notes) } }
        @if !device.decommissioned { p { a href=(format!("/devices/{}/edit#field-notes", device.id)) { "Edit notes" } } }
    };
    block::card("notes", "Notes", &content)
}

/// The venture, the role, and whether the device is verified.
fn assignment(found: &DeviceDetails, info: &Info) -> Markup {
    let device = &found.device;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;
    use crate::pages::tests::selectors::{attributes, texts};

    fn page(change: impl FnOnce(&mut DeviceDetails)) -> Markup {
        let mut found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false, lifts: Ok(()) };
        change(&mut found);
        let roles = vec![("shop".parse().expect("a name"), vec!["web".parse().expect("a name")])];
        let regions = regions(&found, &Info { parent: None, roles, overlapping: vec![] }, Timestamp::default());
        html! { @for region in &regions { (region.html) } }
    }

    #[test]
    fn the_page_has_two_columns_and_the_decisions_are_in_the_right_one() {
        let found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false, lifts: Ok(()) };
        let regions = regions(&found, &Info { parent: None, roles: vec![], overlapping: vec![] }, Timestamp::default());
        let page = super::page(&found, regions, At::Now);
        let ids = |column: &str| attributes(&page, &format!(".device-columns > div:{column} > section"), "id");
        assert_eq!(ids("first-child"), ["facts", "network", "controller"]);
        assert_eq!(ids("last-child"), RIGHT);
    }

    #[test]
    fn notes_and_tags_are_shown_as_text_and_a_tag_leads_to_its_devices() {
        let page = page(|found| {
            found.device.notes = "first <line>\nsecond".parse().expect("notes");
            found.device.tags = vec!["row:4".parse().expect("a tag")];
        });
        assert_eq!(texts(&page, "#notes .notes"), ["first <line>\nsecond"]);
        assert_eq!(texts(&page, "#tags a[href='/devices?tag=row:4']"), ["row:4"]);
    }

    #[test]
    fn interfaces_lead_to_their_pages_and_can_be_copied() {
        let found = device();
        let mac = found.macs.first().expect("an interface").to_string();
        let page = page(|_| {});
        assert_eq!(attributes(&page, "#network li a[href^='/macs/']", "href")[0], format!("/macs/{mac}"));
        assert_eq!(attributes(&page, "#network button.copy[aria-label='Copy MAC address']", "data-copy")[0], mac);
        assert_eq!(attributes(&page, "#facts button.copy", "data-copy"), [found.id.to_string()]);
    }

    #[test]
    fn a_device_that_takes_the_units_of_another_one_says_so() {
        let found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false, lifts: Ok(()) };
        let html = facts(&found, &Info { parent: None, roles: vec![], overlapping: vec![device()] }, Timestamp::default());
        assert_eq!(texts(&html, ".badge"), ["Conflict"]);
        assert!(!page(|_| {}).into_string().contains("Conflict"));
    }

    #[test]
    fn venture_and_role_are_chosen_only_while_the_device_is_not_verified_and_the_page_says_why() {
        assert!(texts(&page(|_| {}), "#assignment select").is_empty());
        assert!(!texts(&page(|_| {}), "#assignment p").is_empty());
        let unverified = page(|found| found.device.verified = false);
        assert_eq!(texts(&unverified, "#assignment option[selected]"), ["shop / web"]);
    }
}
