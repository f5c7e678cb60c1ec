//! Property tests: the guarantees of claims hold after any sequence of commands.

use super::model::{Model, TrackedDeployment, address, changed, is_live, mac, name};
use crate::claims::{Claim, Holder};
use crate::deployment::Deployment;
use crate::device::Device;
use crate::device::event::{DhcpEntry, DnsEntry};
use crate::device::facts::Facts;
use crate::event::Event;
use crate::samples::{device_id, parsed};
use crate::values::ids::{DeploymentId, DeviceId};
use cqrs_es::Aggregate;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Start { ip: usize, hostname: usize, interface: usize },
    RunPlugin,
    Done,
    Cancel,
    Withdraw,
    Facts { addresses: Option<Vec<usize>>, names: Option<Vec<(usize, usize)>>, entries: Option<Vec<(usize, usize)>> },
    SetMacs(Vec<usize>),
    Decommission,
}

fn step() -> impl Strategy<Value = (u128, Step)> {
    let small = || 0..4usize;
    let step = prop_oneof![
        6 => (small(), small(), 0..2usize).prop_map(|(ip, hostname, interface)| Step::Start { ip, hostname, interface }),
        12 => Just(Step::RunPlugin),
        2 => Just(Step::Done),
        3 => Just(Step::Cancel),
        2 => Just(Step::Withdraw),
        4 => (
            option::of(vec(small(), 0..3)),
            option::of(vec((small(), small()), 0..3)),
            option::of(vec((small(), 1..7usize), 0..3)),
        )
            .prop_map(|(addresses, names, entries)| Step::Facts { addresses, names, entries }),
        1 => vec(1..7usize, 0..3).prop_map(Step::SetMacs),
        1 => Just(Step::Decommission),
    ];
    (1..=3u128, step)
}

/// Applies a step. The withdrawal of a cancelled deployment is appended together with the cancellation, unless withdrawals may
/// be `late`.
fn take(model: &mut Model, device: DeviceId, step: Step, late: bool) {
    match step {
        Step::Start { ip, hostname, interface } => model.start(device, ip, hostname, interface),
        Step::RunPlugin => model.run_plugin(device),
        Step::Done => model.done(device),
        Step::Cancel => {
            model.cancel(device);
            if !late {
                model.withdraw(device);
            }
        }
        Step::Withdraw => model.withdraw(device),
        Step::Facts { addresses, names, entries } => {
            let dns = |(host, ip)| DnsEntry { hostname: name(host), ip: address(ip) };
            let dhcp =
                |(ip, number)| DhcpEntry { ip: address(ip), mac: mac(number), hostname: None, network: parsed("dc1-prod") };
            let facts = Facts {
                addresses: addresses.map(|ips| ips.into_iter().map(address).collect()),
                dns_entries: names.map(|names| names.into_iter().map(dns).collect()),
                dhcp_entries: entries.map(|entries| entries.into_iter().map(dhcp).collect()),
                ..Facts::default()
            };
            model.facts(device, facts);
        }
        Step::SetMacs(numbers) => model.set_macs(device, numbers.into_iter().map(mac).collect()),
        Step::Decommission => model.decommission(device),
    }
}

/// The claims that a live deployment depends on, with their holders.
fn needed(id: DeploymentId, known: &TrackedDeployment) -> [(Claim, Holder); 4] {
    let started = &known.started.assignment;
    let device = Holder::Device(started.device);
    [
        (Claim::Deployment(started.device), Holder::Deployment(id)),
        (Claim::Ip(started.ip), device),
        (Claim::Hostname(started.hostname.clone()), device),
        (Claim::Mac(started.mac), device),
    ]
}

/// The claims that a device's state implies: addresses, names, interfaces and its serial number.
fn shown(model: &Model, device: DeviceId) -> Vec<Claim> {
    let state = model.state(device);
    let texts = |list: &str, field: Option<&str>| -> Vec<String> {
        let items = state[list].as_array().into_iter().flatten();
        items.filter_map(|item| field.map_or(item, |field| &item[field]).as_str().map(str::to_owned)).collect()
    };
    let ips = [texts("addresses", None), texts("dhcp", Some("ip"))].concat();
    let names = [texts("dns", Some("hostname")), texts("kept", None)].concat();
    let ips = ips.iter().map(|ip| Claim::Ip(parsed(ip)));
    let names = names.iter().map(|name| Claim::Hostname(parsed(name)));
    let macs = model.macs(device).into_iter().map(Claim::Mac);
    let serial = state["serial"].as_str().map(|serial| Claim::Serial(parsed(serial)));
    ips.chain(names).chain(macs).chain(serial).collect()
}

