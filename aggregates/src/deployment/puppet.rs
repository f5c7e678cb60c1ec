//! What a report of Puppet's agent means to a deployment in progress.
//!
//! Which role a run was for, a report does not say. It is known by the order of things, and by no server's clock: the new
//! role is assigned before a deployment is in progress, the installer says DONE after that, and a run that is reported
//! after the installer's DONE and did not use a cached catalogue was compiled for the new role.

use super::event::{DeploymentEvent, DoneBy};
use super::{Live, SECONDS_A_MINUTE};
use crate::boot_image::EndedBy;
use crate::values::hostname::Hostname;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// After how many minutes a failure that was recorded is recorded again, where it is the same.
const FAILED_AGAIN_MINUTES: i64 = 30;

/// The most messages of a failed run that are kept.
pub const MESSAGES_KEPT: usize = 5;

/// A run of Puppet's agent, as its report tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PuppetRun {
    /// The node.
    pub certname: Hostname,
    /// What came of it.
    pub outcome: PuppetOutcome,
    /// Whether it changed nothing because it was told to only look (`noop`).
    pub noop: bool,
    /// Whether its catalogue was compiled for it, and not taken from the agent's cache.
    pub compiled: bool,
    /// What the agent calls the run, for finding it in Puppet's own logs; may be empty.
    pub transaction: Text,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PuppetOutcome {
    /// The server is as its catalogue says.
    Succeeded,
    /// Something failed.
    Failed {
        /// What the agent said, at most [`MESSAGES_KEPT`].
        messages: Vec<Text>,
    },
}

/// The failure that was recorded last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    messages: Vec<Text>,
    at: Timestamp,
}

impl Live {
    /// What a run leads to that was reported at `now`, in progress.
    pub(super) fn puppet_run(&self, run: PuppetRun, now: Timestamp) -> Option<DeploymentEvent> {
        match run.outcome {
            PuppetOutcome::Failed { mut messages } => {
                messages.truncate(MESSAGES_KEPT);
                let known = self.puppet_failure.as_ref().is_some_and(|failure| {
                    failure.messages == messages && now < failure.at.plus_seconds(FAILED_AGAIN_MINUTES * SECONDS_A_MINUTE)
                });
                let failed = || DeploymentEvent::PuppetRunFailed {
                    certname: run.certname,
                    messages,
                    transaction: run.transaction,
                    at: now,
                };
                (!known).then(failed)
            }
            PuppetOutcome::Succeeded => {
                let ends = self.ended_by == EndedBy::Puppet && self.installed && run.compiled && !run.noop;
                let by = DoneBy::Puppet { certname: Text::fitted(run.certname.as_str()) };
                ends.then_some(DeploymentEvent::DeploymentDone { device: self.device, by })
            }
        }
    }

    /// What the server's DONE leads to: the end, or only that of the installation where Puppet has the last word.
    pub(super) fn done(&self, by: DoneBy) -> Option<DeploymentEvent> {
        let by_server = matches!(by, DoneBy::Ip { .. } | DoneBy::Token { .. });
        match (self.ended_by, by_server) {
            (EndedBy::Puppet, true) if self.installed => None,
            (EndedBy::Puppet, true) => Some(DeploymentEvent::InstallationFinished { by }),
            _ => Some(DeploymentEvent::DeploymentDone { device: self.device, by }),
        }
    }

    /// Takes a failed run in.
    pub(super) fn puppet_failed(&mut self, messages: Vec<Text>, at: Timestamp) {
        self.puppet_failure = Some(Failure { messages, at });
    }

    /// Takes in that the server is installed: what Puppet did before was not on the installed server.
    pub(super) fn is_installed(&mut self) {
        self.installed = true;
        self.puppet_failure = None;
    }
}
