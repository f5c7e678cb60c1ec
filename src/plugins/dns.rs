//! Makes the A and the PTR record of the new address: in the view of records, hence in the zone files.

use super::{Report, Work};
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::DnsEntry;

pub(super) fn run(work: &Work<'_>) -> Report {
    let deployment = work.deployment;
    Report::done(DeviceCommand::CreateDnsEntry {
        deployment: deployment.id,
        live: Some(deployment.id),
        entry: DnsEntry { hostname: deployment.hostname.clone(), ip: deployment.ip },
    })
}
