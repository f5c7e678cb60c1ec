//! Detects whether the connections to the database still work.
//!
//! A firewall that lost its state, or a failover that moved an address, leaves connections that no peer answers or closes,
//! while new ones work at once. The canary sends a query over one established connection three times a second. If no response
//! arrives, it opens another connection. If that one is set up and responds first, all waits of the instance on older
//! connections end at once, and their sessions are terminated at the server, which releases their locks.
//!
//! If the canary's own connection was closed, the other connections of that time can no longer be compared with it. They also
//! count as lost if they still do not respond when the canary's new connection has worked for a second.
//!
//! On a machine that is merely busy, the old connection responds long before a new one is set up. If the database responds to
//! no connection, nothing is marked as lost: waits continue until their limits.

use bootledger_projections::database::pool::DIAL;
use bootledger_projections::database::pool::sessions::{Session, Sessions};
use bootledger_web::http::worker_status::WorkerStatus;
use sqlx::Connection;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// How often the established connection is queried.
const EVERY: Duration = Duration::from_millis(300);

/// How long its response may take before another connection is opened.
const PATIENCE: Duration = Duration::from_millis(500);

/// How much longer its response may take once the other connection has responded.
const GRACE: Duration = Duration::from_millis(200);

/// How long to wait after a failed attempt to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a new connection of the canary must work before older connections without a response count as lost.
const PROVED: Duration = Duration::from_secs(1);

/// How long terminating the lost sessions may take.
const ENDING: Duration = Duration::from_secs(2);

/// The result of checking an established connection.
enum ProbeResult {
    Answers,
    /// The other side closed the connection.
    Closed,
    /// The connection does not respond, and this new one does.
    Lost(Box<Session>),
}

/// Runs until `stopping` holds true.
pub(crate) async fn run(sessions: Sessions, status: WorkerStatus, mut stopping: watch::Receiver<bool>) {
    tokio::select! {
        () = watch_over(&sessions, &status) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

async fn watch_over(sessions: &Sessions, status: &WorkerStatus) {
    let mut session = open(sessions).await;
    // Whether connections that are older than this one may be lost undetected.
    let mut unsure = false;
    loop {
        sleep(EVERY).await;
        let result = probe(&mut session, sessions).await;
        match &result {
            ProbeResult::Answers => status.succeeded(),
            ProbeResult::Closed => status.failed_because("the database closed a connection"),
            ProbeResult::Lost(_) => status.failed_because("connections to the database were silent, and were replaced"),
        }
        match result {
            ProbeResult::Answers if unsure && session.bound.since().elapsed() >= PROVED => {
                unsure = false;
                // Waits that began before this session end. No session is terminated at the server, because other callers may
                // be using sessions that work.
                sessions.liveness().lose_before(session.bound.since());
            }
            ProbeResult::Answers => {}
            ProbeResult::Closed => {
                // Other connections may be closed as well. They are tested when they are used.
                sessions.liveness().doubt();
                session = open(sessions).await;
                unsure = true;
            }
            ProbeResult::Lost(fresh) => {
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
        Err(error) => warn!(%error, "the lost sessions could not be ended at the database; they end without action"),
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

async fn probe(session: &mut Session, sessions: &Sessions) -> ProbeResult {
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
        Err(_) => ProbeResult::Lost(Box::new(fresh)),
    }
}

fn found(answer: &sqlx::Result<()>) -> ProbeResult {
    if answer.is_ok() { ProbeResult::Answers } else { ProbeResult::Closed }
}
