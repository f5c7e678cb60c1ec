//! Commands about devices.

use super::controllers::{Looked, MISPLACED};
use super::execute::Failure;
use super::facts::{holders, live, rack_exists, rack_facts, site_exists};
use super::parts::{apart, unchanged};
use super::{CommandService, context};
use crate::event_log::append::Precondition;
use crate::event_log::draft::Draft;
use crate::event_log::store::Terms;
use bootledger_aggregates::claims::{Claim, Holder};
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::controller::Endpoint;
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::device::footprint::{Footprint, RackFacts};
use bootledger_aggregates::device::lock::Lock;
use bootledger_aggregates::device::patch::Removable;
use bootledger_aggregates::device::register::{BrokenRuleOf, DeviceChange, DeviceSpec, RegisterFacts};
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::settings;
use bootledger_aggregates::site::rules::contradicted;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::SettingValue;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Context, DeviceAction, Receipt};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, deployments, devices, holdings};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How many enclosing devices are followed upwards; a chassis never has more levels.
const MOST_ABOVE: usize = 16;

impl CommandService {
    pub(super) async fn device_command(
        &self,
        action: &DeviceAction,
        guarded: Vec<Precondition>,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let terms = Terms::default();
        let with = |mut preconditions: Vec<Precondition>| {
            preconditions.extend(guarded.clone());
            Terms { preconditions, ..Terms::default() }
        };
        match action {
            DeviceAction::RegisterDevice { spec, venture, role } => {
                self.refuse_plain_secrets(spec.settings.iter()).await?;
                self.register(spec, venture.as_ref(), role.as_ref(), guarded, context).await
            }
            DeviceAction::ChangeDevice(id, change) => {
                let set = change.settings.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
                self.refuse_plain_secrets(set).await?;
                let mut facts = self.change_facts(*id, change, context).await?;
                let (rack, unchanged) = self.rack_after(*id, change).await?;
                facts.rack = rack;
                // If the device has no live deployment, none may start before the append: it could boot from a MAC address that
                // is removed.
                let (_, mut preconditions) = live(&self.views, *id).await?;
                let (along, related) = self.move_along(*id, change, context).await?;
                preconditions.extend(related.into_iter().chain(unchanged));
                let command = DeviceCommand::ChangeDevice { change: change.clone(), facts };
                if along.is_empty() {
                    return self.run::<Device>(id, command, with(preconditions), context).await;
                }
                let metadata = context::metadata_text(context);
                let mut draft = Draft::<Device>::load(&self.log, id.to_string()).await?;
                draft.decide(|device| device.decide(command))?;
                let mut events = draft.into_events(&metadata)?;
                for part in along {
                    events.extend(part.into_events(&metadata)?);
                }
                self.append(id, events, with(preconditions).preconditions, context).await
            }
            DeviceAction::RecordFacts(id, facts) => {
                let (live, preconditions) = live(&self.views, *id).await?;
                self.refuse_contradicted(facts).await?;
                let held = self.held_by_others(*id, facts).await?;
                let command = DeviceCommand::RecordFacts { facts: facts.clone(), held, live };
                match &facts.sub_devices {
                    Some(parts) => {
                        let preconditions = with(preconditions).preconditions;
                        self.record_with_parts(*id, command, parts, preconditions, context).await
                    }
                    None => self.run::<Device>(id, command, with(preconditions), context).await,
                }
            }
            DeviceAction::VerifyDevice(id) => self.run::<Device>(id, DeviceCommand::VerifyDevice, terms, context).await,
            DeviceAction::UnverifyDevice(id) => {
                let (live, preconditions) = live(&self.views, *id).await?;
                self.run::<Device>(id, DeviceCommand::UnverifyDevice { live }, Terms { preconditions, ..terms }, context).await
            }
            DeviceAction::LockDevice { device, reason } => {
                let lock = Lock { reason: reason.clone(), by: Text::fitted(&context.actor), at: (self.now)() };
                self.run::<Device>(device, DeviceCommand::LockDevice { lock }, terms, context).await
            }
            DeviceAction::UnlockDevice(id) => self.run::<Device>(id, DeviceCommand::UnlockDevice, terms, context).await,
            DeviceAction::DecommissionDevice { device, reason } => {
                let (live, preconditions) = live(&self.views, *device).await?;
                let command = DeviceCommand::DecommissionDevice { reason: reason.clone(), live };
                let found = devices::find(&self.views, *device, At::Now).await?;
                match found.map(|device| device.sub_devices).filter(|parts| !parts.is_empty()) {
                    Some(parts) => self.decommission_with_parts(*device, command, &parts, preconditions, context).await,
                    None => self.run::<Device>(device, command, Terms { preconditions, ..terms }, context).await,
                }
            }
        }
    }

