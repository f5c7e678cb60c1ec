//! The part of the dashboard with one row for each site.

use crate::pages::components::block;
use bootledger_projections::rows::tallies::SiteTally;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The numbers of one site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Site {
    tally: SiteTally,
    /// Deployments that ended in the last 30 days: done, and cancelled.
    ended: (i64, i64),
    /// Differences from the expected state of its servers.
    drift: i64,
}

/// The numbers of all sites that have any, by code. `ended` has what ended there in the last 30 days, `drifted` the numbers of
/// differences, and `codes` the sites in use.
pub(super) fn of(
    codes: impl IntoIterator<Item = String>,
    tallies: Vec<SiteTally>,
    ended: &BTreeMap<String, (i64, i64)>,
    drifted: &[(String, i64)],
) -> BTreeMap<String, Site> {
    let mut sites: BTreeMap<String, Site> = codes.into_iter().map(|code| (code, Site::default())).collect();
    for tally in tallies {
        let code = tally.site.clone();
        sites.entry(code).or_default().tally = tally;
    }
    for (code, numbers) in ended {
        sites.entry(code.clone()).or_default().ended = *numbers;
    }
    for (code, count) in drifted {
        sites.entry(code.clone()).or_default().drift = *count;
    }
    sites
}

/// The part of the page.
pub(super) fn view(sites: &BTreeMap<String, Site>) -> Markup {
    let content = html! {
        @if sites.is_empty() {
            p.quiet { "There are no sites yet. " a href="/sites" { "Sites" } }
        } @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Devices and deployments of each site" }
                    thead { tr {
                        th scope="col" { "Site" }
                        @for words in ["Devices", "Open", "In progress", "Overdue", "Drift", "Done, 30 days", "Cancelled, 30 days"] { th.number scope="col" { (words) } }
                    } }
                    tbody { @for (code, site) in sites { (row(code, site)) } }
                }
            }
        }
    };
    block::card("sites", "Sites", &content)
}

fn row(code: &str, site: &Site) -> Markup {
    let deployments = |rest: &str| format!("/deployments?site={code}&{rest}");
    let (tally, (done, cancelled)) = (&site.tally, site.ended);
    let cells = [
        ("Devices", tally.devices, Some(format!("/devices?site={code}&decommissioned=false"))),
        ("Open", tally.open, Some(deployments("status=open"))),
        ("In progress", tally.in_progress, Some(deployments("status=in_progress"))),
        ("Overdue", tally.overdue, Some(deployments("overdue=true&live=true"))),
        ("Drift", site.drift, Some(format!("/sites/{code}#drift"))),
        // No list has a filter for the last 30 days.
        ("Done, 30 days", done, None),
        ("Cancelled, 30 days", cancelled, None),
    ];
    html! {
        tr {
            th scope="row" { a href=(format!("/sites/{code}")) { (code) } }
            @for (label, count, path) in cells {
                td.number data-label=(label) {
                    @match path.filter(|_| count > 0) { Some(path) => { a href=(path) { (count) } } None => span.quiet[count == 0] { (count) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};

    #[test]
    fn a_site_links_each_number_to_what_it_counts_and_one_without_devices_is_there_too() {
        let tally = SiteTally { site: "dc1".to_owned(), devices: 12, open: 1, in_progress: 0, overdue: 1 };
        let ended = [("dc1".to_owned(), (5, 2))].into();
        let found = of(["dc1".to_owned(), "dc2".to_owned()], vec![tally], &ended, &[("dc1".to_owned(), 3)]);
        let html = view(&found);
        assert_eq!(texts(&html, "tbody th"), ["dc1", "dc2"]);
        assert_eq!(texts(&html, "tr:first-child td"), ["12", "1", "0", "1", "3", "5", "2"]);
        let paths = attributes(&html, "tr:first-child td a", "href");
        assert!(paths.contains(&"/deployments?site=dc1&overdue=true&live=true".to_owned()), "{paths:?}");
    }
}
