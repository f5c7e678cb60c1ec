//! Tests of the rules of a user, one for each.

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
fn every_command_to_an_unknown_user_is_refused() {
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
fn the_last_administrator_cannot_be_demoted_or_disabled() {
    let given = created(Role::Administrator);
    let lower = |others| UserCommand::ChangeRole { role: Role::Operator, others };
    assert_eq!(broken::<User>(&given, lower(0)), ["last_administrator"]);
    assert_eq!(broken::<User>(&given, UserCommand::DisableUser { others: 0 }), ["last_administrator"]);
    assert_eq!(outcome::<User>(&given, lower(1)), Ok(vec![UserEvent::UserRoleChanged { role: Role::Operator }]));
    assert_eq!(outcome::<User>(&given, UserCommand::DisableUser { others: 1 }), Ok(vec![UserEvent::UserDisabled {}]));
    // A user who is not an administrator, or is already disabled, cannot be the last administrator.
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
fn a_user_of_the_provider_is_created_once_and_follows_the_providers_role() {
    assert_eq!(outcome::<User>(&[], admit(Role::Viewer, "7", 1)), Ok(admitted(Role::Viewer)));
    assert_eq!(outcome::<User>(&admitted(Role::Viewer), admit(Role::Viewer, "7", 1)), Ok(vec![]));
    let changed = UserEvent::UserRoleChanged { role: Role::Operator };
    assert_eq!(outcome::<User>(&admitted(Role::Viewer), admit(Role::Operator, "7", 1)), Ok(vec![changed]));
    // A user that an administrator created is linked at the first sign-in.
    let linked = UserEvent::UserLinked { link: link("7") };
    assert_eq!(outcome::<User>(&admitted(Role::Viewer)[..1], admit(Role::Viewer, "7", 1)), Ok(vec![linked]));
}

#[test]
fn the_provider_cannot_change_other_users() {
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

fn at(seconds: i64) -> Timestamp {
    Timestamp::default().plus_seconds(seconds)
}

fn lock_out(everywhere: bool, seconds: i64) -> UserCommand {
    UserCommand::LockOut { client: (!everywhere).then_some([192, 0, 2, 7].into()), everywhere, at: at(seconds) }
}

fn locked_out(everywhere: bool, seconds: i64) -> UserEvent {
    let limited = if everywhere { Limited::Everywhere } else { Limited::Client(Some([192, 0, 2, 7].into())) };
    UserEvent::UserLockedOut { limited, at: at(seconds) }
}

#[test]
fn a_lock_out_is_on_record_once_an_hour_and_once_more_where_it_is_about_all_addresses() {
    let mut given = created(Role::Administrator);
    for (seconds, everywhere, recorded) in [
        (0, false, true),
        (1, false, false),
        (2, true, true),
        (3, true, false),
        (4, false, false),
        (3601, false, false),
        (3602, false, true),
    ] {
        let expected: Vec<UserEvent> = recorded.then(|| locked_out(everywhere, seconds)).into_iter().collect();
        assert_eq!(outcome::<User>(&given, lock_out(everywhere, seconds)), Ok(expected.clone()), "at {seconds}");
        given.extend(expected);
    }
}

#[test]
fn an_unlock_ends_a_lock_out_and_the_next_one_is_on_record_again() {
    let mut given = created(Role::Viewer);
    assert_eq!(outcome::<User>(&given, UserCommand::UnlockUser), Ok(vec![]), "there is nothing to end");
    given.push(locked_out(true, 0));
    assert_eq!(outcome::<User>(&given, UserCommand::UnlockUser), Ok(vec![UserEvent::UserUnlocked {}]));
    given.push(UserEvent::UserUnlocked {});
    assert_eq!(outcome::<User>(&given, lock_out(true, 1)), Ok(vec![locked_out(true, 1)]));
}

#[test]
fn a_user_who_cannot_sign_in_is_not_locked_out() {
    assert_eq!(outcome::<User>(&disabled(Role::Viewer), lock_out(true, 0)), Ok(vec![]));
    assert_eq!(outcome::<User>(&admitted(Role::Viewer), lock_out(true, 0)), Ok(vec![]));
    assert!(outcome::<User>(&[], lock_out(true, 0)).is_err() && outcome::<User>(&[], UserCommand::UnlockUser).is_err());
}

#[test]
fn the_last_administrator_keeps_the_providers_role_and_another_one_loses_it() {
    let given = admitted(Role::Administrator);
    assert_eq!(outcome::<User>(&given, admit(Role::Administrator, "7", 0)), Ok(vec![]));
    let changed = UserEvent::UserRoleChanged { role: Role::Viewer };
    assert_eq!(outcome::<User>(&given, admit(Role::Viewer, "7", 1)), Ok(vec![changed]));
}

#[test]
fn a_name_that_a_disabled_user_has_is_refused_with_the_way_to_enable_that_user() {
    let message = |given: &[UserEvent]| outcome::<User>(given, create(Role::Viewer)).expect_err("refused").0.remove(0).message;
    assert!(message(&disabled(Role::Viewer)).contains("enable"));
    assert!(!message(&created(Role::Viewer)).contains("enable"));
}

#[test]
fn a_lock_out_of_one_address_names_it() {
    let client = Some([192, 0, 2, 7].into());
    assert_eq!(Limited::Client(client).client(), client);
    assert_eq!((Limited::Client(None).client(), Limited::Everywhere.client()), (None, None));
}

#[test]
fn failed_sign_ins_are_recorded_and_change_nothing_else() {
    let failed = FailedSignIns { count: 3, client: None, clients: 2, since: at(0) };
    let created = UserEvent::UserCreated { display_name: Text::default(), role: Role::Auditor, sign_in: SignIn::OpenidConnect };
    let event = UserEvent::UserSignInsFailed(failed);
    assert_eq!(
        outcome::<User>(std::slice::from_ref(&created), UserCommand::RecordFailedSignIns(failed)),
        Ok(vec![event.clone()])
    );
    let mut before = User::default();
    before.evolve(created);
    let mut after = before.clone();
    after.evolve(event);
    assert_eq!(before, after);
}

#[test]
fn neither_of_operator_and_auditor_includes_the_other() {
    assert!(!Role::Operator.includes(Role::Auditor) && !Role::Auditor.includes(Role::Operator));
    for role in Role::ALL {
        assert!(Role::Administrator.includes(role) && role.includes(Role::Viewer) && role.includes(role));
        assert_eq!(role.as_str().parse::<Role>(), Ok(role));
    }
}