    /// The action with the complete controller, if it changes only the credentials of the device's controller. The other settings
    /// are those in the log, and the precondition is that the device does not change before the append: otherwise the change could
    /// restore an old address, and the password would be sent there.
    pub(super) async fn with_controller(&self, action: &DeviceAction) -> Result<Option<(DeviceAction, Precondition)>, Failure> {
        let DeviceAction::ChangeDevice(id, change) = action else { return Ok(None) };
        let Some(credentials) = &change.credentials else { return Ok(None) };
        let device = Draft::<Device>::load(&self.log, id.to_string()).await?;
        // The rules refuse a change of a device that is unknown or decommissioned.
        let Device::Registered(_) = device.aggregate() else { return Ok(None) };
        let Some(mut management) = change.management.clone().or_else(|| device.aggregate().management().cloned()) else {
            let message = "the device has no management controller, so it has no credentials; enter its address first";
            return Err(Refused::because("management", Rule::ManagementMissing, message).into());
        };
        // The facts about the controller are looked up in the views, which may be behind.
        let shown = devices::find(&self.views, *id, At::Now).await?;
        if shown.is_none_or(|shown| shown.sequence != device.sequence()) {
            return Err(Failure::Conflict);
        }
        management.credentials = Some(credentials.clone());
        let change = DeviceChange { management: Some(management), credentials: None, ..(**change).clone() };
        let (aggregate_id, sequence) = (id.to_string(), device.sequence());
        let unchanged = Precondition::Sequence { aggregate_type: "device", aggregate_id, sequence };
        Ok(Some((DeviceAction::ChangeDevice(*id, Box::new(change)), unchanged)))
    }

    async fn register(
        &self,
        spec: &DeviceSpec,
        venture: Option<&Name>,
        role: Option<&Name>,
        preconditions: Vec<Precondition>,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let id = DeviceId(Uuid::now_v7());
        let mut preconditions = preconditions;
        if let Some(parent) = spec.parent {
            let parent = self.parent(parent).await?;
            Refused::unless_empty(apart(&spec.site, spec.rack.as_ref(), &parent, "parent").into_iter().collect())?;
            preconditions.push(unchanged(&parent));
        }
        let claims: Vec<Claim> = spec
            .macs
            .iter()
            .copied()
            .map(Claim::Mac)
            .chain(spec.serial.iter().cloned().map(Claim::Serial))
            .chain(spec.asset.iter().cloned().map(Claim::Asset))
            .collect();
        let looked = self.management_problems(&spec.site, id, spec.management.as_ref(), context.level).await?;
        let wanted = Footprint::of(spec.kind, spec.parent.is_some(), spec.position, spec.height, spec.face);
        let rack = match spec.rack.as_ref().filter(|_| wanted.is_some()) {
            Some(rack) => {
                let (rack, unchanged) = rack_facts(&self.views, rack).await?;
                preconditions.extend(unchanged);
                rack
            }
            None => None,
        };
        let facts = RegisterFacts {
            rack,
            site_exists: site_exists(&self.views, &spec.site).await?,
            rack_exists: match &spec.rack {
                Some(rack) => rack_exists(&self.views, rack, &spec.site).await?,
                None => true,
            },
            held: holders(&self.views, &claims).await?,
            unknown: self.unknown_role(venture, role).await?,
            management_problems: looked.problems,
            endpoints: looked.endpoints,
            setting_secrets: self.secret_problems(settings::secrets(&spec.settings)),
            deploying: vec![],
            device: id,
        };
        let register = DeviceCommand::RegisterDevice { spec: Box::new(spec.clone()), facts: facts.clone() };
        if venture.is_none() && role.is_none() {
            return self.run::<Device>(id, register, Terms { fresh: true, preconditions }, context).await;
        }
        let change = DeviceChange { venture: venture.cloned(), role: role.cloned(), ..DeviceChange::default() };
        let mut draft = Draft::<Device>::fresh(id.to_string());
        draft.decide(|device| device.decide(register))?;
        draft.decide(|device| device.decide(DeviceCommand::ChangeDevice { change: Box::new(change), facts }))?;
        self.append(id, draft.into_events(&context::metadata_text(context))?, preconditions, context).await
    }

