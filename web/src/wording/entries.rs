//! Sentences about DHCP entries that a configuration lacks, because no network serves them, or because they repeat others.

use bootledger_aggregates::deployment::reason::{HeldBack, NetworkProblem};
use bootledger_aggregates::drift::{RepeatConflict, RepeatedEntries, Segment};
use bootledger_aggregates::values::name::Name;

/// The entries that no network serves, and why the first has none, such as `10.20.1.50 of R640 no. 1: its network …`.
pub fn unserved(HeldBack { entries, more, network, problem, .. }: &HeldBack) -> String {
    let entries = listed(entries.iter().map(|entry| format!("{} of {}", entry.ip, entry.device)), *more);
    format!("{entries}: {}", network_problem(network, problem))
}

/// The entries that a configuration leaves out, and why it leaves out the first, such as
/// `10.20.1.50 for 52:54:00:00:00:01: the address …`.
pub fn repeated(RepeatedEntries { entries, more, conflict }: &RepeatedEntries) -> String {
    let entries = listed(entries.iter().map(|entry| format!("{} for {}", entry.ip, entry.mac)), *more);
    let conflict = match conflict {
        RepeatConflict::Interface { ip, segment: Segment::Vlan(vlan) } => {
            format!("the interface already has {ip} in VLAN {vlan}")
        }
        RepeatConflict::Interface { ip, segment: Segment::Network(network) } => {
            format!("the interface already has {ip} in network {network}")
        }
        RepeatConflict::Address { mac } => format!("the address is already used by {mac}"),
        RepeatConflict::Precedence {} => "another entry takes precedence".to_owned(),
    };
    format!("{entries}: {conflict}, and a DHCP server can serve only one of them; remove one of the two entries")
}

/// Why a network does not serve an entry that was created for it, and what to do, without a full stop.
pub fn network_problem(network: &Name, problem: &NetworkProblem) -> String {
    match problem {
        NetworkProblem::Unknown {} => format!("there is no network {network}; create it, or remove the entry"),
        NetworkProblem::Retired {} => format!("its network {network} is retired; restore the network, or remove the entry"),
        NetworkProblem::WithoutDhcp {} => {
            format!("its network {network} is not served by DHCP; enable DHCP, or remove the entry")
        }
        NetworkProblem::AddressOutside { cidr } => {
            format!("it is not in its network {network}, {cidr}; extend the network, or remove the entry")
        }
    }
}

fn listed(names: impl Iterator<Item = String>, more: usize) -> String {
    let names = names.collect::<Vec<_>>().join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}
