//! The state of the proof: up to which event the log's hash chain was verified, and a button that verifies it. A run goes on in
//! the background; the card requests its progress until it has ended.

use crate::http::auth::caller::Auditor;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::{Allowed, Look, post};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::time::moment;
use crate::pages::form::{Fields, see_other};
use crate::pages::layout::{PageContext, visible};
use crate::wording::proof::alteration;
use actix_web::HttpResponse;
use bootledger_aggregates::user::Role;
use bootledger_projections::progress::verification::{self, LogVerification};
use bootledger_projections::rows::at::At;
use maud::{Markup, html};

/// Reads the state of the proof, and renders it.
pub(super) async fn read(page_context: &PageContext, snapshot: &mut Snapshot<'_>) -> Result<Markup, Error> {
    let state = verification::find(&mut *snapshot.connection()).await?;
    let allowed = page_context.may_change(snapshot, Role::Auditor);
    let is_past = snapshot.at != At::Now;
    Ok(card(&state, snapshot.position, is_past, &allowed))
}

/// Handles `GET /timeline/proof`: the card alone.
pub(super) async fn show(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let card = read(&page_context, &mut snapshot).await?;
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(visible(&card.0).into_owned()))
}

/// Handles `POST /timeline/verify`.
pub(super) async fn verify(caller: Auditor, mut backend: Backend, fields: Fields) -> Result<HttpResponse, Error> {
    backend.verify_log(fields.ticked("whole"), caller.context()).await?;
    Ok(see_other("/timeline#proof"))
}

fn card(state: &LogVerification, position: i64, is_past: bool, allowed: &Allowed) -> Markup {
    let running = state.running.as_ref();
    html! {
        section.card.proof id="proof" aria-label="Proof" hx-get=[running.map(|_| "/timeline/proof")]
            hx-trigger=[running.map(|_| "every 2s")] hx-swap=[running.map(|_| "outerMorph")] {
            div role="status" {
                @if let Some(running) = running {
                    p { (badge(Tone::Info, "Verifying")) " Event " (running.reached) " of " (running.until) @if running.whole { ", from the first event" } ", started by " (running.by) }
                    progress max=(running.until.max(1)) value=(running.reached) aria-label="Events verified" {}
                    noscript { p { a href="/timeline#proof" { "Reload to see the progress" } } }
                } @else if let Some((problem, at)) = state.problem {
                    p { (badge(Tone::Bad, "Altered")) " " (alteration(problem)) " Found " (moment(at)) "." }
                } @else if let Some(at) = state.verified_at {
                    p {
                        (badge(Tone::Good, "Verified")) " up to event " (state.position) " at " (moment(at))
                        @if let Some(by) = &state.verified_by { " by " (by) } ": nothing was altered."
                        @if !is_past && position > state.position { " " (position - state.position) " newer " (if position - state.position == 1 { "event is" } else { "events are" }) " not verified yet." }
                    }
                    p.quiet {
                        @if let Some(at) = state.whole_at { "Last verified from the first event at " (moment(at)) ". " }
                        "A verification continues after the last verified event. Only one from the first event notices that an older event was altered."
                    }
                } @else {
                    p { (badge(Tone::Neutral, "Not verified")) " The hash chain of the log was not verified yet." }
                }
                @if is_past { p.quiet { "This is the current state. It is not available for past positions." } }
            }
            @if running.is_none() && !is_past {
                div.actions {
                    (post("verify", "/timeline/verify", Look::Usual, "", "Verify", allowed, &html! {}))
                    (post("verify-whole", "/timeline/verify", Look::Usual, "", "Verify from the start", allowed, &html! { input type="hidden" name="whole" value="true"; }))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_projections::progress::verification::{Alteration, Running};

    #[test]
    fn a_run_is_followed_and_cannot_be_started_again() {
        let running = Some(Running { by: "user <ada>".to_owned(), whole: true, reached: 70, until: 100 });
        let html = card(&LogVerification { running, ..LogVerification::default() }, 100, false, &Ok(())).into_string();
        assert!(
            html.contains("hx-trigger=\"every 2s\"") && html.contains("value=\"70\"") && html.contains("&lt;ada&gt;"),
            "{html}"
        );
        assert!(!html.contains("<form"), "{html}");
    }

    #[test]
    fn a_result_names_the_event_and_what_is_newer() {
        let state = LogVerification { position: 1402, verified_at: Some(Timestamp::default()), ..LogVerification::default() };
        let html = card(&state, 1405, false, &Ok(())).into_string();
        assert!(html.contains("up to event 1402") && html.contains("3 newer"), "{html}");
        assert_eq!(html.matches("action=\"/timeline/verify\"").count(), 2);
        let problem = Some((Alteration::Altered { position: 7 }, Timestamp::default()));
        let html = card(&LogVerification { problem, ..state }, 1405, false, &Err("no".to_owned())).into_string();
        assert!(html.contains(" 7 ") && !html.contains("<form"), "{html}");
    }
}
