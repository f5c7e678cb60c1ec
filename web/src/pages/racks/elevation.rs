//! The elevation of a rack: a picture of its units from the top down with the devices in them, and a table with
//! the same content. A free unit leads to the form that registers a device there.

use crate::english::as_sentence;
use crate::pages::components::badge::{self, Tone, badge};
use bootledger_aggregates::device::footprint::Face;
use bootledger_projections::rows::deployments::Deployment;
use bootledger_projections::rows::devices::Device;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// The height of a unit, and the widths of the numbers and of the rack, in the picture's own units.
const UNIT: u32 = 22;
const NUMBERS: u32 = 28;
const WIDTH: u32 = 360;
/// The width of the text of a device's state, and the width from which a device has room for it.
const STATE: u32 = 92;
const WIDE: u32 = 200;

/// A device, and its live deployment.
pub(super) struct Standing<'a> {
    pub(super) device: &'a Device,
    pub(super) live: Option<&'a Deployment>,
}

impl Standing<'_> {
    /// The device's state as a word, which its colour repeats.
    fn state(&self) -> (&'static str, &'static str) {
        match (self.live, self.device.verified) {
            (Some(live), _) => (badge::of_status(live.status).1, "a"),
            (None, true) => ("Verified", "b"),
            (None, false) => ("Not verified", "c"),
        }
    }

    /// The lowest unit of the device and its height in units, if it has a place in a rack of this height. What reaches beyond the
    /// rack is cut. A blade has the height of its slot.
    fn place(&self, units: u16) -> Option<(i32, i32)> {
        let lowest = self.device.rack_position.filter(|unit| (1..=i32::from(units)).contains(unit))?;
        let whole = self.device.footprint().map_or(1, |footprint| i32::from(footprint.height));
        Some((lowest, whole.min(i32::from(units) - lowest + 1)))
    }

    /// The units that the device takes, as the start of a sentence.
    fn units(&self, unit: i32) -> String {
        self.device.footprint().map_or_else(|| format!("Unit {unit}"), |footprint| as_sentence(&footprint.to_string()))
    }
}

/// The left edge and the width of a side of the rack: front on the left, rear on the right.
fn lane(face: Face) -> (u32, u32) {
    match face {
        Face::Both => (NUMBERS, WIDTH),
        Face::Front => (NUMBERS, WIDTH / 2),
        Face::Rear => (NUMBERS + WIDTH / 2, WIDTH / 2),
    }
}

/// A rack and what is in it.
pub(super) struct Contents<'a> {
    pub(super) name: &'a str,
    pub(super) units: u16,
    pub(super) standing: &'a [Standing<'a>],
    /// The path of the form that registers a device in the rack, with a query; `None` if the visitor cannot register one.
    pub(super) register: Option<&'a str>,
}

impl Contents<'_> {
    /// The devices at each place: its lowest unit and its height.
    fn placed(&self) -> BTreeMap<(i32, i32), Vec<&Standing<'_>>> {
        let mut placed: BTreeMap<(i32, i32), Vec<&Standing<'_>>> = BTreeMap::new();
        for one in self.standing {
            if let Some(place) = one.place(self.units) {
                placed.entry(place).or_default().push(one);
            }
        }
        placed
    }

    /// The units that a device occupies.
    fn occupied(&self) -> BTreeSet<i32> {
        self.placed().into_keys().flat_map(|(unit, height)| unit..unit + height).collect()
    }

    /// Whether another device takes a unit that this one takes, on the same side. The rules refuse that, but an old log may have
    /// it.
    fn conflicts(&self, one: &Standing<'_>) -> bool {
        let overlaps = |other: &Standing<'_>| {
            let both = one.device.footprint().zip(other.device.footprint());
            other.device.id != one.device.id && both.is_some_and(|(own, others)| own.overlaps(others))
        };
        self.standing.iter().any(overlaps)
    }

    /// How many units are occupied.
    pub(super) fn used(&self) -> i64 {
        i64::try_from(self.occupied().len()).unwrap_or(i64::MAX)
    }

    /// The devices without a place in the rack.
    pub(super) fn unplaced(&self) -> Vec<&Standing<'_>> {
        self.standing.iter().filter(|one| one.place(self.units).is_none()).collect()
    }

    /// The runs of free units, from the top down: the lowest and the highest unit of each.
    fn free(&self) -> Vec<(i32, i32)> {
        let occupied = self.occupied();
        let mut runs: Vec<(i32, i32)> = vec![];
        for unit in (1..=i32::from(self.units)).rev().filter(|unit| !occupied.contains(unit)) {
            match runs.last_mut() {
                Some((lowest, _)) if *lowest == unit + 1 => *lowest = unit,
                _ => runs.push((unit, unit)),
            }
        }
        runs
    }

    /// The path of the form that registers a device at a unit.
    fn register_at(&self, unit: i32) -> Option<String> {
        self.register.map(|path| format!("{path}&position={unit}"))
    }
}