    /// The rack of a device after a change, with the units that devices take there, if the change may take other units.
    async fn rack_after(&self, id: DeviceId, change: &DeviceChange) -> Result<(Option<RackFacts>, Vec<Precondition>), Failure> {
        let takes = change.position.is_some() || change.height.is_some() || change.face.is_some();
        if !takes && change.rack.is_none() && !change.removes(Removable::Parent) {
            return Ok((None, vec![]));
        }
        let device = devices::find(&self.views, id, At::Now).await?;
        match device.and_then(|device| change.rack_after(device.rack.as_ref())) {
            Some(rack) => rack_facts(&self.views, &rack).await,
            None => Ok((None, vec![])),
        }
    }

    /// The parent of a device.
    pub(super) async fn parent(&self, id: DeviceId) -> Result<devices::Device, Failure> {
        match devices::find(&self.views, id, At::Now).await? {
            Some(parent) if parent.decommissioned => {
                let message = format!("{} is decommissioned, so no device can be a part of it", parent.words());
                Err(Refused::because("parent", Rule::ParentDecommissioned, message).into())
            }
            Some(parent) => Ok(parent),
            None => {
                let message = format!("the parent device {id} does not exist; register it first");
                Err(Refused::because("parent", Rule::ParentUnknown, message).into())
            }
        }
    }

    /// All devices that contain this one: its parent, its parent's parent, and so on.
    pub(super) async fn above(&self, id: DeviceId) -> Result<BTreeSet<DeviceId>, Failure> {
        let mut above = BTreeSet::new();
        let mut next = Some(id);
        while let Some(device) = next {
            next = devices::find(&self.views, device, At::Now).await?.and_then(|device| device.parent);
            if next.is_some_and(|parent| !above.insert(parent)) || above.len() > MOST_ABOVE {
                break;
            }
        }
        Ok(above)
    }

