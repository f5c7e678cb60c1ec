//! Refuses query parameters that the API's description does not list for the operation, also for operations without parameters.

use super::parameters::{DRY_RUN, unknown};
use crate::error::Error;
use crate::openapi;
use actix_web::HttpRequest;
use actix_web::http::Method;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// Why `dry_run` is refused.
pub(super) const NO_DRY_RUN: &str = "this change has no dry run; leave dry_run out to make it";

type Names = HashMap<(String, String), BTreeSet<String>>;

/// The names of the query parameters, by method (in lower case) and path.
static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let description = serde_json::to_value(openapi::document()).unwrap_or_default();
    let paths = description["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(move |(method, operation)| ((method.clone(), path.clone()), names(operation)))
    });
    operations.collect()
});

fn names(operation: &Value) -> BTreeSet<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let of_query = parameters.filter(|parameter| parameter["in"] == "query");
    of_query.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect()
}

/// Refuses a parameter that the operation does not have.
pub(super) fn check(request: &HttpRequest, pairs: &[(String, String)]) -> Result<(), Error> {
    if pairs.is_empty() || !request.path().starts_with("/api/v1/") {
        return Ok(());
    }
    let Some(path) = request.match_pattern() else { return Ok(()) };
    let method = if request.method() == Method::HEAD { "get".to_owned() } else { request.method().as_str().to_ascii_lowercase() };
    let changes = method != "get";
    let Some(known) = NAMES.get(&(method, path)) else { return Ok(()) };
    let makes_it = |name: &str, value: &str| changes && name == DRY_RUN && value == "false";
    let other = pairs.iter().find(|(name, value)| !known.contains(name) && !makes_it(name, value));
    match other.map(|(name, _)| name.as_str()) {
        None => Ok(()),
        Some(DRY_RUN) if changes => Err(Error::rejected(DRY_RUN, "dry_run_unsupported", NO_DRY_RUN)),
        Some(name) => Err(unknown(name, &known.iter().map(String::as_str).collect::<Vec<_>>())),
    }
}
