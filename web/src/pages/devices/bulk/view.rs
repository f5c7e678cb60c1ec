//! The pages of a bulk action on devices.

use super::plan::{Planned, What};
use crate::english::counted;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::bulk::{Preview, Rows};
use crate::pages::components::action::once;
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::field::{Field, summary};
use crate::pages::form::Fields;
use crate::pages::list::filters::same;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::catalogue;
use maud::{Markup, html};

/// The options that the form of the preview offers.
#[derive(Default)]
pub(super) struct Choices {
    assignments: Vec<(String, String)>,
    images: Vec<(String, String)>,
    networks: Vec<(String, String)>,
    racks: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
}

/// The entries that are in use, as options.
fn in_use<T>(entries: &[catalogue::Entry<T>]) -> Vec<(String, String)> {
    same(entries.iter().filter(|entry| !entry.retired).map(|entry| entry.key.to_string()))
}

impl Choices {
    pub(super) async fn load(snapshot: &mut Snapshot<'_>, what: What) -> Result<Self, Error> {
        let (at, mut choices) = (snapshot.at, Self::default());
        if matches!(what, What::Deploy | What::Edit) {
            let ventures = catalogue::ventures(snapshot.connection(), at).await?;
            let roles = |entry: &catalogue::Entry<catalogue::VentureView>| {
                let pair = |role: &Name| (format!("{}/{role}", entry.key), format!("{} / {role}", entry.key));
                entry.spec.roles.keys().map(pair).collect::<Vec<_>>()
            };
            choices.assignments = ventures.iter().flat_map(roles).collect();
        }
        if what == What::Deploy {
            choices.images = in_use(&catalogue::boot_images(snapshot.connection(), at).await?);
            choices.networks = in_use(&catalogue::networks(snapshot.connection(), at).await?);
        }
        if what == What::Edit {
            choices.racks = in_use(&catalogue::racks(snapshot.connection(), at).await?);
            choices.secrets = in_use(&catalogue::secrets(snapshot.connection(), at).await?);
        }
        Ok(choices)
    }
}

fn rows(list: &str, count: usize) -> Rows<'_> {
    Rows { title: "Devices", many: "devices", name: "Device", list, count }
}

/// The verb of an action.
fn verb(what: What) -> &'static str {
    match what {
        What::Verify => "Verify",
        What::Unverify => "Revoke verification",
        What::Deploy => "Deploy",
        What::Edit => "Edit",
        What::Power => "Switch power",
    }
}

/// What the action changes, and what may be lost with it.
fn effects(what: What) -> &'static str {
    match what {
        What::Verify => "Verified devices can be deployed. Their venture and role then change only with a deployment.",
        What::Unverify => "Devices that are not verified cannot be deployed.",
        What::Deploy => {
            "Each device gets the next free address of a network of its rack and the next free name of its site. The records of its old role are removed, and the server restarts and boots from the network. Data on its disks may be lost."
        }
        What::Edit => "Enter only what changes. A device that moves to another rack loses its rack unit.",
        What::Power => {
            "Switching off and power-cycling act at once, without shutting down the operating system. Running services stop, and data that was not written to disk is lost."
        }
    }
}

/// The content of the preview.
pub(super) fn shown(what: What, list: &str, position: i64, planned: &[Planned], fields: &Fields, choices: &Choices) -> Markup {
    let count = planned.iter().filter(|row| row.outcome.is_ok()).count();
    let words = verb(what);
    let class = if matches!(what, What::Power | What::Unverify) { "danger" } else { "primary" };
    let form = html! {
        p { (effects(what)) }
        form.form method="post" action="/devices/bulk/do" {
            (once())
            input type="hidden" name="what" value=(what.name());
            input type="hidden" name="list" value=(list);
            @for row in planned {
                input type="hidden" name="id" value=(row.device.id);
                @if row.outcome.is_ok() { input type="hidden" name="do" value=(row.device.id); }
            }
            (for_all(what, fields, choices))
            div.actions {
                @if count > 0 { button class=(class) type="submit" { (words) ": " (counted(count, "device", "devices")) } }
                @if matches!(what, What::Deploy | What::Edit | What::Power) { button type="submit" formaction="/devices/bulk" { "Check again" } }
                a.button href=(list) { "Back" }
            }
        }
    };
    let table = html! {
        @for row in planned {
            tr {
                th scope="row" { a href=(format!("/devices/{}", row.device.id)) { (row.device.called()) } }
                td data-label="Planned change" { div { (outcome(what, row)) } }
            }
        }
    };
    let names =
        ["assignment", "boot_image", "network", "rack", "credentials", "add_tags", "remove_tags", "power", "network_boot"];
    rows(list, planned.len()).preview(&Preview {
        action: words,
        possible: count,
        position,
        errors: &summary(fields.broken(), &names),
        form: &form,
        columns: &[],
        table: &table,
    })
}

