//! The routes, read from their sources, so that none can be missed.

use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A method of a route, with a path that matches it.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) method: String,
    pub(super) path: String,
}

/// The last path segments of pages that only show a form for a change.
const LEADING: [&str; 10] = ["new", "_new", "edit", "retire", "remove", "decommission", "add", "cancel", "done", "deploy"];

/// The source files of a folder of the crate.
pub(super) fn of(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

fn read(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            found.push((path, text));
        }
    }
}

/// Whether a handler is exempt: sign-ins and the change of one's own password never hold a read connection.
pub(super) fn is_excused(file: &Path, around: &str) -> bool {
    let own = ["pages/sign_in.rs", "pages/settings/password.rs"];
    own.iter().any(|own| file.ends_with(own)) && around != ".unguarded()"
}

/// The resources of a folder: their patterns, and the methods with their handlers, such as `.get(show).post(change)`.
fn resources(folder: &str) -> Vec<(String, String)> {
    let mut found = vec![];
    for (_, text) in of(folder) {
        for part in text.split("resource(\"").skip(1) {
            let Some((pattern, rest)) = part.split_once("\")") else { continue };
            let end = rest.find(';').into_iter().chain(rest.find(".service(")).min().unwrap_or(rest.len());
            found.push((pattern.to_owned(), rest[..end].split_whitespace().collect()));
        }
    }
    found
}

/// A path that matches a pattern.
fn path(pattern: &str) -> String {
    let parts = pattern.split('/').map(|part| match part {
        "{id}" => Uuid::now_v7().to_string(),
        "{position}" => "1".to_owned(),
        part if part.starts_with('{') => "x".to_owned(),
        part => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Every route with an unsafe method (RFC 9110, 9.2.1).
pub(super) fn unsafe_routes() -> Vec<Route> {
    let mut routes = vec![];
    for folder in ["api", "machines", "pages"] {
        for (pattern, handlers) in resources(folder) {
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                if handlers.contains(&format!(".{}(", method.to_lowercase())) {
                    // The query of an uploaded file gives its kind.
                    let query = if method == "PUT" && pattern.contains("/files/") { "?kind=other" } else { "" };
                    routes.push(Route { method: method.to_owned(), path: format!("{}{query}", path(&pattern)) });
                }
            }
        }
    }
    routes
}

/// Every page that only shows a form for a change.
pub(super) fn pages_that_lead_to_a_change() -> Vec<String> {
    let leads = |(pattern, handlers): &(String, String)| {
        let last = pattern.rsplit('/').next().unwrap_or_default();
        LEADING.contains(&last) && handlers.contains(".get(") && !handlers.contains(".get(back)")
    };
    resources("pages").into_iter().filter(leads).map(|(pattern, _)| path(&pattern)).collect()
}
