//! A chassis and its sub-devices, at any depth: which of them are being deployed, where they are, and which move together.
//!
//! The deployment of a chassis ends with its sub-devices detached, so it must not run at the same time as a deployment of one
//! of them. The rule reads the views. If two deployments start at the same moment, preconditions enforce it: no relative has a
//! live deployment ([`Precondition::Unclaimed`]), and none was attached elsewhere ([`Precondition::Sequence`]).

use super::CommandService;
use super::execute::Failure;
use crate::event_log::append::Precondition;
use crate::event_log::draft::Draft;
use bootledger_aggregates::claims::Claim;
use bootledger_aggregates::device;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::patch::Removable;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::name::Name;
use bootledger_port::Context;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments;
use bootledger_projections::rows::devices::{self, Device};
use std::collections::{BTreeMap, BTreeSet};

/// How many levels are followed in either direction; real equipment has three.
const MOST_LEVELS: usize = 16;
/// How many devices are looked up in one query.
const CHUNK: usize = 5_000;

/// A set of devices with all devices that contain them and all of their sub-devices.
#[derive(Default)]
pub(super) struct Family {
    devices: BTreeMap<DeviceId, Device>,
    live: BTreeMap<DeviceId, DeploymentId>,
}

impl Family {
    pub(super) async fn of(views: &Pool, own: impl IntoIterator<Item = &Device>) -> Result<Self, Failure> {
        let own: Vec<&Device> = own.into_iter().filter(|one| one.parent.is_some() || !one.sub_devices.is_empty()).collect();
        let mut family = Self { devices: own.iter().map(|one| (one.id, (*one).clone())).collect(), live: BTreeMap::new() };
        let up = own.iter().filter_map(|one| one.parent).collect();
        family.look_up(views, up, |device| device.parent.into_iter().collect()).await?;
        let down = own.iter().flat_map(|one| one.sub_devices.iter().copied()).collect();
        family.look_up(views, down, |device| device.sub_devices.clone()).await?;
        let ids: Vec<DeviceId> = family.devices.keys().copied().collect();
        for some in ids.chunks(CHUNK) {
            let live = deployments::live_of_devices(views, some, At::Now).await?;
            family.live.extend(live.into_iter().map(|deployment| (deployment.device, deployment.id)));
        }
        Ok(family)
    }

    async fn look_up(
        &mut self,
        views: &Pool,
        mut level: BTreeSet<DeviceId>,
        next: fn(&Device) -> Vec<DeviceId>,
    ) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        for _ in 0..MOST_LEVELS {
            level.retain(|id| seen.insert(*id));
            if level.is_empty() {
                break;
            }
            let unknown: Vec<DeviceId> = level.iter().copied().filter(|id| !self.devices.contains_key(id)).collect();
            for some in unknown.chunks(CHUNK) {
                let found = devices::find_many(views, some, At::Now).await?;
                self.devices.extend(found.into_iter().map(|device| (device.id, device)));
            }
            level = level.iter().filter_map(|id| self.devices.get(id)).flat_map(next).collect();
        }
        Ok(())
    }

    fn walk(&self, first: Vec<DeviceId>, next: fn(&Device) -> Vec<DeviceId>) -> Vec<&Device> {
        let (mut seen, mut found, mut due) = (BTreeSet::new(), vec![], first);
        while let Some(id) = due.pop() {
            if let Some(device) = self.devices.get(&id).filter(|_| seen.insert(id)) {
                found.push(device);
                due.extend(next(device));
            }
        }
        found
    }

    /// The devices that contain this one, nearest first.
    pub(super) fn above(&self, device: &Device) -> Vec<&Device> {
        self.walk(device.parent.into_iter().collect(), |device| device.parent.into_iter().collect())
    }

    /// The sub-devices of a device, at all levels.
    pub(super) fn below(&self, device: &Device) -> Vec<&Device> {
        self.walk(device.sub_devices.clone(), |device| device.sub_devices.clone())
    }

    fn deploying(&self, some: &[&Device]) -> Vec<(String, DeploymentId)> {
        some.iter().filter_map(|one| Some((one.words(), *self.live.get(&one.id)?))).collect()
    }

    /// The devices that contain this one and are being deployed.
    pub(super) fn deploying_above(&self, device: &Device) -> Vec<(String, DeploymentId)> {
        self.deploying(&self.above(device))
    }

    /// The sub-devices of a device that are being deployed.
    pub(super) fn deploying_below(&self, device: &Device) -> Vec<(String, DeploymentId)> {
        self.deploying(&self.below(device))
    }

    /// The preconditions for starting a device's deployment: no relative is being deployed, and the set of relatives is
    /// unchanged.
    pub(super) fn idle(&self, device: &Device) -> Vec<Precondition> {
        let relatives = self.above(device).into_iter().chain(self.below(device));
        let idle = relatives.filter(|one| !self.live.contains_key(&one.id));
        idle.flat_map(|one| [unclaimed(one), unchanged(one)]).collect()
    }
}

