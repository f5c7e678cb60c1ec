//! Computes how a batch changes the counts of current rows.

use super::state::State;
use crate::rows::deployments::{Deployment, Status};
use crate::rows::devices::Device;
use bootledger_aggregates::values::name::Name;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

/// By how much the numbers of devices in use and of live deployments of a role or a site change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) devices: i64,
    pub(super) open: i64,
    pub(super) in_progress: i64,
    pub(super) overdue: i64,
}

/// The non-zero changes, by venture and role.
pub(super) fn of_roles(state: &State) -> Vec<((Name, Name), Tally)> {
    let mut tallies: HashMap<(Name, Name), Tally> = HashMap::new();
    for (_, before, after) in state.devices.ends() {
        for (row, amount) in [(before, -1), (after, 1)] {
            if let Some(role) = row.and_then(role_of) {
                tallies.entry(role).or_default().devices += amount;
            }
        }
    }
    for (_, before, after) in state.deployments.ends() {
        for (row, amount) in [(before, -1), (after, 1)] {
            if let Some(row) = row {
                count(tallies.entry((row.venture.clone(), row.role.clone())).or_default(), row, amount);
            }
        }
    }
    tallies.into_iter().filter(|(_, tally)| *tally != Tally::default()).collect()
}

/// The non-zero changes, by site.
pub(super) fn of_sites(state: &State) -> Vec<(Name, Tally)> {
    let mut tallies: HashMap<Name, Tally> = HashMap::new();
    for (_, before, after) in state.devices.ends() {
        for (row, amount) in [(before, -1), (after, 1)] {
            if let Some(row) = row.filter(|row| !row.decommissioned) {
                tallies.entry(row.site.clone()).or_default().devices += amount;
            }
        }
    }
    for (_, before, after) in state.deployments.ends() {
        for (row, amount) in [(before, -1), (after, 1)] {
            if let Some(row) = row {
                count(tallies.entry(row.site.clone()).or_default(), row, amount);
            }
        }
    }
    tallies.into_iter().filter(|(_, tally)| *tally != Tally::default()).collect()
}

/// The racks whose occupied units may have changed.
pub(super) fn racks(state: &State) -> BTreeSet<String> {
    let place =
        |device: &Device| Some((device.rack.clone()?, device.rack_position?, device.height)).filter(|_| !device.decommissioned);
    let mut racks = BTreeSet::new();
    for (_, before, after) in state.devices.ends() {
        let (before, after) = (before.and_then(place), after.and_then(place));
        if before != after {
            racks.extend([before, after].into_iter().flatten().map(|(rack, _, _)| rack.to_string()));
        }
    }
    racks
}

fn role_of(device: &Device) -> Option<(Name, Name)> {
    if device.decommissioned { None } else { Some((device.venture.clone()?, device.role.clone()?)) }
}

fn count(tally: &mut Tally, deployment: &Deployment, amount: i64) {
    match deployment.status {
        Status::Open => tally.open += amount,
        Status::InProgress => tally.in_progress += amount,
        Status::Done | Status::Cancelled => return,
    }
    if deployment.overdue {
        tally.overdue += amount;
    }
}

/// The non-zero changes in the number of held addresses, by the address without its last eight bits.
pub(super) fn of_addresses(state: &State) -> Vec<(i32, i64)> {
    let mut tallies: HashMap<i32, i64> = HashMap::new();
    for ((kind, value), before, after) in state.holdings.ends() {
        let part = Some(value).filter(|_| *kind == "ip").and_then(|value| value.parse::<Ipv4Addr>().ok()).and_then(part);
        if let Some(part) = part {
            *tallies.entry(part).or_default() += i64::from(after.is_some()) - i64::from(before.is_some());
        }
    }
    tallies.into_iter().filter(|(_, amount)| *amount != 0).collect()
}

fn part(ip: Ipv4Addr) -> Option<i32> {
    i32::try_from(u32::from(ip) >> 8).ok()
}
