//! The device of a row: its registration, or what the row changes.

use super::{Arrived, Common};
use crate::commands::CommandService;
use crate::commands::controllers::{clash, misplaced};
use crate::commands::execute::Failure;
use crate::commands::facts::rack_facts;
use crate::commands::import::read::Row;
use crate::event_log::draft::Draft;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::{DeviceKind, Management, ManagementProtocol};
use bootledger_aggregates::device::footprint::Face;
use bootledger_aggregates::device::management::Access;
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec, RegisterFacts};
use bootledger_aggregates::rules::Refused;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::notes::Notes;
use bootledger_aggregates::values::setting::Settings;
use bootledger_aggregates::values::text::Text;

impl Common<'_> {
    /// The events of the device: its registration if it is new, otherwise the changes that the row makes.
    pub(super) async fn device(
        &self,
        commands: &CommandService,
        row: &Row,
        id: DeviceId,
        rack: Option<&Name>,
        site: &Name,
        arrived: &Arrived,
    ) -> Result<Result<Option<Draft<Device>>, Refused>, Failure> {
        let management = row.management_ip.clone().map(|address| Management {
            address,
            protocol: ManagementProtocol::default(),
            credentials: None,
            access: Access::default(),
        });
        let claims = row.serial.clone().map(Claim::Serial);
        let held = self.known.holders_of(claims).into_iter().filter(|(_, holder)| *holder != Holder::Device(id)).collect();
        let mut facts = RegisterFacts { site_exists: true, rack_exists: true, held, device: id, ..RegisterFacts::default() };
        let present = self.known.devices.get(&row.mac).and_then(|known| known.management.as_ref());
        if let Some(management) = management.as_ref().filter(|new| present.is_none_or(|old| old.address != new.address)) {
            facts.endpoints = management.endpoints(&[]);
            facts.management_problems.extend(clash(&self.known.controllers, id, management, &facts.endpoints));
            if let Some(ip) = management.address.ipv4() {
                let declared = self.known.declared.get(&ip).map(Vec::as_slice).unwrap_or_default();
                let holders = self.known.holders_of([Claim::Ip(ip)]);
                let network = self.known.networks.values().find(|entry| entry.spec.cidr.contains(&ip));
                facts.management_problems.extend(misplaced(id, ip, declared, &holders, network));
            }
        }
        if let Some(known) = self.known.devices.get(&row.mac) {
            let changed = DeviceChange {
                serial: row.serial.clone().filter(|serial| known.serial.as_ref() != Some(serial)),
                rack: row.rack.clone().filter(|rack| known.rack.as_ref() != Some(rack)),
                management: management.filter(|new| known.management.as_ref().is_none_or(|old| old.address != new.address)),
                ..DeviceChange::default()
            };
            if changed == DeviceChange::default() {
                return Ok(Ok(None));
            }
            if let (Some(rack), Some(_)) = (&changed.rack, known.footprint()) {
                (facts.rack, _) = rack_facts(&commands.views, rack).await?;
                // The views show the racks before the import. Its events are appended together, so that devices which leave a
                // rack make room for every row, even if two devices exchange their places.
                if let Some(found) = &mut facts.rack {
                    found.others.retain(|(other, _)| !self.moving.contains(other));
                    found.others.extend(arrived.get(rack).into_iter().flatten().copied());
                }
            }
            let mut draft = Draft::<Device>::load(&commands.log, id.to_string()).await?;
            let command = DeviceCommand::ChangeDevice { change: Box::new(changed), facts };
            return Ok(draft.decide(|device| device.decide(command)).map(|()| Some(draft)));
        }
        let spec = DeviceSpec {
            kind: DeviceKind::Physical,
            name: Text::default(),
            serial: row.serial.clone(),
            asset: None,
            site: site.clone(),
            rack: rack.cloned(),
            position: None,
            height: 1,
            face: Face::default(),
            notes: Notes::default(),
            tags: vec![],
            macs: vec![row.mac],
            management,
            parent: None,
            settings: Settings::new(),
            endpoints: vec![],
        };
        let role = DeviceChange { venture: Some(row.venture.clone()), role: Some(row.role.clone()), ..DeviceChange::default() };
        let mut draft = Draft::<Device>::fresh(id.to_string());
        let decided = draft
            .decide(|device| device.decide(DeviceCommand::RegisterDevice { spec: Box::new(spec), facts: facts.clone() }))
            .and_then(|()| draft.decide(|device| device.decide(DeviceCommand::ChangeDevice { change: Box::new(role), facts })))
            .and_then(|()| draft.decide(|device| device.decide(DeviceCommand::VerifyDevice)));
        Ok(decided.map(|()| Some(draft)))
    }
}
