//! The rows of the timeline: which device and deployment an event is about. A row has no words; the web crate writes the sentence
//! from the event when it shows it.

use super::state::{State, TimelineRow};
use crate::database::log::Stored;
use bootledger_aggregates::device::event::DeviceEvent;
use bootledger_aggregates::device::power::PowerOrder;
use bootledger_aggregates::event::{Event, Recorded};
use bootledger_aggregates::values::ids::DeploymentId;

/// The event's row, once the event is applied.
pub(super) fn row(state: &State, recorded: &Recorded, stored: &Stored) -> TimelineRow {
    let (device, deployment) = match &recorded.event {
        Event::Deployment(id, _) => (state.deployments.current(id).map(|row| row.device), Some(*id)),
        Event::Device(id, event) => (Some(*id), of_deployment(event)),
        _ => (None, None),
    };
    TimelineRow {
        position: recorded.position,
        recorded_at: recorded.recorded_at,
        aggregate_type: stored.aggregate_type.clone(),
        aggregate_id: stored.aggregate_id.clone(),
        event_type: stored.event_type.clone(),
        actor: recorded.actor.clone(),
        correlation_id: recorded.correlation_id.clone(),
        device,
        deployment,
    }
}

/// The deployment that a device's event belongs to.
fn of_deployment(event: &DeviceEvent) -> Option<DeploymentId> {
    use DeviceEvent as E;
    match event {
        E::DhcpEntriesRemoved { deployment, .. }
        | E::DnsEntriesRemoved { deployment, .. }
        | E::AddressesReleased { deployment, .. }
        | E::DeviceDetached { deployment, .. }
        | E::RemarkAdded { deployment, .. } => *deployment,
        E::SoftwareRemoved { deployment, .. }
        | E::DiskSharesRemoved { deployment, .. }
        | E::OperatingSystemRemoved { deployment, .. }
        | E::SubDevicesDetached { deployment, .. }
        | E::UptimeReset { deployment }
        | E::AddressAssigned { deployment, .. }
        | E::RoleAssigned { deployment, .. }
        | E::DnsEntryCreated { deployment, .. }
        | E::DhcpEntryCreated { deployment, .. } => Some(*deployment),
        E::PowerRequested(PowerOrder { restart, .. }) | E::PowerConfirmed { restart, .. } | E::PowerFailed { restart, .. } => {
            restart.map(|restart| restart.deployment)
        }
        _ => None,
    }
}
