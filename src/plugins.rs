//! The plugins of a deployment: each looks at how things are and says what to do and what came of
//! it. A plugin writes nothing itself, but for the order that `reboot` gives (see there): its effect on
//! the device and its outcome are appended together by the reactor, so neither exists without the other.

mod clean;
mod dhcp;
mod dns;
mod reboot;
mod role;

use crate::ledger::Ledger;
use crate::store::append::Precondition;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::catalogue::Entry;
use bootledger_projections::deployments::Deployment;
use bootledger_projections::devices::Device;
use bootledger_projections::pool::Pool;

/// What a plugin is given.
pub struct Work<'a> {
    /// The deployment; it is live.
    pub deployment: &'a Deployment,
    /// Its server, as the views show it.
    pub device: &'a Device,
    /// For the one plugin that must record what it does before it does it: `reboot`.
    pub ledger: &'a Ledger,
    /// The sites in use.
    pub sites: &'a [Entry<SiteSpec>],
    /// The views.
    pub views: &'a Pool,
    /// The time now.
    pub now: Timestamp,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its work is done.
    Succeeded,
    /// It waits for others.
    Waiting {
        /// Why, for a person: for what and for whom.
        reason: Text,
        /// The keys of what it waits for.
        awaited: Vec<Text>,
    },
}

/// What a plugin wants to be appended.
#[derive(Debug)]
pub struct Report {
    /// Its effect on the device, if any.
    pub device: Option<DeviceCommand>,
    /// What came of it.
    pub outcome: Outcome,
    /// What it looked at, and must not have changed since.
    pub preconditions: Vec<Precondition>,
}

impl Report {
    fn done(command: DeviceCommand) -> Self {
        Self { device: Some(command), outcome: Outcome::Succeeded, preconditions: vec![] }
    }
}

/// Runs the plugin of this name.
///
/// # Errors
/// When it cannot do its work now; it is tried again later.
pub async fn run(name: &str, work: &Work<'_>) -> anyhow::Result<Report> {
    // Even where it waits for a hand: the server may have booted by now.
    if name == "reboot" {
        return reboot::run(work).await;
    }
    if let Some(report) = run_at_once(name, work) {
        return Ok(report);
    }
    match name {
        "dns" => dns::run(work).await,
        "dhcp" => dhcp::run(work).await,
        other => {
            anyhow::bail!("this version of Bootledger has no plugin {other}; install one that has, or cancel the deployment")
        }
    }
}

/// Runs a plugin that looks at nothing but its deployment, and so may run in one go with the one before it.
pub fn run_at_once(name: &str, work: &Work<'_>) -> Option<Report> {
    match name {
        "clean" => Some(clean::run(work)),
        "role" => Some(role::run(work)),
        "dns" => dns::run_at_once(work),
        "reboot" => reboot::run_at_once(work),
        _ => None,
    }
}
