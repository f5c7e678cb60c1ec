//! Tests of the rules of a session, one for each.

use super::*;
use crate::samples::{broken, outcome, parsed};

fn spec() -> SessionSpec {
    SessionSpec { user: parsed("ada"), method: Method::Password, client: None, user_agent: parsed("Firefox") }
}

fn end() -> SessionCommand {
    SessionCommand::EndSession { reason: EndReason::SignedOut }
}

fn started() -> Vec<SessionEvent> {
    vec![SessionEvent::SessionStarted(spec())]
}

fn ended() -> Vec<SessionEvent> {
    started().into_iter().chain([SessionEvent::SessionEnded { reason: EndReason::Revoked }]).collect()
}

#[test]
fn a_session_begins_once() {
    assert_eq!(outcome::<Session>(&[], SessionCommand::StartSession(spec())), Ok(started()));
    for given in [started(), ended()] {
        assert_eq!(broken::<Session>(&given, SessionCommand::StartSession(spec())), ["session_exists"]);
    }
}

#[test]
fn a_session_ends_once_and_keeps_its_first_reason() {
    let event = SessionEvent::SessionEnded { reason: EndReason::SignedOut };
    assert_eq!(outcome::<Session>(&started(), end()), Ok(vec![event]));
    assert_eq!(outcome::<Session>(&ended(), end()), Ok(vec![]));
    assert_eq!(broken::<Session>(&[], end()), ["session_unknown"]);
}