    /// Records facts that list a device's sub-devices. Each listed device gets the device as its parent, and those no longer
    /// listed lose it.
    async fn record_with_parts(
        &self,
        id: DeviceId,
        record: DeviceCommand,
        parts: &[DeviceId],
        preconditions: Vec<Precondition>,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let known = devices::find_many(&self.views, parts, At::Now).await?;
        let parts: BTreeSet<DeviceId> = parts.iter().copied().collect();
        let above = self.above(id).await?;
        let mut broken = vec![];
        for part in &parts {
            match known.iter().find(|device| device.id == *part) {
                _ if *part == id => {
                    broken.push(BrokenRule::new(
                        "sub_devices",
                        Rule::DeviceOwnParent,
                        "a device cannot be a part of itself; choose another device",
                    ));
                }
                None => {
                    let message = format!("there is no device {part}; register it first");
                    broken.push(BrokenRule::new("sub_devices", Rule::DeviceUnknown, message));
                }
                Some(part) if part.decommissioned => {
                    let message = format!("{} is decommissioned; leave it out", part.words());
                    broken.push(BrokenRule::new("sub_devices", Rule::DeviceDecommissioned, message));
                }
                Some(part) if above.contains(&part.id) => {
                    let message = format!("this device is itself a part of {}; leave it out", part.words());
                    let rule = BrokenRule::new("sub_devices", Rule::DeviceCircle, message);
                    broken.push(rule.held_by(format!("device {}", part.id)));
                }
                Some(_) => {}
            }
        }
        Refused::unless_empty(broken)?;
        let device = devices::find(&self.views, id, At::Now).await?;
        let mut preconditions = preconditions;
        if let Some(device) = &device {
            let new: Vec<&devices::Device> = known.iter().filter(|part| part.parent != Some(id)).collect();
            preconditions.extend(self.attachable(device, &new, "sub_devices").await?);
        }
        let lost = device.iter().flat_map(|device| &device.sub_devices).filter(|part| !parts.contains(part));
        let metadata = context::metadata_text(context);
        let mut draft = Draft::<Device>::load(&self.log, id.to_string()).await?;
        draft.decide(|device| device.decide(record))?;
        let mut events = draft.into_events(&metadata)?;
        let detached = lost.map(|part| (part, DeviceCommand::DetachDevice { parent: id, deployment: None }));
        let attached = parts.iter().map(|part| (part, DeviceCommand::AttachDevice { parent: id }));
        let changes: Vec<_> = detached.chain(attached).collect();
        for (part, command) in changes {
            let mut draft = Draft::<Device>::load(&self.log, part.to_string()).await?;
            draft.decide(|device| device.decide(command))?;
            events.extend(draft.into_events(&metadata)?);
        }
        self.append(id, events, preconditions, context).await
    }

    /// Decommissions a device and detaches its sub-devices, which could not be detached later.
    async fn decommission_with_parts(
        &self,
        id: DeviceId,
        decommission: DeviceCommand,
        parts: &[DeviceId],
        preconditions: Vec<Precondition>,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let metadata = context::metadata_text(context);
        let mut draft = Draft::<Device>::load(&self.log, id.to_string()).await?;
        draft.decide(|device| device.decide(decommission))?;
        let mut events = draft.into_events(&metadata)?;
        for part in parts {
            let mut draft = Draft::<Device>::load(&self.log, part.to_string()).await?;
            draft.decide(|device| device.decide(DeviceCommand::DetachDevice { parent: id, deployment: None }))?;
            events.extend(draft.into_events(&metadata)?);
        }
        self.append(id, events, preconditions, context).await
    }

    pub(super) async fn change_facts(
        &self,
        id: DeviceId,
        change: &DeviceChange,
        context: &Context,
    ) -> Result<RegisterFacts, Failure> {
        let views = &self.views;
        let device = devices::find(views, id, At::Now).await?;
        let site = change.site.clone().or_else(|| device.as_ref().map(|device| device.site.clone()));
        // The current controller is not checked again: devices from before that rule may share theirs.
        let old = device.as_ref().and_then(|device| device.management.as_ref());
        let mut looked = match &site {
            Some(site) => self.management_problems(site, id, change.management.as_ref(), context.level).await?,
            // The device does not exist, and the aggregate refuses the command.
            None => Looked::default(),
        };
        let here = |new: &Management| old.is_some_and(|old| old.endpoints(&[]) == new.endpoints(&[]));
        let shared = |broken: &BrokenRule| broken.is(Rule::ControllerShared);
        if change.management.as_ref().is_some_and(here) {
            looked.problems.retain(|broken| !broken.is(MISPLACED));
        }
        if change.management.as_ref().is_some_and(here) && looked.problems.iter().any(shared) {
            looked.problems.retain(|broken| !shared(broken));
            // Endpoints that the other device holds are not taken from it.
            let bases: Vec<String> = looked.endpoints.iter().map(|endpoint| endpoint.base().to_owned()).collect();
            let held = holdings::controllers(views, &bases).await?;
            let own = |endpoint: &Endpoint| {
                held.iter().any(|one| one.holder == Holder::Device(id) && one.value == endpoint.to_string())
            };
            looked.endpoints.retain(own);
        }
        // In an old log, an unchanged number may also belong to another device. That is not a reason to refuse other changes.
        let (serial, asset) =
            (device.as_ref().and_then(|one| one.serial.as_ref()), device.as_ref().and_then(|one| one.asset.as_ref()));
        let new_serial = change.serial.as_ref().filter(|number| !number.is_empty() && serial != Some(*number));
        let new_asset = change.asset.as_ref().filter(|number| !number.is_empty() && asset != Some(*number));
        let claims: Vec<Claim> = change
            .macs
            .iter()
            .flatten()
            .copied()
            .map(Claim::Mac)
            .chain(new_serial.cloned().map(Claim::Serial))
            .chain(new_asset.cloned().map(Claim::Asset))
            .collect();
        let live = deployments::live_of_device(views, id, At::Now).await?;
        let old = |of: fn(&devices::Device) -> Option<&Name>| device.as_ref().and_then(of);
        let (venture, role) = change.owner(old(|device| device.venture.as_ref()), old(|device| device.role.as_ref()));
        Ok(RegisterFacts {
            rack: None,
            site_exists: match &site {
                Some(site) => site_exists(views, site).await?,
                None => true,
            },
            rack_exists: match (&change.rack, &site) {
                (Some(rack), Some(site)) => rack_exists(views, rack, site).await?,
                _ => true,
            },
            held: holders(views, &claims).await?,
            // The pair after the change: a new venture must have the role that stays.
            unknown: if change.venture.is_none() && change.role.is_none() {
                None
            } else {
                self.unknown_role(venture.as_ref(), role.as_ref()).await?
            },
            management_problems: looked.problems,
            endpoints: looked.endpoints,
            setting_secrets: self.secret_problems(change.settings.values().flatten().filter_map(SettingValue::secret)),
            deploying: live.map(|deployment| deployment.mac).into_iter().collect(),
            device: id,
        })
    }

