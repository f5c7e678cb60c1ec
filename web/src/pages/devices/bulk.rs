//! Bulk actions on devices. A preview first shows the list, the exact number and every row, fixed by ID, with what would be
//! refused and why. Then each row is processed separately, and the results are shown row by row.

use super::list::filter;
use super::show::unless;
use crate::api::devices::DeviceQuery;
use crate::auth::caller::Operator;
use crate::commands::{Command, CommandError, Context, NewDeployment, Proposed, Receipt, Suggested};
use crate::error::Error;
use crate::pages::form::{Fields, local};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::once;
use crate::pages::kit::badge::{Tone, badge};
use crate::pages::kit::block;
use crate::pages::kit::field::{Field, summary};
use crate::request::backend::Backend;
use crate::request::parameters::read_filled;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::at::At;
use bootledger_projections::catalogue;
use bootledger_projections::devices::{self, Device};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of levels of chassis to search; real equipment has three.
const MOST_LEVELS: usize = 16;

/// The action to run on each device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Verify,
    Deploy,
}

impl What {
    fn read(text: &str) -> Result<Self, Error> {
        match text {
            "verify" => Ok(Self::Verify),
            "deploy" => Ok(Self::Deploy),
            other => Err(Error::rejected("what", "action_unknown", format!("{other:?} is neither verify nor deploy"))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Deploy => "deploy",
        }
    }

    /// Maximum number of devices in one action. To deploy more, all or none, operators use a CSV file.
    fn most(self) -> usize {
        match self {
            Self::Verify => 1_000,
            Self::Deploy => 100,
        }
    }
}

/// The values for all devices that are deployed. A value that is left out is each device's own.
#[derive(Clone, Debug, Default)]
struct Wanted {
    assignment: Option<(Name, Name)>,
    boot_image: Option<Name>,
}

impl Wanted {
    fn read(fields: &mut Fields) -> Self {
        let assignment = fields.text("assignment").split_once('/');
        let assignment = assignment.and_then(|(venture, role)| Some((venture.parse().ok()?, role.parse().ok()?)));
        Self { assignment, boot_image: fields.read("boot_image") }
    }

    fn deployment(&self, device: DeviceId) -> NewDeployment {
        let (venture, role) = self.assignment.clone().unzip();
        NewDeployment {
            device,
            mac: None,
            ip: None,
            network: None,
            hostname: None,
            venture,
            role,
            boot_image: self.boot_image.clone(),
            suggested: Suggested::default(),
        }
    }
}

/// A row of the preview: the result that is expected, or why the action would be refused.
struct Planned {
    device: Device,
    outcome: Result<Option<Proposed>, String>,
}

/// The options that the form of the preview offers.
struct Choices {
    assignments: Vec<(String, String)>,
    images: Vec<(String, String)>,
}

/// Handles `POST /devices/bulk`: shows the preview.
pub(super) async fn preview(_: Operator, visit: Visit, mut backend: Backend, mut fields: Fields) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let (what, all) = match fields.text("what").strip_suffix("-all") {
        Some(what) => (What::read(what)?, true),
        None => (What::read(fields.text("what"))?, false),
    };
    let list = local(fields.text("list")).to_owned();
    let devices = chosen(&mut reading, what, &fields, &list, all).await?;
    let wanted = Wanted::read(&mut fields);
    let wholes = if what == What::Deploy { wholes(&mut reading, &devices).await? } else { BTreeMap::new() };
    let position = reading.position;
    let choices = choices(&mut reading).await?;
    let seen = visit.see(reading).await?;
    let mut planned = plan(&mut backend, what, devices, &wanted).await?;
    leave_out_parts(&mut planned, &wholes);
    let content = shown(what, &list, position, &planned, &fields, &choices);
    Ok(seen.answer(&Page::new("Review", Section::Devices, content)))
}

