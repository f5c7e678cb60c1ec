//! Registering a device and changing its description.

pub use super::description::{DeviceChange, DeviceChanged, DeviceSpec};

use super::allowed;
use super::description::{Removable, Removed};
use super::event::DeviceEvent;
use super::footprint::{self, Footprint, RackFacts};
use super::lock;
use super::registered::Registered;
use super::remark::Remark;
use crate::claims::{Claim, Holder};
use crate::controller::Endpoint;
use crate::controller::management::Management;
use crate::rules::{BrokenRule, Refused, Rule};
use crate::settings::{self, SecretProblems};
use crate::values::ids::DeviceId;
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::tag::Tag;
use crate::values::text::Text;
use std::collections::BTreeSet;

/// The facts that were looked up for a registration or a change.
#[derive(Clone, Debug, Default)]
pub struct RegisterFacts {
    /// Whether the site exists and is in use.
    pub site_exists: bool,
    /// Whether the rack, if one is named, belongs to the site.
    pub rack_exists: bool,
    /// The rack of the device after the change, with the units that other devices take; `None` if no unit changes.
    pub rack: Option<RackFacts>,
    /// The other holders of the numbers and interfaces, if any.
    pub held: Vec<(Claim, Holder)>,
    /// Which of venture and role, as they are after the change, does not exist or is retired.
    pub unknown: Option<BrokenRuleOf>,
    /// The problems with the management controller: credentials that cannot be used, an address that the service never connects
    /// to, or a setting that the caller may not choose.
    pub management_problems: Vec<BrokenRule>,
    /// The management controller endpoints that the device claims.
    pub endpoints: Vec<Endpoint>,
    /// The problems with the secrets that the device's settings name.
    pub setting_secrets: SecretProblems,
    /// The interfaces that the live deployment boots from.
    pub deploying: Vec<MacAddress>,
    /// The id of the device itself.
    pub device: DeviceId,
}

/// Which of venture and role does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenRuleOf {
    /// The venture does not exist.
    Venture,
    /// The venture has no such role.
    Role,
}

fn place(site: &Name, rack: Option<&Name>, position: Option<u16>, facts: &RegisterFacts) -> Vec<BrokenRule> {
    let mut broken = vec![];
    if !facts.site_exists {
        broken.push(BrokenRule::new("site", Rule::SiteUnknown, format!("there is no site {site}; create it first")));
    } else if let (Some(rack), false) = (rack, facts.rack_exists) {
        let message = format!("there is no rack {rack} in site {site}; create it first, or choose another rack");
        broken.push(BrokenRule::new("rack", Rule::RackUnknown, message));
    }
    if position == Some(0) {
        broken.push(BrokenRule::new("position", Rule::PositionRange, "rack units start at 1; enter the number of a unit"));
    }
    broken
}

fn port(management: Option<&Management>) -> Option<BrokenRule> {
    let none = management.is_some_and(|management| management.access.port == Some(0));
    none.then(|| {
        BrokenRule::new(
            "management.port",
            Rule::PortRange,
            "a port is a number from 1 to 65535; leave it out for the default port",
        )
    })
}

fn identified(by_anything: bool) -> Option<BrokenRule> {
    let message = "a device needs a serial number, an asset number or a MAC address; enter one of them";
    (!by_anything).then(|| BrokenRule::new("serial", Rule::DeviceUnidentified, message))
}

/// Checks the location that a change leads to. A change that keeps site and rack is not checked.
fn new_place(device: &Registered, change: &DeviceChange, facts: &RegisterFacts) -> Vec<BrokenRule> {
    let moves = change.site.is_some() || change.rack.is_some();
    let looked_up = RegisterFacts { site_exists: facts.site_exists || !moves, ..facts.clone() };
    let site = change.site.as_ref().or(device.site.as_ref());
    let mut broken = site.map(|site| place(site, change.rack.as_ref(), change.position, &looked_up)).unwrap_or_default();
    if let (Some(to), Some(from), Some(rack), None) = (&change.site, &device.site, &device.rack, &change.rack)
        && to != from
        && !change.removes(Removable::Rack)
    {
        let message = format!("the device is in rack {rack} of site {from}; name its rack in site {to}");
        broken.push(BrokenRule::new("rack", Rule::RackOfOtherSite, message));
    }
    broken
}

