//! The rules by which an operation refuses a request that it cannot read (status 400). They follow from what the operation
//! accepts: its parameters, headers and body. The API tests check each answer 400 against them.

use bootledger_aggregates::rules::Rule;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;

/// The names of an operation's parameters.
pub(super) fn parameters(operation: &Operation) -> Vec<&str> {
    let parameters = operation.parameters.iter().flatten();
    parameters.filter_map(|one| if let RefOr::T(one) = one { Some(&*one.name) } else { None }).collect()
}

/// Whether an operation takes a JSON body.
pub(super) fn takes_json(operation: &Operation) -> bool {
    matches!(&operation.request_body, Some(RefOr::T(body)) if body.content.contains_key("application/json"))
}

/// The rules of an operation, whose parameters are complete.
pub(super) fn rules(path: &str, method: &str, operation: &Operation) -> Vec<Rule> {
    let named = parameters(operation);
    let body = operation.request_body.as_ref();
    let mut rules = vec![Rule::QueryMalformed, Rule::ParameterMalformed, Rule::ParameterUnknown, Rule::PositionMalformed];
    let mut add_if = |accepts: bool, more: &[Rule]| rules.extend(more.iter().filter(|_| accepts));
    add_if(path.contains('{'), &[Rule::PathMalformed]);
    add_if(named.contains(&"at"), &[Rule::AtMalformed]);
    add_if(named.contains(&"after"), &[Rule::CursorMalformed]);
    add_if(method != "get", &[Rule::IdempotencyKeyMalformed]);
    add_if(body.is_some(), &[Rule::BodyBroken]);
    add_if(takes_json(operation), &[Rule::JsonMalformed, Rule::JsonTooDeep, Rule::FieldRepeated]);
    add_if(body.is_some() && path.contains("/files/"), &[Rule::BodyIncomplete]);
    add_if(method == "get" && path.ends_with("/power"), &[Rule::PowerIsNow]);
    add_if(method == "get" && path.starts_with("/api/v1/image-downloads"), &[Rule::DownloadsAreNow]);
    rules
}
