//! What can be asked of a deployment.

use super::event::{DoneBy, Stage};
use super::installer::{InstallerReport, NextBoot, NextBootReason};
use super::puppet::PuppetRun;
use super::start::StartDeployment;
use crate::values::name::Name;
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use std::net::Ipv4Addr;

/// What can be asked.
#[derive(Clone, Debug)]
pub enum DeploymentCommand {
    /// Begins it.
    StartDeployment(Box<StartDeployment>),
    /// A plugin did its work.
    PluginSucceeded {
        /// Which.
        plugin: Name,
    },
    /// A plugin could not do its work.
    PluginFailed {
        /// Which.
        plugin: Name,
        /// Why.
        reason: Text,
        /// When to try again.
        retry_at: Timestamp,
    },
    /// A plugin waits for others.
    PluginWaiting {
        /// Which.
        plugin: Name,
        /// Why.
        reason: Text,
        /// What for.
        awaited: Vec<Text>,
    },
    /// An operator's "now".
    RetryPlugin {
        /// Which.
        plugin: Name,
    },
    /// A file was served.
    RecordBoot {
        /// Its name.
        file: Name,
        /// Hash of the bytes served.
        sha256: Sha256,
        /// To whom.
        client: Ipv4Addr,
        /// When.
        at: Timestamp,
        /// Whether it is the file after which its boot image has a server boot its disk.
        then_disk: bool,
    },
    /// The installer says what it is doing.
    ReportInstaller {
        /// What it says.
        report: InstallerReport,
    },
    /// The end of the installer's log is stored.
    RecordInstallerLog {
        /// The content's name in the store of files.
        sha256: Sha256,
        /// Its length in bytes.
        size: u64,
    },
    /// Sets what the next network boot gets.
    SetNextBoot {
        /// What it is to get.
        boot: NextBoot,
        /// Why.
        reason: NextBootReason,
    },
    /// The server is installed.
    MarkDone {
        /// Who says so.
        by: DoneBy,
    },
    /// Puppet's agent reported a run on the server.
    ReportPuppetRun {
        /// The run.
        run: PuppetRun,
        /// The time now.
        now: Timestamp,
    },
    /// The clock may have passed the limit of a stage.
    MarkOverdue {
        /// The stage that was seen.
        stage: Stage,
        /// When it began.
        since: Timestamp,
        /// The time now.
        now: Timestamp,
    },
    /// Gives it up.
    CancelDeployment {
        /// Who gives it up.
        by: Text,
        /// Why.
        reason: Text,
    },
}
