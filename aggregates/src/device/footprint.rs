//! The units of a rack that a device takes: from its lowest unit upwards, at the front, at the rear, or both.

use super::kind::DeviceKind;
use crate::claims::Holder;
use crate::rules::{BrokenRule, Rule};
use crate::values::ParseError;
use crate::values::ids::DeviceId;
use crate::values::name::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The greatest height of a device, in rack units: more than any rack has.
pub const MOST_HEIGHT: u16 = 100;

/// The side of the rack that a device takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// Front and rear: the device has the full depth of the rack. Devices that were registered before there were sides have it.
    #[default]
    Both,
    /// Only the front; another device may be behind it.
    Front,
    /// Only the rear; another device may be in front of it.
    Rear,
}

impl Face {
    /// The side as it is written in JSON, in files and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Front => "front",
            Self::Rear => "rear",
        }
    }
}

impl std::str::FromStr for Face {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Both, Self::Front, Self::Rear].into_iter().find(|face| face.as_str() == text);
        known.ok_or_else(|| ParseError::new(format!("{text:?} is not one of both, front, rear")))
    }
}

/// The height of a device that names none: one unit.
pub fn usual_height() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
pub(super) fn is_usual_height(height: &u16) -> bool {
    *height == usual_height()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
pub(super) fn is_usual_face(face: &Face) -> bool {
    *face == Face::default()
}

/// The units of a rack that a device takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// The lowest unit, starting at 1.
    pub lowest: u16,
    /// The number of units.
    pub height: u16,
    /// The side of the rack.
    pub face: Face,
}

/// A rack with the devices that take units of it, as looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RackFacts {
    /// The name of the rack.
    pub rack: Name,
    /// The height of the rack.
    pub units: u16,
    /// The units of the other devices in the rack.
    pub others: Vec<(DeviceId, Footprint)>,
}

impl Footprint {
    /// The units that a device takes. A blade, a virtual server and a part of another device take none of their own: several of
    /// them may name the units of their chassis.
    pub fn of(kind: DeviceKind, is_part: bool, position: Option<u16>, height: u16, face: Face) -> Option<Self> {
        let stands = kind == DeviceKind::Physical && !is_part;
        position.filter(|_| stands).map(|lowest| Self { lowest, height: height.max(1), face })
    }

    /// The highest unit.
    pub fn highest(self) -> u32 {
        u32::from(self.lowest) + u32::from(self.height.max(1)) - 1
    }

    /// Whether both take a unit on the same side.
    pub fn overlaps(self, other: Self) -> bool {
        let faces = self.face == Face::Both || other.face == Face::Both || self.face == other.face;
        faces && u32::from(self.lowest) <= other.highest() && u32::from(other.lowest) <= self.highest()
    }
}

/// `unit 12` or `units 12 to 13`, with the side if it is only one.
impl std::fmt::Display for Footprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.height > 1 {
            write!(f, "units {} to {}", self.lowest, self.highest())?;
        } else {
            write!(f, "unit {}", self.lowest)?;
        }
        match self.face {
            Face::Both => Ok(()),
            Face::Front => f.write_str(" (front)"),
            Face::Rear => f.write_str(" (rear)"),
        }
    }
}

/// Why the height is not one of a device.
pub(super) fn height(height: u16) -> Option<BrokenRule> {
    let message = format!("the height of a device is between 1 and {MOST_HEIGHT} rack units; enter the number of its units");
    (height == 0 || height > MOST_HEIGHT).then(|| BrokenRule::new("height", Rule::HeightRange, message))
}

/// Why the device cannot take these units of the rack.
pub(super) fn occupied(wanted: Footprint, rack: Option<&RackFacts>, device: DeviceId) -> Vec<BrokenRule> {
    let Some(RackFacts { rack, units, others }) = rack else { return vec![] };
    let mut broken = vec![];
    if wanted.highest() > u32::from(*units) {
        let message = format!("the device would take {wanted}, but rack {rack} has {units} units; choose a lower unit");
        broken.push(BrokenRule::new("position", Rule::PositionRange, message));
    }
    let taken = others.iter().filter(|(other, footprint)| *other != device && footprint.overlaps(wanted));
    broken.extend(taken.map(|(other, footprint)| {
        let before = format!("the device would take {wanted} of rack {rack}, but {footprint} of it is taken by ");
        let advice = "; choose other units or another side, or correct that device";
        BrokenRule::naming("position", Rule::RackUnitTaken, before, Holder::Device(*other), advice)
    }));
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lowest: u16, height: u16, face: Face) -> Footprint {
        Footprint { lowest, height, face }
    }

    #[test]
    fn devices_overlap_in_a_unit_on_the_same_side_only() {
        assert!(at(10, 2, Face::Both).overlaps(at(11, 1, Face::Rear)));
        assert!(!at(10, 2, Face::Both).overlaps(at(12, 1, Face::Both)));
        assert!(!at(10, 1, Face::Front).overlaps(at(10, 1, Face::Rear)));
        assert!(at(9, 4, Face::Front).overlaps(at(10, 1, Face::Front)));
    }

    #[test]
    fn a_blade_and_a_part_of_another_device_take_no_units() {
        assert_eq!(Footprint::of(DeviceKind::Blade, false, Some(3), 1, Face::Both), None);
        assert_eq!(Footprint::of(DeviceKind::Physical, true, Some(3), 1, Face::Both), None);
        assert_eq!(Footprint::of(DeviceKind::Physical, false, Some(3), 0, Face::Both), Some(at(3, 1, Face::Both)));
    }
}