async fn choices(reading: &mut Reading<'_>) -> Result<Choices, Error> {
    let at = reading.at;
    let ventures = catalogue::ventures(reading.connection(), at).await?;
    let images = catalogue::boot_images(reading.connection(), at).await?;
    let roles = |entry: &catalogue::Entry<catalogue::VentureView>| {
        let pair = |role: &Name| (format!("{}/{role}", entry.key), format!("{} / {role}", entry.key));
        entry.spec.roles.keys().map(pair).collect::<Vec<_>>()
    };
    Ok(Choices {
        assignments: ventures.iter().flat_map(roles).collect(),
        images: images
            .iter()
            .filter(|image| !image.retired)
            .map(|image| (image.key.to_string(), image.key.to_string()))
            .collect(),
    })
}

/// The selected devices: those that are ticked, or all of the list.
async fn chosen(reading: &mut Reading<'_>, what: What, fields: &Fields, list: &str, all: bool) -> Result<Vec<Device>, Error> {
    let most = what.most();
    let rows = if all {
        let query = list.split_once('?').map_or("", |(_, query)| query);
        let query: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(name, _)| name != "columns").collect();
        let filter = filter(read_filled::<DeviceQuery>(&query)?);
        devices::list(reading.connection(), &filter, At::Now, i64::try_from(most).unwrap_or(i64::MAX) + 1).await?
    } else {
        let read =
            |text: &str| text.parse().map_err(|_| Error::rejected("id", "malformed", format!("{text:?} is no device's id")));
        let ids = fields.all("id").map(read).collect::<Result<Vec<DeviceId>, _>>()?;
        let mut rows = devices::find_many(reading.connection(), &ids, At::Now).await?;
        rows.sort_by_cached_key(Device::called);
        rows
    };
    if rows.len() > most {
        let other = if what == What::Deploy { ", or deploy them from a CSV file on the page of their rack" } else { "" };
        let message = format!("these are more than {most} devices; filter the list further{other}");
        return Err(Error::rejected("id", "too_many", message));
    }
    Ok(rows)
}

async fn plan(backend: &mut Backend, what: What, devices: Vec<Device>, wanted: &Wanted) -> Result<Vec<Planned>, Error> {
    let verified = |device: &Device| match device {
        device if device.decommissioned => unless([allowed::decommissioned()]),
        device if device.verified => Err("It is verified already.".to_owned()),
        device => unless(allowed::verifying(device.venture.as_ref(), device.role.as_ref())),
    };
    if what == What::Verify {
        let planned = |device: Device| Planned { outcome: verified(&device).map(|()| None), device };
        return Ok(devices.into_iter().map(planned).collect());
    }
    let new: Vec<NewDeployment> = devices.iter().map(|device| wanted.deployment(device.id)).collect();
    let planned = |(device, checked)| {
        let outcome = match checked {
            Ok(proposed) => Ok(Some(proposed)),
            Err(CommandError::Refused(broken)) => unless(broken).map(|()| None),
            Err(other) => return Err(Error::from(other)),
        };
        Ok(Planned { device, outcome })
    };
    devices.into_iter().zip(backend.check_deployments(&new).await).map(planned).collect()
}

/// The devices that each device is a part of, nearest first.
async fn wholes(reading: &mut Reading<'_>, devices: &[Device]) -> Result<BTreeMap<DeviceId, Vec<DeviceId>>, Error> {
    let mut parents: BTreeMap<DeviceId, Option<DeviceId>> = devices.iter().map(|device| (device.id, device.parent)).collect();
    for _ in 0..MOST_LEVELS {
        let unknown: BTreeSet<DeviceId> = parents.values().flatten().copied().filter(|id| !parents.contains_key(id)).collect();
        if unknown.is_empty() {
            break;
        }
        let unknown: Vec<DeviceId> = unknown.into_iter().collect();
        let found = devices::find_many(reading.connection(), &unknown, At::Now).await?;
        parents.extend(unknown.into_iter().map(|id| (id, None)));
        parents.extend(found.into_iter().map(|device| (device.id, device.parent)));
    }
    let parent = |id: &DeviceId| parents.get(id).copied().flatten();
    let above = |device: &Device| -> Vec<DeviceId> { std::iter::successors(device.parent, parent).take(MOST_LEVELS).collect() };
    Ok(devices.iter().map(|device| (device.id, above(device))).collect())
}

