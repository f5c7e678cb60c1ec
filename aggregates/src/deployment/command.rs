//! The commands of a deployment.

use super::event::{DoneBy, Stage};
use super::installer::InstallerReport;
use super::next_boot::{NextBoot, NextBootReason};
use super::notes::Notes;
use super::puppet::PuppetRun;
use super::reason::{PluginFailure, Waiting};
use super::start::StartDeployment;
use crate::values::name::Name;
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use std::net::Ipv4Addr;

/// A command on a deployment.
#[derive(Clone, Debug)]
pub enum DeploymentCommand {
    /// Starts the deployment.
    StartDeployment(Box<StartDeployment>),
    /// Records that a plugin succeeded.
    PluginSucceeded {
        /// The plugin's name.
        plugin: Name,
    },
    /// Records that a plugin failed.
    PluginFailed {
        /// The plugin's name.
        plugin: Name,
        /// Why the plugin failed.
        reason: PluginFailure,
        /// When the plugin runs again.
        retry_at: Timestamp,
    },
    /// Records that a plugin waits for something; waiting is not a failure.
    PluginWaiting {
        /// The plugin's name.
        plugin: Name,
        /// Why the plugin waits.
        reason: Waiting,
        /// What the plugin waits for, such as `dhcp-server:kea-1`.
        awaited: Vec<Text>,
    },
    /// Runs a plugin again now, on an operator's request.
    RetryPlugin {
        /// The plugin's name.
        plugin: Name,
    },
    /// Records that a file was served to the server.
    RecordBoot {
        /// The file's name.
        file: Name,
        /// The SHA-256 of the bytes that were served.
        sha256: Sha256,
        /// The address of the client.
        client: Ipv4Addr,
        /// When the file was served.
        at: Timestamp,
        /// Whether the server boots its disk after this file, as its boot image says.
        then_disk: bool,
    },
    /// Records what the installer reports.
    ReportInstaller {
        /// The installer's report.
        report: InstallerReport,
    },
    /// Records that the end of the installer's log is stored.
    RecordInstallerLog {
        /// The SHA-256 of the log, which is its name in the file store.
        sha256: Sha256,
        /// The length of the log in bytes.
        size: u64,
    },
    /// Sets what the server's next network boot gets.
    SetNextBoot {
        /// Network installation or local disk.
        boot: NextBoot,
        /// Why the next boot changes.
        reason: NextBootReason,
    },
    /// Records that an operator restarted the server, for which a plugin waits.
    ReportRestart {
        /// The current time.
        now: Timestamp,
    },
    /// Sets the note and the ticket of the deployment, also after it has ended.
    NoteDeployment {
        /// The note and the ticket.
        notes: Notes,
    },
    /// Marks the server installed.
    MarkDone {
        /// Who reported it.
        by: DoneBy,
    },
    /// Records a run that Puppet's agent on the server reported.
    ReportPuppetRun {
        /// The reported run.
        run: PuppetRun,
        /// The current time.
        now: Timestamp,
    },
    /// Marks the deployment overdue, if the time limit of the stage has passed.
    MarkOverdue {
        /// The stage that the caller saw.
        stage: Stage,
        /// When the stage began.
        since: Timestamp,
        /// The current time.
        now: Timestamp,
    },
    /// Cancels the deployment.
    CancelDeployment {
        /// Who cancels the deployment.
        by: Text,
        /// The reason for cancelling.
        reason: Text,
    },
}
