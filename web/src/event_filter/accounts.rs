//! Who may read the events of accounts: users, tokens, sessions, sign-ins, and the scopes of secrets. Viewers and operators read
//! everything else. The timeline, its exports and live pages, the API and comparisons all decide here.

use super::kinds::event_types;
use crate::http::auth::principal::Principal;
use crate::http::error::Error;
use bootledger_aggregates::user::Role;
use bootledger_projections::rows::timeline::Filter;

/// The types of objects that only auditors and administrators may read.
const ACCOUNTS: &[&str] = &["user", "token", "session", "secret"];

/// The types of objects that a caller may not read.
pub(crate) fn hidden(principal: &Principal) -> &'static [&'static str] {
    if principal.may(Role::Auditor) { &[] } else { ACCOUNTS }
}

/// Whether a caller may read about objects of a type.
pub(crate) fn may_read(principal: &Principal, kind: &str) -> bool {
    !hidden(principal).contains(&kind)
}

/// Requires that a caller may read about objects of a type.
///
/// # Errors
/// Returns [`Error::Forbidden`] if the type is one of accounts, and the caller has no role for it.
pub(crate) fn require(principal: &Principal, kind: &str) -> Result<(), Error> {
    if may_read(principal, kind) { Ok(()) } else { principal.require(Role::Auditor) }
}

/// The types of events that a caller may read, with the type of their aggregate.
pub(crate) fn readable_types(principal: &Principal) -> impl Iterator<Item = (&'static str, &'static str)> {
    let hidden = hidden(principal);
    event_types().filter(move |(kind, _)| !hidden.contains(kind))
}

/// Limits a filter to the events that a caller may read. The database leaves the others out, so that pages stay full.
///
/// # Errors
/// Returns [`Error::Forbidden`] if the filter names events of accounts, and the caller has no role for them. An empty result
/// would claim that nothing happened.
pub(crate) fn limit(principal: &Principal, filter: &mut Filter) -> Result<(), Error> {
    let hidden = hidden(principal);
    if hidden.is_empty() {
        return Ok(());
    }
    if let Some(kind) = &filter.aggregate_type {
        require(principal, kind)?;
    }
    for (kind, event_type) in event_types().filter(|(kind, _)| hidden.contains(kind)) {
        if filter.event_types.iter().any(|wanted| wanted == event_type) {
            require(principal, kind)?;
        }
    }
    if filter.event_types.is_empty() {
        filter.event_types = readable_types(principal).map(|(_, event_type)| event_type.to_owned()).collect();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::principal::Bearer;
    use bootledger_aggregates::event::KINDS;
    use bootledger_aggregates::token::TokenScope;
    use bootledger_aggregates::values::ids::TokenId;
    use bootledger_aggregates::values::text::Text;

    fn with(scope: TokenScope) -> Principal {
        Principal::Token(Bearer { id: TokenId::default(), name: Text::fitted("ops"), scope, expires: None })
    }

    #[test]
    fn every_type_of_account_is_a_type_of_object_with_event_types_of_its_own() {
        for account in ACCOUNTS {
            let types = KINDS.iter().find(|(kind, _)| kind == account).map(|(_, types)| *types).expect("a type of object");
            let shared = event_types().filter(|(kind, event_type)| kind != account && types.contains(event_type)).count();
            assert_eq!(shared, 0, "{account}");
        }
    }

    #[test]
    fn viewers_and_operators_get_every_event_except_those_of_accounts() {
        for scope in [TokenScope::Viewer, TokenScope::Operator, TokenScope::DhcpServer("kea-1".parse().expect("a name"))] {
            let principal = with(scope);
            let mut filter = Filter::default();
            limit(&principal, &mut filter).expect("a filter that names nothing");
            let has = |name: &str| filter.event_types.iter().any(|known| known == name);
            assert!(has("DeploymentStarted") && has("WebhookDefined"), "{filter:?}");
            for hidden in ["UserCreated", "UserLockedOut", "SessionStarted", "UnknownUserSignInsFailed", "TokenCreated"] {
                assert!(!has(hidden), "{hidden}");
            }
            let named = Filter { aggregate_type: Some("session".to_owned()), ..Filter::default() };
            let typed = Filter { event_types: vec!["SiteDefined".to_owned(), "SessionStarted".to_owned()], ..Filter::default() };
            for mut filter in [named, typed] {
                assert!(matches!(limit(&principal, &mut filter), Err(Error::Forbidden { .. })), "{filter:?}");
            }
            let mut other = Filter { event_types: vec!["SiteDefined".to_owned()], ..Filter::default() };
            limit(&principal, &mut other).expect("no account");
            assert_eq!(other.event_types, ["SiteDefined"]);
            assert!(may_read(&principal, "network") && !may_read(&principal, "session"));
        }
    }

    #[test]
    fn auditors_and_administrators_get_every_event() {
        for scope in [TokenScope::Auditor, TokenScope::Administrator] {
            let principal = with(scope);
            let mut filter = Filter { aggregate_type: Some("session".to_owned()), ..Filter::default() };
            limit(&principal, &mut filter).expect("they may read accounts");
            assert!(filter.event_types.is_empty() && may_read(&principal, "user"));
            assert_eq!(readable_types(&principal).count(), event_types().count());
        }
    }
}
