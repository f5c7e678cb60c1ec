//! The content of the pages of bulk actions.

use super::{OneQuery, SHOWN, Wanted};
use crate::english::{capitalised, counted};
use crate::pages::catalogue::entry::Parts;
use crate::pages::components::action::{Allowed, Look, post};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::components::time::{moment, seconds_between, since, span};
use crate::wording::{actors, bulk as wording};
use bootledger_aggregates::bulk::{BulkAction, BulkCounts, BulkOutcome, RowState};
use bootledger_aggregates::values::ids::BulkId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::bulk::BulkView;
use bootledger_projections::rows::catalogue::Entry;
use maud::{Markup, html};

type Bulk = Entry<BulkView, BulkId>;

/// What a bulk action does, such as `Deploy 20 devices`.
pub(super) fn title(entry: &Bulk) -> String {
    let started = entry.spec.bulk.started();
    started.map(|started| capitalised(&wording::action(&started.action, entry.spec.counts.total))).unwrap_or_default()
}

fn state(view: &BulkView) -> Markup {
    let stopped = view.bulk.started().is_some_and(|started| started.stopped);
    match (view.ended_at, view.counts) {
        (None, _) => badge(Tone::Info, "Running"),
        _ if stopped => badge(Tone::Warn, "Stopped"),
        (_, BulkCounts { refused: 0, .. }) => badge(Tone::Good, "Finished"),
        _ => badge(Tone::Bad, "Finished, some rows refused"),
    }
}

/// The content of the list.
pub(super) fn list(found: &[Bulk], now: Timestamp, first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        (block::heading(&[], &html! { "Bulk actions" }, &html! {}))
        p.quiet { "A bulk action is one change of many devices or deployments. It starts from the lists of devices and deployments: select rows, then an action." }
        @if found.is_empty() {
            (block::empty("No bulk actions yet.", &html! { div.actions { a.button href="/devices" { "Devices" } a.button href="/deployments" { "Deployments" } } }))
        } @else {
            div.scroll {
                table.cards {
                    caption.visually-hidden { "Bulk actions, newest first" }
                    thead { tr { @for heading in ["Action", "State", "Done", "Refused", "Waiting", "Started by", "Started"] { th scope="col" { (heading) } } } }
                    tbody {
                        @for entry in found {
                            @let counts = entry.spec.counts;
                            tr {
                                th scope="row" { a href=(format!("/bulk-actions/{}", entry.key)) { (title(entry)) } }
                                td data-label="State" { (state(&entry.spec)) }
                                td.number data-label="Done" { (counts.done) }
                                td.number data-label="Refused" { (counts.refused) }
                                td.number data-label="Waiting" { (counts.waiting) }
                                td data-label="Started by" { (actors::actor(&entry.spec.started_by)) }
                                td data-label="Started" { span title=(entry.spec.started_at) { (since(entry.spec.started_at, now)) " ago" } }
                            }
                        }
                    }
                }
            }
            (block::pager(found.len(), first, next))
        }
    }
}

/// The parts of a bulk action's page.
pub(super) fn parts(entry: &Bulk, query: &OneQuery, path: &str, may: &Allowed, now: Timestamp) -> Parts {
    let Some(started) = entry.spec.bulk.started() else { return vec![] };
    let action = &started.action;
    vec![
        ("heading", html! { div id="heading" { (heading(entry, action, path, may)) } }),
        ("progress", progress(&entry.spec, action, now)),
        ("rows", rows(&started.rows, action, entry.spec.counts, query, path)),
    ]
}

fn heading(entry: &Bulk, action: &BulkAction, path: &str, may: &Allowed) -> Markup {
    let (counts, running) = (entry.spec.counts, entry.spec.ended_at.is_none());
    let again = counts.refused + counts.waiting;
    let retry = format!("Retry {}", counted(again, "row", "rows"));
    let actions = html! {
        @if matches!(action, BulkAction::Deploy { .. }) && counts.done > 0 {
            a.button href=(format!("/deployments?import={}", entry.key)) { "Show deployments" }
        }
        @if running { (post("stop", &format!("{path}/stop"), Look::Danger, "", "Stop", may, &html! {})) }
        @else if again > 0 { (post("retry", &format!("{path}/retry"), Look::Primary, "", &retry, may, &html! {})) }
    };
    block::heading(&[("Bulk actions", "/bulk-actions")], &html! { (title(entry)) " " (state(&entry.spec)) }, &actions)
}