fn unclaimed(device: &Device) -> Precondition {
    Precondition::Unclaimed(Claim::Deployment(device.id))
}

/// The precondition that a device is unchanged from the views.
pub(super) fn unchanged(device: &Device) -> Precondition {
    Precondition::Sequence { aggregate_type: "device", aggregate_id: device.id.to_string(), sequence: device.sequence }
}

/// Why a device at this place cannot be a sub-device of another: a sub-device is where its parent is.
pub(super) fn apart(site: &Name, rack: Option<&Name>, parent: &Device, field: &str) -> Option<BrokenRule> {
    let words = parent.words();
    let held = |rule: BrokenRule| rule.held_by(format!("device {}", parent.id));
    if *site != parent.site {
        let message =
            format!("{words} is at site {}, and a sub-device of it cannot be at site {site}; name the same site", parent.site);
        return Some(held(BrokenRule::new(field, Rule::ParentOfOtherSite, message)));
    }
    let racks = rack.zip(parent.rack.as_ref()).filter(|(own, of_parent)| own != of_parent);
    racks.map(|(own, of_parent)| {
        let message =
            format!("{words} is in rack {of_parent}, and a sub-device of it cannot be in rack {own}; name the same rack");
        held(BrokenRule::new(field, Rule::ParentOfOtherRack, message))
    })
}

impl CommandService {
    /// Whether these devices can become sub-devices of another: they must be at the same place, and not both sides may be
    /// deployed. Returns what must still hold at the append.
    pub(super) async fn attachable(&self, parent: &Device, parts: &[&Device], field: &str) -> Result<Vec<Precondition>, Failure> {
        if parts.is_empty() {
            return Ok(vec![]);
        }
        let mut broken: Vec<BrokenRule> =
            parts.iter().filter_map(|part| apart(&part.site, part.rack.as_ref(), parent, field)).collect();
        // A device without relatives has no family; its own deployment is looked up with it.
        let up = Family::of(&self.views, [parent]).await?;
        let down = Family::of(&self.views, parts.iter().copied()).await?;
        let ids: Vec<DeviceId> = parts.iter().map(|part| part.id).chain([parent.id]).collect();
        let own = deployments::live_of_devices(&self.views, &ids, At::Now).await?;
        let live_of = |one: &Device| own.iter().find(|live| live.device == one.id).map(|live| live.id);
        let chain: Vec<&Device> = std::iter::once(parent).chain(up.above(parent)).collect();
        let whole = chain.iter().find_map(|one| Some((one.words(), live_of(one).or_else(|| up.live.get(&one.id).copied())?)));
        let mut preconditions = vec![unchanged(parent)];
        let Some((above, _)) = whole else {
            Refused::unless_empty(broken)?;
            preconditions.extend(chain.iter().map(|one| unclaimed(one)));
            return Ok(preconditions);
        };
        for part in parts {
            for one in std::iter::once(*part).chain(down.below(part)) {
                match live_of(one).or_else(|| down.live.get(&one.id).copied()) {
                    Some(deployment) => {
                        let message = format!(
                            "{} and {above} are both being deployed, so one cannot become a part of the other; wait until one of \
                             the deployments has ended, or cancel it",
                            one.words()
                        );
                        let rule = BrokenRule::new(field, Rule::SubDeviceDeploying, message);
                        broken.push(rule.held_by(format!("deployment {deployment}")));
                    }
                    None => preconditions.push(unclaimed(one)),
                }
            }
        }
        Refused::unless_empty(broken)?;
        Ok(preconditions)
    }

