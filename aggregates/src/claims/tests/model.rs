//! A small data centre in memory for tests: the aggregates, the log, and a table of claims with the same rules as the store's.
//! The model looks facts up correctly, so every accepted command must fit the table.

use crate::claims::{Claim, ClaimChange, Holder};
use crate::deployment::Deployment;
use crate::deployment::assignment::Assignment;
use crate::deployment::command::DeploymentCommand;
use crate::deployment::event::{DeploymentEvent, DeploymentStarted, DoneBy};
use crate::deployment::start::{DeviceFacts, StartDeployment};
use crate::device::Device;
use crate::device::clean::Keeps;
use crate::device::command::DeviceCommand;
use crate::device::event::{DhcpEntry, DnsEntry};
use crate::device::facts::Facts;
use crate::device::register::{DeviceChange, DeviceSpec, RegisterFacts};
use crate::event::Event;
use crate::samples::{assignment, deployment_id, device_id, noon, parsed, request};
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::mac_address::MacAddress;
use cqrs_es::Aggregate;
use std::collections::BTreeMap;

/// What the model records about a deployment, in addition to its state.
pub(super) struct TrackedDeployment {
    pub(super) started: DeploymentStarted,
    pub(super) state: Deployment,
    /// The plugins of the plan that have not succeeded yet.
    left: Vec<&'static str>,
    /// The claims that a cancelled deployment released, until its entries are removed from the device.
    pub(super) to_withdraw: Option<Vec<Claim>>,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) devices: BTreeMap<DeviceId, Device>,
    pub(super) deployments: BTreeMap<DeploymentId, TrackedDeployment>,
    pub(super) claims: BTreeMap<Claim, Holder>,
    pub(super) log: Vec<Event>,
}

/// The table of claims after changes that belong together: releases are applied before takes.
pub(super) fn changed(
    claims: &BTreeMap<Claim, Holder>,
    changes: &[ClaimChange],
) -> Result<BTreeMap<Claim, Holder>, (Claim, Holder)> {
    let mut claims = claims.clone();
    for change in changes {
        match change {
            ClaimChange::Release(claim, holder) if claims.get(claim) == Some(holder) => drop(claims.remove(claim)),
            ClaimChange::ReleaseAll(holder) => claims.retain(|_, held| held != holder),
            ClaimChange::Release(..) | ClaimChange::Take(..) => {}
        }
    }
    for change in changes {
        let ClaimChange::Take(claim, holder) = change else { continue };
        match claims.insert(claim.clone(), *holder) {
            Some(other) if other != *holder => return Err((claim.clone(), other)),
            _ => {}
        }
    }
    Ok(claims)
}

pub(super) fn is_live(deployment: &Deployment) -> bool {
    matches!(deployment, Deployment::Open(_) | Deployment::InProgress(_))
}

impl Model {
    /// Creates three verified servers with two interfaces each.
    pub(super) fn new() -> Self {
        let mut model = Self::default();
        for number in 1..=3 {
            let id = device_id(number);
            let spec = DeviceSpec {
                kind: crate::device::event::DeviceKind::Physical,
                name: parsed(""),
                serial: Some(parsed(&format!("S-{number}"))),
                asset: None,
                site: parsed("dc1"),
                rack: None,
                position: None,
                macs: [number, number + 3].map(|n| mac(n as usize)).into(),
                management: None,
                parent: None,
                settings: crate::values::setting::Settings::new(),
                height: 1,
                face: crate::device::footprint::Face::default(),
                notes: crate::values::notes::Notes::default(),
                tags: vec![],
                endpoints: vec![],
            };
            let facts = RegisterFacts { site_exists: true, device: id, ..RegisterFacts::default() };
            model.device(id, DeviceCommand::RegisterDevice { spec: Box::new(spec), facts: facts.clone() });
            let owner = DeviceChange { venture: Some(parsed("shop")), role: Some(parsed("web")), ..DeviceChange::default() };
            model.device(id, DeviceCommand::ChangeDevice { change: Box::new(owner), facts });
            model.device(id, DeviceCommand::VerifyDevice);
        }
        model
    }