/// A text that fits into a width, shortened to approximately that number of characters.
fn fitted(text: &str, width: u32) -> String {
    let most = usize::try_from(width / 8).unwrap_or(1).max(1);
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

/// The upper edge of a device whose lowest unit and height are these, in a rack of `units`.
fn top(units: u16, unit: i32, height: i32) -> u32 {
    u32::try_from(i32::from(units) - (unit + height - 1)).unwrap_or(0) * UNIT
}

/// The picture: devices that take only the front are on the left, those that take only the rear on the right. Devices that begin in
/// one unit on one side, such as blades, share its width.
pub(super) fn picture(rack: &Contents<'_>) -> Markup {
    let (name, units, placed) = (rack.name, rack.units, rack.placed());
    let height = u32::from(units) * UNIT;
    let occupied = rack.occupied();
    let (title, desc) = (format!("rack-title-{name}"), format!("rack-desc-{name}"));
    html! {
        svg.plot.rack viewBox=(format!("0 0 {} {}", NUMBERS + WIDTH, height + 2)) role="group" aria-labelledby=(format!("{title} {desc}")) {
            title id=(title) { "Rack " (name) }
            desc id=(desc) { (occupied.len()) " of " (units) " units are occupied. The table has the same data." }
            rect.surface x=(NUMBERS) y="0" width=(WIDTH) height=(height) rx="4" {}
            @for unit in 1..=i32::from(units) {
                text x="2" y=(top(units, unit, 1) + 15) aria-hidden="true" { (unit) }
                line.axis x1=(NUMBERS) x2=(NUMBERS + WIDTH) y1=(top(units, unit, 1)) y2=(top(units, unit, 1)) {}
                @if let Some(path) = rack.register_at(unit).filter(|_| !occupied.contains(&unit)) { (free_unit(units, unit, &path)) }
            }
            @for (place, devices) in &placed {
                @for (index, one) in devices.iter().enumerate() {
                    @let face = one.device.face;
                    @let beside = devices.iter().filter(|other| other.device.face == face).count();
                    @let before = devices.iter().take(index).filter(|other| other.device.face == face).count();
                    @let (edge, width) = lane(face);
                    @let each = width / u32::try_from(beside).unwrap_or(1).max(1);
                    @let left = edge + u32::try_from(before).unwrap_or(0) * each;
                    (device(one, rack, *place, (left, each)))
                }
            }
        }
    }
}

/// A free unit of the picture.
fn free_unit(units: u16, unit: i32, path: &str) -> Markup {
    html! {
        a.free-unit href=(path) aria-label=(format!("Unit {unit}: free. Register a device")) {
            title { "Unit " (unit) ": free. Register a device" }
            rect x=(NUMBERS + 1) y=(top(units, unit, 1) + 1) width=(WIDTH - 2) height=(UNIT - 2) rx="3" {}
            text x=(NUMBERS + 12) y=(top(units, unit, 1) + 15) { "+" }
            text.more x=(NUMBERS + 26) y=(top(units, unit, 1) + 15) { "Register a device" }
        }
    }
}

/// A device of the picture, at a unit and with a height, from `left` on.
fn device(one: &Standing<'_>, rack: &Contents<'_>, (unit, height): (i32, i32), (left, width): (u32, u32)) -> Markup {
    let (state, class) = one.state();
    let words = if rack.conflicts(one) { format!("{state}, conflict") } else { state.to_owned() };
    let called = one.device.called();
    let (y, tall) = (top(rack.units, unit, height), u32::try_from(height).unwrap_or(1) * UNIT);
    let middle = y + tall / 2 + 4;
    let room = if width >= WIDE { STATE } else { 0 };
    let at = one.units(unit);
    html! {
        a href=(format!("/devices/{}", one.device.id)) aria-label=(format!("{at}: {called}, {words}")) {
            title { (at) ": " (called) ", " (words) }
            rect.unit x=(left + 1) y=(y + 1) width=(width.saturating_sub(2)) height=(tall - 2) rx="3" {}
            rect class=(class) x=(left + 1) y=(y + 1) width="6" height=(tall - 2) rx="3" {}
            text x=(left + 12) y=(middle) { (fitted(&called, width.saturating_sub(16 + room))) }
            " "
            @if room > 0 { text.state x=(left + width - 8) y=(middle) text-anchor="end" { (words) } }
        }
    }
}

/// The colours of the picture.
pub(super) fn legend() -> Markup {
    html! {
        ul.legend {
            li { span.swatch.a {} "Being deployed" }
            li { span.swatch.b {} "Verified" }
            li { span.swatch.c {} "Not verified" }
        }
    }
}

/// The elevation as a table, from the top down, with the free units; devices without a place come last.
pub(super) fn table(rack: &Contents<'_>) -> Markup {
    let mut rows: Vec<(i32, Markup)> = vec![];
    for ((unit, height), devices) in rack.placed() {
        let units = if height > 1 { format!("{unit}–{}", unit + height - 1) } else { unit.to_string() };
        rows.extend(devices.iter().map(|one| {
            let side = match one.device.face {
                Face::Both => "",
                Face::Front => " (front)",
                Face::Rear => " (rear)",
            };
            let cell = html! { (units) (side) @if rack.conflicts(one) { " " (badge(Tone::Bad, "Conflict")) } };
            (unit, row(&cell, one))
        }));
    }
    rows.extend(rack.free().into_iter().map(|run| (run.0, free_row(rack, run))));
    rows.sort_by_key(|(unit, _)| std::cmp::Reverse(*unit));
    html! {
        div.scroll {
            table.cards {
                caption.visually-hidden { "Units of rack " (rack.name) ", from the top down" }
                thead { tr { th scope="col" { "Unit" } th scope="col" { "Device" } th scope="col" { "State" } th scope="col" { "Venture and role" } } }
                tbody {
                    @for (_, row) in &rows { (row) }
                    @for one in rack.unplaced() {
                        (row(&html! { @match one.device.rack_position { Some(unit) => { (unit) ", outside the rack" } None => "unknown" } }, one))
                    }
                }
            }
        }
    }
}

fn free_row(rack: &Contents<'_>, (lowest, highest): (i32, i32)) -> Markup {
    html! {
        tr.free {
            td data-label="Unit" { @if lowest == highest { (lowest) } @else { (lowest) "–" (highest) } }
            td data-label="Device" {
                @match rack.register_at(lowest) {
                    Some(path) => { a href=(path) { "Register a device" span.visually-hidden { " at unit " (lowest) } } }
                    None => span.quiet { "none" },
                }
            }
            td data-label="State" { span.quiet { "Free" } }
            td {}
        }
    }
}

fn row(unit: &Markup, one: &Standing<'_>) -> Markup {
    let device = one.device;
    let tone = if device.verified { Tone::Good } else { Tone::Warn };
    html! {
        tr {
            td data-label="Unit" { (unit) }
            th scope="row" { a href=(format!("/devices/{}", device.id)) { (device.called()) } }
            td data-label="State" {
                span {
                    (badge(tone, if device.verified { "Verified" } else { "Not verified" }))
                    @if let Some(live) = one.live { " " a href=(format!("/deployments/{}", live.id)) { (badge::deployment(live.status, live.overdue)) } }
                }
            }
            td data-label="Venture, role" { @if let Some(venture) = &device.venture { span { (venture) @if let Some(role) = &device.role { " / " (role) } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;
    use crate::pages::tests::selectors::{attributes, texts};

    #[test]
    fn picture_and_table_show_each_device_at_its_unit_and_those_without_one_beside() {
        let (mut top, mut outside, mut nowhere) = (device(), device(), device());
        (top.rack_position, outside.rack_position, nowhere.rack_position) = (Some(42), Some(43), None);
        let devices = [device(), device(), top, outside, nowhere];
        let standing: Vec<Standing<'_>> = devices.iter().map(|device| Standing { device, live: None }).collect();
        let rack = Contents { name: "r01", units: 42, standing: &standing, register: None };
        let html = picture(&rack);
        let labels = attributes(&html, "a", "aria-label");
        assert_eq!(labels.len(), 3);
        assert!(labels.iter().any(|label| label.contains("10: R640 <no. 1>")) && labels[2].contains("42: "), "{labels:?}");
        assert!(texts(&html, "desc")[0].contains("2 of 42 "));
        assert_eq!(texts(&html, "text.state").len(), 1, "two devices in one unit have no room for their states");
        let table = table(&rack);
        assert_eq!(texts(&table, "tbody tr:not(.free)").len(), 5);
        assert!(texts(&table, "tbody td").iter().any(|cell| cell.contains("43, ")));
        assert_eq!((rack.unplaced().len(), rack.used()), (2, 2));
    }

    #[test]
    fn free_units_lead_to_registering_a_device_there() {
        let devices = [device()];
        let standing: Vec<Standing<'_>> = devices.iter().map(|device| Standing { device, live: None }).collect();
        let path = "/devices/new?site=dc1&rack=r01";
        let rack = Contents { name: "r01", units: 12, standing: &standing, register: Some(path) };
        let links = attributes(&picture(&rack), "a.free-unit", "href");
        assert_eq!(links.len(), 11);
        assert!(links.contains(&format!("{path}&position=12")) && !links.contains(&format!("{path}&position=10")), "{links:?}");
        let table = table(&rack);
        assert_eq!(texts(&table, "tr.free td:first-child"), ["11–12", "1–9"], "the device is at unit 10");
        assert_eq!(attributes(&table, "tr.free a", "href"), [format!("{path}&position=11"), format!("{path}&position=1")]);
        let viewer = Contents { register: None, ..rack };
        assert_eq!(attributes(&picture(&viewer), "a.free-unit", "href").len(), 0);
    }

    #[test]
    fn a_device_of_several_units_has_its_upper_edge_above_its_lowest_unit() {
        assert_eq!((top(42, 42, 1), top(42, 1, 1), top(42, 40, 2)), (0, 41 * UNIT, UNIT));
    }

    #[test]
    fn the_picture_has_the_height_and_the_side_of_a_device_and_marks_a_conflict() {
        let id = |number| bootledger_aggregates::values::ids::DeviceId(uuid::Uuid::from_u128(number));
        let shown = |devices: &[Device]| {
            let standing: Vec<Standing<'_>> = devices.iter().map(|device| Standing { device, live: None }).collect();
            let rack = Contents { name: "r01", units: 42, standing: &standing, register: None };
            (picture(&rack).into_string(), table(&rack).into_string())
        };
        let tall = Device { id: id(1), height: 4, face: Face::Front, ..device() };
        let behind = Device { id: id(2), face: Face::Rear, rack_position: Some(12), ..device() };
        let (html, _) = shown(&[tall.clone(), behind.clone()]);
        assert!(html.contains(&format!("height=\"{}\"", 4 * UNIT - 2)) && html.contains("4 of 42 "), "{html}");
        assert!(html.contains("Units 10 to 13 (front)") && !html.contains("conflict"), "{html}");
        let (html, table) = shown(&[tall, Device { face: Face::Front, ..behind }]);
        assert!(html.contains("conflict"));
        assert_eq!(table.matches("Conflict").count(), 2);
        // A device that reaches beyond the rack is cut.
        assert!(shown(&[Device { height: 9, rack_position: Some(40), ..device() }]).0.contains("3 of 42 "));
    }

    #[test]
    fn a_long_name_is_cut_in_the_picture_only() {
        assert_eq!(fitted("abcdefghij", 80), "abcdefghij");
        assert_eq!(fitted("abcdefghijk", 80), "abcdefghi…");
    }
}