    /// The further changes that follow from a change of a device's place or parent: its sub-devices move with it, each with a
    /// change of its own. Returns what must still hold at the append.
    pub(super) async fn move_along(
        &self,
        id: DeviceId,
        change: &DeviceChange,
        context: &Context,
    ) -> Result<(Vec<Draft<device::Device>>, Vec<Precondition>), Failure> {
        let removes = change.removes(Removable::Rack);
        if change.site.is_none() && change.rack.is_none() && change.parent.is_none() && !removes {
            return Ok((vec![], vec![]));
        }
        let Some(now) = devices::find(&self.views, id, At::Now).await? else { return Ok((vec![], vec![])) };
        let site = change.site.clone().unwrap_or_else(|| now.site.clone());
        let after =
            Device { rack: change.rack_after(now.rack.as_ref()), parent: change.parent_after(now.parent), site, ..now.clone() };
        let moves = after.site != now.site || after.rack != now.rack;
        if !moves && after.parent == now.parent {
            return Ok((vec![], vec![]));
        }
        // The device's own rule refuses the change, because the rack belongs to the old site.
        if after.site != now.site && after.rack.is_some() && change.rack.is_none() {
            return Ok((vec![], vec![]));
        }
        let mut preconditions = vec![unchanged(&now)];
        if let Some(parent) = after.parent.filter(|parent| *parent != id) {
            let parent = self.parent(parent).await?;
            if after.parent == now.parent {
                let field = if after.site == now.site { "rack" } else { "site" };
                Refused::unless_empty(apart(&after.site, after.rack.as_ref(), &parent, field).into_iter().collect())?;
                preconditions.push(unchanged(&parent));
            } else {
                if self.above(parent.id).await?.contains(&id) {
                    let message = format!("{} is itself a part of this device; choose another parent", parent.words());
                    let rule = BrokenRule::new("parent", Rule::DeviceCircle, message).held_by(format!("device {}", parent.id));
                    return Err(Refused(vec![rule]).into());
                }
                preconditions.extend(self.attachable(&parent, &[&after], "parent").await?);
            }
        }
        let mut along = vec![];
        if moves && !now.sub_devices.is_empty() {
            let family = Family::of(&self.views, [&now]).await?;
            for part in family.below(&now) {
                preconditions.push(unchanged(part));
                let Some(change) = with_it(&now, &after, part) else { continue };
                let (more, draft) = self.moved_part(part, change, context).await.map_err(|failure| of_part(part, failure))?;
                preconditions.extend(more);
                along.push(draft);
            }
        }
        Ok((along, preconditions))
    }

    async fn moved_part(
        &self,
        part: &Device,
        change: DeviceChange,
        context: &Context,
    ) -> Result<(Vec<Precondition>, Draft<device::Device>), Failure> {
        let (mut preconditions, _) = self.weigh_device(part.id, &change).await?;
        let (_, live) = super::facts::live(&self.views, part.id).await?;
        preconditions.extend(live);
        let facts = self.change_facts(part.id, &change, context).await?;
        let mut draft = Draft::load(&self.log, part.id.to_string()).await?;
        draft.decide(|device: &device::Device| device.decide(DeviceCommand::ChangeDevice { change: Box::new(change), facts }))?;
        Ok((preconditions, draft))
    }
}

/// The change of a sub-device when its parent moves; `None` if it is already there, or never was in the parent's rack.
fn with_it(now: &Device, after: &Device, part: &Device) -> Option<DeviceChange> {
    let site = (part.site != after.site).then(|| after.site.clone());
    let rack_goes = part.rack.is_some() && part.rack != after.rack && (site.is_some() || part.rack == now.rack);
    let rack = after.rack.clone().filter(|_| rack_goes);
    let removed = if rack_goes && rack.is_none() { BTreeSet::from([Removable::Rack]) } else { BTreeSet::new() };
    let change = DeviceChange { site, rack, removed, ..DeviceChange::default() };
    (change != DeviceChange::default()).then_some(change)
}

/// A refusal about a sub-device that would move with its parent.
fn of_part(part: &Device, failure: Failure) -> Failure {
    match failure {
        Failure::Refused(Refused(broken)) => {
            let before = format!("its sub-device {} would move with it: ", part.words());
            Failure::Refused(Refused(broken.into_iter().map(|rule| rule.preceded_by(&before)).collect()))
        }
        other => other,
    }
}
