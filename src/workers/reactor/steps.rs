//! The plugins of a deployment. Each checks the current state and returns what to change and its outcome. A plugin writes
//! nothing itself, except for the order that `reboot` gives (see there): the reactor appends its effect on the device together
//! with its outcome, so neither exists without the other.

mod clean;
mod dhcp;
mod dns;
mod reboot;
mod role;

use crate::commands::{CommandService, Failure};
use crate::event_log::append::{Precondition, Rejection};
use bootledger_aggregates::deployment::reason::{ExternalSystem, PluginFailure, Waiting};
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::CommandError;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::rows::catalogue::Entry;
use bootledger_projections::rows::deployments::Deployment;
use bootledger_projections::rows::devices::Device;

/// The input of a plugin.
pub struct Work<'a> {
    /// The deployment, which is live.
    pub deployment: &'a Deployment,
    /// The deployment's device, from the views.
    pub device: &'a Device,
    /// The command service, for the one plugin that must record an order before it carries it out: `reboot`.
    pub commands: &'a CommandService,
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
        /// Why the plugin waits.
        reason: Waiting,
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

/// Why a plugin cannot do its work now; it is retried later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub PluginFailure);

impl Failed {
    /// The failure of a request to another system, with the system's error message.
    fn external(system: ExternalSystem, detail: &str) -> Self {
        Self(PluginFailure::External { system, detail: Text::fitted(detail) })
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self(match failure {
            Failure::Refused(Refused(broken)) => PluginFailure::rules(&broken),
            Failure::Claimed(claim, holder) => {
                let (kind, before) = (claim.parts().0, format!("{} is held by ", claim.written()));
                let claimed = BrokenRule::naming(kind, Rule::Claimed, before, holder, "; release it there");
                PluginFailure::rules(&[claimed.about(claim.written())])
            }
            other => match CommandError::from(other) {
                CommandError::Unavailable(cause) => {
                    return Self::external(ExternalSystem::Database, &format!("{cause:#}"));
                }
                CommandError::Internal(cause) => PluginFailure::Internal { detail: Text::fitted(&format!("{cause:#}")) },
                other => PluginFailure::Internal { detail: Text::fitted(&other.to_string()) },
            },
        })
    }
}

impl From<bootledger_projections::error::Error> for Failed {
    fn from(error: bootledger_projections::error::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<Rejection> for Failed {
    fn from(rejection: Rejection) -> Self {
        Failure::from(rejection).into()
    }
}

/// Runs the plugin with this name.
///
/// # Errors
/// Returns an error if the plugin cannot do its work now; it is retried later.
pub async fn run(plugin: &Name, work: &Work<'_>) -> Result<Report, Failed> {
    let name = plugin.as_str();
    // The plugin also runs while it waits for a manual restart, since the server may have booted by now.
    if name == "reboot" {
        return reboot::run(plugin, work).await;
    }
    if let Some(report) = run_at_once(name, work) {
        return Ok(report);
    }
    match name {
        "dns" => dns::run(work).await,
        "dhcp" => dhcp::run(work).await,
        _ => Err(Failed(PluginFailure::NotSupported {})),
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
