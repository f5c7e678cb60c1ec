//! Refuses query parameters that the API's description does not list for the operation, also for operations without parameters.

use super::parameters::{DRY_RUN, unknown};
use crate::http::error::Error;
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Data;
use bootledger_aggregates::rules::Rule;
use std::collections::{BTreeSet, HashMap};

/// Why `dry_run` is refused.
pub(super) const NO_DRY_RUN: &str = "this change does not support a dry run; remove dry_run";

/// The names of the query parameters, by method (in lower case) and path.
pub(crate) type Names = HashMap<(String, String), BTreeSet<String>>;

/// Returns the query parameters that the API's description lists.
#[derive(Clone, Copy)]
pub(crate) struct KnownParameters(pub(crate) fn() -> &'static Names);

/// Refuses a parameter that the operation does not have.
pub(super) fn check(request: &HttpRequest, pairs: &[(String, String)]) -> Result<(), Error> {
    if pairs.is_empty() || !request.path().starts_with("/api/v1/") {
        return Ok(());
    }
    let Some(path) = request.match_pattern() else { return Ok(()) };
    let method = if request.method() == Method::HEAD { "get".to_owned() } else { request.method().as_str().to_ascii_lowercase() };
    let changes = method != "get";
    let Some(names) = request.app_data::<Data<KnownParameters>>() else { return Ok(()) };
    let Some(known) = (names.0)().get(&(method, path)) else { return Ok(()) };
    let makes_it = |name: &str, value: &str| changes && name == DRY_RUN && value == "false";
    let other = pairs.iter().find(|(name, value)| !known.contains(name) && !makes_it(name, value));
    match other.map(|(name, _)| name.as_str()) {
        None => Ok(()),
        Some(DRY_RUN) if changes => Err(Error::rejected(DRY_RUN, Rule::DryRunUnsupported, NO_DRY_RUN)),
        Some(name) => Err(unknown(name, &known.iter().map(String::as_str).collect::<Vec<_>>())),
    }
}
