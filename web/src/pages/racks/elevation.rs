//! The elevation of a rack: a picture of its units from the top down with the devices in them, and a table with
//! the same content.

use crate::english::as_sentence;
use crate::pages::components::badge::{self, Tone, badge};
use bootledger_aggregates::device::footprint::Face;
use bootledger_projections::rows::deployments::Deployment;
use bootledger_projections::rows::devices::Device;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The height of a unit, and the widths of the numbers and of the rack, in the picture's own units.
const UNIT: u32 = 22;
const NUMBERS: u32 = 28;
const WIDTH: u32 = 360;

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
}

/// The devices in each unit of a rack of this height.
fn placed<'a, 'b>(standing: &'b [Standing<'a>], units: u16) -> BTreeMap<i32, Vec<&'b Standing<'a>>> {
    let mut placed: BTreeMap<i32, Vec<&Standing<'_>>> = BTreeMap::new();
    for one in standing {
        if let Some(unit) = one.device.rack_position.filter(|unit| (1..=i32::from(units)).contains(unit)) {
            placed.entry(unit).or_default().push(one);
        }
    }
    placed
}

/// The devices without a place in a rack of this height.
pub(super) fn unplaced<'a, 'b>(standing: &'b [Standing<'a>], units: u16) -> Vec<&'b Standing<'a>> {
    let inside = |one: &&Standing<'_>| one.device.rack_position.is_some_and(|unit| (1..=i32::from(units)).contains(&unit));
    standing.iter().filter(|one| !inside(one)).collect()
}

/// Whether another device takes a unit that this one takes, on the same side. The rules refuse that, but an old log may have it.
fn conflicts(one: &Standing<'_>, standing: &[Standing<'_>]) -> bool {
    let overlaps = |other: &Standing<'_>| {
        let both = one.device.footprint().zip(other.device.footprint());
        other.device.id != one.device.id && both.is_some_and(|(own, others)| own.overlaps(others))
    };
    standing.iter().any(overlaps)
}

