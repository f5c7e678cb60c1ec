//! The rows of all views that a batch affects.

use super::versions::Versions;
use crate::rows::boot_targets::BootTarget;
use crate::rows::deployments::Deployment;
use crate::rows::devices::Device;
use crate::rows::dns_records::DnsRecord;
use crate::rows::installations::Installation;
use crate::rows::parked::Parked;
use crate::rows::plugin_runs::Run;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::event::Recorded;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;
use time::Date;

/// An entry of the catalogue, without its key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CatalogueRow {
    pub(super) sequence: i64,
    pub(super) spec: serde_json::Value,
    pub(super) retired: bool,
}

/// A DHCP entry, without its key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DhcpRow {
    pub(super) hostname: Option<Hostname>,
    pub(super) network: Name,
}

/// A row of the timeline.
#[derive(Debug)]
pub(super) struct TimelineRow {
    pub(super) position: i64,
    pub(super) recorded_at: Timestamp,
    pub(super) aggregate_type: String,
    pub(super) aggregate_id: String,
    pub(super) event_type: String,
    pub(super) actor: String,
    pub(super) correlation_id: String,
    pub(super) device: Option<DeviceId>,
    pub(super) deployment: Option<DeploymentId>,
}

/// The rows that a batch affects.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Aggregates with a parked event, and the position of the first one.
    pub(super) blocked: HashMap<(String, String), i64>,
    /// Newly parked events.
    pub(super) parked: Vec<Parked>,
    pub(super) catalogue: Versions<(&'static str, String), CatalogueRow>,
    pub(super) devices: Versions<DeviceId, Device>,
    pub(super) deployments: Versions<DeploymentId, Deployment>,
    pub(super) installations: Versions<DeploymentId, Installation>,
    /// The plugin runs of a deployment by place; for some deployments only those that wait.
    pub(super) runs: HashMap<DeploymentId, BTreeMap<i32, Run>>,
    /// Plugin runs that changed.
    pub(super) changed_runs: HashSet<(DeploymentId, i32)>,
    pub(super) holdings: Versions<(&'static str, String), Holder>,
    pub(super) dns: Versions<DnsRecord, ()>,
    /// The current records of each device that the batch affects: an index of `dns`.
    pub(super) dns_of: HashMap<DeviceId, HashSet<DnsRecord>>,
    pub(super) dhcp: Versions<(Ipv4Addr, MacAddress, DeviceId), DhcpRow>,
    pub(super) boot_targets: Versions<(Ipv4Addr, DeploymentId), BootTarget>,
    /// Sites whose DHCP configuration may have changed, with the position of the last such event.
    pub(super) dhcp_sites: HashMap<Name, i64>,
    pub(super) statistics: HashMap<(Date, Name, &'static str), i64>,
    pub(super) timeline: Vec<TimelineRow>,
}

impl State {
    /// Records that a site's DHCP configuration may have changed.
    pub(super) fn touch_site(&mut self, site: &Name, position: i64) {
        match self.dhcp_sites.get_mut(site) {
            Some(last) => *last = position,
            None => drop(self.dhcp_sites.insert(site.clone(), position)),
        }
    }

    /// Adds to a site's sum for the day.
    pub(super) fn count(&mut self, recorded: &Recorded, site: &Name, measure: &'static str, amount: i64) {
        *self.statistics.entry((recorded.recorded_at.0.date(), site.clone(), measure)).or_default() += amount;
    }
}