    /// Appends events that belong together. Panics if the rules accepted something that the claims do not allow.
    fn append(&mut self, events: Vec<Event>) {
        let changes: Vec<_> = events.iter().flat_map(Event::claims).collect();
        self.claims = changed(&self.claims, &changes)
            .unwrap_or_else(|(claim, holder)| panic!("{claim:?} is held by {holder}, yet taken by {events:?}"));
        self.log.extend(events);
    }

    fn device(&mut self, id: DeviceId, command: DeviceCommand) {
        let Ok(events) = self.devices.entry(id).or_default().decide(command) else { return };
        for event in events.iter().cloned() {
            self.devices.entry(id).or_default().apply(event);
        }
        self.append(events.into_iter().map(|event| Event::Device(id, event)).collect());
    }

    fn deployment(&mut self, id: DeploymentId, command: DeploymentCommand) {
        let Some(known) = self.deployments.get_mut(&id) else { return };
        let Ok(events) = known.state.decide(command) else { return };
        for event in events.iter().cloned() {
            known.state.apply(event.clone());
            if let DeploymentEvent::DeploymentCancelled { released, .. } = event {
                known.to_withdraw = Some(released);
            }
        }
        self.append(events.into_iter().map(|event| Event::Deployment(id, event)).collect());
    }

    pub(super) fn live(&self, device: DeviceId) -> Option<DeploymentId> {
        let live =
            |(_, known): &(&DeploymentId, &TrackedDeployment)| known.started.assignment.device == device && is_live(&known.state);
        self.deployments.iter().find(live).map(|(id, _)| *id)
    }

    /// The holders of these claims, other than the device.
    fn held_by_others(&self, device: DeviceId, claims: impl IntoIterator<Item = Claim>) -> Vec<(Claim, Holder)> {
        let held = claims.into_iter().filter_map(|claim| self.claims.get(&claim).map(|holder| (claim.clone(), *holder)));
        held.filter(|(_, holder)| *holder != Holder::Device(device)).collect()
    }

    /// The state of a device as JSON, because its fields are private.
    pub(super) fn state(&self, device: DeviceId) -> serde_json::Value {
        serde_json::to_value(self.devices.get(&device)).expect("JSON")["Registered"].clone()
    }

    pub(super) fn macs(&self, device: DeviceId) -> Vec<MacAddress> {
        let state = self.state(device);
        state["macs"].as_array().map_or(vec![], |macs| macs.iter().filter_map(|m| m.as_str()).map(parsed).collect())
    }

    /// Starts a deployment with correctly looked-up facts.
    pub(super) fn start(&mut self, device: DeviceId, ip: usize, hostname: usize, interface: usize) {
        let macs = self.macs(device);
        let state = self.state(device);
        let usual = assignment();
        let mac = macs.get(interface).or(macs.first()).copied().unwrap_or(usual.mac);
        let assignment = Assignment { device, mac, ip: address(ip), hostname: name(hostname), ..usual };
        let wanted = assignment.claims();
        let mut request = StartDeployment { assignment, ..request() };
        request.facts.device = Some(DeviceFacts {
            site: Some(parsed("dc1")),
            macs,
            verified: state["verified"] == true,
            decommissioned: matches!(self.devices.get(&device), Some(Device::Decommissioned)),
            ..DeviceFacts::default()
        });
        request.facts.holders =
            wanted.into_iter().filter_map(|c| self.claims.get(&c).map(|holder| (c.clone(), *holder))).collect();
        let id = deployment_id(self.deployments.len() as u128 + 1);
        let mut state = Deployment::default();
        let Ok(events) = state.decide(DeploymentCommand::StartDeployment(Box::new(request))) else { return };
        for event in &events {
            state.apply(event.clone());
            if let DeploymentEvent::DeploymentStarted(started) = event {
                let left = vec!["reboot", "dhcp", "dns", "role", "clean"];
                let known = TrackedDeployment { started: (**started).clone(), state: state.clone(), left, to_withdraw: None };
                self.deployments.insert(id, known);
            }
        }
        self.append(events.into_iter().map(|event| Event::Deployment(id, event)).collect());
    }

