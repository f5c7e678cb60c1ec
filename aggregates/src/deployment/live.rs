//! The state of a live deployment.

use super::event::{DeploymentEvent, Limits};
use super::next_boot::NextBoot;
use super::notes::Notes;
use super::plan::Plan;
use super::reason::Waiting;
use crate::boot_image::EndedBy;
use crate::claims::Claim;
use crate::rules::{Refused, Rule};
use crate::values::ids::DeviceId;
use crate::values::name::Name;
use crate::values::percent::Percent;
use crate::values::sha256::Sha256;
use crate::values::text::Text;
use crate::values::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) const SECONDS_A_MINUTE: i64 = 60;

/// The state of a live deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Live {
    pub(super) device: DeviceId,
    pub(super) took: Vec<Claim>,
    pub(super) plan: Plan,
    pub(super) limits: Limits,
    pub(super) runs: BTreeMap<Name, Run>,
    pub(super) overdue: bool,
    pub(super) served: Served,
    pub(super) ended_by: EndedBy,
    /// Whether the server reported that it is installed while the deployment goes on, waiting for Puppet.
    pub(super) installed: bool,
    pub(super) puppet_failure: Option<Failure>,
    #[serde(default)]
    pub(super) installer: Installer,
    #[serde(default)]
    pub(super) next_boot: NextBoot,
    /// When an operator last reported a restart of the server, since the last retry of a plugin.
    #[serde(default)]
    pub(super) restarted_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) notes: Notes,
}

/// The state of one plugin of the plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) succeeded: bool,
    pub(super) attempts: u32,
    /// How often an operator requested a retry.
    #[serde(default)]
    pub(super) retries: u32,
    pub(super) waiting: Option<(Waiting, Vec<Text>)>,
}

/// When each served content was last recorded, by file name and hash.
pub type Served = BTreeMap<Name, BTreeMap<Sha256, Timestamp>>;

/// The state of the installer that the rules need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Installer {
    pub(super) stage: Option<Name>,
    pub(super) percent: Option<Percent>,
    pub(super) text: Text,
    pub(super) failed: bool,
    pub(super) reports: u32,
    pub(super) failures: u32,
    pub(super) next_boots: u32,
    pub(super) logs: u32,
    pub(super) last_log: Option<Sha256>,
}

/// The last recorded failure of a Puppet run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) messages: Vec<Text>,
    pub(super) at: Timestamp,
}

/// For this many seconds, the same report of a restart is not recorded again.
const RESTARTED_AGAIN_SECONDS: i64 = 30;

impl Live {
    /// Returns the event for an operator's report that they restarted the server.
    ///
    /// # Errors
    /// The rule that refuses the report: the server is installed, or no plugin waits for a restart.
    pub(super) fn restarted(&self, now: Timestamp) -> Result<Vec<DeploymentEvent>, Refused> {
        if self.installed {
            let message = "the server is installed and waits only for Puppet; a restart is not awaited";
            return Err(Refused::because("", Rule::ServerInstalled, message));
        }
        let is_awaited = |reason: &Waiting| {
            matches!(reason, Waiting::ManualRestart { .. } | Waiting::BootScript { .. } | Waiting::RestartReported { .. })
        };
        if !self.runs.values().any(|run| run.waiting.as_ref().is_some_and(|(reason, _)| is_awaited(reason))) {
            let message = "the deployment does not wait for a manual restart; its page shows what it waits for";
            return Err(Refused::because("", Rule::RestartNotAwaited, message));
        }
        let known = self.restarted_at.is_some_and(|at| now < at.plus_seconds(RESTARTED_AGAIN_SECONDS));
        Ok(if known { vec![] } else { vec![DeploymentEvent::RestartReported { at: now }] })
    }

    /// Records a failed run in the state.
    pub(super) fn puppet_failed(&mut self, messages: Vec<Text>, at: Timestamp) {
        self.puppet_failure = Some(Failure { messages, at });
    }

    /// Records in the state that the server is installed. Earlier Puppet failures did not happen on the installed server.
    pub(super) fn is_installed(&mut self) {
        self.installed = true;
        self.puppet_failure = None;
    }
}
