//! How webhooks are shown: the list, and the page of one.

use super::shown::{PATH, Shown};
use crate::english::complete_sentence;
use crate::pages::components::action::{Allowed, Look, link, post};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{card, empty, facts, heading, not_of_the_past};
use crate::pages::components::copy;
use crate::pages::components::time::{since, span, until};
use crate::wording::webhooks::{message, problem};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::progress::webhooks::{Delivery, DeliveryStatus, FailingAggregate};
use maud::{Markup, html};

/// The list.
pub(super) fn table(rows: &[Shown], now: Timestamp, is_filtered: bool) -> Markup {
    if rows.is_empty() && is_filtered {
        return empty("No results.", &html! { a.button href=(PATH) { "Show all" } });
    }
    if rows.is_empty() {
        return empty(
            "No webhooks. A webhook sends events to another program, such as a chat or a ticket system.",
            &html! { a href="/settings/webhooks/new" { "Create webhook" } },
        );
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Webhooks" {
            table.cards {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Receiver" } th scope="col" { "Events" } th scope="col" { "State" } th scope="col" { "Behind" } th scope="col" { "Last delivery" } } }
                tbody {
                    @for Shown { entry, delivery } in rows {
                        tr {
                            th scope="row" { a href=(format!("{PATH}/{}", entry.key)) { (entry.key) } }
                            td data-label="Receiver" { (entry.spec.spec.url.origin()) }
                            td data-label="Events" { (patterns(&entry.spec.spec.events)) }
                            td data-label="State" { (state(entry.retired, delivery.as_ref())) }
                            td data-label="Behind" { @if let Some(delivery) = delivery { (behind(delivery)) } @else if !entry.retired { (not_of_the_past()) } }
                            td data-label="Last delivery" { @if let Some(at) = delivery.as_ref().and_then(|delivery| delivery.taken_at) { (since(at, now)) " ago" } @else if delivery.is_none() && !entry.retired { (not_of_the_past()) } @else { span.quiet { "none" } } }
                        }
                    }
                }
            }
        }
    }
}

