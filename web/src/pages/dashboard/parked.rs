//! The part of the dashboard with the events that could not be applied: what they concern, and why.

use crate::english::counted;
use crate::pages::components::badge::{Tone, badge};
use crate::wording;
use bootledger_projections::rows::parked::Parked;
use maud::{Markup, html};

/// How many events are listed.
pub(super) const LISTED: i64 = 20;

/// The card; an empty element if every event was applied.
pub(super) fn card(count: i64, events: &[Parked]) -> Markup {
    if count == 0 {
        return html! { div id="parked" {} };
    }
    let left = count - i64::try_from(events.len()).unwrap_or(0);
    let content = html! {
        p { "The pages of these objects show an earlier state. " code { "bootledger rebuild" } " applies the events again." }
        div.scroll {
            table.cards {
                caption.visually-hidden { "Events that could not be applied, oldest first" }
                thead { tr { th scope="col" { "Event" } th scope="col" { "Type" } th scope="col" { "Object" } th scope="col" { "Reason" } } }
                tbody {
                    @for event in events {
                        tr {
                            th scope="row" { a href=(format!("/timeline/{}", event.position)) { (event.position) } }
                            td data-label="Type" { (event.event_type) }
                            td data-label="Object" { div { (object(&event.aggregate_type, &event.aggregate_id)) } }
                            td data-label="Reason" { div { (wording::parked::reason(&event.reason)) } }
                        }
                    }
                }
            }
        }
        @if left > 0 { p.quiet { (counted(left, "more event is", "more events are")) " not shown. Most of them follow one of these." } }
    };
    html! {
        section.card id="parked" aria-labelledby="parked-title" {
            h2 id="parked-title" { "Events not applied " (badge(Tone::Bad, &count.to_string())) }
            (content)
        }
    }
}

/// The object that an event concerns, with a link if it has a page.
fn object(kind: &str, id: &str) -> Markup {
    let path = match kind {
        "deployment" => Some("deployments"),
        "device" => Some("devices"),
        "network" => Some("networks"),
        "rack" => Some("racks"),
        "site" => Some("sites"),
        "venture" => Some("ventures"),
        "boot_image" => Some("boot-images"),
        "dhcp_server" => Some("dhcp-servers"),
        _ => None,
    };
    let words = format!("{} {id}", kind.replace('_', " "));
    html! { @match path { Some(path) => { a href=(format!("/{path}/{id}")) { (words) } } None => (words) } }
}

/// The row of the attention table that leads to the card.
pub(super) fn summary(count: i64) -> Markup {
    html! { (counted(count, "event", "events")) " could not be applied, so the pages of their objects may be out of date. " a href="#parked" { "Objects and reasons" } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use bootledger_projections::rows::parked::ParkedReason;

    #[test]
    fn an_event_that_was_not_applied_is_shown_with_its_object_and_reason() {
        let event = Parked {
            position: 41,
            aggregate_type: "boot_image".to_owned(),
            aggregate_id: "debian".to_owned(),
            event_type: "BootImageDefined".to_owned(),
            reason: ParkedReason::Unreadable { detail: "missing field <kind>".to_owned() },
        };
        let html = card(3, &[event]);
        assert_eq!(attributes(&html, "tbody a", "href"), ["/timeline/41", "/boot-images/debian"]);
        assert!(texts(&html, "[data-label=Reason]")[0].contains("missing field <kind>"));
        assert!(texts(&html, "p.quiet")[0].contains("2 "));
        assert_eq!(texts(&card(0, &[]), ".card").len(), 0);
    }
}
