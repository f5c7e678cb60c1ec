//! The writer's connection: opening, testing and replacing it, and determining the result of a group whose connection was lost.
//!
//! Before a new connection is used, the session of the lost one is terminated at the server. After that, nothing that it was
//! sent can be committed, and its locks are released. A group is then either in the log, or never will be.

use super::{End, Failed, GROUP, Results, append, lengthened, sql};
use crate::event_log::append::{Batch, Rejection, refused};
use bootledger_projections::database::pool::liveness::Bound;
use bootledger_projections::database::pool::sessions::{Backend, Session, Sessions, fence};
use bootledger_projections::database::pool::{DIAL, is_lost};
use bootledger_web::http::worker_status::WorkerStatus;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Error};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

/// How long the connection may be idle before it is tested.
const TESTED_AFTER: Duration = Duration::from_millis(500);

/// How long a test may take.
const TEST: Duration = Duration::from_millis(700);

/// How long to wait for the end of a lost session.
const FENCE: Duration = Duration::from_secs(1);

/// How many lost sessions are remembered until they have ended.
const REMEMBERED: usize = 16;

/// Ends each wait of a group at the group's limit, or when the connection is known to be lost.
pub(super) struct Limited {
    bound: Bound,
    until: Instant,
}

impl Limited {
    pub(super) async fn run<T, E: From<Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.bound.within(self.until.saturating_duration_since(Instant::now()), work).await
    }
}

/// The state of the group writer.
pub(super) struct Writer {
    sessions: Sessions,
    session: Option<Session>,
    /// The end of the log when it was last read or written.
    end: Option<End>,
    /// Sessions that were lost during work, and may not have ended yet.
    lost: Vec<Backend>,
    used: Instant,
    status: WorkerStatus,
}

impl Writer {
    pub(super) fn new(sessions: Sessions, status: WorkerStatus) -> Self {
        Self { sessions, session: None, end: None, lost: vec![], used: Instant::now(), status }
    }

    /// Returns when the connection has to be tested.
    pub(super) async fn idle(&self) {
        sleep_until(self.used + TESTED_AFTER).await;
    }

    /// Tests the connection, and replaces it if it was lost.
    pub(super) async fn test(&mut self) {
        let tested = match self.session.as_mut().filter(|session| session.bound.holds()) {
            Some(session) => timeout(TEST, session.connection.ping()).await.is_ok_and(|answer| answer.is_ok()),
            None => false,
        };
        if !tested {
            // The connection was idle, so nothing is lost with it.
            self.session = None;
            match self.open(Instant::now() + DIAL / 2).await {
                Ok(session) => self.session = Some(session),
                Err(error) => {
                    warn!(%error, "no event can be appended at the moment");
                    self.status.failed(&error);
                }
            }
        }
        if self.session.is_some() {
            self.status.succeeded();
        }
        self.used = Instant::now();
    }

    /// Writes one group, with a second attempt if the connection of the first was lost and nothing was written. An error means
    /// that nothing of the group is in the log, or that the result could not be determined in time.
    pub(super) async fn attempt(&mut self, batches: &[Batch]) -> Result<Results, Rejection> {
        let until = Instant::now() + lengthened(GROUP, batches.iter().map(|batch| batch.events.len()).sum());
        match self.once(batches, until).await {
            Err(Lost::Connection(error)) => {
                warn!(%error, "the connection was lost before anything was written; retrying on a new one");
                self.once(batches, until).await.map_err(Lost::rejection)
            }
            outcome => outcome.map_err(Lost::rejection),
        }
    }

    async fn once(&mut self, batches: &[Batch], until: Instant) -> Result<Results, Lost> {
        let (session, end) = (self.session.take().filter(|session| session.bound.holds()), self.end.take());
        let mut session = match session {
            Some(session) => session,
            None => self.open(until).await.map_err(Lost::Refused)?,
        };
        let limited = Limited { bound: session.bound.clone(), until };
        let outcome = append(&mut session.connection, &limited, end, batches).await;
        self.used = Instant::now();
        match outcome {
            Ok((results, end)) => {
                self.session = Some(session);
                self.end = Some(end);
                self.status.succeeded();
                Ok(results)
            }
            Err(Failed::Before(error)) => {
                // The connection is dropped with its transaction, unless it certainly works. Outside a transaction, a ROLLBACK
                // only causes a warning.
                let sound = error.as_database_error().is_some() && !is_lost(&error);
                if sound && limited.run(sql::rollback(&mut session.connection)).await.is_ok() {
                    self.session = Some(session);
                    return Err(Lost::Refused(error));
                }
                self.forget(session);
                Err(if is_lost(&error) { Lost::Connection(error) } else { Lost::Refused(error) })
            }
            Err(Failed::Commit { error, results, head }) => {
                // It is unknown whether the commit was done, so the log has to be read.
                let position = head.position;
                warn!(%error, position, "the connection was lost during a commit; checking whether it was committed");
                self.forget(session);
                let mut fresh = self.open(until).await.map_err(Lost::Refused)?;
                let limited = Limited { bound: fresh.bound.clone(), until };
                let done = match limited.run(committed(&mut fresh.connection, position)).await {
                    Ok(done) => done,
                    Err(error) => {
                        self.forget(fresh);
                        return Err(Lost::Refused(error));
                    }
                };
                self.session = Some(fresh);
                if done.as_deref() == Some(&head.chain[..]) { Ok(results) } else { Err(Lost::Connection(error)) }
            }
        }
    }

    /// Opens a session, once the lost ones have ended at the server.
    async fn open(&mut self, until: Instant) -> Result<Session, Error> {
        let mut session = self.sessions.open_until(until).await?;
        while let Some(lost) = self.lost.last() {
            fence(&mut session, lost, FENCE.min(until.saturating_duration_since(Instant::now()))).await?;
            self.lost.pop();
        }
        Ok(session)
    }

    /// Drops a session that was lost during work, and remembers to terminate it at the server.
    fn forget(&mut self, session: Session) {
        if self.lost.len() < REMEMBERED {
            self.lost.push(session.backend);
        }
    }
}

/// Why a group has no results.
enum Lost {
    /// The connection was lost, and nothing of the group is in the log, nor will be.
    Connection(Error),
    /// The database rejected the group or cannot be reached, or the result is unknown.
    Refused(Error),
}

impl Lost {
    fn rejection(self) -> Rejection {
        let (Self::Connection(error) | Self::Refused(error)) = self;
        refused(&error)
    }
}

/// The chain value at a position, read once no other session is in the middle of a commit.
async fn committed(connection: &mut PgConnection, position: i64) -> Result<Option<Vec<u8>>, Error> {
    sql::begin(connection).await?;
    sql::lock_head(connection).await?;
    let chain = sql::chain_at(connection, position).await?;
    sql::rollback(connection).await?;
    Ok(chain)
}
