//! The rules by which an operation refuses a request that it can read (status 422).
//!
//! Some follow from the operation's parameters and body. The modules below list the others: first in groups, each for one part
//! of a request or one check, then for each operation. Add a new rule to the group of its check. The API tests compare each
//! answer with these lists, and `tests.rs` fails if a registered rule is in none of them.

mod accounts;
mod catalogue;
mod deployments;
mod devices;
mod groups;
mod machines;
#[cfg(test)]
mod tests;
mod views;

use super::unreadable::{parameters, takes_json};
use bootledger_aggregates::rules::Rule;
use groups::{Groups, JSON};
use utoipa::openapi::path::Operation;

/// The rules of an operation, whose parameters are complete, in the order of their codes.
pub(super) fn rules(path: &str, method: &str, operation: &Operation) -> Vec<Rule> {
    let accepted = parameters(operation);
    let accepts = |name: &str| accepted.contains(&name);
    let (api, json) = (path.starts_with("/api/v1/"), takes_json(operation));
    let mut groups = of_operation(path, method).unwrap_or_default().to_vec();
    let mut add_if = |applies: bool, more: &'static [Rule]| groups.extend(applies.then_some(more));
    add_if(accepts("at"), &[Rule::AtInFuture, Rule::AtNegative]);
    add_if(accepts("limit"), &[Rule::LimitRange]);
    add_if(accepts("free"), &[Rule::FreeRange]);
    add_if(json, JSON);
    // Other routes accept reports that quote other programs.
    add_if(api && json, &[Rule::InvisibleCharacter]);
    add_if(api && method != "get" && !accepts("dry_run"), &[Rule::DryRunUnsupported]);
    add_if(api && method == "post" && !accepts("Idempotency-Key"), &[Rule::IdempotencyKeyNotTaken]);
    let mut rules = groups.concat();
    rules.sort_unstable_by_key(|rule| rule.code());
    rules.dedup();
    rules
}

/// The rules that do not follow from the operation's parameters and body. `None` if no module lists the operation: every change
/// is listed, and a read only if it has such rules.
fn of_operation(path: &str, method: &str) -> Option<Groups> {
    let modules = [catalogue::rules, devices::rules, deployments::rules, accounts::rules, views::rules, machines::rules];
    modules.into_iter().find_map(|rules| rules(method, path))
}
