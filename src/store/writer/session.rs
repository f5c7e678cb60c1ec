//! The writer's connection: how it is opened, tested and replaced, and what becomes of a group whose connection is lost.
//!
//! Before a new connection is used, the session of the lost one is ended at the server. Afterwards nothing that it was sent
//! can be committed any more, and no lock of it is left; what is in the log then is there, and what is not never will be.

use super::{End, Failed, GROUP, Results, append, lengthened, refused, sql};
use crate::store::append::{Batch, Rejection};
use bootledger_projections::pool::liveness::Bound;
use bootledger_projections::pool::sessions::{Backend, Session, Sessions, fence};
use bootledger_projections::pool::{DIAL, is_lost};
use bootledger_web::health::vitals::Pulse;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Error};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

/// After how long without use the connection is tested.
const TESTED_AFTER: Duration = Duration::from_millis(500);

/// How long a test may take.
const TEST: Duration = Duration::from_millis(700);

/// How long the end of a lost session is waited for.
const FENCE: Duration = Duration::from_secs(1);

/// How many lost sessions are remembered until they are ended.
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

/// What the group writer writes with.
pub(super) struct Writer {
    sessions: Sessions,
    session: Option<Session>,
    /// Where the log ended when it was last looked at or written.
    end: Option<End>,
    /// Sessions that were lost in the middle of something, and may not have ended yet.
    lost: Vec<Backend>,
    used: Instant,
    pulse: Pulse,
}

impl Writer {
    pub(super) fn new(sessions: Sessions, pulse: Pulse) -> Self {
        Self { sessions, session: None, end: None, lost: vec![], used: Instant::now(), pulse }
    }

    /// Returns when the connection is to be tested.
    pub(super) async fn idle(&self) {
        sleep_until(self.used + TESTED_AFTER).await;
    }

    /// Tests the connection, and replaces it where it was lost.
    pub(super) async fn test(&mut self) {
        let tested = match self.session.as_mut().filter(|session| session.bound.holds()) {
            Some(session) => timeout(TEST, session.connection.ping()).await.is_ok_and(|answer| answer.is_ok()),
            None => false,
        };
        if !tested {
            // Nothing was under way on it.
            self.session = None;
            match self.open(Instant::now() + DIAL / 2).await {
                Ok(session) => self.session = Some(session),
                Err(error) => warn!(%error, "no event can be appended at the moment"),
            }
        }
        if self.session.is_some() {
            self.pulse.beat();
        }
        self.used = Instant::now();
    }

    /// One group, with a second attempt where the first found its connection lost and wrote nothing. `Err` means that
    /// nothing of it is in the log, or that nobody could say in time.
    pub(super) async fn attempt(&mut self, batches: &[Batch]) -> Result<Results, Rejection> {
        let until = Instant::now() + lengthened(GROUP, batches.iter().map(|batch| batch.events.len()).sum());
        match self.once(batches, until).await {
            Err(Lost::Connection(error)) => {
                warn!(%error, "the connection was lost before anything was written; trying once more on a new one");
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
                self.pulse.beat();
                Ok(results)
            }
            Err(Failed::Before(error)) => {
                // The connection is dropped, and with it the transaction, unless it is surely sound. Outside of a
                // transaction, a ROLLBACK is but a warning.
                let sound = error.as_database_error().is_some() && !is_lost(&error);
                if sound && limited.run(sql::rollback(&mut session.connection)).await.is_ok() {
                    self.session = Some(session);
                    return Err(Lost::Refused(error));
                }
                self.forget(session);
                Err(if is_lost(&error) { Lost::Connection(error) } else { Lost::Refused(error) })
            }
            Err(Failed::Commit { error, results, head }) => {
                // Nobody knows whether the commit was done: the log does.
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

    /// Opens a session, once those that were lost have ended at the server.
    async fn open(&mut self, until: Instant) -> Result<Session, Error> {
        let mut session = self.sessions.open_until(until).await?;
        while let Some(lost) = self.lost.last() {
            fence(&mut session, lost, FENCE.min(until.saturating_duration_since(Instant::now()))).await?;
            self.lost.pop();
        }
        Ok(session)
    }

    /// Drops a session that was lost in the middle of something, and remembers to end it at the server.
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
    /// The database refused, cannot be reached, or nobody knows.
    Refused(Error),
}

impl Lost {
    fn rejection(self) -> Rejection {
        let (Self::Connection(error) | Self::Refused(error)) = self;
        refused(&error)
    }
}

/// The chain at a position, once nobody is in the middle of a commit.
async fn committed(connection: &mut PgConnection, position: i64) -> Result<Option<Vec<u8>>, Error> {
    sql::begin(connection).await?;
    sql::lock_head(connection).await?;
    let chain = sql::chain_at(connection, position).await?;
    sql::rollback(connection).await?;
    Ok(chain)
}
