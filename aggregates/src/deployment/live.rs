//! The state of a live deployment.

use super::event::Limits;
use super::next_boot::NextBoot;
use super::plan::Plan;
use super::reason::Waiting;
use crate::boot_image::EndedBy;
use crate::claims::Claim;
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

impl Live {
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