fn progress(view: &BulkView, action: &BulkAction, now: Timestamp) -> Markup {
    let BulkCounts { total, done, refused, waiting } = view.counts;
    let (list, attempt) = view.bulk.started().map(|started| (started.list.as_str(), started.attempt)).unwrap_or_default();
    let mut facts = vec![
        ("Started", html! { (moment(view.started_at)) " by " (actors::actor(&view.started_by)) }),
        ("Selected from", html! { @if list.starts_with('/') { a href=(list) { code { (list) } } } @else { "the API" } }),
    ];
    facts.extend(wording::values(action).into_iter().map(|(label, value)| (label, html! { (value) })));
    if attempt > 1 {
        facts.push(("Attempt", html! { (attempt) }));
    }
    let started = view.bulk.started();
    if let Some(by) = started.and_then(|started| started.retried_by.as_deref()) {
        facts.push(("Retried by", html! { (actors::actor(by)) }));
    }
    if let Some(reason) = started.and_then(|started| started.stop_reason.as_ref()) {
        facts.push(("Reason for the stop", html! { (crate::english::complete_sentence(reason.as_str())) }));
    }
    facts.push(match view.ended_at {
        Some(ended) => ("Ended", html! { (moment(ended)) ", after " (span(seconds_between(view.started_at, ended))) }),
        None => ("Running for", html! { (since(view.started_at, now)) }),
    });
    block::card(
        "progress",
        "Progress",
        &html! {
            progress max=(total.max(1)) value=(done + refused) aria-label="Rows with a result" {}
            p role="status" { (done) " done, " (refused) " refused, " (waiting) " waiting, of " (total) }
            (block::facts(&facts))
        },
    )
}

fn rows(all: &[RowState], action: &BulkAction, counts: BulkCounts, query: &OneQuery, path: &str) -> Markup {
    let wanted: Vec<&RowState> =
        all.iter().filter(|row| query.result.is_none_or(|wanted| wanted.is(row.result.as_ref()))).collect();
    let shown = wanted.get(query.from..).unwrap_or_default();
    let next = (shown.len() > SHOWN).then_some(query.from + SHOWN);
    let shown = shown.get(..SHOWN).unwrap_or(shown);
    let filter =
        |wanted: Option<Wanted>| wanted.map_or_else(|| path.to_owned(), |wanted| format!("{path}?result={}", wanted.as_str()));
    let tab = |words: &str, count: usize, wanted: Option<Wanted>| {
        (format!("{words} ({count})"), filter(wanted), query.result == wanted)
    };
    let tabs = [
        tab("All", counts.total, None),
        tab("Refused", counts.refused, Some(Wanted::Refused)),
        tab("Waiting", counts.waiting, Some(Wanted::Waiting)),
        tab("Done", counts.done, Some(Wanted::Done)),
    ];
    let tabs: Vec<(&str, String, bool)> =
        tabs.iter().map(|(words, path, current)| (words.as_str(), path.clone(), *current)).collect();
    let page_at = |from: usize| {
        let base = filter(query.result);
        format!("{base}{}from={from}", if base.contains('?') { '&' } else { '?' })
    };
    let (folder, name) = if action.is_of_deployments() { ("deployments", "Host name") } else { ("devices", "Device") };
    html! {
        section.card id="rows" aria-labelledby="rows-title" {
            h2 id="rows-title" { "Rows" }
            (block::tabs("Rows by result", &tabs))
            @if shown.is_empty() { p.quiet { "No rows have this result." } } @else {
                div.scroll {
                    table.cards {
                        caption.visually-hidden { "Results" }
                        thead { tr { th scope="col" { (name) } th scope="col" { "Result" } } }
                        tbody {
                            @for row in shown {
                                tr {
                                    th scope="row" { a href=(format!("/{folder}/{}", row.row.target)) { (row.row.name) } }
                                    td data-label="Result" { div { (result(row.result.as_ref())) } }
                                }
                            }
                        }
                    }
                }
            }
            (block::pager(shown.len(), (query.from > 0).then(|| page_at(0)).as_deref(), next.map(page_at).as_deref()))
        }
    }
}