fn patterns<T: ToString>(events: &[T]) -> String {
    events.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn state(retired: bool, delivery: Option<&Delivery>) -> Markup {
    match delivery.map(|delivery| delivery.status) {
        _ if retired => badge(Tone::Neutral, "Retired"),
        None => badge(Tone::Neutral, "Unknown for the past"),
        Some(DeliveryStatus::UpToDate) => badge(Tone::Good, "Up to date"),
        Some(DeliveryStatus::Delivering) => badge(Tone::Info, "Delivering"),
        Some(DeliveryStatus::Failing) => badge(Tone::Bad, "Failing"),
        Some(DeliveryStatus::Paused) => badge(Tone::Warn, "Paused"),
    }
}

fn behind(delivery: &Delivery) -> Markup {
    html! {
        @if delivery.oldest_undelivered.is_none() { "0 events" }
        @else { (delivery.lag_events) " events, " (span(delivery.lag_seconds)) }
    }
}

/// The page of a webhook. `above` is the result of an action.
pub(super) fn whole(shown: &Shown, now: Timestamp, allowed: &Allowed, above: &Markup) -> Markup {
    let Shown { entry, delivery } = shown;
    let spec = &entry.spec.spec;
    let path = format!("{PATH}/{}", entry.key);
    html! {
        (heading(&[("Webhooks", PATH)], &html! { "Webhook " (entry.key) }, &actions(shown, &path, allowed)))
        (above)
        (card("receiver", "Receiver", &facts(&[
            ("Description", html! { @if spec.description.is_empty() { span.quiet { "none" } } @else { (spec.description) } }),
            ("URL", copy::code(spec.url.as_str(), "URL")),
            ("Events", html! { code { (patterns(&spec.events)) } }),
            ("Secret", html! { "signs messages: " code { (spec.secret) } }),
        ])))
        @match delivery {
            Some(delivery) => {
                (card("delivery", "Delivery", &facts(&[
                    ("State", state(entry.retired, Some(delivery))),
                    ("Message", html! { (complete_sentence(&message(delivery, entry.spec.paused.as_ref()))) }),
                    ("Progress", html! { "read up to event " a href=(format!("/timeline/{}", delivery.position)) { (delivery.position) } }),
                    ("Behind", behind(delivery)),
                    ("Last delivery", html! { @if let Some(at) = delivery.taken_at { (since(at, now)) " ago" } @else { span.quiet { "none" } } }),
                ])))
                (card("failing", "Failing events", &failing(&delivery.failing, &path, now, allowed)))
            }
            None => p.quiet { @if entry.retired { "A retired webhook delivers nothing." } @else { "The progress of deliveries is known only for the present." } }
        }
    }
}

fn actions(Shown { entry, delivery }: &Shown, path: &str, allowed: &Allowed) -> Markup {
    let paused = delivery.as_ref().is_some_and(|delivery| delivery.status == DeliveryStatus::Paused);
    html! {
        (link("edit", &format!("{path}/edit"), Look::Usual, "pencil", if entry.retired { "Restore" } else { "Edit" }, allowed))
        @if !entry.retired {
            (post("ping", &format!("{path}/ping"), Look::Usual, "", "Send test message", allowed, &html! {}))
            @if paused { (post("resume", &format!("{path}/resume"), Look::Usual, "play-fill", "Resume", allowed, &html! {})) }
            @else { (link("pause", &format!("{path}/pause"), Look::Usual, "", "Pause", allowed)) }
            (link("retire", &format!("{path}/retire"), Look::Usual, "trash", "Retire", allowed))
        }
    }
}

fn failing(failing: &[FailingAggregate], path: &str, now: Timestamp, allowed: &Allowed) -> Markup {
    if failing.is_empty() {
        return html! { p.quiet { "No delivery fails." } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Table of failing events" {
            table.cards {
                thead { tr { th scope="col" { "Event" } th scope="col" { "Object" } th scope="col" { "Attempts" } th scope="col" { "Since" } th scope="col" { "Next attempt" } th scope="col" { "Last error" } th scope="col" { "Action" } } }
                tbody {
                    @for failed in failing {
                        tr {
                            th scope="row" { a href=(format!("/timeline/{}", failed.position)) { (failed.position) } }
                            td data-label="Object" { code { (failed.aggregate) } }
                            td data-label="Attempts" { (failed.attempts) }
                            td data-label="Since" { (since(failed.since, now)) " ago" }
                            td data-label="Next attempt" { (until(failed.next_try, now)) }
                            td data-label="Last error" { (complete_sentence(&problem(&failed.problem))) }
                            td data-label="Action" { (link(&format!("skip-{}", failed.position), &format!("{path}/skip?position={}", failed.position), Look::Small, "", "Skip", allowed)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use bootledger_projections::progress::delivery_problem::DeliveryProblem;

    #[test]
    fn a_failing_event_shows_its_error_and_leads_to_skipping_it() {
        let failed = FailingAggregate {
            aggregate: "deployment/7".to_owned(),
            position: 42,
            attempts: 3,
            since: Timestamp::default(),
            problem: DeliveryProblem::Timeout {
                receiver: bootledger_aggregates::values::text::Text::fitted("https://<chat>.example"),
                seconds: 10,
            },
            next_try: Timestamp::default(),
        };
        let html = failing(&[failed], "/settings/webhooks/chat", Timestamp::default(), &Ok(()));
        assert_eq!(texts(&html, "tbody tr").len(), 1);
        assert!(texts(&html, "td[data-label='Last error']")[0].contains("<chat>"));
        assert_eq!(attributes(&html, "td a.button", "href"), ["/settings/webhooks/chat/skip?position=42"]);
    }
}
