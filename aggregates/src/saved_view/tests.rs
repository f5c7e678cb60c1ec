//! The rules of saved views.

use super::*;
use crate::samples::{broken, outcome, parsed};

fn view(name: &str) -> SavedViewSpec {
    let query = "status=open&sort=since".to_owned();
    SavedViewSpec { list: parsed("deployments"), name: parsed(name), query, shared: false, usual: false }
}

fn save(by: &str, spec: SavedViewSpec) -> SavedViewCommand {
    SavedViewCommand::SaveView { by: parsed(by), spec: Box::new(spec), name_taken: false, others: 0 }
}

fn delete(by: &str) -> SavedViewCommand {
    SavedViewCommand::DeleteView { by: parsed(by) }
}

fn saved(owner: &str, spec: SavedViewSpec) -> SavedViewEvent {
    SavedViewEvent::ViewSaved { owner: parsed(owner), spec: Box::new(spec) }
}

#[test]
fn a_view_is_saved_replaced_and_deleted_by_its_owner() {
    let known = vec![saved("user ada", view("Open"))];
    assert_eq!(outcome::<SavedView>(&[], save("user ada", view("Open"))), Ok(known.clone()));
    let shared = SavedViewSpec { shared: true, ..view("Waiting") };
    assert_eq!(outcome::<SavedView>(&known, save("user ada", shared.clone())), Ok(vec![saved("user ada", shared)]));
    assert_eq!(outcome::<SavedView>(&known, delete("user ada")), Ok(vec![SavedViewEvent::ViewDeleted {}]));
}

#[test]
fn the_same_view_again_and_a_view_that_is_gone_are_no_events() {
    let known = vec![saved("user ada", view("Open"))];
    assert_eq!(outcome::<SavedView>(&known, save("user ada", view("Open"))), Ok(vec![]));
    assert_eq!(outcome::<SavedView>(&[], delete("user ada")), Ok(vec![]));
}

#[test]
fn a_view_of_another_user_cannot_be_changed() {
    let known = [saved("user ada", view("Open"))];
    assert_eq!(broken::<SavedView>(&known, save("user bob", view("Mine"))), ["saved_view_foreign"]);
    assert_eq!(broken::<SavedView>(&known, delete("user bob")), ["saved_view_foreign"]);
}

#[test]
fn every_reason_against_a_view_is_reported_at_once() {
    let spec = SavedViewSpec { query: "x".repeat(QUERY_LENGTH + 1), ..view("") };
    let command = SavedViewCommand::SaveView { by: parsed("user ada"), spec: Box::new(spec), name_taken: true, others: MOST };
    assert_eq!(broken::<SavedView>(&[], command), ["missing", "name_taken", "too_large", "too_many"]);
    let spaced = SavedViewSpec { query: "q=a b".to_owned(), ..view("Open") };
    assert_eq!(broken::<SavedView>(&[], save("user ada", spaced)), ["too_large"]);
}