/// Checks the units that a change leads to. A change that keeps them is not checked: devices of an old log may take the same
/// unit, and that must not prevent other changes.
fn new_units(device: &Registered, change: &DeviceChange, facts: &RegisterFacts) -> Vec<BrokenRule> {
    let rack = change.rack_after(device.rack.as_ref());
    let position = change.position_after(device.position, device.rack.is_some());
    let is_part = change.parent_after(device.parent).is_some();
    let (height, face) = (change.height.unwrap_or(device.height), change.face.unwrap_or(device.face));
    let after = Footprint::of(device.kind, is_part, position, height, face);
    let moves = after != device.footprint() || rack != device.rack || change.site.is_some();
    match after {
        Some(wanted) if moves && rack.is_some() => footprint::occupied(wanted, facts.rack.as_ref(), facts.device),
        _ => vec![],
    }
}

fn held(facts: &RegisterFacts) -> Vec<BrokenRule> {
    let others = facts.held.iter().filter(|(_, holder)| *holder != Holder::Device(facts.device));
    others
        .map(|(claim, holder)| {
            let (field, what) = match claim {
                Claim::Serial(_) => ("serial", "serial number"),
                Claim::Asset(_) => ("asset", "asset number"),
                _ => ("macs", "interface"),
            };
            let value = claim.written();
            let before = format!("the {what} {value} is held by ");
            BrokenRule::naming(field, claim.rule(), before, holder, "; correct one of the two devices").about(&value)
        })
        .collect()
}

/// The most interfaces of one device. They are limited because every list and page shows all of them.
const MOST_MACS: usize = 64;

fn too_many(macs: usize) -> Option<BrokenRule> {
    (macs > MOST_MACS).then(|| {
        let message =
            format!("a device has at most {MOST_MACS} MAC addresses, and this one has {macs}; leave out those that never boot");
        BrokenRule::new("macs", Rule::MacsTooMany, message)
    })
}

/// The most tags of one device. They are limited because lists show all of them.
const MOST_TAGS: usize = 20;

fn too_many_tags(tags: usize) -> Option<BrokenRule> {
    (tags > MOST_TAGS).then(|| {
        let message = format!("a device has at most {MOST_TAGS} tags, and this one would have {tags}; leave some out");
        BrokenRule::new("tags", Rule::TagsTooMany, message)
    })
}

pub(super) fn register(mut spec: DeviceSpec, facts: &RegisterFacts) -> Result<Vec<DeviceEvent>, Refused> {
    spec.macs = spec.macs.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    spec.serial = spec.serial.filter(|serial| !serial.is_empty());
    spec.asset = spec.asset.filter(|asset| !asset.is_empty());
    spec.tags = spec.tags.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let mut broken = place(&spec.site, spec.rack.as_ref(), spec.position, facts);
    broken.extend(footprint::height(spec.height));
    let wanted = Footprint::of(spec.kind, spec.parent.is_some(), spec.position, spec.height, spec.face);
    let wanted = wanted.filter(|_| spec.rack.is_some());
    broken.extend(wanted.into_iter().flat_map(|wanted| footprint::occupied(wanted, facts.rack.as_ref(), facts.device)));
    broken.extend(too_many_tags(spec.tags.len()));
    broken.extend(held(facts));
    broken.extend(facts.management_problems.iter().cloned());
    broken.extend(port(spec.management.as_ref()));
    broken.extend(identified(!spec.macs.is_empty() || spec.serial.is_some() || spec.asset.is_some()));
    broken.extend(too_many(spec.macs.len()));
    broken.extend(spec.serial.as_ref().and_then(allowed::numbering));
    broken.extend(settings::broken(&spec.settings, &facts.setting_secrets));
    if spec.parent.is_some_and(|parent| parent == facts.device) {
        broken.push(BrokenRule::new(
            "parent",
            Rule::DeviceOwnParent,
            "a device cannot be a part of itself; choose another device",
        ));
    }
    if !spec.endpoints.is_empty() {
        let message = "the service determines the management controllers of a device; leave this out";
        broken.push(BrokenRule::new("endpoints", Rule::FieldUnknown, message));
    }
    Refused::unless_empty(broken)?;
    spec.endpoints.clone_from(&facts.endpoints);
    Ok(vec![DeviceEvent::DeviceRegistered(Box::new(spec))])
}

