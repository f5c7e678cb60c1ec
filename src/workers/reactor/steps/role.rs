//! The `role` plugin: sets the server's new venture and role, which Puppet reads.

use super::{Report, Work};
use bootledger_aggregates::device::command::DeviceCommand;

pub(super) fn run(work: &Work<'_>) -> Report {
    let deployment = work.deployment;
    Report::done(DeviceCommand::AssignRole {
        deployment: deployment.id,
        live: Some(deployment.id),
        venture: deployment.venture.clone(),
        role: deployment.role.clone(),
    })
}
