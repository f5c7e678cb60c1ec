//! The elevation of a rack: a picture of its units from the top down with the devices in them, and a table with
//! the same content.

use crate::pages::components::badge::{self, Tone, badge};
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

/// A text that fits into a width, shortened to approximately that number of characters.
fn fitted(text: &str, width: u32) -> String {
    let most = usize::try_from(width / 8).unwrap_or(1).max(1);
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

/// The picture. Several devices in one unit, such as blades, share its width.
pub(super) fn picture(name: &str, standing: &[Standing<'_>], units: u16) -> Markup {
    let placed = placed(standing, units);
    let height = u32::from(units) * UNIT;
    let top = |unit: i32| u32::try_from(i32::from(units) - unit).unwrap_or(0) * UNIT;
    html! {
        svg.plot.rack viewBox=(format!("0 0 {} {}", NUMBERS + WIDTH, height + 2)) role="group" aria-labelledby="rack-title rack-desc" {
            title id="rack-title" { "Rack " (name) }
            desc id="rack-desc" { (placed.len()) " of " (units) " units are occupied. The table has the same data." }
            rect.surface x=(NUMBERS) y="0" width=(WIDTH) height=(height) rx="4" {}
            @for unit in 1..=i32::from(units) {
                text x="2" y=(top(unit) + 15) aria-hidden="true" { (unit) }
                line.axis x1=(NUMBERS) x2=(NUMBERS + WIDTH) y1=(top(unit)) y2=(top(unit)) {}
            }
            @for (unit, devices) in &placed {
                @let each = WIDTH / u32::try_from(devices.len()).unwrap_or(1).max(1);
                @for (index, one) in devices.iter().enumerate() {
                    @let left = NUMBERS + u32::try_from(index).unwrap_or(0) * each;
                    @let (words, class) = one.state();
                    @let called = one.device.called();
                    a href=(format!("/devices/{}", one.device.id)) aria-label=(format!("Unit {unit}: {called}, {words}")) {
                        title { "Unit " (unit) ": " (called) ", " (words) }
                        rect.unit x=(left + 1) y=(top(*unit) + 1) width=(each.saturating_sub(2)) height=(UNIT - 2) rx="3" {}
                        rect class=(class) x=(left + 1) y=(top(*unit) + 1) width="6" height=(UNIT - 2) rx="3" {}
                        text x=(left + 12) y=(top(*unit) + 15) { (fitted(&called, each.saturating_sub(16))) }
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

/// The elevation as a table, from the top down; devices without a place come last.
pub(super) fn table(standing: &[Standing<'_>], units: u16) -> Markup {
    let placed = placed(standing, units);
    html! {
        div.scroll {
            table.cards {
                caption.visually-hidden { "Devices in the rack, from the top down" }
                thead { tr { th scope="col" { "Unit" } th scope="col" { "Device" } th scope="col" { "State" } th scope="col" { "Venture and role" } } }
                tbody {
                    @for (unit, devices) in placed.iter().rev() { @for one in devices { (row(&html! { (unit) }, one)) } }
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
    fn a_long_name_is_cut_in_the_picture_only() {
        assert_eq!(fitted("abcdefghij", 80), "abcdefghij");
        assert_eq!(fitted("abcdefghijk", 80), "abcdefghi…");
    }
}