pub(super) fn change(device: &Registered, change: DeviceChange, facts: &RegisterFacts) -> Result<Vec<DeviceEvent>, Refused> {
    let mut broken = new_place(device, &change, facts);
    broken.extend(held(facts));
    broken.extend(facts.management_problems.iter().cloned());
    broken.extend(port(change.management.as_ref()));
    broken.extend(venture_role(device, &change, facts));
    broken.extend(parent(&change, facts));
    let (venture, role) = change.owner(device.venture.as_ref(), device.role.as_ref());
    let settings_change = if change.removes(Removable::Settings) {
        device.settings.keys().map(|name| (name.clone(), None)).collect()
    } else {
        change.settings.clone()
    };
    let settings_changed = settings::changes(&device.settings, settings_change);
    let mut settings_after = device.settings.clone();
    settings::apply(&mut settings_after, settings_changed.clone());
    if !settings_changed.is_empty() {
        broken.extend(settings::broken(&settings_after, &facts.setting_secrets));
    }

    let replaced = |new: Option<Text>, old: &Option<Text>| {
        new.map(|new| (old.clone().unwrap_or_default(), new)).filter(|(old, new)| old != new)
    };
    let removed = change.removed_of(device);
    let moved: Vec<DeviceEvent> = change.moved(device.parent);
    broken.extend(change.height.and_then(footprint::height));
    broken.extend(new_units(device, &change, facts));
    let mut tags: BTreeSet<Tag> = change.tags.map_or_else(|| device.tags.clone(), |tags| tags.into_iter().collect());
    tags.extend(change.tags_added);
    tags.retain(|tag| !change.tags_removed.contains(tag));
    broken.extend(too_many_tags(tags.len()));
    let wanted: BTreeSet<MacAddress> = change.macs.map_or_else(|| device.macs.clone(), |macs| macs.into_iter().collect());
    let mut changed = DeviceChanged {
        name: change.name.filter(|name| device.name != *name),
        serial: replaced(change.serial, &device.serial),
        asset: replaced(change.asset, &device.asset),
        site: change.site.filter(|site| device.site.as_ref() != Some(site)),
        rack: change.rack.filter(|rack| device.rack.as_ref() != Some(rack)),
        position: change.position.filter(|position| device.position != Some(*position)),
        height: change.height.filter(|height| device.height.max(1) != *height),
        face: change.face.filter(|face| device.face != *face),
        notes: change.notes.map(|new| (device.notes.clone(), new)).filter(|(old, new)| old != new),
        tags_added: tags.difference(&device.tags).cloned().collect(),
        tags_removed: device.tags.difference(&tags).cloned().collect(),
        macs_added: wanted.difference(&device.macs).copied().collect(),
        macs_removed: device.macs.difference(&wanted).copied().collect(),
        management: change.management.filter(|management| device.management.as_ref() != Some(management)),
        settings: settings_changed,
        removed,
        ..DeviceChanged::default()
    };
    if changed.removed.contains(&Removed::Management) {
        changed.endpoints_released = device.endpoints.iter().cloned().collect();
        if !facts.deploying.is_empty() {
            let message = "the device is being deployed, and the deployment may need the management controller; wait until \
                           it has ended, or cancel it";
            broken.push(BrokenRule::new("management", Rule::ManagementDeploying, message));
        }
    }
    if changed.management.is_some() {
        let endpoints: BTreeSet<Endpoint> = facts.endpoints.iter().cloned().collect();
        changed.endpoints_released = device.endpoints.difference(&endpoints).cloned().collect();
        changed.endpoints_taken = endpoints.difference(&device.endpoints).cloned().collect();
    }
    let stays = |old: &Option<Text>, pair: &Option<(Text, Text)>| pair.as_ref().map_or(old.is_some(), |(_, new)| !new.is_empty());
    let numbered = stays(&device.serial, &changed.serial) || stays(&device.asset, &changed.asset);
    broken.extend(identified(numbered || !wanted.is_empty()));
    // A device from an earlier version may have such a number; it can keep it.
    broken.extend(changed.serial.as_ref().and_then(|(_, new)| allowed::numbering(new)));
    // A device from an earlier version may have more interfaces; it can lose some.
    broken.extend(too_many(wanted.len()).filter(|_| wanted.len() > device.macs.len()));
    // Without this rule, the server could be registered and deployed as another device.
    if let Some(present) = device.lock.as_ref().filter(|_| !changed.macs_removed.is_empty()) {
        broken.push(lock::refusal(present, "macs", "its interfaces can be removed"));
    }
    broken.extend(changed.macs_removed.iter().filter_map(|mac| needed(*mac, device, facts)));
    if changed.site.is_some() && !facts.deploying.is_empty() {
        broken.push(BrokenRule::new(
            "site",
            Rule::AlreadyDeploying,
            "the device cannot move to another site while it is being deployed; wait until the deployment has ended, or cancel it",
        ));
    }
    Refused::unless_empty(broken)?;

    let mut events = vec![];
    if changed != DeviceChanged::default() {
        events.push(DeviceEvent::DeviceChanged(Box::new(changed)));
    }
    events.extend(moved);
    if (&venture, &role) != (&device.venture, &device.role) {
        events.push(DeviceEvent::VentureRoleSet { venture, role });
    }
    let remark = change.remark.filter(|text| !text.is_empty()).map(|text| Remark::Text { text });
    events.extend(remark.map(|remark| DeviceEvent::RemarkAdded { remark, deployment: None }));
    Ok(events)
}

