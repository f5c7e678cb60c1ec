//! Sentences about users, their sessions, and access tokens.

use super::Actor;
use bootledger_aggregates::saved_view::SavedViewEvent;
use bootledger_aggregates::session::{EndReason, Method, SessionEvent, SessionSpec};
use bootledger_aggregates::token::{TokenEvent, TokenScope};
use bootledger_aggregates::user::{FailedSignIns, Limited, SignIn, UserEvent};
use bootledger_aggregates::values::user_name::UserName;

pub(super) fn user(name: &UserName, event: &UserEvent, who: &Actor<'_>) -> String {
    match event {
        UserEvent::UserCreated { role, sign_in, .. } => {
            let sign_in = match sign_in {
                SignIn::Password { .. } => "",
                SignIn::OpenidConnect => ", who signs in through OpenID Connect",
            };
            format!("{who} created user {name} ({role}){sign_in}")
        }
        UserEvent::UserRoleChanged { role } => format!("{who} changed the role of user {name} to {role}"),
        UserEvent::UserPasswordChanged { one_time: false, .. } => format!("{who} changed the password of user {name}"),
        UserEvent::UserPasswordChanged { one_time: true, .. } => {
            format!("{who} set a one-time password for user {name}, who must change it at the next sign-in")
        }
        UserEvent::UserLinked { link } => {
            format!("User {name} is linked to account {} of identity provider {}", link.subject, link.issuer)
        }
        UserEvent::UserDisabled {} => format!("{who} disabled user {name}"),
        UserEvent::UserEnabled {} => format!("{who} enabled user {name}"),
        UserEvent::UserLockedOut { limited: Limited::Everywhere, .. } => {
            format!("Sign-ins as user {name} are limited after too many failed attempts from several addresses")
        }
        UserEvent::UserLockedOut { limited: Limited::Client(client), .. } => {
            let from = client.map(|client| format!(" from {client}")).unwrap_or_default();
            format!("Sign-ins as user {name}{from} are limited after too many failed attempts")
        }
        UserEvent::UserUnlocked {} => format!("{who} unlocked user {name}"),
        UserEvent::UserSignInsFailed(failed) => failed_sign_ins(failed, &format!("as user {name}")),
    }
}

fn failed_sign_ins(failed: &FailedSignIns, attempted: &str) -> String {
    let from = match (failed.client, failed.clients) {
        (Some(client), _) => format!(" from {client}"),
        (None, 0 | 1) => String::new(),
        (None, clients) => format!(" from {clients} addresses"),
    };
    match failed.count {
        1 => format!("A sign-in {attempted}{from} failed"),
        count => format!("{count} sign-ins {attempted}{from} failed since {}", failed.since),
    }
}

pub(super) fn session(user: &str, event: &SessionEvent, who: &Actor<'_>) -> String {
    match event {
        SessionEvent::SessionStarted(SessionSpec { user, method, client, .. }) => {
            let from = client.map(|client| format!(" from {client}")).unwrap_or_default();
            let through = match method {
                Method::Password => "",
                Method::OpenidConnect => " through OpenID Connect",
            };
            format!("User {user} signed in{through}{from}")
        }
        SessionEvent::UnknownUserSignInsFailed(failed) => failed_sign_ins(failed, "with an unknown user name"),
        SessionEvent::SessionEnded { reason } => match reason {
            EndReason::SignedOut => format!("User {user} signed out"),
            EndReason::Revoked => format!("{who} revoked a session of user {user}"),
            EndReason::PasswordChanged => format!("A session of user {user} ended, because the password was changed"),
            EndReason::UserDisabled => format!("A session of user {user} ended, because the user was disabled"),
            EndReason::Expired => format!("A session of user {user} expired"),
        },
    }
}

pub(super) fn token(name: &str, event: &TokenEvent, who: &Actor<'_>) -> String {
    match event {
        TokenEvent::TokenCreated { name, scope, .. } => {
            let scope = match scope {
                TokenScope::Viewer => "viewer".to_owned(),
                TokenScope::Auditor => "auditor".to_owned(),
                TokenScope::Operator => "operator".to_owned(),
                TokenScope::Administrator => "administrator".to_owned(),
                TokenScope::DhcpServer(server) => format!("DHCP server {server}"),
                TokenScope::PuppetReports => "Puppet reports".to_owned(),
            };
            format!("{who} created access token {name} with scope {scope}")
        }
        TokenEvent::TokenRevoked {} => format!("{who} revoked access token {name}"),
    }
}

pub(super) fn saved_view(event: &SavedViewEvent, who: &Actor<'_>, is_new: bool) -> String {
    match event {
        SavedViewEvent::ViewSaved { spec, .. } => {
            let (saved, shared) =
                (if is_new { "saved" } else { "changed" }, if spec.shared { ", shared with everyone" } else { "" });
            format!("{who} {saved} view \u{201c}{}\u{201d} of the list {}{shared}", spec.name, spec.list)
        }
        SavedViewEvent::ViewDeleted {} => format!("{who} deleted a saved view"),
    }
}
