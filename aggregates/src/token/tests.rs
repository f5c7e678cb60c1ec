//! Tests of the rules of a token, one for each.

use super::*;
use crate::samples::{broken, noon, outcome, parsed};

fn create(name: &str) -> TokenCommand {
    TokenCommand::CreateToken { name: parsed(name), scope: TokenScope::Operator, expires: Some(noon(0)) }
}

fn created() -> Vec<TokenEvent> {
    vec![TokenEvent::TokenCreated { name: parsed("ops"), scope: TokenScope::Operator, expires: Some(noon(0)) }]
}

fn revoked() -> Vec<TokenEvent> {
    created().into_iter().chain([TokenEvent::TokenRevoked {}]).collect()
}

#[test]
fn a_token_is_created_once_with_a_name() {
    assert_eq!(outcome::<Token>(&[], create("ops")), Ok(created()));
    assert_eq!(broken::<Token>(&[], create("")), ["name_empty"]);
    for given in [created(), revoked()] {
        assert_eq!(broken::<Token>(&given, create("ops")), ["token_exists"]);
    }
}

#[test]
fn a_token_is_revoked_once_and_permanently() {
    assert_eq!(outcome::<Token>(&created(), TokenCommand::RevokeToken), Ok(vec![TokenEvent::TokenRevoked {}]));
    assert_eq!(outcome::<Token>(&revoked(), TokenCommand::RevokeToken), Ok(vec![]));
    assert_eq!(broken::<Token>(&[], TokenCommand::RevokeToken), ["token_unknown"]);
}

#[test]
fn the_scopes_of_users_give_their_role_and_the_others_give_none() {
    for (scope, role) in [
        (TokenScope::Viewer, Some(Role::Viewer)),
        (TokenScope::Operator, Some(Role::Operator)),
        (TokenScope::Administrator, Some(Role::Administrator)),
        (TokenScope::DhcpServer(parsed("kea-1")), None),
        (TokenScope::PuppetReports, None),
    ] {
        assert_eq!(scope.role(), role, "{scope:?}");
    }
}
