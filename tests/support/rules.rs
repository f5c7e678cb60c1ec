//! Compares answers of the service with the rules that the API description lists for each operation.

use bootledger_web::server::openapi;
use reqwest::Method;
use serde_json::Value;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(openapi::document()).unwrap_or_default());

/// Panics if a refusal has a rule that the description does not list for its operation and status.
pub(crate) fn check_rules(method: &Method, path: &str, status: u16, answer: &Value) {
    if !(400..500).contains(&status) {
        return;
    }
    let Some((operation, responses)) = responses(method, path.split('?').next().unwrap_or_default()) else { return };
    let listed = responses[status.to_string()]["x-rules"].as_array().cloned().unwrap_or_default();
    for error in answer["errors"].as_array().into_iter().flatten() {
        let code = &error["rule"];
        assert!(listed.contains(code), "{method} {operation} answers {status} with {code}, and the description lists {listed:?}");
    }
}

/// The responses of the operation of a path, which has values in place of the variables.
fn responses(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |known: &str| {
        let known: Vec<&str> = known.split('/').collect();
        known.len() == parts.len() && known.iter().zip(&parts).all(|(known, part)| known == part || known.starts_with('{'))
    };
    let paths = DOCUMENT["paths"].as_object()?.iter().filter(|(known, _)| known.starts_with("/api/v1/") && fits(known.as_str()));
    // A path without a variable is more exact than one with it.
    let (path, item) = paths.min_by_key(|(known, _)| known.matches('{').count())?;
    Some((path, item.get(method.as_str().to_ascii_lowercase())?.get("responses")?))
}
