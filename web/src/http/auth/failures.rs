//! Records failed sign-ins: the first at once, and the number of the others at the end of the hour. So there are at most two events
//! an hour for each user, and two for all user names that do not exist, however many attempts there are.
//!
//! A user name that does not exist is not stored, because it may be a password that was entered in the wrong field. The counts
//! are in memory: an instance that crashes loses those that it has not recorded.

use super::address::network;
use crate::http::application::Application;
use crate::http::ports::Port;
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::user::{FailedSignIns, Role};
use bootledger_aggregates::values::ids::SessionId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::{AccountAction, Command, Context};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

/// How long failures are counted before the number is recorded.
const WINDOW: Duration = Duration::from_hours(1);
/// The maximum number of addresses that are counted separately.
const MOST_CLIENTS: usize = 1_000;

/// How many failures and lock-outs are recorded at the same time. Password guessing with many names must not use up the
/// database's connections.
pub(super) static AT_A_TIME: Semaphore = Semaphore::const_new(2);

/// The failures that are not recorded yet, by user; `None` is for user names that do not exist.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures(Arc<Mutex<HashMap<Option<UserName>, Pending>>>);

/// Failures since the one that was recorded last.
#[derive(Debug, Default)]
struct Pending {
    count: u32,
    since: Timestamp,
    last: Option<IpAddr>,
    networks: HashSet<IpAddr>,
}

impl Pending {
    fn add(&mut self, client: Option<IpAddr>, now: Timestamp) {
        if self.count == 0 {
            self.since = now;
        }
        self.count = self.count.saturating_add(1);
        self.last = client;
        if let Some(client) = client.filter(|_| self.networks.len() < MOST_CLIENTS) {
            self.networks.insert(network(client));
        }
    }

    fn failed(&self) -> FailedSignIns {
        let clients = u32::try_from(self.networks.len()).unwrap_or(u32::MAX);
        FailedSignIns { count: self.count, client: self.last.filter(|_| clients == 1), clients, since: self.since }
    }
}

impl Failures {
    /// Counts a failure. Returns whether it is the first one in a while, which is recorded at once.
    fn count(&self, user: Option<&UserName>, client: Option<IpAddr>, now: Timestamp) -> bool {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = pending.get_mut(&user.cloned()) {
            known.add(client, now);
            return false;
        }
        pending.insert(user.cloned(), Pending::default());
        true
    }

    /// Ends the counting for a user, and returns what was counted.
    fn end(&self, user: Option<&UserName>) -> Option<FailedSignIns> {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&user.cloned());
        ended.filter(|pending| pending.count > 0).map(|pending| pending.failed())
    }

    /// Records a failed sign-in, after the answer is sent: the duration of the answer must not reveal who has an account.
    pub(super) fn record(&self, application: &Application, correlation_id: &str, user: Option<UserName>, client: Option<IpAddr>) {
        let now = (application.now)();
        if !self.count(user.as_ref(), client, now) {
            return;
        }
        let mut first = Pending::default();
        first.add(client, now);
        let (failures, commands, correlation_id) = (self.clone(), application.commands.clone(), correlation_id.to_owned());
        let stopping = application.stopping.clone();
        tokio::spawn(async move {
            execute(&commands, user.clone(), first.failed(), &correlation_id).await;
            tokio::select! {
                () = tokio::time::sleep(WINDOW) => {}
                () = stopped(stopping) => {}
            }
            if let Some(failed) = failures.end(user.as_ref()) {
                execute(&commands, user, failed, &correlation_id).await;
            }
        });
    }
}

/// Waits until the service stops. What was counted is then recorded early.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn execute(commands: &Port, user: Option<UserName>, failed: FailedSignIns, correlation_id: &str) {
    let session = SessionId(Uuid::now_v7());
    let command = Command::Account(AccountAction::RecordFailedSignIns { user, session, failed });
    let context = Context {
        actor: SystemActor::Service.code().to_owned(),
        correlation_id: correlation_id.to_owned(),
        causation_id: None,
        idempotency_key: None,
        level: Role::Viewer,
    };
    let Ok(_turn) = AT_A_TIME.acquire().await else { return };
    if let Err(error) = commands.unguarded().execute(command, context).await {
        tracing::warn!("failed sign-ins cannot be recorded: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_recorded_at_once_and_the_others_together() {
        let failures = Failures::default();
        let ada: UserName = "ada".parse().expect("a name");
        let client = |last: u8| Some(IpAddr::from([10, 0, 0, last]));
        assert!(failures.count(Some(&ada), client(1), Timestamp::default()), "the first");
        assert!(failures.count(None, client(1), Timestamp::default()), "the first of an unknown user");
        for n in 0..100 {
            assert!(!failures.count(Some(&ada), client(n % 3), Timestamp::default()));
        }
        let failed = failures.end(Some(&ada)).expect("failures");
        assert_eq!((failed.count, failed.client, failed.clients), (100, None, 3));
        assert_eq!(failures.end(None), None, "nothing after the first");
        assert!(failures.count(Some(&ada), client(1), Timestamp::default()), "the next hour");
    }

    #[test]
    fn the_address_is_named_if_it_is_a_single_one() {
        let mut pending = Pending::default();
        for _ in 0..2 {
            pending.add(Some([192, 0, 2, 7].into()), Timestamp::default());
        }
        assert_eq!((pending.failed().client, pending.failed().clients), (Some([192, 0, 2, 7].into()), 1));
    }
}
