//! Finds out whether the connections to the database still work.
//!
//! A firewall that lost its state, or a failover that moved an address, leaves connections that nobody answers and nobody
//! closes, while new ones work at once. The canary asks over one established connection three times a second. Where no answer
//! comes, it opens another one: if that is set up and answers first, all waits of the instance on older connections end
//! at once, and their sessions are ended at the server, with what they hold locked.
//!
//! Where the canary's own connection was closed, the other connections of that time cannot be compared with it any more. They
//! are lost as well, where they still do not answer when its new connection has worked for a second.
//!
//! On a machine that is merely busy, the old connection has its answer long before a new one is set up. Where the
//! database answers nobody, nothing is lost: waits go on until their limits.

use bootledger_projections::pool::DIAL;
use bootledger_projections::pool::sessions::{Session, Sessions};
use sqlx::Connection;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// How often the established connection is asked.
const EVERY: Duration = Duration::from_millis(300);

/// How long its answer may take before another connection is opened.
const PATIENCE: Duration = Duration::from_millis(500);

/// How much longer it may take when the other one has answered.
const GRACE: Duration = Duration::from_millis(200);

/// How soon another attempt to connect follows one that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// For how long a new connection of the canary works before older ones that do not answer are lost.
const PROVED: Duration = Duration::from_secs(1);

/// How long ending the lost sessions may take.
const ENDING: Duration = Duration::from_secs(2);

/// What an established connection came to.
enum Found {
    Answers,
    /// The other side closed it.
    Closed,
    /// It does not answer, and this one does.
    Lost(Box<Session>),
}

/// Runs until `stopping`.
pub(crate) async fn run(sessions: Sessions, mut stopping: watch::Receiver<bool>) {
    tokio::select! {
        () = watch_over(&sessions) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

async fn watch_over(sessions: &Sessions) {
    let mut session = open(sessions).await;
    // Whether connections that are older than this one may be lost without anybody knowing.
    let mut unsure = false;
    loop {
        sleep(EVERY).await;
        match ask(&mut session, sessions).await {
            Found::Answers if unsure && session.bound.since().elapsed() >= PROVED => {
                unsure = false;
                // Waits that began before it end. Nothing is ended at the server: others may be using sessions that are sound.
                sessions.liveness().lose_before(session.bound.since());
            }
            Found::Answers => {}
            Found::Closed => {
                // Others may be closed as well, and find out when they are used.
                sessions.liveness().doubt();
                session = open(sessions).await;
                unsure = true;
            }
            Found::Lost(fresh) => {
                warn!("connections to the database are silent while new ones work; replacing them");
                session = *fresh;
                unsure = false;
                ended(sessions.lose(&mut session, ENDING).await);
            }
        }
    }
}

fn ended(result: sqlx::Result<u64>) {
    match result {
        Ok(0) => {}
        Ok(count) => info!(count, "the lost sessions are ended at the database"),
        Err(error) => warn!(%error, "the lost sessions could not be ended at the database; they end by themselves"),
    }
}

async fn open(sessions: &Sessions) -> Session {
    loop {
        match sessions.open(DIAL).await {
            Ok(session) => return session,
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn ask(session: &mut Session, sessions: &Sessions) -> Found {
    let mut answer = pin!(session.connection.ping());
    if let Ok(answer) = timeout(PATIENCE, &mut answer).await {
        return found(&answer);
    }
    let fresh = tokio::select! {
        biased;
        answer = &mut answer => return found(&answer),
        fresh = open(sessions) => fresh,
    };
    match timeout(GRACE, answer).await {
        Ok(answer) => found(&answer),
        Err(_) => Found::Lost(Box::new(fresh)),
    }
}

fn found(answer: &sqlx::Result<()>) -> Found {
    if answer.is_ok() { Found::Answers } else { Found::Closed }
}
