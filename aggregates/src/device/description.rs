//! The description of a device, and its changes.

use super::footprint::{Face, is_usual_face, is_usual_height, usual_height};
use super::kind::DeviceKind;
use crate::claims::Claim;
use crate::controller::Endpoint;
use crate::controller::management::Management;
use crate::settings::SettingsChange;
use crate::values::ids::DeviceId;
use crate::values::mac_address::MacAddress;
use crate::values::name::Name;
use crate::values::notes::Notes;
use crate::values::setting::Settings;
use crate::values::tag::Tag;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// The description of a device at its registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceSpec {
    /// The kind of the device.
    #[serde(default)]
    pub kind: DeviceKind,
    /// A name for operators.
    #[serde(default)]
    pub name: Text,
    /// The manufacturer's serial number.
    #[serde(default)]
    pub serial: Option<Text>,
    /// The owner's asset number.
    #[serde(default)]
    pub asset: Option<Text>,
    /// The site of the device.
    pub site: Name,
    /// The rack of the device.
    #[serde(default)]
    pub rack: Option<Name>,
    /// The lowest rack unit of the device, starting at 1.
    #[serde(default)]
    pub position: Option<u16>,
    /// The height of the device in rack units, from its lowest unit upwards.
    #[serde(default = "usual_height", skip_serializing_if = "is_usual_height")]
    pub height: u16,
    /// The side of the rack that the device takes.
    #[serde(default, skip_serializing_if = "is_usual_face")]
    pub face: Face,
    /// The MAC addresses of the device's interfaces.
    #[serde(default)]
    pub macs: Vec<MacAddress>,
    /// The device's management controller.
    #[serde(default)]
    pub management: Option<Management>,
    /// The device that contains this one, such as a blade chassis.
    #[serde(default)]
    pub parent: Option<DeviceId>,
    /// The device's own values for settings of boot images. They override those of role, venture and site.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
    /// Lasting notes of operators, of any number of lines. A deployment does not change them.
    #[serde(default, skip_serializing_if = "Notes::is_empty")]
    pub notes: Notes,
    /// Tags for finding the device, such as `spare` or `rack-row:4`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// The management controller endpoints that the device claims. The service sets them; callers omit them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(ignore)]
    pub endpoints: Vec<Endpoint>,
}

/// A field that a change can remove although the field has no empty value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the fields")]
pub enum Removable {
    Rack,
    Position,
    Management,
    Parent,
    Venture,
    Role,
    Settings,
}

/// A field that a stored change removed. A removed parent, venture or role has its own event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the fields")]
pub enum Removed {
    Rack,
    Position,
    Management,
}

/// The changes of a device, as a JSON merge patch (RFC 7396): omitted fields do not change, and null removes a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChange {
    /// A name for operators; null or an empty text removes it.
    pub name: Option<Text>,
    /// The manufacturer's serial number; null or an empty text removes it.
    pub serial: Option<Text>,
    /// The owner's asset number; null or an empty text removes it.
    pub asset: Option<Text>,
    /// The site. A device always has one, so null is refused. Sub-devices move with the device.
    #[schema(value_type = Name, required = false)]
    pub site: Option<Name>,
    /// The rack; null removes it, and the rack unit too. Sub-devices move with the device.
    pub rack: Option<Name>,
    /// The lowest rack unit of the device, starting at 1; null removes it.
    pub position: Option<u16>,
    /// The height of the device in rack units; null for one unit.
    pub height: Option<u16>,
    /// The side of the rack that the device takes; null for both.
    pub face: Option<Face>,
    /// All MAC addresses of the device's interfaces; null or an empty list removes them.
    pub macs: Option<Vec<MacAddress>>,
    /// The management controller; null removes it, except while the device is being deployed.
    pub management: Option<Management>,
    /// The secret with the credentials of the management controller, whose other settings stay. A bulk action sets it; the
    /// service then completes `management`.
    #[serde(skip)]
    #[schema(ignore)]
    pub credentials: Option<Name>,
    /// The device that contains this one, at the same site; null detaches this device.
    pub parent: Option<DeviceId>,
    /// The venture that owns the device; only while the device is not verified. Null removes it, and the role too.
    pub venture: Option<Name>,
    /// The device's role in the venture; only while the device is not verified. Null removes it.
    pub role: Option<Name>,
    /// Lasting notes, which replace the old ones; null or an empty text removes them. A deployment does not change them.
    pub notes: Option<Notes>,
    /// All tags of the device; null or an empty list removes them.
    pub tags: Option<Vec<Tag>>,
    /// A remark to add to the device.
    pub remark: Option<Text>,
    /// Values for settings of boot images: null removes a setting, and omitted ones do not change. Null for the whole object
    /// removes all.
    #[serde(default, skip_serializing_if = "SettingsChange::is_empty")]
    #[schema(inline, nullable)]
    pub settings: SettingsChange,
    /// Tags that the device gets beside those that it has. A bulk action adds them.
    #[serde(skip)]
    #[schema(ignore)]
    pub tags_added: Vec<Tag>,
    /// Tags that the device loses. A bulk action removes them.
    #[serde(skip)]
    #[schema(ignore)]
    pub tags_removed: Vec<Tag>,
    /// The fields that null removes.
    #[serde(skip)]
    #[schema(ignore)]
    pub removed: BTreeSet<Removable>,
}

