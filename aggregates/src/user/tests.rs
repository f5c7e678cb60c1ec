//! One test for each rule of a user.

use super::*;
use crate::samples::{broken, outcome};
use uuid::Uuid;

fn password(number: u128) -> PasswordId {
    PasswordId(Uuid::from_u128(number))
}

fn with_password(number: u128) -> SignIn {
    SignIn::Password { password: password(number), one_time: true }
}

fn create(role: Role) -> UserCommand {
    UserCommand::CreateUser { display_name: Text::fitted("Ada"), role, sign_in: with_password(1) }
}

fn created(role: Role) -> Vec<UserEvent> {
    vec![UserEvent::UserCreated { display_name: Text::fitted("Ada"), role, sign_in: with_password(1) }]
}

fn disabled(role: Role) -> Vec<UserEvent> {
    created(role).into_iter().chain([UserEvent::UserDisabled {}]).collect()
}

#[test]
fn a_user_is_created_once() {
    assert_eq!(outcome::<User>(&[], create(Role::Viewer)), Ok(created(Role::Viewer)));
    for given in [created(Role::Viewer), disabled(Role::Viewer)] {
        assert_eq!(broken::<User>(&given, create(Role::Viewer)), ["user_exists"]);
    }
}

#[test]
fn nothing_can_be_asked_of_somebody_unknown() {
    let password = UserCommand::ChangePassword { password: password(2), one_time: false };
    let role = UserCommand::ChangeRole { role: Role::Viewer, others: 1 };
    for command in [password, role, UserCommand::DisableUser { others: 1 }, UserCommand::EnableUser] {
        assert_eq!(broken::<User>(&[], command), ["user_unknown"]);
    }
}

#[test]
fn a_role_changes_once() {
    let change = |role| UserCommand::ChangeRole { role, others: 0 };
    let event = UserEvent::UserRoleChanged { role: Role::Operator };
    assert_eq!(outcome::<User>(&created(Role::Viewer), change(Role::Operator)), Ok(vec![event]));
    assert_eq!(outcome::<User>(&created(Role::Viewer), change(Role::Viewer)), Ok(vec![]));
}

#[test]
fn the_last_administrator_is_neither_lowered_nor_disabled() {
    let given = created(Role::Administrator);
    let lower = |others| UserCommand::ChangeRole { role: Role::Operator, others };
    assert_eq!(broken::<User>(&given, lower(0)), ["last_administrator"]);
    assert_eq!(broken::<User>(&given, UserCommand::DisableUser { others: 0 }), ["last_administrator"]);
    assert_eq!(outcome::<User>(&given, lower(1)), Ok(vec![UserEvent::UserRoleChanged { role: Role::Operator }]));
    assert_eq!(outcome::<User>(&given, UserCommand::DisableUser { others: 1 }), Ok(vec![UserEvent::UserDisabled {}]));
    // Whoever is no administrator, or is disabled already, is not the last one.
    assert!(outcome::<User>(&created(Role::Operator), UserCommand::DisableUser { others: 0 }).is_ok());
    assert!(outcome::<User>(&disabled(Role::Administrator), lower(0)).is_ok());
}

#[test]
fn a_user_is_disabled_and_enabled_again_once() {
    assert_eq!(outcome::<User>(&disabled(Role::Viewer), UserCommand::DisableUser { others: 0 }), Ok(vec![]));
    assert_eq!(outcome::<User>(&disabled(Role::Viewer), UserCommand::EnableUser), Ok(vec![UserEvent::UserEnabled {}]));
    assert_eq!(outcome::<User>(&created(Role::Viewer), UserCommand::EnableUser), Ok(vec![]));
}

#[test]
fn a_password_changes_where_there_is_one() {
    let change = |number, one_time| UserCommand::ChangePassword { password: password(number), one_time };
    let event = UserEvent::UserPasswordChanged { password: password(2), one_time: false };
    assert_eq!(outcome::<User>(&created(Role::Viewer), change(2, false)), Ok(vec![event.clone()]));
    let changed: Vec<_> = created(Role::Viewer).into_iter().chain([event]).collect();
    assert_eq!(outcome::<User>(&changed, change(2, false)), Ok(vec![]), "the caller repeats itself");
    let (display_name, sign_in) = (Text::default(), SignIn::OpenidConnect);
    let elsewhere = [UserEvent::UserCreated { display_name, role: Role::Viewer, sign_in }];
    assert_eq!(broken::<User>(&elsewhere, change(2, false)), ["password_elsewhere"]);
}

fn link(subject: &str) -> Link {
    Link { issuer: Text::fitted("https://id.example"), subject: Text::fitted(subject) }
}

fn admit(role: Role, subject: &str, others: usize) -> UserCommand {
    UserCommand::AdmitUser { display_name: Text::fitted("Ada"), role, link: link(subject), others }
}

fn admitted(role: Role) -> Vec<UserEvent> {
    let created = UserEvent::UserCreated { display_name: Text::fitted("Ada"), role, sign_in: SignIn::OpenidConnect };
    vec![created, UserEvent::UserLinked { link: link("7") }]
}

#[test]
fn whoever_the_provider_vouches_for_is_made_known_once_and_keeps_the_role_current() {
    assert_eq!(outcome::<User>(&[], admit(Role::Viewer, "7", 1)), Ok(admitted(Role::Viewer)));
    assert_eq!(outcome::<User>(&admitted(Role::Viewer), admit(Role::Viewer, "7", 1)), Ok(vec![]));
    let changed = UserEvent::UserRoleChanged { role: Role::Operator };
    assert_eq!(outcome::<User>(&admitted(Role::Viewer), admit(Role::Operator, "7", 1)), Ok(vec![changed]));
    // Somebody whom an administrator has made is linked at the first sign-in.
    let linked = UserEvent::UserLinked { link: link("7") };
    assert_eq!(outcome::<User>(&admitted(Role::Viewer)[..1], admit(Role::Viewer, "7", 1)), Ok(vec![linked]));
}

#[test]
fn the_provider_speaks_for_nobody_else() {
    assert_eq!(broken::<User>(&admitted(Role::Viewer), admit(Role::Viewer, "8", 1)), ["linked_elsewhere"]);
    assert_eq!(broken::<User>(&created(Role::Administrator), admit(Role::Administrator, "7", 1)), ["password_here"]);
    let disabled: Vec<_> = admitted(Role::Viewer).into_iter().chain([UserEvent::UserDisabled {}]).collect();
    assert_eq!(broken::<User>(&disabled, admit(Role::Viewer, "7", 1)), ["user_disabled"]);
    assert_eq!(broken::<User>(&admitted(Role::Administrator), admit(Role::Viewer, "7", 0)), ["last_administrator"]);
}

#[test]
fn a_role_is_read_from_its_name() {
    for role in [Role::Viewer, Role::Operator, Role::Administrator] {
        assert_eq!(role.to_string().parse(), Ok(role));
    }
    assert!("root".parse::<Role>().is_err());
}
