//! Sentences about events of users and their sessions.

use crate::accounts::SessionView;
use crate::project::state::State;
use bootledger_aggregates::session::{EndReason, Method, SessionEvent, SessionSpec};
use bootledger_aggregates::user::{SignIn, UserEvent};
use bootledger_aggregates::values::ids::SessionId;
use bootledger_aggregates::values::user_name::UserName;
use serde::Deserialize;

pub(super) fn user(name: &UserName, event: &UserEvent, by: &str) -> String {
    match event {
        UserEvent::UserCreated { role, sign_in: SignIn::Password { .. }, .. } => {
            format!("User {name} ({role}) was created{by}")
        }
        UserEvent::UserCreated { role, sign_in: SignIn::OpenidConnect, .. } => {
            format!("User {name} ({role}) was created{by}, and signs in through OpenID Connect")
        }
        UserEvent::UserRoleChanged { role } => format!("User {name} was made {role}{by}"),
        UserEvent::UserPasswordChanged { one_time: false, .. } => format!("The password of user {name} was changed{by}"),
        UserEvent::UserPasswordChanged { one_time: true, .. } => {
            format!("User {name} was given a one-time password{by}, to be changed at the next sign-in")
        }
        UserEvent::UserLinked { link } => format!("User {name} is {} to the provider {}", link.subject, link.issuer),
        UserEvent::UserDisabled {} => format!("User {name} was disabled{by}"),
        UserEvent::UserEnabled {} => format!("User {name} was enabled{by}"),
        UserEvent::UserLockedOut { everywhere: true, .. } => {
            format!("Sign-ins as user {name} were limited after too many failed attempts from several addresses")
        }
        UserEvent::UserLockedOut { client, .. } => {
            let from = client.map(|client| format!(" from {client}")).unwrap_or_default();
            format!("Sign-ins as user {name}{from} were limited after too many failed attempts")
        }
        UserEvent::UserUnlocked {} => format!("User {name} was unlocked{by}"),
    }
}

pub(super) fn session(state: &State, id: SessionId, event: &SessionEvent, by: &str) -> String {
    match event {
        SessionEvent::SessionStarted(SessionSpec { user, method, client, .. }) => {
            let from = client.map(|client| format!(" from {client}")).unwrap_or_default();
            let through = match method {
                Method::Password => "",
                Method::OpenidConnect => " through OpenID Connect",
            };
            format!("User {user} signed in{through}{from}")
        }
        SessionEvent::SessionEnded { reason } => {
            let row = state.catalogue.current(&("session", id.to_string()));
            let view = row.and_then(|row| SessionView::deserialize(&row.spec).ok());
            let user = view.map_or_else(|| id.to_string(), |view| view.session.user.to_string());
            match reason {
                EndReason::SignedOut => format!("User {user} signed out"),
                EndReason::Revoked => format!("A session of user {user} was revoked{by}"),
                EndReason::PasswordChanged | EndReason::UserDisabled | EndReason::Expired => {
                    format!("A session of user {user} ended, since {reason}")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::user::{Link, Role};
    use bootledger_aggregates::values::ids::PasswordId;
    use bootledger_aggregates::values::text::Text;
    use bootledger_aggregates::values::timestamp::Timestamp;

    fn told(event: &UserEvent) -> String {
        user(&"ada".parse().expect("a name"), event, " by user admin")
    }

    fn created(sign_in: SignIn) -> UserEvent {
        UserEvent::UserCreated { display_name: Text::fitted("Ada"), role: Role::Operator, sign_in }
    }

    #[test]
    fn a_user_is_told_by_name_with_role_and_who_acted() {
        let password = PasswordId::default();
        let changed = |one_time| UserEvent::UserPasswordChanged { password, one_time };
        let events = [
            created(SignIn::Password { password, one_time: true }),
            created(SignIn::OpenidConnect),
            UserEvent::UserRoleChanged { role: Role::Administrator },
            changed(false),
            changed(true),
            UserEvent::UserLinked { link: Link { issuer: Text::fitted("https://id.example"), subject: Text::fitted("7f0c") } },
            UserEvent::UserDisabled {},
            UserEvent::UserEnabled {},
            UserEvent::UserLockedOut { client: Some([192, 0, 2, 7].into()), everywhere: false, at: Timestamp::default() },
            UserEvent::UserLockedOut { client: None, everywhere: true, at: Timestamp::default() },
            UserEvent::UserUnlocked {},
        ];
        insta::assert_snapshot!(events.iter().map(told).collect::<Vec<_>>().join("\n"), @r"
        User ada (operator) was created by user admin
        User ada (operator) was created by user admin, and signs in through OpenID Connect
        User ada was made administrator by user admin
        The password of user ada was changed by user admin
        User ada was given a one-time password by user admin, to be changed at the next sign-in
        User ada is 7f0c to the provider https://id.example
        User ada was disabled by user admin
        User ada was enabled by user admin
        Sign-ins as user ada from 192.0.2.7 were limited after too many failed attempts
        Sign-ins as user ada were limited after too many failed attempts from several addresses
        User ada was unlocked by user admin
        ");
    }

    #[test]
    fn a_session_is_told_by_its_user() {
        let state = State::default();
        let id = SessionId::default();
        let spec = |method, client: Option<&str>| {
            let client = client.map(|address| address.parse().expect("an address"));
            SessionSpec { user: "ada".parse().expect("a name"), method, client, user_agent: Text::default() }
        };
        let begun = |spec| session(&state, id, &SessionEvent::SessionStarted(spec), " by user ada");
        assert_eq!(begun(spec(Method::Password, Some("10.0.0.7"))), "User ada signed in from 10.0.0.7");
        assert_eq!(begun(spec(Method::OpenidConnect, None)), "User ada signed in through OpenID Connect");
        let mut state = State::default();
        let view = SessionView { session: spec(Method::Password, None), started_at: Timestamp::default(), ended: None };
        let row =
            crate::project::state::CatalogueRow { sequence: 1, spec: serde_json::to_value(view).expect("JSON"), retired: false };
        state.catalogue.set(("session", id.to_string()), row, 1);
        let ended = |reason| session(&state, id, &SessionEvent::SessionEnded { reason }, " by user admin");
        assert_eq!(ended(EndReason::SignedOut), "User ada signed out");
        assert_eq!(ended(EndReason::Revoked), "A session of user ada was revoked by user admin");
        assert_eq!(ended(EndReason::Expired), "A session of user ada ended, since its time was over");
    }
}