/// The changes of a device's description.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceChanged {
    /// The new name for operators.
    pub name: Option<Text>,
    /// The old and the new serial number; empty for none.
    #[serde(with = "replaced", default)]
    pub serial: Option<(Text, Text)>,
    /// The old and the new asset number; empty for none.
    #[serde(with = "replaced", default)]
    pub asset: Option<(Text, Text)>,
    /// The new site.
    pub site: Option<Name>,
    /// The new rack.
    pub rack: Option<Name>,
    /// The new lowest rack unit.
    pub position: Option<u16>,
    /// The new height in rack units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u16>,
    /// The new side of the rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub face: Option<Face>,
    /// Interfaces that the device did not have before.
    pub macs_added: Vec<MacAddress>,
    /// Interfaces that the device no longer has.
    pub macs_removed: Vec<MacAddress>,
    /// The new management controller.
    pub management: Option<Management>,
    /// The old and the new notes; empty for none.
    #[serde(with = "replaced", default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<(Notes, Notes)>,
    /// Tags that the device did not have before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags_added: Vec<Tag>,
    /// Tags that the device no longer has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags_removed: Vec<Tag>,
    /// The fields that were removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Removed>,
    /// The changed settings; null for removed ones.
    #[serde(default, skip_serializing_if = "SettingsChange::is_empty")]
    pub settings: SettingsChange,
    /// The management controller endpoints that the device releases, so that other devices can have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints_released: Vec<Endpoint>,
    /// The management controller endpoints that the device takes; no other device can have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints_taken: Vec<Endpoint>,
}

/// The JSON of a text that replaces another: `{"old": …, "new": …}`.
mod replaced {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Replaced<T> {
        old: T,
        new: T,
    }

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(super) fn serialize<S: Serializer, T: Clone + Serialize>(
        pair: &Option<(T, T)>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        pair.clone().map(|(old, new)| Replaced { old, new }).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Option<(T, T)>, D::Error> {
        Ok(Option::<Replaced<T>>::deserialize(deserializer)?.map(|pair| (pair.old, pair.new)))
    }
}

impl DeviceChanged {
    /// The claims that the change releases, and those that it takes.
    pub(super) fn claims(&self) -> (Vec<Claim>, Vec<Claim>) {
        let mut released: Vec<Claim> = self.macs_removed.iter().copied().map(Claim::Mac).collect();
        let mut taken: Vec<Claim> = self.macs_added.iter().copied().map(Claim::Mac).collect();
        let mut replace = |pair: &Option<(Text, Text)>, claim: fn(Text) -> Claim| {
            if let Some((old, new)) = pair {
                released.extend((!old.is_empty()).then(|| claim(old.clone())));
                taken.extend((!new.is_empty()).then(|| claim(new.clone())));
            }
        };
        replace(&self.serial, Claim::Serial);
        replace(&self.asset, Claim::Asset);
        released.extend(self.endpoints_released.iter().cloned().map(Claim::Controller));
        taken.extend(self.endpoints_taken.iter().cloned().map(Claim::Controller));
        (released, taken)
    }
}