    /// The validation problem of a venture or role that does not exist.
    async fn unknown_role(&self, venture: Option<&Name>, role: Option<&Name>) -> Result<Option<BrokenRuleOf>, Failure> {
        let Some(venture) = venture else { return Ok(role.map(|_| BrokenRuleOf::Venture)) };
        let entry = catalogue::venture(&self.views, venture, At::Now).await?.filter(|entry| !entry.retired);
        Ok(match (entry, role) {
            (None, _) => Some(BrokenRuleOf::Venture),
            (Some(entry), Some(role)) if !entry.spec.roles.contains_key(role) => Some(BrokenRuleOf::Role),
            _ => None,
        })
    }

    /// Refuses records that a zone's extra records contradict, since no DNS server would load a zone with both.
    async fn refuse_contradicted(&self, facts: &Facts) -> Result<(), Failure> {
        let Some(entries) = facts.dns_entries.as_ref().filter(|entries| !entries.is_empty()) else { return Ok(()) };
        let mut sites = catalogue::sites(&self.views, At::Now).await?;
        sites.retain(|site| site.spec.zones.iter().any(|zone| !zone.records.is_empty()));
        let mut broken = vec![];
        for entry in entries {
            let why = sites.iter().find_map(|site| contradicted(&site.spec, &entry.hostname, entry.ip));
            broken.extend(why.map(|why| {
                let message = format!(
                    "{} cannot have {}: {why}. Name another host or address, or change that line",
                    entry.hostname, entry.ip
                );
                BrokenRule::new("dns_entries", Rule::RecordConflicts, message)
            }));
        }
        Ok(Refused::unless_empty(broken)?)
    }

    async fn held_by_others(&self, id: DeviceId, facts: &Facts) -> Result<Vec<(Claim, Holder)>, Failure> {
        let addresses =
            facts.addresses.iter().flatten().copied().chain(facts.dhcp_entries.iter().flatten().map(|entry| entry.ip));
        let names = facts.dns_entries.iter().flatten().map(|entry| entry.hostname.clone());
        let claims: Vec<Claim> = addresses.map(Claim::Ip).chain(names.map(Claim::Hostname)).collect();
        let held = holders(&self.views, &claims).await?;
        Ok(held.into_iter().filter(|(_, holder)| *holder != Holder::Device(id)).collect())
    }
}
