//! Users and their sessions.

use super::{World, v};
use bootledger_aggregates::event::Event;
use bootledger_aggregates::session::{EndReason, Method, SessionCommand, SessionSpec};
use bootledger_aggregates::user::{Link, Role, SignIn, UserCommand};
use bootledger_aggregates::values::ids::{PasswordId, SessionId};
use bootledger_aggregates::values::name::Name;
use cqrs_es::Aggregate;
use uuid::Uuid;

impl World {
    /// Changes one of two users, or one of their sessions.
    pub(crate) fn person(&mut self, n: u8, b: u8) {
        let name = if n.is_multiple_of(2) { "ada" } else { "grace" };
        let password = PasswordId(Uuid::from_u128(u128::from(b)));
        let sign_in = if n.is_multiple_of(2) { SignIn::Password { password, one_time: true } } else { SignIn::OpenidConnect };
        match b % 8 {
            0 | 1 => self.user(name, UserCommand::CreateUser { display_name: v(name), role: Role::Administrator, sign_in }),
            2 if n.is_multiple_of(5) => {
                let link = Link { issuer: v("https://id.example"), subject: v("7") };
                self.user(name, UserCommand::AdmitUser { display_name: v(name), role: Role::Operator, link, others: 1 });
            }
            2 => self.user(name, UserCommand::ChangeRole { role: Role::Viewer, others: 1 }),
            3 => self.user(name, UserCommand::ChangePassword { password, one_time: n.is_multiple_of(3) }),
            4 => self.user(name, UserCommand::DisableUser { others: 1 }),
            5 => self.user(name, UserCommand::EnableUser),
            6 => {
                let client = Some(v("10.0.0.7"));
                let spec = SessionSpec { user: v(name), method: Method::Password, client, user_agent: v("Firefox \"x\"") };
                self.session(n % 3, SessionCommand::StartSession(spec));
            }
            _ => self.session(n % 3, SessionCommand::EndSession { reason: EndReason::Revoked }),
        }
    }

    fn session(&mut self, n: u8, command: SessionCommand) {
        let id = SessionId(Uuid::from_u128(u128::from(n)));
        let session = self.sessions.entry(id).or_default();
        let events = session.decide(command).unwrap_or_default();
        for event in &events {
            session.apply(event.clone());
        }
        let actor = format!("user {}", v::<Name>("ada"));
        self.accept(&actor, events.into_iter().map(|event| Event::Session(id, event)).collect());
    }
}
