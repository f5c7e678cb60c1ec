//! The part of the dashboard with what fills up: networks and racks, the fullest first.

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, holdings, tallies};
use maud::{Markup, html};
use std::collections::HashMap;

/// How many networks and how many racks are shown.
const SHOWN: usize = 8;
/// The percentages from which something is called nearly full, and filling up.
const NEARLY_FULL: i64 = 95;
const FILLING_UP: i64 = 80;

/// How much of a network or rack is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) key: String,
    pub(super) site: String,
    pub(super) used: i64,
    pub(super) total: i64,
}

impl Usage {
    fn percent(&self) -> i64 {
        if self.total > 0 { self.used * 100 / self.total } else { 100 }
    }

    /// The state as text, with the tone that repeats it.
    pub(super) fn state(&self) -> (Tone, &'static str) {
        match self.percent() {
            _ if self.used >= self.total => (Tone::Bad, "Full"),
            NEARLY_FULL.. => (Tone::Bad, "Nearly full"),
            FILLING_UP.. => (Tone::Warn, "Filling up"),
            _ => (Tone::Neutral, "Space left"),
        }
    }

    /// Whether this needs attention.
    pub(super) fn fills_up(&self) -> bool {
        self.percent() >= FILLING_UP
    }
}

/// The networks and racks in use.
#[derive(Debug, Default)]
pub(super) struct Capacity {
    pub(super) networks: Vec<Usage>,
    pub(super) racks: Vec<Usage>,
}

/// Reads the use of all networks and racks, the fullest first.
pub(super) async fn load(snapshot: &mut Snapshot<'_>) -> Result<Capacity, Error> {
    let networks = catalogue::networks(snapshot.connection(), At::Now).await?;
    let cidrs: Vec<_> = networks.iter().map(|network| network.spec.cidr).collect();
    let held = holdings::count_in(snapshot.connection(), &cidrs, At::Now).await?;
    let networks = networks.iter().zip(held).map(|(network, used)| Usage {
        key: network.key.to_string(),
        site: network.spec.site.to_string(),
        used,
        total: i64::try_from(network.spec.capacity()).unwrap_or(i64::MAX),
    });
    let units: HashMap<String, i64> = tallies::of_racks(snapshot.connection()).await?.into_iter().collect();
    let racks = catalogue::racks(snapshot.connection(), At::Now).await?;
    let racks = racks.iter().map(|rack| Usage {
        key: rack.key.to_string(),
        site: rack.spec.site.to_string(),
        used: units.get(rack.key.as_str()).copied().unwrap_or(0),
        total: i64::from(rack.spec.units),
    });
    Ok(Capacity { networks: fullest_first(networks.collect()), racks: fullest_first(racks.collect()) })
}

fn fullest_first(mut all: Vec<Usage>) -> Vec<Usage> {
    all.sort_by(|one, other| other.percent().cmp(&one.percent()).then_with(|| one.key.cmp(&other.key)));
    all
}

/// The part of the page.
pub(super) fn view(found: &Capacity) -> Markup {
    let content = html! {
        p.quiet { "Filling up: " (FILLING_UP) " % or more is used. Nearly full: " (NEARLY_FULL) " % or more." }
        div.columns {
            (table("Networks", "Addresses", "/networks", &found.networks))
            (table("Racks", "Units", "/racks", &found.racks))
        }
    };
    block::card("capacity", "Capacity", &content)
}

fn table(title: &str, what: &str, path: &str, all: &[Usage]) -> Markup {
    html! {
        div.stack {
            h3 { (title) }
            @if all.is_empty() {
                p.quiet { "None yet. " a href=(path) { (title) } }
            } @else {
                div.scroll {
                    table.cards {
                        caption.visually-hidden { (title) ", the fullest first" }
                        thead { tr { th scope="col" { "Name" } th scope="col" { "Site" } th scope="col" { (what) } th scope="col" { "State" } } }
                        tbody {
                            @for one in all.iter().take(SHOWN) {
                                @let (tone, words) = one.state();
                                tr {
                                    th scope="row" { a href=(format!("{path}/{}", one.key)) { (one.key) } }
                                    td data-label="Site" { a href=(format!("/sites/{}", one.site)) { (one.site) } }
                                    td data-label=(what) { (block::used(&format!("{what} of {} in use", one.key), one.used, one.total)) }
                                    td data-label="State" { (badge(tone, words)) }
                                }
                            }
                        }
                    }
                }
                @if all.len() > SHOWN { p.quiet { "The fullest " (SHOWN) " of " (all.len()) ". " a href=(path) { "All " (title.to_lowercase()) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};

    fn usage(key: &str, used: i64, total: i64) -> Usage {
        Usage { key: key.to_owned(), site: "dc1".to_owned(), used, total }
    }

    #[test]
    fn the_fullest_come_first_and_each_says_its_state() {
        let networks = fullest_first(vec![usage("a", 1, 100), usage("c", 80, 100), usage("b", 95, 100), usage("d", 100, 100)]);
        let html = view(&Capacity { networks, racks: vec![] });
        assert_eq!(attributes(&html, "tbody th a", "href"), ["/networks/d", "/networks/b", "/networks/c", "/networks/a"]);
        assert_eq!(attributes(&html, ".badge", "class"), ["badge bad", "badge bad", "badge warn", "badge neutral"]);
        let states = texts(&html, ".badge");
        assert!(states[0] != states[1] && states[2] != states[3], "{states:?}");
        assert_eq!(attributes(&html, "p a", "href"), ["/racks"]);
    }

    #[test]
    fn a_rack_without_units_is_full_and_divides_by_nothing() {
        assert_eq!(usage("r", 0, 0).state().0, Tone::Bad);
    }
}
