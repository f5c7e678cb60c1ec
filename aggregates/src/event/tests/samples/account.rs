//! Samples of every event of users and sessions.

use super::sample_events;
use crate::samples::{device_id, parsed};
use crate::session::{EndReason, Method, SessionEvent, SessionSpec};
use crate::user::{FailedSignIns, Limited, Link, Role, SignIn, UserEvent};
use crate::values::ids::PasswordId;
use crate::values::timestamp::Timestamp;

fn password() -> PasswordId {
    PasswordId(device_id(7).0)
}

fn created(role: Role, sign_in: SignIn) -> UserEvent {
    UserEvent::UserCreated { display_name: parsed("Ada Lovelace"), role, sign_in }
}

fn failed(count: u32, client: Option<&str>) -> FailedSignIns {
    FailedSignIns {
        count,
        client: client.map(parsed),
        clients: if client.is_some() { 1 } else { 3 },
        since: Timestamp::default(),
    }
}

fn ended(reason: EndReason) -> SessionEvent {
    SessionEvent::SessionEnded { reason }
}

sample_events!(user: UserEvent {
    UserCreated => [
        created(Role::Viewer, SignIn::Password { password: password(), one_time: true }),
        created(Role::Operator, SignIn::Password { password: password(), one_time: false }),
        UserEvent::UserCreated { display_name: parsed(""), role: Role::Administrator, sign_in: SignIn::OpenidConnect },
    ],
    UserRoleChanged => [UserEvent::UserRoleChanged { role: Role::Administrator }],
    UserPasswordChanged => [UserEvent::UserPasswordChanged { password: password(), one_time: false }],
    UserLinked => [UserEvent::UserLinked {
        link: Link { issuer: parsed("https://id.example"), subject: parsed("7f0c") },
    }],
    UserDisabled => [UserEvent::UserDisabled {}],
    UserEnabled => [UserEvent::UserEnabled {}],
    UserLockedOut => [
        UserEvent::UserLockedOut { limited: Limited::Client(Some(parsed("192.0.2.7"))), at: Timestamp::default() },
        UserEvent::UserLockedOut { limited: Limited::Everywhere, at: Timestamp::default() },
    ],
    UserUnlocked => [UserEvent::UserUnlocked {}],
    UserSignInsFailed => [
        UserEvent::UserSignInsFailed(failed(1, Some("192.0.2.7"))),
        UserEvent::UserSignInsFailed(failed(27, None)),
    ],
});

sample_events!(session: SessionEvent {
    SessionStarted => [
        SessionEvent::SessionStarted(SessionSpec {
            user: parsed("ada"),
            method: Method::Password,
            client: Some(parsed("2001:db8::7")),
            user_agent: parsed("Mozilla/5.0 (X11; Linux x86_64)"),
        }),
        SessionEvent::SessionStarted(SessionSpec {
            user: parsed("ada"),
            method: Method::OpenidConnect,
            client: None,
            user_agent: parsed(""),
        }),
    ],
    SessionEnded => [
        ended(EndReason::SignedOut),
        ended(EndReason::Revoked),
        ended(EndReason::PasswordChanged),
        ended(EndReason::UserDisabled),
        ended(EndReason::Expired),
    ],
    UnknownUserSignInsFailed => [SessionEvent::UnknownUserSignInsFailed(failed(1, Some("2001:db8::7")))],
});
