//! The pages of a bulk action on devices.

use super::plan::{Planned, What};
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::bulk::{Preview, RowResult, Rows};
use crate::pages::components::action::once;
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::field::{Field, summary};
use crate::pages::form::Fields;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::devices::Device;
use maud::{Markup, html};

/// The options that the form of the preview offers.
pub(super) struct Choices {
    assignments: Vec<(String, String)>,
    images: Vec<(String, String)>,
}

impl Choices {
    pub(super) async fn load(snapshot: &mut Snapshot<'_>) -> Result<Self, Error> {
        let at = snapshot.at;
        let ventures = catalogue::ventures(snapshot.connection(), at).await?;
        let images = catalogue::boot_images(snapshot.connection(), at).await?;
        let roles = |entry: &catalogue::Entry<catalogue::VentureView>| {
            let pair = |role: &Name| (format!("{}/{role}", entry.key), format!("{} / {role}", entry.key));
            entry.spec.roles.keys().map(pair).collect::<Vec<_>>()
        };
        Ok(Self {
            assignments: ventures.iter().flat_map(roles).collect(),
            images: images
                .iter()
                .filter(|image| !image.retired)
                .map(|image| (image.key.to_string(), image.key.to_string()))
                .collect(),
        })
    }
}

fn rows(list: &str, count: usize) -> Rows<'_> {
    Rows { title: "Devices", many: "devices", name: "Device", list, count }
}

/// The content of the preview.
pub(super) fn shown(what: What, list: &str, position: i64, planned: &[Planned], fields: &Fields, choices: &Choices) -> Markup {
    let count = planned.iter().filter(|row| row.outcome.is_ok()).count();
    let words = if what == What::Verify { "Verify" } else { "Deploy" };
    let form = html! {
        @if what == What::Deploy { p { "Each device gets the next free address of a network of its rack and the next free name of its site. The records of its old role are removed, and the server restarts and boots from the network. Data on its disks may be lost." } }
        form.form method="post" action="/devices/bulk/do" {
            (once())
            input type="hidden" name="what" value=(what.name());
            input type="hidden" name="list" value=(list);
            @for row in planned {
                input type="hidden" name="id" value=(row.device.id);
                @if row.outcome.is_ok() { input type="hidden" name="do" value=(row.device.id); }
            }
            @if what == What::Deploy { (for_all(fields, choices)) }
            div.actions {
                @if count > 0 { button.primary type="submit" { (words) " " (count) @if count == 1 { " device" } @else { " devices" } } }
                @if what == What::Deploy { button type="submit" formaction="/devices/bulk" { "Check again" } }
                a.button href=(list) { "Back" }
            }
        }
    };
    let table = html! {
        @for row in planned {
            tr {
                th scope="row" { a href=(format!("/devices/{}", row.device.id)) { (row.device.called()) } }
                td data-label="Planned change" { div { (outcome(row)) } }
            }
        }
    };
    rows(list, planned.len()).preview(&Preview {
        action: words,
        possible: count,
        position,
        errors: &summary(fields.broken(), &["assignment", "boot_image"]),
        form: &form,
        columns: &[],
        table: &table,
    })
}

fn outcome(row: &Planned) -> Markup {
    html! {
        @match &row.outcome {
            Ok(None) => "Verified",
            Ok(Some(proposed)) => { "Deployed as " (proposed.assignment.venture) " / " (proposed.assignment.role) " with " (proposed.assignment.boot_image) " in network " (proposed.network) }
            Err(reason) => { (badge(Tone::Neutral, "Skipped")) " " (reason) }
        }
    }
}

/// The form's fields for values that apply to all devices.
fn for_all(fields: &Fields, choices: &Choices) -> Markup {
    let assignment = Field {
        name: "assignment",
        label: "Venture and role",
        value: fields.text("assignment"),
        hint: "Applies to all devices. Select “Check again” after a change.",
        required: false,
        errors: fields.broken(),
    };
    let image = Field {
        name: "boot_image",
        label: "Boot image",
        value: fields.text("boot_image"),
        hint: "Applies to all devices.",
        required: false,
        errors: fields.broken(),
    };
    html! {
        div.pair {
            (assignment.select(Some("Keep the values of each device"), &choices.assignments))
            (image.select(Some("Default of each role"), &choices.images))
        }
    }
}

/// The result for a device: the position, and the ID of the new deployment or of the device.
pub(super) struct Done {
    pub(super) position: i64,
    pub(super) id: String,
}

/// The content of the page with the results.
pub(super) fn results_page(what: What, list: &str, devices: &[Device], results: &[Result<Done, String>]) -> Markup {
    let done = results.iter().filter(|result| result.is_ok()).count();
    let words = if what == What::Verify { "verified" } else { "being deployed" };
    let result = |result: &Result<Done, String>| {
        html! {
            div {
                @match result {
                    Ok(_) if what == What::Verify => (badge(Tone::Good, "Verified")),
                    Ok(done) => { (badge(Tone::Good, "Started")) " " a href=(format!("/deployments/{}", done.id)) { "Show deployment" } }
                    Err(reason) => { (badge(Tone::Bad, "Refused")) " " (reason) }
                }
            }
        }
    };
    let of =
        |(device, said): (&Device, &Result<Done, String>)| (format!("/devices/{}", device.id), device.called(), result(said));
    let results: Vec<RowResult> = devices.iter().zip(results).map(of).collect();
    rows(list, devices.len()).results(done, words, &results)
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
        let choices = Choices { assignments: vec![], images: vec![] };
        let html = shown(What::Verify, "/devices?site=dc1", 7, &planned(), &Fields::default(), &choices).into_string();
        assert!(html.contains("1 of 2"), "{html}");
        assert_eq!((html.matches("name=\"do\"").count(), html.matches("name=\"id\"").count()), (1, 2));
        assert!(html.contains("a device needs a &lt;role&gt;") && html.contains("event 7"), "{html}");
    }

    #[test]
    fn each_row_says_what_became_of_it() {
        let results = [Ok(Done { position: 9, id: "0192".to_owned() }), Err("its address was taken".to_owned())];
        let html = results_page(What::Deploy, "/devices", &[device(), device()], &results).into_string();
        assert!(html.contains("1 of 2") && html.contains("href=\"/deployments/0192\""), "{html}");
        assert!(html.contains("its address was taken"));
    }
}