fn result(result: Option<&BulkOutcome>) -> Markup {
    html! {
        @match result {
            None => (badge(Tone::Neutral, "Waiting")),
            Some(BulkOutcome::Done { deployment: None }) => (badge(Tone::Good, "Done")),
            Some(BulkOutcome::Done { deployment: Some(id) }) => { (badge(Tone::Good, "Started")) " " a href=(format!("/deployments/{id}")) { "Show deployment" } }
            Some(BulkOutcome::Refused { reasons }) => {
                (badge(Tone::Bad, "Refused"))
                @for reason in reasons { " " (crate::english::complete_sentence(&reason.message)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::bulk::{Bulk as Aggregate, BulkCommand, BulkReason, BulkResult, BulkRow};
    use bootledger_aggregates::user::Role;
    use uuid::Uuid;

    /// A bulk action of three devices: one done, one refused, one waiting.
    fn entry() -> Bulk {
        let row = |number| {
            let name = format!("R640 <no. {number}>").parse().expect("a name");
            BulkRow { target: Uuid::from_u128(number), name, plugins: vec![] }
        };
        let action = Box::new(BulkAction::Verify {});
        let list = "/devices?site=dc1".to_owned();
        let reasons = vec![BulkReason { rule: "role_missing".to_owned(), message: "it has no <role>".to_owned() }];
        let results = vec![
            BulkResult { row: 0, attempt: 1, outcome: BulkOutcome::Done { deployment: None } },
            BulkResult { row: 1, attempt: 1, outcome: BulkOutcome::Refused { reasons } },
        ];
        let mut bulk = Aggregate::default();
        for command in [
            BulkCommand::StartBulk { action, rows: vec![row(1), row(2), row(3)], list, level: Role::Operator },
            BulkCommand::RecordBulkResults { results },
        ] {
            for event in bulk.decide(command).expect("accepted") {
                bulk.evolve(event);
            }
        }
        let counts = bulk.started().expect("started").counts();
        let spec = BulkView { bulk, counts, started_by: "user ada".to_owned(), started_at: Timestamp::default(), ended_at: None };
        Entry { key: BulkId(Uuid::from_u128(7)), sequence: 2, retired: false, spec }
    }

    fn shown(query: &OneQuery) -> Markup {
        let parts = parts(&entry(), query, "/bulk-actions/7", &Ok(()), Timestamp::default());
        html! { @for (_, part) in parts { (part) } }
    }

    #[test]
    fn a_running_action_shows_its_progress_and_can_be_stopped() {
        let html = shown(&OneQuery::default());
        assert_eq!(texts(&html, "tbody th"), ["R640 <no. 1>", "R640 <no. 2>", "R640 <no. 3>"]);
        assert!(html.clone().into_string().contains("<progress max=\"3\" value=\"2\""), "{}", html.into_string());
        let html = shown(&OneQuery::default()).into_string();
        assert!(html.contains("action=\"/bulk-actions/7/stop\"") && !html.contains("/retry"), "{html}");
    }

    #[test]
    fn rows_can_be_filtered_by_their_result() {
        for (wanted, names) in
            [(Wanted::Done, "R640 <no. 1>"), (Wanted::Refused, "R640 <no. 2>"), (Wanted::Waiting, "R640 <no. 3>")]
        {
            let html = shown(&OneQuery { result: Some(wanted), from: 0 });
            assert_eq!(texts(&html, "tbody th"), [names]);
        }
        assert!(texts(&shown(&OneQuery { result: None, from: 9 }), "tbody th").is_empty());
    }

    #[test]
    fn an_action_that_the_service_stopped_says_why() {
        let mut entry = entry();
        let reason = Some("user ada is disabled".parse().expect("a text"));
        for event in entry.spec.bulk.decide(BulkCommand::StopBulk { reason }).expect("accepted") {
            entry.spec.bulk.evolve(event);
        }
        entry.spec.ended_at = Some(Timestamp::default());
        let parts = parts(&entry, &OneQuery::default(), "/bulk-actions/7", &Ok(()), Timestamp::default());
        let html = html! { @for (_, part) in parts { (part) } }.into_string();
        assert!(html.contains("User ada is disabled.") && html.contains("Stopped"), "{html}");
    }

    #[test]
    fn an_ended_action_offers_to_retry_what_was_refused() {
        let mut entry = entry();
        entry.spec.ended_at = Some(Timestamp::default());
        let parts = parts(&entry, &OneQuery::default(), "/bulk-actions/7", &Ok(()), Timestamp::default());
        let html = html! { @for (_, part) in parts { (part) } }.into_string();
        assert!(html.contains("action=\"/bulk-actions/7/retry\"") && !html.contains("/stop"), "{html}");
        assert!(html.contains("It has no &lt;role&gt;."), "{html}");
    }
}