fn outcome(what: What, row: &Planned) -> Markup {
    html! {
        @match &row.outcome {
            Ok(None) => (match what {
                What::Verify => "Verified",
                What::Unverify => "No longer verified",
                What::Power => "The order is sent to its management controller",
                What::Deploy | What::Edit => "Changed as entered above",
            }),
            Ok(Some(proposed)) => { "Deployed as " (proposed.assignment.venture) " / " (proposed.assignment.role) " with " (proposed.assignment.boot_image) " in network " (proposed.network) }
            Err(reason) => { (badge(Tone::Neutral, "Skipped")) " " (reason) }
        }
    }
}

/// The form's fields for values that apply to all devices.
fn for_all(what: What, fields: &Fields, choices: &Choices) -> Markup {
    let field = |name: &'static str, label: &'static str, hint: &'static str| Field {
        name,
        label,
        value: fields.text(name),
        hint,
        required: false,
        errors: fields.broken(),
    };
    let assignment = field("assignment", "Venture and role", "Applies to all devices. Select “Check again” after a change.");
    let keep = Some("Keep the values of each device");
    html! {
        @match what {
            What::Verify | What::Unverify => {}
            What::Deploy => {
                div.pair {
                    (assignment.select(keep, &choices.assignments))
                    (field("boot_image", "Boot image", "Applies to all devices.").select(Some("Default of each role"), &choices.images))
                }
                (field("network", "Network", "The next free addresses are taken from it.").select(Some("A network of each rack"), &choices.networks))
            }
            What::Edit => {
                div.pair {
                    (field("rack", "Rack", "In the site of the devices.").select(keep, &choices.racks))
                    (assignment.select(keep, &choices.assignments))
                }
                (field("credentials", "Credentials of the management controller", "The name of a secret; each controller keeps its address.").select(keep, &choices.secrets))
                div.pair {
                    (field("add_tags", "Tags to add", "Separated by spaces, such as spare row:4. Devices keep their other tags.").text())
                    (field("remove_tags", "Tags to remove", "Devices without these tags do not change.").text())
                }
            }
            What::Power => {
                @let options = [("on", "Switch on"), ("off", "Switch off at once"), ("cycle", "Switch off and on at once")];
                (Field { required: true, ..field("power", "Order", "") }.select(None, &options.map(|(value, words)| (value.to_owned(), words.to_owned()))))
                (field("network_boot", "Boot from the network once", "A server without a deployment is sent to its local disk.").check())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;

    fn planned() -> Vec<Planned> {
        let row = |outcome| Planned { device: device(), outcome };
        vec![row(Ok(None)), row(Err("a device needs a <role>".to_owned()))]
    }

    #[test]
    fn the_preview_names_the_exact_count_and_freezes_the_rows_that_are_possible() {
        let choices = Choices::default();
        let html = shown(What::Verify, "/devices?site=dc1", 7, &planned(), &Fields::default(), &choices).into_string();
        assert!(html.contains("1 of 2"), "{html}");
        assert_eq!((html.matches("name=\"do\"").count(), html.matches("name=\"id\"").count()), (1, 2));
        assert!(html.contains("a device needs a &lt;role&gt;") && html.contains("event 7"), "{html}");
    }
}
