//! The cards of a deployment's page below its plugins: details, boot settings, served files, events.

use super::details::{DeploymentDetails, LINES};
use crate::pages::components::action::{self, Look};
use crate::pages::components::block;
use crate::pages::components::copy;
use crate::pages::components::lines::lines;
use crate::pages::components::setting::{shown, source};
use crate::pages::components::time::moment;
use crate::wording::actors;
use crate::wording::plugins::ended_by;
use bootledger_aggregates::boot_image::EndedBy;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::installer::LOCAL_DISK;
use bootledger_projections::rows::deployments::{Deployment, Status};
use maud::{Markup, html};

pub(super) fn facts(found: &DeploymentDetails) -> Markup {
    let deployment = &found.deployment;
    let device = found.device.as_ref().map(|device| device.name.as_str()).filter(|name| !name.is_empty());
    let rows = [
        (
            "Device",
            html! { a href=(format!("/devices/{}", deployment.device)) { @if let Some(name) = device { (name) } @else { (deployment.device) } } },
        ),
        (
            "Address",
            html! { (copy::linked(&format!("/addresses/{}", deployment.ip), &deployment.ip.to_string(), "IP address")) " in " a href=(format!("/networks/{}", deployment.network)) { (deployment.network) } },
        ),
        ("MAC", copy::linked(&format!("/macs/{}", deployment.mac), &deployment.mac.to_string(), "MAC address")),
        (
            "Venture and role",
            html! {
                a href=(format!("/ventures/{}", deployment.venture)) { (deployment.venture) } " / "
                a href=(format!("/ventures/{}/roles/{}", deployment.venture, deployment.role)) { (deployment.role) }
            },
        ),
        (
            "Boot image",
            html! { a href=(format!("/boot-images/{}", deployment.boot_image)) { (deployment.boot_image) } ", revision " (deployment.boot_image_revision) },
        ),
        ("Site", html! { a href=(format!("/sites/{}", deployment.site)) { (deployment.site) } }),
        ("Started", html! { (moment(deployment.started_at)) " by " (actors::actor(&deployment.started_by)) }),
        (
            "Import",
            html! { @if let Some(import) = deployment.import { a href=(format!("/deployments?import={import}")) { (import) } } @else { "none" } },
        ),
        ("Ended by", ended(deployment)),
        (
            "Note",
            html! {
                @if deployment.notes.note.is_empty() { span.quiet { "none" } } @else { (deployment.notes.note) }
                " " (action::link("notes", &format!("/deployments/{}/notes", deployment.id), Look::Small, "pencil", "Edit…", &found.may))
            },
        ),
        (
            "Ticket",
            html! { @if deployment.notes.ticket.is_empty() { span.quiet { "none" } } @else { (deployment.notes.ticket) } },
        ),
        ("ID", copy::code(&deployment.id.to_string(), "deployment ID")),
    ];
    block::card("facts", "Details", &block::facts(&rows))
}

/// Who ended the deployment or, while it continues, who will.
fn ended(deployment: &Deployment) -> Markup {
    html! {
        @match (&deployment.ended_by, deployment.status) {
            (Some(by), status) => {
                (ended_by(by)) @if status == Status::Cancelled { ", who cancelled it" }
                @if let DoneBy::Operator { reason, .. } = by { @if !reason.is_empty() { ": " (reason) } }
            }
            (None, Status::Cancelled) => "unknown",
            (None, _) => {
                @match deployment.done_by {
                    EndedBy::Server => "the server, when it reports DONE",
                    EndedBy::Puppet => "Puppet, with its first successful run after DONE",
                }
            }
        }
    }
}

pub(super) fn used(found: &DeploymentDetails) -> Markup {
    let content = html! {
        @if found.settings.is_empty() { p.quiet { "None. The files of the boot image use no settings." } }
        @else {
            details {
                summary { (found.settings.len()) @if found.settings.len() == 1 { " setting" } @else { " settings" } ", as of the start of the deployment" }
                dl.facts {
                    @for setting in &found.settings {
                        dt { code { (setting.name) } }
                        dd {
                            @match &setting.resolved {
                                Some(resolved) => { (shown(&resolved.value)) " " span.quiet { "from " (source(&resolved.from)) } }
                                None => span.quiet { "none" },
                            }
                        }
                    }
                }
            }
        }
    };
    block::card("settings", "Boot settings", &content)
}

pub(super) fn served(found: &DeploymentDetails) -> Markup {
    let files = &found.history.served;
    let content = html! {
        @if files.is_empty() { p.quiet { "No requests yet. The server requests its script from " code { "/pxe/" } " when it boots from the network." } }
        @else {
            p { "Files that the server fetched, as rendered. The hash covers all bytes. A file is listed again if its content changed or after one minute." }
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "File" } th scope="col" { "When" } th scope="col" { "To" } th scope="col" { "SHA-256" } } }
                    tbody {
                        @for file in files.iter().rev() {
                            tr {
                                th scope="row" {
                                    @if file.file.as_str() == LOCAL_DISK { "Local disk" }
                                    @else { a href=(format!("/deployments/{}/served/{}", found.deployment.id, file.file)) { (file.file) } }
                                }
                                td data-label="When" { a href=(format!("/timeline/{}", file.position)) { (moment(file.at)) } }
                                td data-label="To" { span.mono { (file.client) } }
                                td data-label="SHA-256" { code { (file.sha256) } }
                            }
                        }
                    }
                }
            }
        }
    };
    block::card("served", "Served files", &content)
}

pub(super) fn events(found: &DeploymentDetails) -> Markup {
    let shown = usize::try_from(LINES).unwrap_or(usize::MAX);
    let id = found.deployment.id;
    let content = html! {
        (lines(&found.lines[..found.lines.len().min(shown)]))
        @if found.lines.len() > shown { p { a href=(format!("/timeline?deployment={id}")) { "All events" } } }
    };
    block::card("timeline", "Events, newest first", &content)
}
