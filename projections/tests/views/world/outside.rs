//! Reports from management controllers, Puppet, and checks of other servers.

use super::{World, device_id, v};
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::puppet::{PuppetOutcome, PuppetRun};
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::power::{PowerAction, PowerFacts, PowerOrder, PowerOutcome, PowerState, Restart};
use bootledger_aggregates::drift::{Difference, DriftCommand, DriftKey, Nature};
use bootledger_aggregates::event::Event;
use bootledger_aggregates::rules::Refused;
use bootledger_aggregates::values::ids::{DeploymentId, OrderId};
use bootledger_aggregates::values::text::Text;
use cqrs_es::Aggregate;
use uuid::Uuid;

impl World {
    /// An order to the controller of device `n`, for its live deployment if it has one, and the order's result.
    pub(crate) fn power(&mut self, n: u8, step: u8, b: u8) -> Result<(), Refused> {
        let (id, live) = (device_id(n), self.live(device_id(n)));
        let restart = live.map(|deployment| Restart { deployment, turn: u32::from(b % 3) });
        let order = PowerOrder {
            order: OrderId(Uuid::from_u128(u128::from(step) + 1)),
            action: PowerAction::Cycle,
            network_boot: b.is_multiple_of(2),
            restart,
            at: self.now(),
        };
        let facts = PowerFacts { live, in_progress: live.is_some(), ..PowerFacts::default() };
        self.device(id, DeviceCommand::RequestPower { order: Box::new(order.clone()), facts })?;
        let outcome = match b % 4 {
            0 => return Ok(()),
            1 => PowerOutcome::Failed(v("no answer")),
            2 => PowerOutcome::Uncertain(v("no answer")),
            _ => PowerOutcome::Confirmed(PowerState::On),
        };
        self.device(id, DeviceCommand::ReportPower { order: Box::new(order), outcome })
    }

    /// Puppet reports a run on the server that either succeeded or failed with one of several messages.
    pub(crate) fn puppet(&mut self, id: DeploymentId, n: u8) -> Result<(), Refused> {
        let messages = || vec![Text::fitted(&format!("class demo{} \"is\" {{broken}}", n % 2))];
        let outcome = if n.is_multiple_of(3) { PuppetOutcome::Succeeded } else { PuppetOutcome::Failed { messages: messages() } };
        let certname = v("h200.dc1.example");
        let run = PuppetRun { certname, outcome, noop: false, compiled: true, transaction: v("t-1") };
        let now = self.now();
        self.deployment(id, "token puppet", DeploymentCommand::ReportPuppetRun { run, now })
    }

    /// A check finds drift, or none, at one of several servers, or an operator orders its repair.
    pub(crate) fn drift(&mut self, n: u8, b: u8) {
        let keys = ["dc1/dns/h200.dc1.example/A", "dc1/dns/11.0.0.10.in-addr.arpa/PTR", "dc1/dhcp/kea-1", "dc10/dhcp/kea-1"];
        let key: DriftKey = v(keys[usize::from(n) % keys.len()]);
        let difference = |nature, found: Vec<Text>| Difference {
            nature,
            server: v("10.0.0.53:53"),
            expected: vec![v("10.0.0.11")],
            found,
            message: v("says \"no\""),
        };
        let command = match b % 6 {
            0 | 1 => DriftCommand::Report(Some(difference(Nature::Missing, vec![]))),
            2 => DriftCommand::Report(Some(difference(Nature::Foreign, vec![v("10.9.9.9")]))),
            3 => DriftCommand::Report(None),
            4 => DriftCommand::OrderRepair { named: true },
            _ => DriftCommand::FailRepair { problem: v("refused") },
        };
        let drift = self.drifts.entry(key.clone()).or_default();
        let events = drift.decide(command).unwrap_or_default();
        for event in &events {
            drift.apply(event.clone());
        }
        self.accept("token ops", events.into_iter().map(|event| Event::Drift(key.clone(), event)).collect());
    }
}
