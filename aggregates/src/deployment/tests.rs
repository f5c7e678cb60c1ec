//! Tests of the rules of a deployment, one for each: given events, when a command arrives, then these events.

mod boot;
mod installer;
mod life;
mod notes;
mod overdue;
mod plan;
mod plugins;
mod puppet;
mod restart;
mod start;

use super::Deployment;
use super::command::DeploymentCommand;
use super::event::{DeploymentEvent, DoneBy};
use super::installer::NextBoot;
use super::reason::{PluginFailure, Waiting};
use crate::samples::{device_id, noon, outcome, parsed, request};

/// The events of a deployment that has just started.
fn open() -> Vec<DeploymentEvent> {
    outcome::<Deployment>(&[], DeploymentCommand::StartDeployment(Box::new(request()))).expect("it starts")
}

fn succeeded(plugin: &str) -> DeploymentEvent {
    DeploymentEvent::PluginSucceeded { plugin: parsed(plugin) }
}

fn in_progress_event() -> DeploymentEvent {
    DeploymentEvent::DeploymentInProgress { device: device_id(1) }
}

/// The events of an open deployment in which these plugins have succeeded.
fn open_after(plugins: &[&str]) -> Vec<DeploymentEvent> {
    open().into_iter().chain(plugins.iter().map(|plugin| succeeded(plugin))).collect()
}

fn in_progress() -> Vec<DeploymentEvent> {
    open_after(&["clean", "role", "dns", "dhcp"]).into_iter().chain([in_progress_event()]).collect()
}

fn by_server() -> DoneBy {
    DoneBy::Ip { address: parsed("10.0.0.20") }
}

fn done() -> Vec<DeploymentEvent> {
    in_progress().into_iter().chain([DeploymentEvent::DeploymentDone { device: device_id(1), by: by_server() }]).collect()
}

fn cancelled() -> Vec<DeploymentEvent> {
    let event = outcome::<Deployment>(&open(), cancel()).expect("it is cancelled");
    open().into_iter().chain(event).collect()
}

fn start() -> DeploymentCommand {
    DeploymentCommand::StartDeployment(Box::new(request()))
}

fn success(plugin: &str) -> DeploymentCommand {
    DeploymentCommand::PluginSucceeded { plugin: parsed(plugin) }
}

fn failure(plugin: &str) -> DeploymentCommand {
    let reason = PluginFailure::Deadline { seconds: 20 };
    DeploymentCommand::PluginFailed { plugin: parsed(plugin), reason, retry_at: noon(2) }
}

fn waiting(plugin: &str, reason: Waiting, awaited: &[&str]) -> DeploymentCommand {
    let awaited = awaited.iter().map(|text| parsed(text)).collect();
    DeploymentCommand::PluginWaiting { plugin: parsed(plugin), reason, awaited }
}

fn busy(plugin: &str) -> DeploymentCommand {
    waiting(plugin, Waiting::ControllerBusy {}, &[])
}

fn retry(plugin: &str) -> DeploymentCommand {
    DeploymentCommand::RetryPlugin { plugin: parsed(plugin) }
}

fn mark_done() -> DeploymentCommand {
    DeploymentCommand::MarkDone { by: by_server() }
}

fn cancel() -> DeploymentCommand {
    DeploymentCommand::CancelDeployment { by: parsed("ada"), reason: parsed("wrong server") }
}

/// Every command for a deployment that has started, each once.
fn every_later_command() -> Vec<(&'static str, DeploymentCommand)> {
    vec![
        ("PluginSucceeded", success("clean")),
        ("PluginFailed", failure("clean")),
        ("PluginWaiting", busy("clean")),
        ("RetryPlugin", retry("clean")),
        ("RecordBoot", boot::serve("script.ipxe", 'a', 0)),
        ("ReportPuppetRun", puppet::success()),
        ("ReportInstaller", installer::report("late", "", "")),
        ("RecordInstallerLog", installer::log('a')),
        ("SetNextBoot", installer::set(NextBoot::Disk)),
        ("ReportRestart", restart::report(0)),
        ("NoteDeployment", notes::note("waits for a disk", "OPS-1")),
        ("MarkDone", mark_done()),
        ("CancelDeployment", cancel()),
    ]
}
