//! Tests of the rules of a venture and its roles, one for each.

use super::*;
use crate::samples::{broken, outcome, parsed};

/// The command that defines `shop` below `parent`, which has these ancestors.
fn below(parent: &str, ancestors: &[&str]) -> VentureCommand {
    let spec = VentureSpec { parent: Some(parsed(parent)), ..VentureSpec::default() };
    let ancestors = ancestors.iter().map(|name| parsed(name)).collect();
    VentureCommand::DefineVenture { name: parsed("shop"), spec, ancestors, secret_problems: SecretProblems::new() }
}

fn define() -> VentureCommand {
    VentureCommand::DefineVenture {
        name: parsed("shop"),
        spec: VentureSpec::default(),
        ancestors: vec![],
        secret_problems: SecretProblems::new(),
    }
}

fn defined() -> Vec<VentureEvent> {
    vec![VentureEvent::VentureDefined { spec: VentureSpec::default() }]
}

fn define_role(image: &str) -> VentureCommand {
    let spec = RoleSpec { default_boot_image: Some(parsed(image)), ..RoleSpec::default() };
    VentureCommand::DefineRole { role: parsed("web"), spec, secret_problems: SecretProblems::new() }
}

fn with_role() -> Vec<VentureEvent> {
    let role = outcome::<Venture>(&defined(), define_role("debian-13")).expect("a role");
    defined().into_iter().chain(role).collect()
}

#[test]
fn a_venture_is_defined_and_the_same_again_writes_nothing() {
    assert_eq!(outcome::<Venture>(&[], define()), Ok(defined()));
    assert_eq!(outcome::<Venture>(&defined(), define()), Ok(vec![]));
    assert_eq!(outcome::<Venture>(&defined(), below("retail", &["retail"])).map(|events| events.len()), Ok(1));
}

#[test]
fn a_parent_is_a_known_venture() {
    assert_eq!(broken::<Venture>(&[], below("retail", &[])), ["venture_unknown"]);
    assert!(outcome::<Venture>(&[], below("retail", &["retail", "group"])).is_ok());
}

#[test]
fn no_venture_is_a_part_of_itself() {
    assert_eq!(broken::<Venture>(&[], below("shop", &[])), ["venture_circle"]);
    assert_eq!(broken::<Venture>(&defined(), below("shop", &["shop"])), ["venture_circle"]);
    assert_eq!(broken::<Venture>(&defined(), below("corner", &["corner", "shop"])), ["venture_circle"]);
    assert_eq!(broken::<Venture>(&defined(), below("corner", &["corner", "street", "shop", "retail"])), ["venture_circle"]);
}

#[test]
fn roles_belong_to_a_defined_venture() {
    for command in [define_role("debian-13"), VentureCommand::RetireRole { role: parsed("web") }] {
        assert_eq!(broken::<Venture>(&[], command), ["venture_unknown"]);
    }
}

#[test]
fn a_role_is_defined_changed_and_retired() {
    assert_eq!(outcome::<Venture>(&with_role(), define_role("debian-13")), Ok(vec![]));
    assert_eq!(outcome::<Venture>(&with_role(), define_role("debian-14")).map(|events| events.len()), Ok(1));
    let retire = VentureCommand::RetireRole { role: parsed("web") };
    let retired = VentureEvent::RoleRetired { role: parsed("web") };
    assert_eq!(outcome::<Venture>(&with_role(), retire.clone()), Ok(vec![retired.clone()]));
    let given: Vec<_> = with_role().into_iter().chain([retired]).collect();
    for without in [given, defined()] {
        assert_eq!(broken::<Venture>(&without, retire.clone()), ["role_unknown"]);
    }
}

#[test]
fn a_retired_venture_takes_its_roles_with_it() {
    assert_eq!(outcome::<Venture>(&[], VentureCommand::RetireVenture), Ok(vec![]));
    assert_eq!(outcome::<Venture>(&with_role(), VentureCommand::RetireVenture), Ok(vec![VentureEvent::VentureRetired {}]));
    let retired: Vec<_> = with_role().into_iter().chain([VentureEvent::VentureRetired {}]).collect();
    assert_eq!(outcome::<Venture>(&retired, VentureCommand::RetireVenture), Ok(vec![]));
    assert_eq!(broken::<Venture>(&retired, define_role("debian-13")), ["venture_unknown"]);
    let again: Vec<_> = retired.into_iter().chain(defined()).collect();
    assert_eq!(outcome::<Venture>(&again, define_role("debian-13")).map(|events| events.len()), Ok(1), "the role is gone");
}

#[test]
fn a_venture_and_a_role_refer_only_to_secrets_for_boot_files() {
    let settings = crate::samples::settings(serde_json::json!({ "password": { "secret": "bmc" } }));
    let spec = VentureSpec { settings: settings.clone(), ..VentureSpec::default() };
    let secret_problems = SecretProblems::new();
    let define = VentureCommand::DefineVenture { name: parsed("shop"), spec, ancestors: vec![], secret_problems };
    assert_eq!(broken::<Venture>(&[], define), ["secret_not_for_boot"]);
    let defined = [VentureEvent::VentureDefined { spec: VentureSpec::default() }];
    let spec = RoleSpec { settings, ..RoleSpec::default() };
    let define = VentureCommand::DefineRole { role: parsed("web"), spec, secret_problems: SecretProblems::new() };
    assert_eq!(broken::<Venture>(&defined, define), ["secret_not_for_boot"]);
}