    /// Runs the next plugin of a device's live deployment as the reactor does: the effect first, then the outcome.
    pub(super) fn run_plugin(&mut self, device: DeviceId) {
        let Some(id) = self.live(device) else { return };
        let Some(plugin) = self.deployments.get_mut(&id).and_then(|known| known.left.pop()) else { return };
        let DeploymentStarted { assignment, network, .. } = self.deployments[&id].started.clone();
        let Assignment { mac, ip, hostname, venture, role, .. } = assignment;
        let (deployment, live) = (id, Some(id));
        let effect = match plugin {
            "clean" => {
                let keeps = Keeps { ip, hostname };
                Some(DeviceCommand::CleanDevice { deployment, live, keeps, at: noon(0), parts: vec![] })
            }
            "role" => Some(DeviceCommand::AssignRole { deployment, live, venture, role }),
            "dns" => {
                let entry = DnsEntry { hostname, ip };
                Some(DeviceCommand::CreateDnsEntry { deployment, live, entry })
            }
            "dhcp" => {
                let entry = DhcpEntry { ip, mac, hostname: Some(hostname), network };
                Some(DeviceCommand::CreateDhcpEntry { deployment, live, entry })
            }
            _ => None,
        };
        if let Some(effect) = effect {
            self.device(device, effect);
        }
        self.deployment(id, DeploymentCommand::PluginSucceeded { plugin: parsed(plugin) });
    }

    pub(super) fn done(&mut self, device: DeviceId) {
        let Some(id) = self.live(device) else { return };
        self.deployment(id, DeploymentCommand::MarkDone { by: DoneBy::Operator { name: parsed("ada"), reason: parsed("") } });
    }

    pub(super) fn cancel(&mut self, device: DeviceId) {
        let Some(id) = self.live(device) else { return };
        self.deployment(id, DeploymentCommand::CancelDeployment { by: parsed("ada"), reason: parsed("") });
    }

    /// Removes what the cancelled deployments of a device made, at any time after the cancellation.
    pub(super) fn withdraw(&mut self, device: DeviceId) {
        let late: Vec<_> = self.deployments.iter_mut().filter(|(_, known)| known.started.assignment.device == device).collect();
        let late = late
            .into_iter()
            .filter_map(|(id, known)| known.to_withdraw.take().map(|released| (*id, known.started.clone(), released)));
        for (deployment, started, released) in late.collect::<Vec<_>>() {
            let Assignment { ip, hostname, .. } = started.assignment;
            self.device(device, DeviceCommand::WithdrawDeployment { deployment, ip, hostname, released });
        }
    }

    pub(super) fn facts(&mut self, device: DeviceId, facts: Facts) {
        let ips = facts.addresses.iter().flatten().copied();
        let ips = ips.chain(facts.dhcp_entries.iter().flatten().map(|entry| entry.ip)).map(Claim::Ip);
        let names = facts.dns_entries.iter().flatten().map(|entry| Claim::Hostname(entry.hostname.clone()));
        let held = self.held_by_others(device, ips.chain(names));
        let live = self.live(device);
        self.device(device, DeviceCommand::RecordFacts { facts: Box::new(facts), held, live });
    }

    pub(super) fn set_macs(&mut self, device: DeviceId, macs: Vec<MacAddress>) {
        let facts = RegisterFacts {
            site_exists: true,
            device,
            held: self.held_by_others(device, macs.iter().copied().map(Claim::Mac)),
            deploying: self.live(device).map(|id| self.deployments[&id].started.assignment.mac).into_iter().collect(),
            ..RegisterFacts::default()
        };
        let change = Box::new(DeviceChange { macs: Some(macs), ..DeviceChange::default() });
        self.device(device, DeviceCommand::ChangeDevice { change, facts });
    }

    pub(super) fn decommission(&mut self, device: DeviceId) {
        let live = self.live(device);
        self.device(device, DeviceCommand::DecommissionDevice { reason: parsed(""), live });
    }
}

/// Only a few different values of each kind, so that commands conflict with each other.
pub(super) fn address(number: usize) -> std::net::Ipv4Addr {
    parsed(&format!("10.0.0.{}", 20 + number))
}

pub(super) fn name(number: usize) -> crate::values::hostname::Hostname {
    parsed(&format!("h{number}.dc1.example"))
}

pub(super) fn mac(number: usize) -> MacAddress {
    parsed(&format!("52:54:00:00:00:{number:02x}"))
}
