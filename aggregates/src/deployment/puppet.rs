//! The effect of a Puppet agent's report on a deployment in progress.
//!
//! A report does not say which role the run was for. The order of events determines it, without relying on any server's clock:
//! the new role is assigned before a deployment is in progress, the installer reports DONE after that, and a run that is
//! reported after the installer's DONE and did not use a cached catalogue was compiled for the new role.

use super::event::{DeploymentEvent, DoneBy};
use super::live::{Live, SECONDS_A_MINUTE};
use crate::boot_image::EndedBy;
use crate::values::hostname::Hostname;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;

/// The number of minutes after which the same failure is recorded again.
const FAILED_AGAIN_MINUTES: i64 = 30;

/// The most messages that are kept of a failed run.
pub const MESSAGES_KEPT: usize = 5;

/// A run of Puppet's agent, as described in its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PuppetRun {
    /// The certificate name of the node.
    pub certname: Hostname,
    /// The result of the run.
    pub outcome: PuppetOutcome,
    /// Whether the run was a dry run (`noop`), which changes nothing.
    pub noop: bool,
    /// Whether the catalogue was compiled for this run, rather than taken from the agent's cache.
    pub compiled: bool,
    /// The transaction id that the agent gave the run, for finding the run in Puppet's own logs; may be empty.
    pub transaction: Text,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PuppetOutcome {
    /// The run applied its catalogue without a failure.
    Succeeded,
    /// The run failed.
    Failed {
        /// The agent's error messages, at most [`MESSAGES_KEPT`].
        messages: Vec<Text>,
    },
}

impl Live {
    /// Returns the event for a run that was reported at `now`, while the deployment is in progress.
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

    /// Returns the event for the server's DONE: the end of the deployment or, where Puppet ends it, of the installation.
    pub(super) fn done(&self, by: DoneBy) -> Option<DeploymentEvent> {
        let by_server = matches!(by, DoneBy::Ip { .. } | DoneBy::Token { .. });
        match (self.ended_by, by_server) {
            (EndedBy::Puppet, true) if self.installed => None,
            (EndedBy::Puppet, true) => Some(DeploymentEvent::InstallationFinished { by }),
            _ => Some(DeploymentEvent::DeploymentDone { device: self.device, by }),
        }
    }
}
