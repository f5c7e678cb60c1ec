//! The change of a device as a JSON merge patch (RFC 7396): omitted fields do not change, and null removes a field.

pub use super::description::{Removable, Removed};

use super::description::DeviceChange;
use super::event::DeviceEvent;
use super::footprint::{Face, usual_height};
use super::registered::Registered;
use crate::controller::management::Management;
use crate::settings::SettingsChange;
use crate::values::ids::DeviceId;
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::notes::Notes;
use crate::values::tag::Tag;
use crate::values::text::Text;
use serde::{Deserialize, Deserializer};

/// The JSON form of a change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    #[serde(default)]
    name: Given<Text>,
    #[serde(default)]
    serial: Given<Text>,
    #[serde(default)]
    asset: Given<Text>,
    #[serde(default, deserialize_with = "required")]
    site: Option<Name>,
    #[serde(default)]
    rack: Given<Name>,
    #[serde(default)]
    position: Given<u16>,
    #[serde(default)]
    height: Given<u16>,
    #[serde(default)]
    face: Given<Face>,
    #[serde(default)]
    notes: Given<Notes>,
    #[serde(default)]
    tags: Given<Vec<Tag>>,
    #[serde(default)]
    macs: Given<Vec<MacAddress>>,
    #[serde(default)]
    management: Given<Management>,
    #[serde(default)]
    parent: Given<DeviceId>,
    #[serde(default)]
    venture: Given<Name>,
    #[serde(default)]
    role: Given<Name>,
    /// A remark is added to the others, so null has no effect.
    #[serde(default)]
    remark: Option<Text>,
    #[serde(default)]
    settings: Given<SettingsChange>,
}

/// The value of a field in a change.
#[derive(Default)]
enum Given<T> {
    /// The field was omitted.
    #[default]
    Nothing,
    Null,
    Value(T),
}

impl<T> Given<T> {
    fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    fn value(self) -> Option<T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}

impl<T: Default> Given<T> {
    /// The value; for null, the empty value.
    fn or_empty(self) -> Option<T> {
        if self.is_null() { Some(T::default()) } else { self.value() }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// Reads a field that can be replaced but not removed.
fn required<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let none =
        || serde::de::Error::custom("a device always has one, so null cannot remove it; give another value, or leave it out");
    Option::deserialize(deserializer)?.ok_or_else(none).map(Some)
}

impl<'de> Deserialize<'de> for DeviceChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let patch = Patch::deserialize(deserializer)?;
        let nulls = [
            (patch.rack.is_null(), Removable::Rack),
            (patch.position.is_null(), Removable::Position),
            (patch.management.is_null(), Removable::Management),
            (patch.parent.is_null(), Removable::Parent),
            (patch.venture.is_null(), Removable::Venture),
            (patch.role.is_null(), Removable::Role),
            (patch.settings.is_null(), Removable::Settings),
        ];
        Ok(Self {
            name: patch.name.or_empty(),
            serial: patch.serial.or_empty(),
            asset: patch.asset.or_empty(),
            site: patch.site,
            rack: patch.rack.value(),
            position: patch.position.value(),
            height: if patch.height.is_null() { Some(usual_height()) } else { patch.height.value() },
            face: patch.face.or_empty(),
            notes: patch.notes.or_empty(),
            tags: patch.tags.or_empty(),
            tags_added: vec![],
            tags_removed: vec![],
            macs: patch.macs.or_empty(),
            management: patch.management.value(),
            credentials: None,
            parent: patch.parent.value(),
            venture: patch.venture.value(),
            role: patch.role.value(),
            remark: patch.remark,
            settings: patch.settings.value().unwrap_or_default(),
            removed: nulls.into_iter().filter_map(|(null, field)| null.then_some(field)).collect(),
        })
    }
}

impl DeviceChange {
    /// Whether the change removes this field.
    pub fn removes(&self, field: Removable) -> bool {
        self.removed.contains(&field)
    }

    /// Venture and role after the change. A role belongs to a venture, so removing the venture removes the role.
    pub fn owner(&self, venture: Option<&Name>, role: Option<&Name>) -> (Option<Name>, Option<Name>) {
        let (no_venture, no_role) = (self.removes(Removable::Venture), self.removes(Removable::Role));
        let after = |new: &Option<Name>, old: Option<&Name>, gone: bool| new.clone().or_else(|| old.filter(|_| !gone).cloned());
        (after(&self.venture, venture, no_venture), after(&self.role, role, no_role || no_venture))
    }

    /// The rack after the change.
    pub fn rack_after(&self, rack: Option<&Name>) -> Option<Name> {
        self.rack.clone().or_else(|| rack.filter(|_| !self.removes(Removable::Rack)).cloned())
    }

    /// The lowest rack unit after the change. A rack unit belongs to a rack, so removing the rack removes the unit.
    pub fn position_after(&self, position: Option<u16>, in_rack: bool) -> Option<u16> {
        let gone = self.removes(Removable::Position) || (self.removes(Removable::Rack) && in_rack);
        self.position.or_else(|| position.filter(|_| !gone))
    }

    /// The parent after the change.
    pub fn parent_after(&self, parent: Option<DeviceId>) -> Option<DeviceId> {
        self.parent.or_else(|| parent.filter(|_| !self.removes(Removable::Parent)))
    }

    /// The fields that the device has and that the change removes. A rack unit belongs to a rack, so removing the rack removes
    /// the unit.
    pub(super) fn removed_of(&self, device: &Registered) -> Vec<Removed> {
        let rack = self.removes(Removable::Rack) && device.rack.is_some();
        let position = self.removes(Removable::Position) || (rack && self.position.is_none());
        let management = self.removes(Removable::Management) && device.management.is_some();
        let all = [
            (rack, Removed::Rack),
            (position && device.position.is_some(), Removed::Position),
            (management, Removed::Management),
        ];
        all.into_iter().filter_map(|(gone, field)| gone.then_some(field)).collect()
    }

    /// The events of a change of the parent.
    pub(super) fn moved(&self, parent: Option<DeviceId>) -> Vec<DeviceEvent> {
        let after = self.parent_after(parent);
        if after == parent {
            return vec![];
        }
        let detached = parent.map(|parent| DeviceEvent::DeviceDetached { parent, deployment: None });
        detached.into_iter().chain(after.map(|parent| DeviceEvent::DeviceAttached { parent })).collect()
    }
}
