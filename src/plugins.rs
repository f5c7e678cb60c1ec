//! The plugins of a deployment. Each checks the current state and returns what to change and its outcome. A plugin writes
//! nothing itself, except for the order that `reboot` gives (see there): the reactor appends its effect on the device together
//! with its outcome, so neither exists without the other.

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

/// The input of a plugin.
pub struct Work<'a> {
    /// The deployment, which is live.
    pub deployment: &'a Deployment,
    /// The deployment's device, from the views.
    pub device: &'a Device,
    /// The command service, for the one plugin that must record an order before it carries it out: `reboot`.
    pub ledger: &'a Ledger,
    /// The sites in use.
    pub sites: &'a [Entry<SiteSpec>],
    /// The connection pool of the views.
    pub views: &'a Pool,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The plugin's work is done.
    Succeeded,
    /// The plugin waits for an operator or another system.
    Waiting {
        /// Why the plugin waits: a sentence that names the operator or system that it waits for.
        reason: Text,
        /// The keys of what the plugin waits for.
        awaited: Vec<Text>,
    },
}

/// The changes that a plugin returns, to be appended.
#[derive(Debug)]
pub struct Report {
    /// The plugin's effect on the device, if any.
    pub device: Option<DeviceCommand>,
    /// The outcome of the attempt.
    pub outcome: Outcome,
    /// The conditions that must still hold when the report is appended.
    pub preconditions: Vec<Precondition>,
}

impl Report {
    fn done(command: DeviceCommand) -> Self {
        Self { device: Some(command), outcome: Outcome::Succeeded, preconditions: vec![] }
    }
}

/// Runs the plugin with this name.
///
/// # Errors
/// Returns an error if the plugin cannot do its work now; it is retried later.
pub async fn run(name: &str, work: &Work<'_>) -> anyhow::Result<Report> {
    // The plugin also runs while it waits for a manual restart, since the server may have booted by now.
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

/// Runs a plugin that depends only on its deployment, and so can run in the same batch as the one before it.
pub fn run_at_once(name: &str, work: &Work<'_>) -> Option<Report> {
    match name {
        "clean" => Some(clean::run(work)),
        "role" => Some(role::run(work)),
        "dns" => dns::run_at_once(work),
        "reboot" => reboot::run_at_once(work),
        _ => None,
    }
}