/// The deployment of a chassis detaches its sub-devices, so these are not deployed in the same action.
fn leave_out_parts(planned: &mut [Planned], wholes: &BTreeMap<DeviceId, Vec<DeviceId>>) {
    let possible = planned.iter().filter(|row| row.outcome.is_ok());
    let possible: BTreeMap<DeviceId, String> = possible.map(|row| (row.device.id, row.device.called())).collect();
    for row in planned {
        let whole = wholes.get(&row.device.id).into_iter().flatten().find_map(|id| possible.get(id));
        if let Some(whole) = whole.filter(|_| row.outcome.is_ok()) {
            row.outcome = Err(format!(
                "It is a sub-device of {whole}, which would be deployed too, and whose deployment detaches it. Deploy it after that."
            ));
        }
    }
}

fn shown(what: What, list: &str, position: i64, planned: &[Planned], fields: &Fields, choices: &Choices) -> Markup {
    let count = planned.iter().filter(|row| row.outcome.is_ok()).count();
    let words = if what == What::Verify { "Verify" } else { "Deploy" };
    html! {
        (block::heading(&[("Devices", list)], &html! { (words) ": " (count) " of " (planned.len()) " devices?" }, &html! {}))
        (summary(fields.broken(), &["assignment", "boot_image"]))
        @if planned.is_empty() { (block::empty("No device was selected.", &html! { a.button href=(list) { "Back to the list" } })) }
        @else {
            div.card {
                p { "Chosen from the list " a href=(list) { code { (list) } } " as of position " (position) ". These rows and no others are done, whatever the list shows meanwhile." }
                @if what == What::Deploy { p { "Each gets the next free address of a network of its rack and the next free name of its site when it is started. What its old role had is cleaned away, and the server is restarted to boot from the network: what is on its disks may be lost." } }
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
            }
            div.scroll {
                table.cards {
                    caption.visually-hidden { "What would be done" }
                    thead { tr { th scope="col" { "Device" } th scope="col" { "Will be done" } } }
                    tbody {
                        @for row in planned {
                            tr {
                                th scope="row" { a href=(format!("/devices/{}", row.device.id)) { (row.device.called()) } }
                                td data-label="Will be done" { div { (outcome(row)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn outcome(row: &Planned) -> Markup {
    html! {
        @match &row.outcome {
            Ok(None) => "Verified",
            Ok(Some(proposed)) => { "Deployed as " (proposed.venture) " / " (proposed.role) " with " (proposed.boot_image) " in network " (proposed.network) }
            Err(reason) => { (badge(Tone::Neutral, "Left out")) " " (reason) }
        }
    }
}

/// The form's fields for values that apply to all devices.
fn for_all(fields: &Fields, choices: &Choices) -> Markup {
    let assignment = Field {
        name: "assignment",
        label: "Venture and role",
        value: fields.text("assignment"),
        hint: "For all of them. Press “Check again” after a change.",
        required: false,
        errors: fields.broken(),
    };
    let image = Field {
        name: "boot_image",
        label: "Boot image",
        value: fields.text("boot_image"),
        hint: "For all of them.",
        required: false,
        errors: fields.broken(),
    };
    html! {
        div.pair {
            (assignment.select(Some("As each device has it"), &choices.assignments))
            (image.select(Some("As each role has it"), &choices.images))
        }
    }
}

/// Handles `POST /devices/bulk/do`.
pub(super) async fn carry_out(
    caller: Operator,
    visit: Visit,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let what = What::read(fields.text("what"))?;
    let list = local(fields.text("list")).to_owned();
    let wanted = Wanted::read(&mut fields);
    let ids = fields.all("do").map(|id| ("id".to_owned(), id.to_owned())).collect();
    let rows = chosen(&mut reading, what, &Fields::new(ids), &list, false).await?;
    drop(reading);
    let context = fields.context(&caller);
    let jobs = rows.iter().map(|device| vec![command(what, device.id, &wanted, &context)]).collect();
    let done = |result: Result<Option<Receipt>, CommandError>| match result {
        Ok(receipt) => receipt.map(|Receipt { position, id }| Done { position, id }).ok_or_else(String::new),
        Err(error) => Err(error.to_string()),
    };
    let results: Vec<Result<Done, String>> = backend.execute_all(jobs).await.into_iter().map(done).collect();
    let newest = results.iter().filter_map(|result| result.as_ref().ok().map(|done| done.position)).max().unwrap_or(0);
    backend.reach(newest).await;
    let page = Page::new("Done", Section::Devices, told(what, &list, &rows, &results));
    let reading = backend.read_now().await?;
    visit.answer(reading, page).await
}

/// The result for a device: the position, and the ID of the new deployment or of the device.
struct Done {
    position: i64,
    id: String,
}

/// The command for one device. Its key consists of the form's key and the device, so that a form that is sent twice
/// takes effect once.
fn command(what: What, device: DeviceId, wanted: &Wanted, context: &Context) -> (Command, Context) {
    let command = match what {
        What::Verify => Command::VerifyDevice(device),
        What::Deploy => Command::StartDeployment(Box::new(wanted.deployment(device))),
    };
    (command, context.part(&format!("{device}:{}", what.name())))
}

fn told(what: What, list: &str, rows: &[Device], results: &[Result<Done, String>]) -> Markup {
    let done = results.iter().filter(|result| result.is_ok()).count();
    let words = if what == What::Verify { "verified" } else { "being deployed" };
    html! {
        (block::heading(&[("Devices", list)], &html! { (done) " of " (rows.len()) " " (words) }, &html! { a.button href=(list) { "Back to the list" } }))
        div.scroll {
            table.cards {
                caption.visually-hidden { "What became of each" }
                thead { tr { th scope="col" { "Device" } th scope="col" { "Result" } } }
                tbody {
                    @for (device, result) in rows.iter().zip(results) {
                        tr {
                            th scope="row" { a href=(format!("/devices/{}", device.id)) { (device.called()) } }
                            td data-label="Result" {
                                div {
                                    @match result {
                                        Ok(_) if what == What::Verify => (badge(Tone::Good, "Verified")),
                                        Ok(done) => { (badge(Tone::Good, "Started")) " " a href=(format!("/deployments/{}", done.id)) { "Show its deployment" } }
                                        Err(reason) => { (badge(Tone::Bad, "Refused")) " " (reason) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::devices::samples::device;

    fn planned() -> Vec<Planned> {
        let row = |outcome| Planned { device: device(), outcome };
        vec![row(Ok(None)), row(Err("a device needs a <role>".to_owned()))]
    }

    #[test]
    fn the_preview_names_the_exact_count_and_freezes_the_rows_that_are_possible() {
        let choices = Choices { assignments: vec![], images: vec![] };
        let html = shown(What::Verify, "/devices?site=dc1", 7, &planned(), &Fields::default(), &choices).into_string();
        assert!(html.contains("Verify: 1 of 2 devices?") && html.contains("Verify 1 device<"), "{html}");
        assert_eq!((html.matches("name=\"do\"").count(), html.matches("name=\"id\"").count()), (1, 2));
        assert!(html.contains("a device needs a &lt;role&gt;") && html.contains("position 7"), "{html}");
    }

    #[test]
    fn each_row_says_what_became_of_it() {
        let results = [Ok(Done { position: 9, id: "0192".to_owned() }), Err("its address was taken".to_owned())];
        let html = told(What::Deploy, "/devices", &[device(), device()], &results).into_string();
        assert!(html.contains("1 of 2 being deployed") && html.contains("href=\"/deployments/0192\""), "{html}");
        assert!(html.contains("its address was taken"));
    }
}