/// Checks that every live deployment holds the claims that it depends on, and returns these claims.
fn check_live(model: &Model) -> BTreeMap<Claim, Holder> {
    let live = model.deployments.iter().filter(|(_, known)| is_live(&known.state));
    let needed: BTreeMap<Claim, Holder> = live.flat_map(|(id, known)| needed(*id, known)).collect();
    for (claim, holder) in &needed {
        assert_eq!(model.claims.get(claim), Some(holder), "a live deployment lost {claim:?}");
    }
    needed
}

/// Checks that the claims are exactly those of the live deployments and those that the states of the devices imply.
fn check_all(model: &Model) {
    let mut explained = check_live(model);
    for device in model.devices.keys() {
        explained.extend(shown(model, *device).into_iter().map(|claim| (claim, Holder::Device(*device))));
    }
    assert_eq!(model.claims, explained, "what is held, and what there is to hold");
}

/// Reads the log from the start, event by event, and checks that aggregates and claims are the same.
fn check_replay(model: &Model) {
    let mut devices: BTreeMap<DeviceId, Device> = BTreeMap::new();
    let mut deployments: BTreeMap<DeploymentId, Deployment> = BTreeMap::new();
    let mut claims = BTreeMap::new();
    for event in &model.log {
        claims = changed(&claims, &event.claims()).expect("each event fits by itself");
        match event.clone() {
            Event::Device(id, event) => devices.entry(id).or_default().apply(event),
            Event::Deployment(id, event) => deployments.entry(id).or_default().apply(event),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(claims, model.claims, "the claims of the log");
    let json = |value: &dyn Fn() -> serde_json::Result<serde_json::Value>| value().expect("JSON");
    assert_eq!(json(&|| serde_json::to_value(&devices)), json(&|| serde_json::to_value(&model.devices)));
    let states: BTreeMap<_, _> = model.deployments.iter().map(|(id, known)| (*id, &known.state)).collect();
    assert_eq!(json(&|| serde_json::to_value(&deployments)), json(&|| serde_json::to_value(&states)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_commands_breaks_what_claims_promise(steps in vec(step(), 1..80)) {
        let mut model = Model::new();
        for (device, step) in steps {
            take(&mut model, device_id(device), step, false);
            check_all(&model);
        }
        check_replay(&model);
    }

    /// The service appends cancellation and withdrawal together. Even if a withdrawal is late, no live deployment may lose a
    /// claim.
    #[test]
    fn a_late_withdrawal_takes_nothing_from_a_live_deployment(steps in vec(step(), 1..80)) {
        let mut model = Model::new();
        for (device, step) in steps {
            take(&mut model, device_id(device), step, true);
            check_live(&model);
        }
        check_replay(&model);
    }
}

#[test]
fn the_random_commands_reach_every_end() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut done, mut cancelled, mut decommissioned, mut withdrawn) = (0, 0, 0, 0);
    for _ in 0..200 {
        let steps = vec(step(), 40..80).new_tree(&mut runner).expect("steps").current();
        let mut model = Model::new();
        for (device, step) in steps {
            take(&mut model, device_id(device), step, false);
        }
        for known in model.deployments.values() {
            match known.state {
                Deployment::Done(..) => done += 1,
                Deployment::Cancelled(_) => cancelled += 1,
                _ => {}
            }
        }
        decommissioned += model.devices.values().filter(|device| matches!(device, Device::Decommissioned)).count();
        let because_cancelled = |event: &&Event| format!("{event:?}").contains("Cancelled, deployment");
        withdrawn += model.log.iter().filter(because_cancelled).count();
    }
    assert!(
        done > 20 && cancelled > 100 && decommissioned > 50 && withdrawn > 5,
        "{done} {cancelled} {decommissioned} {withdrawn}"
    );
}