/// Why an interface cannot be removed.
fn needed(mac: MacAddress, device: &Registered, facts: &RegisterFacts) -> Option<BrokenRule> {
    if facts.deploying.contains(&mac) {
        let message = format!("the live deployment boots from {mac}; cancel it first");
        return Some(BrokenRule::new("macs", Rule::MacDeploying, message));
    }
    let entry = device.dhcp.iter().find(|entry| entry.mac == mac)?;
    let message = format!("{mac} has a DHCP entry for {}; remove the entry first", entry.ip);
    Some(BrokenRule::new("macs", Rule::MacHasDhcpEntry, message))
}

fn parent(change: &DeviceChange, facts: &RegisterFacts) -> Option<BrokenRule> {
    let own = change.parent.is_some_and(|parent| parent == facts.device);
    own.then(|| BrokenRule::new("parent", Rule::DeviceOwnParent, "a device cannot be a part of itself; choose another device"))
}

fn venture_role(device: &Registered, change: &DeviceChange, facts: &RegisterFacts) -> Option<BrokenRule> {
    let (venture, role) = change.owner(device.venture.as_ref(), device.role.as_ref());
    if device.verified && (venture != device.venture || role != device.role) {
        let field = if venture == device.venture { "role" } else { "venture" };
        return allowed::reassigning(device.verified, field);
    }
    let of = |name: Option<&Name>| name.map(ToString::to_string).unwrap_or_default();
    match facts.unknown {
        None => None,
        Some(BrokenRuleOf::Venture) if venture.is_none() => {
            Some(BrokenRule::new("venture", Rule::VentureMissing, "a role belongs to a venture; name the venture too"))
        }
        Some(BrokenRuleOf::Venture) => {
            let message = format!("there is no venture {}; create it first", of(change.venture.as_ref()));
            Some(BrokenRule::new("venture", Rule::VentureUnknown, message))
        }
        Some(BrokenRuleOf::Role) => {
            let message = format!("venture {} has no role {}; create it first", of(venture.as_ref()), of(role.as_ref()));
            Some(BrokenRule::new("role", Rule::RoleUnknown, message))
        }
    }
}

pub(super) fn evolve(device: &mut Registered, change: DeviceChanged) {
    let replace = |fact: &mut Option<Text>, pair: Option<(Text, Text)>| {
        if let Some((_, new)) = pair {
            *fact = (!new.is_empty()).then_some(new);
        }
    };
    device.name = change.name.unwrap_or_else(|| std::mem::take(&mut device.name));
    replace(&mut device.serial, change.serial);
    replace(&mut device.asset, change.asset);
    device.site = change.site.or(device.site.take());
    device.rack = change.rack.or(device.rack.take());
    device.position = change.position.or(device.position);
    device.height = change.height.unwrap_or(device.height);
    device.face = change.face.unwrap_or(device.face);
    device.notes = change.notes.map_or_else(|| std::mem::take(&mut device.notes), |(_, new)| new);
    device.tags.extend(change.tags_added);
    device.tags.retain(|tag| !change.tags_removed.contains(tag));
    device.management = change.management.or(device.management.take());
    for removed in change.removed {
        match removed {
            Removed::Rack => device.rack = None,
            Removed::Position => device.position = None,
            Removed::Management => device.management = None,
        }
    }
    settings::apply(&mut device.settings, change.settings);
    device.macs.extend(change.macs_added);
    device.macs.retain(|mac| !change.macs_removed.contains(mac));
    device.endpoints.extend(change.endpoints_taken);
    device.endpoints.retain(|endpoint| !change.endpoints_released.contains(endpoint));
}
