//! What the lists of all operations share.

use bootledger_aggregates::rules::Rule;

/// Groups of rules.
pub(super) type Groups = &'static [&'static [Rule]];

/// The rules that any JSON body can violate.
pub(super) const JSON: &[Rule] = &[Rule::Malformed, Rule::MissingField, Rule::UnknownField, Rule::WrongType];
