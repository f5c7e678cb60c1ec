//! What the server does while it is installed: what it fetched last, what its installer reports, and what its next network boot
//! gets.

use super::show::Found;
use crate::application::Application;
use crate::auth::caller::Operator;
use crate::commands::Command;
use crate::error::Error;
use crate::pages::form::{Fields, done as answer_done};
use crate::pages::kit::action::{self, Allowed, Look};
use crate::pages::kit::badge::{Tone, badge};
use crate::pages::kit::block;
use crate::pages::kit::time::{since, span, until};
use crate::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::Data;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::installer::{LOCAL_DISK, NextBoot, NextBootReason};
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::deployments::{Deployment, Status};
use bootledger_projections::installations::{self, Installation};
use maud::{Markup, html};
use sqlx::PgConnection;

/// How many seconds an installation like this one usually takes from its last file to DONE; `None` where that does not matter.
pub(super) async fn usual(
    connection: &mut PgConnection,
    deployment: &Deployment,
    installation: &Installation,
    at: At,
) -> Result<Option<i64>, Error> {
    match &installation.last_file {
        Some(file) if at == At::Now && is_installing(deployment) => {
            Ok(installations::usual_seconds(connection, &deployment.boot_image, file).await?)
        }
        _ => Ok(None),
    }
}

/// Whether the server is in the middle of it.
fn is_installing(deployment: &Deployment) -> bool {
    deployment.status == Status::InProgress && deployment.installed_at.is_none()
}

/// `POST /deployments/{id}/next-boot`
pub(super) async fn set_next_boot(
    caller: Operator,
    application: Data<Application>,
    Path(deployment): Path<DeploymentId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let boot = fields.text("boot").parse().map_err(|error| Error::bad_request("boot", "malformed", format!("boot: {error}")))?;
    let by = Text::fitted(&caller.principal.actor());
    let receipt = application.commands.execute(Command::SetNextBoot { deployment, boot, by }, fields.context(&caller)).await?;
    Ok(answer_done(&application, &receipt, &format!("/deployments/{deployment}")).await)
}

/// The part of the page.
pub(super) fn view(found: &Found, now: Timestamp) -> Markup {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let content = html! {
        @if installation.failed { (failure(found, now)) }
        @if let Some(stage) = &installation.stage {
            div.stage {
                label for="installer-progress" {
                    "Stage " strong { (stage) }
                    @if let Some(percent) = installation.percent { ", " (percent) " %" }
                }
                @match installation.percent {
                    Some(percent) => { progress id="installer-progress" max="100" value=(percent) { (percent) " %" } }
                    // Without a value, the bar only says that something is being done.
                    None if is_installing(deployment) && !installation.failed => { progress id="installer-progress" max="100" { "under way" } }
                    None => { progress id="installer-progress" max="100" value="0" { "not known" } }
                }
                @if !installation.text.is_empty() && !installation.failed { p { (installation.text) } }
                @if let Some(at) = installation.reported_at { p.quiet { "Reported " (since(at, now)) " ago" } }
            }
        }
        (fetched(found, now))
        @if let Some(log) = &installation.log {
            p {
                "Log of the installer: "
                @match &found.may {
                    Ok(()) => { a href=(format!("/api/v1/deployments/{}/installer-log", deployment.id)) { "the last " (log.size) " bytes" } }
                    Err(_) => { (log.size) " bytes, for operators only" }
                }
                ", received " (since(log.at, now)) " ago"
            }
        }
        @if is_installing(deployment) { (next_boot(found, now)) }
    };
    block::card("installer", "Installation", &content)
}

fn failure(found: &Found, now: Timestamp) -> Markup {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let content = html! {
        p {
            strong { "The installer failed" @if let Some(stage) = &installation.stage { " at stage " (stage) } }
            @if let Some(at) = installation.reported_at { ", " (since(at, now)) " ago" }
            @if installation.text.is_empty() { ". It gave no reason." } @else { ": " q { (installation.text) } }
        }
        @if is_installing(deployment) {
            p {
                @if installation.log.is_some() { "Read its log below. " }
                "To install the server again, "
                a href=(format!("/devices/{}/power", deployment.device)) { "restart it into the network" }
                ": that sets its next network boot back to the boot image. Without a management controller, set that below and restart it manually."
            }
        }
    };
    block::note(Tone::Bad, &content)
}

fn fetched(found: &Found, now: Timestamp) -> Markup {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let (Some(file), Some(at)) = (&installation.last_file, installation.last_file_at) else {
        return html! { @if is_installing(deployment) { p.quiet { "The server has fetched nothing yet." } } };
    };
    html! {
        p {
            @if file.as_str() == LOCAL_DISK { "Booted from the network and got its local disk " }
            @else { "Fetched " code { (file) } " " }
            (since(at, now)) " ago"
            @if let Some(client) = installation.last_client { " from " span.mono { (client) } }
            "."
            @if let Some(seconds) = found.usual {
                @let expected = at.plus_seconds(seconds);
                " "
                @if expected >= now {
                    "DONE is expected " (until(expected, now)) ", about " (span(seconds)) " after that file as usual."
                } @else {
                    (badge(Tone::Warn, "Longer than usual")) " DONE was expected " (since(expected, now)) " ago, about " (span(seconds)) " after that file."
                }
            }
        }
    }
}

fn next_boot(found: &Found, now: Timestamp) -> Markup {
    let installation = &found.installation;
    let (words, other, button) = match installation.next_boot {
        NextBoot::Network => ("the boot image: the server is installed", NextBoot::Disk, "Boot the local disk next"),
        NextBoot::Disk => ("the local disk: the installer goes on there", NextBoot::Network, "Boot the image next"),
    };
    let reason = NextBootReason::Operator { name: Text::default() };
    let rule = found.history.allows(DeploymentCommand::SetNextBoot { boot: other, reason });
    let allowed: Allowed = found.may.clone().and(rule);
    let path = format!("/deployments/{}/next-boot", found.deployment.id);
    let fields = html! { input type="hidden" name="boot" value=(other.as_str()); };
    html! {
        p {
            "The next network boot gets " strong { (words) } "."
            @if let Some(reason) = &installation.next_boot_reason {
                " " span.quiet { (why(reason)) @if let Some(at) = installation.next_boot_at { ", " (since(at, now)) " ago" } "." }
            }
        }
        (action::post("next-boot", &path, Look::Small, "", button, &allowed, &fields))
    }
}

fn why(reason: &NextBootReason) -> Markup {
    html! {
        @match reason {
            NextBootReason::AnswersServed { file } => { "The image boots the network once, and " code { (file) } " was fetched" }
            NextBootReason::Installer { client } => { "The installer requested it from " span.mono { (client) } }
            NextBootReason::Operator { name } => { "Set by " (name) }
            NextBootReason::PluginRetry { plugin } => { (plugin) " was retried" }
            NextBootReason::PowerOrder {} => "A boot from the network was ordered",
        }
    }
}

/// What the installer does, for a cell of a list.
pub(super) fn short(installation: &Installation) -> Markup {
    html! {
        @if installation.failing {
            div { (badge(Tone::Bad, "Installer failed")) @if let Some(stage) = &installation.stage { " " (stage) } @if !installation.text.is_empty() { ": " (installation.text) } }
        } @else if let Some(stage) = &installation.stage {
            div { "Installer: " (stage) @if let Some(percent) = installation.percent { ", " (percent) " %" } }
        }
    }
}
