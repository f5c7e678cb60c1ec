//! The `clean` plugin: releases what the server's old role left behind. The eleven tasks are rules of the device.

use super::{Report, Work};
use bootledger_aggregates::device::clean::Keeps;
use bootledger_aggregates::device::command::DeviceCommand;

pub(super) fn run(work: &Work<'_>) -> Report {
    let deployment = work.deployment;
    Report::done(DeviceCommand::CleanDevice {
        deployment: deployment.id,
        live: Some(deployment.id),
        keeps: Keeps { ip: deployment.ip, hostname: deployment.hostname.clone() },
        at: work.now,
        parts: work.device.sub_devices.clone(),
    })
}
