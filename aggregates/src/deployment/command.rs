//! What can be asked of a deployment.

use super::event::{DoneBy, Stage};
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