/// How many units of a rack are occupied, on at least one side.
fn occupied(standing: &[Standing<'_>], units: u16) -> usize {
    let taken = standing.iter().filter_map(|one| Some((one.device.rack_position?, units_of(one, units)?)));
    taken.flat_map(|(lowest, height)| lowest..lowest + height).collect::<std::collections::BTreeSet<i32>>().len()
}

/// The height of a device in the picture; what reaches beyond the rack is cut. A blade has the height of its slot.
fn units_of(one: &Standing<'_>, units: u16) -> Option<i32> {
    let lowest = one.device.rack_position.filter(|unit| (1..=i32::from(units)).contains(unit))?;
    let whole = one.device.footprint().map_or(1, |footprint| i32::from(footprint.height));
    Some(whole.min(i32::from(units) - lowest + 1))
}

/// The left edge and the width of a side of the rack: front on the left, rear on the right.
fn lane(face: Face) -> (u32, u32) {
    match face {
        Face::Both => (NUMBERS, WIDTH),
        Face::Front => (NUMBERS, WIDTH / 2),
        Face::Rear => (NUMBERS + WIDTH / 2, WIDTH / 2),
    }
}

/// A text that fits into a width, shortened to approximately that number of characters.
fn fitted(text: &str, width: u32) -> String {
    let most = usize::try_from(width / 8).unwrap_or(1).max(1);
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

/// The picture: devices that take only the front are on the left, those that take only the rear on the right.
pub(super) fn picture(name: &str, standing: &[Standing<'_>], units: u16) -> Markup {
    let placed = placed(standing, units);
    let height = u32::from(units) * UNIT;
    let top = |unit: i32| u32::try_from(i32::from(units) - unit).unwrap_or(0) * UNIT;
    html! {
        svg.plot.rack viewBox=(format!("0 0 {} {}", NUMBERS + WIDTH, height + 2)) role="group" aria-labelledby="rack-title rack-desc" {
            title id="rack-title" { "Rack " (name) }
            desc id="rack-desc" { (occupied(standing, units)) " of " (units) " units are occupied. The table has the same data." }
            rect.surface x=(NUMBERS) y="0" width=(WIDTH) height=(height) rx="4" {}
            @for unit in 1..=i32::from(units) {
                text x="2" y=(top(unit) + 15) aria-hidden="true" { (unit) }
                line.axis x1=(NUMBERS) x2=(NUMBERS + WIDTH) y1=(top(unit)) y2=(top(unit)) {}
            }
            @for (unit, devices) in &placed {
                @for (index, one) in devices.iter().enumerate() {
                    // Devices that begin in one unit on one side, such as blades, share its width.
                    @let face = one.device.face;
                    @let beside = devices.iter().filter(|other| other.device.face == face).count();
                    @let before = devices.iter().take(index).filter(|other| other.device.face == face).count();
                    @let (edge, width) = lane(face);
                    @let each = width / u32::try_from(beside).unwrap_or(1).max(1);
                    @let left = edge + u32::try_from(before).unwrap_or(0) * each;
                    @let high = units_of(one, units).unwrap_or(1);
                    @let upper = top(unit + high - 1);
                    @let tall = u32::try_from(high).unwrap_or(1) * UNIT - 2;
                    @let (state, class) = one.state();
                    @let words = if conflicts(one, standing) { format!("{state}, conflict") } else { state.to_owned() };
                    @let called = one.device.called();
                    @let place = placement(one.device, *unit);
                    a href=(format!("/devices/{}", one.device.id)) aria-label=(format!("{place}: {called}, {words}")) {
                        title { (place) ": " (called) ", " (words) }
                        rect.unit x=(left + 1) y=(upper + 1) width=(each.saturating_sub(2)) height=(tall) rx="3" {}
                        rect class=(class) x=(left + 1) y=(upper + 1) width="6" height=(tall) rx="3" {}
                        text x=(left + 12) y=(upper + 15) { (fitted(&called, each.saturating_sub(16))) }
                    }
                }
            }
        }
        ul.legend {
            li { span.swatch.a {} "Being deployed" }
            li { span.swatch.b {} "Verified" }
            li { span.swatch.c {} "Not verified" }
        }
    }
}

/// The units of a device, as the start of a sentence.
fn placement(device: &Device, unit: i32) -> String {
    device.footprint().map_or_else(|| format!("Unit {unit}"), |footprint| as_sentence(&footprint.to_string()))
}

/// The elevation as a table, from the top down; devices without a place come last.
pub(super) fn table(standing: &[Standing<'_>], units: u16) -> Markup {
    let placed = placed(standing, units);
    html! {
        div.scroll {
            table.cards {
                caption.visually-hidden { "Devices in the rack, from the top down" }
                thead { tr { th scope="col" { "Unit" } th scope="col" { "Device" } th scope="col" { "State" } th scope="col" { "Venture and role" } } }
                tbody {
                    @for (unit, devices) in placed.iter().rev() { @for one in devices {
                        @let place = one.device.footprint().map_or_else(|| unit.to_string(), |footprint| footprint.to_string().replace("units ", "").replace("unit ", ""));
                        (row(&html! { (place) @if conflicts(one, standing) { " " (badge(Tone::Bad, "Conflict")) } }, one))
                    } }
                    @for one in unplaced(standing, units) {
                        (row(&html! { @match one.device.rack_position { Some(unit) => { (unit) ", outside the rack" } None => "unknown" } }, one))
                    }
                }
            }
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
    use scraper::{Html, Selector};

    #[test]
    fn picture_and_table_show_each_device_at_its_unit_and_those_without_one_beside() {
        let (mut top, mut outside, mut nowhere) = (device(), device(), device());
        (top.rack_position, outside.rack_position, nowhere.rack_position) = (Some(42), Some(43), None);
        let devices = [device(), device(), top, outside, nowhere];
        let standing: Vec<Standing<'_>> = devices.iter().map(|device| Standing { device, live: None }).collect();
        let html = picture("r01", &standing, 42).into_string();
        let page = Html::parse_fragment(&html);
        let labels: Vec<&str> =
            page.select(&Selector::parse("a").expect("a selector")).filter_map(|link| link.value().attr("aria-label")).collect();
        assert_eq!(labels.len(), 3);
        assert!(labels.iter().any(|label| label.contains("10: R640 <no. 1>")) && labels[2].contains("42: "), "{labels:?}");
        assert!(html.contains("2 of 42 "));
        let table = table(&standing, 42).into_string();
        assert_eq!(table.matches("<tr>").count(), 6);
        assert!(table.contains("43, "), "{table}");
        assert_eq!(unplaced(&standing, 42).len(), 2);
    }

    #[test]
    fn the_picture_has_the_height_and_the_side_of_a_device_and_marks_a_conflict() {
        let id = |number| bootledger_aggregates::values::ids::DeviceId(uuid::Uuid::from_u128(number));
        let tall = Device { id: id(1), height: 4, face: Face::Front, ..device() };
        let behind = Device { id: id(2), face: Face::Rear, rack_position: Some(12), ..device() };
        let devices = [tall.clone(), behind.clone()];
        let standing: Vec<Standing<'_>> = devices.iter().map(|device| Standing { device, live: None }).collect();
        let html = picture("r01", &standing, 42).into_string();
        assert!(html.contains(&format!("height=\"{}\"", 4 * UNIT - 2)) && html.contains("4 of 42 "), "{html}");
        assert!(html.contains("Units 10 to 13 (front)") && !html.contains("conflict"), "{html}");
        let devices = [tall, Device { face: Face::Front, ..behind }];
        let standing: Vec<Standing<'_>> = devices.iter().map(|device| Standing { device, live: None }).collect();
        assert!(picture("r01", &standing, 42).into_string().contains("conflict"));
        assert_eq!(table(&standing, 42).into_string().matches("Conflict").count(), 2);
        // A device that reaches beyond the rack is cut.
        let high = [Device { height: 9, rack_position: Some(40), ..device() }];
        let standing: Vec<Standing<'_>> = high.iter().map(|device| Standing { device, live: None }).collect();
        assert!(picture("r01", &standing, 42).into_string().contains("3 of 42 "));
    }

    #[test]
    fn a_long_name_is_cut_in_the_picture_only() {
        assert_eq!(fitted("abcdefghij", 80), "abcdefghij");
        assert_eq!(fitted("abcdefghijk", 80), "abcdefghi…");
    }
}
