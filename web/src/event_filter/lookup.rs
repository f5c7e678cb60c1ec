//! Looks up actors, objects and types of events by what someone has entered.

use super::accounts;
use super::kinds::{event_types, kind_of};
use super::unknown::Unknown;
use crate::http::auth::principal::Principal;
use crate::http::error::Error;
use crate::wording::{actors as words, events};
use bootledger_aggregates::actor::{self, SystemActor};
use bootledger_projections::database::pool::Connection;
use bootledger_projections::rows::timeline::{self, Subjects};

/// How many similar names a message suggests.
const SIMILAR: usize = 5;
/// How many actors are compared with an unknown name.
const COMPARED: i64 = 1_000;

/// The results for an object filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// All objects of a type.
    Kind(String),
    /// Certain objects.
    Subjects(Subjects),
}

/// The actors that a text names: a code (`user ada`), a name without its kind (`ada`), or the words on the page.
pub(super) async fn actors(connection: &mut Connection, text: &str, last: i64) -> Result<Result<Vec<String>, Unknown>, Error> {
    let mut candidates = vec![actor::upcast(text.to_owned())];
    for name in [text.to_owned(), text.to_lowercase()] {
        candidates.push(name.clone());
        candidates.extend(["user", "token", "plugin", "server"].map(|kind| format!("{kind} {name}")));
    }
    let by_words = |system: &&SystemActor| words::actor(system.code()).eq_ignore_ascii_case(text);
    candidates.extend(SystemActor::ALL.iter().filter(by_words).map(|system| system.code().to_owned()));
    let found = timeline::known_actors(connection, &candidates, last).await?;
    if !found.is_empty() {
        // A code takes precedence over a user with this name.
        let exact: Vec<String> = found.iter().filter(|actor| *actor == text).cloned().collect();
        return Ok(Ok(if exact.is_empty() { found } else { exact }));
    }
    let known = timeline::actors(connection, last, COMPARED).await?;
    let name = |actor: &str| actor.split_once(' ').map_or_else(|| actor.to_owned(), |(_, name)| name.to_owned());
    let same: Vec<String> =
        known.iter().filter(|actor| lower(actor) == lower(text) || lower(&name(actor)) == lower(text)).cloned().collect();
    if !same.is_empty() {
        return Ok(Ok(same));
    }
    let message = format!("No actor is called {text:?}");
    Ok(Err(Unknown { field: "actor", message, similar: similar(text, known.iter().map(|actor| (actor.clone(), name(actor)))) }))
}

/// The objects that a text names: a type (`network`), `type/key`, or a name. Names of objects that the caller may not read are
/// unknown.
///
/// # Errors
/// Returns an error if the database fails, or if the text names a type that the caller may not read.
pub(super) async fn object(
    connection: &mut Connection,
    principal: &Principal,
    text: &str,
) -> Result<Result<Object, Unknown>, Error> {
    if let Some(kind) = kind_of(text) {
        accounts::require(principal, kind)?;
        return Ok(Ok(Object::Kind(kind.to_owned())));
    }
    // A key may contain a slash, so what is before it counts only if it is a type.
    let (kind, name) = match text.split_once('/').map(|(kind, name)| (kind_of(kind), name.trim())) {
        Some((Some(kind), name)) => (Some(kind), name),
        _ => (None, text),
    };
    if let Some(kind) = kind {
        accounts::require(principal, kind)?;
    }
    let named = timeline::named_by(connection, name, kind, accounts::hidden(principal)).await?;
    if !named.subjects.is_empty() {
        return Ok(Ok(Object::Subjects(named.subjects)));
    }
    let message = match kind {
        Some(kind) => format!("No {} is called {name:?}", kind.replace('_', " ")),
        None => format!("Nothing is called {name:?}"),
    };
    Ok(Err(Unknown { field: "object", message, similar: named.similar.into_iter().take(SIMILAR).collect() }))
}

/// The types of events that a text names, separated by commas: `DeploymentStarted`, in any case, or its label.
pub(super) fn types(text: &str) -> Result<Vec<String>, Unknown> {
    let plain = |text: &str| text.to_lowercase().replace([' ', '_', '-'], "");
    let mut found = vec![];
    for wanted in text.split(',').map(str::trim).filter(|wanted| !wanted.is_empty()) {
        let Some((_, known)) = event_types().find(|(_, known)| plain(known) == plain(wanted)) else {
            let known = event_types().map(|(_, known)| (events::label(known), known.to_owned()));
            let similar = similar(&wanted.replace([' ', '_', '-'], ""), known);
            return Err(Unknown { field: "type", message: format!("No type of event is called {wanted:?}"), similar });
        };
        found.push(known.to_owned());
    }
    Ok(found)
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// The values whose names are most similar to a text or contain it: pairs of value and name.
fn similar(text: &str, known: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let text: String = lower(text).chars().take(65).collect();
    let mut near: Vec<(usize, String)> = known
        .filter_map(|(value, name)| {
            let name = lower(&name);
            let distance = strsim::osa_distance(&text, &name);
            let contained = text.chars().count() >= 3 && name.contains(&text);
            (contained || distance <= 1 + text.chars().count() / 4).then_some((distance, value))
        })
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(SIMILAR).map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_events_are_found_in_any_case_and_by_their_labels() {
        for text in ["DeploymentStarted", "deploymentstarted", "Deployment started", "deployment_started"] {
            assert_eq!(types(text), Ok(vec!["DeploymentStarted".to_owned()]), "{text}");
        }
        assert_eq!(types("UserLockedOut, UserUnlocked").map(|found| found.len()), Ok(2));
        let unknown = types("deploymentstart").expect_err("unknown");
        assert_eq!(unknown.field, "type");
        assert!(unknown.similar.contains(&"Deployment started".to_owned()), "{unknown:?}");
    }

    #[test]
    fn similar_names_are_suggested() {
        let known =
            ["user admin", "token ops", "plugin dns"].map(|actor| (actor.to_owned(), actor[actor.len() - 3..].to_owned()));
        assert_eq!(similar("opd", known.into_iter()), ["token ops"]);
    }
}
