//! Tests of the note and the ticket of a deployment.

use super::*;
use crate::deployment::notes::Notes;
use crate::samples::broken;

fn notes(note: &str, ticket: &str) -> Notes {
    Notes { note: parsed(note), ticket: parsed(ticket) }
}

pub(super) fn note(text: &str, ticket: &str) -> DeploymentCommand {
    DeploymentCommand::NoteDeployment { notes: notes(text, ticket) }
}

#[test]
fn a_deployment_begins_with_the_note_and_ticket_of_its_request() {
    let mut request = request();
    request.notes = notes("replaces h199", "OPS-1");
    let events = outcome::<Deployment>(&[], DeploymentCommand::StartDeployment(Box::new(request))).expect("it starts");
    assert_eq!(*Deployment::after(events.clone()).notes(), notes("replaces h199", "OPS-1"));
    assert_eq!(outcome::<Deployment>(&events, note("replaces h199", "OPS-1")), Ok(vec![]), "nothing changes");
}

#[test]
fn a_deployment_is_noted_in_every_state_and_keeps_its_notes() {
    for given in [open(), in_progress(), done(), cancelled()] {
        let noted = outcome::<Deployment>(&given, note("waits for a disk", "")).expect("it is noted");
        assert_eq!(noted, [DeploymentEvent::DeploymentNoted(notes("waits for a disk", ""))]);
        let given: Vec<DeploymentEvent> = given.into_iter().chain(noted).collect();
        assert_eq!(outcome::<Deployment>(&given, note("waits for a disk", "")), Ok(vec![]));
        let emptied = outcome::<Deployment>(&given, note("", "")).expect("it is emptied");
        assert_eq!(emptied, [DeploymentEvent::DeploymentNoted(Notes::default())]);
    }
    let noted = open().into_iter().chain([DeploymentEvent::DeploymentNoted(notes("", "OPS-2"))]);
    let cancelled = noted.clone().chain(outcome::<Deployment>(&noted.collect::<Vec<_>>(), cancel()).expect("it is cancelled"));
    assert_eq!(Deployment::after(cancelled).notes().ticket.as_str(), "OPS-2");
    assert_eq!(broken::<Deployment>(&[], note("", "")), ["deployment_unknown"]);
}

#[test]
fn a_started_event_without_notes_is_stored_as_before() {
    let json = serde_json::to_value(&open()[0]).expect("JSON");
    assert!(json.get("notes").is_none(), "{json}");
}
