//! Records lock-outs: one event for each name and hour, however many attempts there are.

use super::failures::AT_A_TIME;
use super::throttle::{LockOut, Slowed};
use crate::http::application::Application;
use crate::http::error::Error;
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::{AccountAction, Command, Context};
use std::net::IpAddr;

impl From<Slowed> for Error {
    fn from(slowed: Slowed) -> Self {
        Self::TooMany { retry_after: u32::try_from(slowed.wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1) }
    }
}

/// Records a lock-out after the answer is sent, so that the duration of the answer does not reveal who has an account.
pub(super) fn record(application: &Application, correlation_id: String, user: UserName, client: Option<IpAddr>, what: LockOut) {
    let commands = application.commands.clone();
    let client = client.filter(|_| what == LockOut::Address);
    let command = Command::Account(AccountAction::LockOut {
        user: user.clone(),
        client,
        everywhere: what == LockOut::Name,
        at: (application.now)(),
    });
    let context = Context {
        actor: SystemActor::Service.code().to_owned(),
        correlation_id,
        causation_id: None,
        idempotency_key: None,
        level: Role::Viewer,
    };
    tokio::spawn(async move {
        let Ok(_turn) = AT_A_TIME.acquire().await else { return };
        if let Err(error) = commands.unguarded().execute(command, context).await {
            tracing::warn!("the lock-out of user {user} cannot be recorded: {error}");
        }
    });
}
