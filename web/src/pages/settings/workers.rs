//! The background workers of the instance that answers: the last result of each, on the page `/settings`.

use crate::http::worker_status::Passes;
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::card;
use crate::pages::components::time::since;
use bootledger_aggregates::values::timestamp::Timestamp;
use maud::{Markup, html};

/// What each worker does.
const WORKERS: [(&str, &str); 15] = [
    ("boot_table", "Follows the views, so that servers boot with the current files"),
    ("database_canary", "Detects broken connections to the database"),
    ("disk_watch", "Measures free disk space"),
    ("dns_publisher", "Publishes DNS records to the primaries"),
    ("drift_checks", "Compares DNS primaries and DHCP servers with the expected state"),
    ("event_writer", "Appends events to the log"),
    ("file_sweep", "Removes incomplete uploads"),
    ("heartbeat", "Shows other instances that this instance is alive"),
    ("image_downloads", "Downloads boot images from the library"),
    ("log_feed", "Follows the end of the event log"),
    ("projector", "Updates the views from the event log"),
    ("reactor", "Runs the plugins of deployments"),
    ("reservation_expiry", "Ends expired reservations of addresses"),
    ("session_expiry", "Ends expired sessions"),
    ("webhooks", "Starts the deliveries of webhooks"),
];

/// The workers and their passes; nothing if there are none.
pub(super) fn table(workers: &[(&'static str, Passes)], now: Timestamp) -> Markup {
    if workers.is_empty() {
        return html! {};
    }
    let content = html! {
        div.scroll tabindex="0" role="region" aria-label="Background work" {
            table.cards {
                thead { tr { th scope="col" { "Worker" } th scope="col" { "Task" } th scope="col" { "Last result" } th scope="col" { "Last pass" } th scope="col" { "Error" } } }
                tbody { @for (name, passes) in workers { (row(name, passes, now)) } }
            }
        }
    };
    card("workers", "Background work of this instance", &content)
}

fn row(name: &str, passes: &Passes, now: Timestamp) -> Markup {
    let task = WORKERS.iter().find(|(known, _)| *known == name).map(|(_, task)| *task).unwrap_or_default();
    let (tone, result) = match (&passes.last, &passes.error) {
        (None, _) => (Tone::Neutral, "Not run yet"),
        (_, None) => (Tone::Good, "Succeeded"),
        (_, Some(_)) => (Tone::Bad, "Failed"),
    };
    html! {
        tr id=(format!("worker-{name}")) {
            th scope="row" { (name) }
            td data-label="Task" { (task) }
            td data-label="Last result" { (badge(tone, result)) }
            td data-label="Last pass" { div { @if let Some(at) = passes.last { (since(at, now)) " ago" } @else { span.quiet { "none" } } } }
            td data-label="Error" { div { @if let Some(error) = &passes.error { (error) } @else { span.quiet { "none" } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scraper::{Html, Selector};

    #[test]
    fn a_worker_that_failed_shows_its_error_and_one_that_has_not_run_says_so() {
        let failed = Passes {
            failed: 1,
            last: Some(Timestamp::default()),
            error: Some("no <connection>".to_owned()),
            ..Passes::default()
        };
        let workers = [("projector", failed), ("reactor", Passes::default())];
        let page = Html::parse_fragment(&table(&workers, Timestamp::default()).into_string());
        let texts = |selector: &str| {
            let selector = Selector::parse(selector).expect("a selector");
            page.select(&selector).map(|found| found.text().collect()).collect::<Vec<String>>()
        };
        assert_eq!(texts("#worker-projector [data-label=Error]"), ["no <connection>"]);
        assert_eq!(texts("#worker-projector .badge.bad").len(), 1);
        assert_eq!(texts("#worker-reactor .badge.neutral").len(), 1);
        assert_eq!(table(&[], Timestamp::default()).into_string(), "");
    }
}
