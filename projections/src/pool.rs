//! The pool of database connections. Nothing waits on the database without a limit.
//!
//! `sqlx::PgPool` waits as long as a connection is silent: for the answer to a statement, and for the answer to the ping
//! with which a connection goes back into the pool, so that a firewall that lost its state takes one slot after another.
//! Here each statement ends after a limit, or as soon as established connections are known to be lost
//! ([`liveness`]); a connection that did not answer is dropped and its slot is free at once; and one that was idle is
//! tested, with a limit of its own, before it is used.

mod connection;
mod executor;
pub mod liveness;
pub mod sessions;

pub use connection::{Connection, Transaction};

use liveness::{Bound, Liveness};
use sessions::Sessions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Error};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// After how long without use a connection is tested before it is used again: a round trip, which a busy connection
/// does not need.
const TESTED_AFTER: Duration = Duration::from_millis(250);

/// How long that test may take.
const TEST: Duration = Duration::from_millis(500);

/// How long one connection may take to be made. Another attempt may get through where this one is lost.
pub const DIAL: Duration = Duration::from_secs(2);

/// How soon another attempt to connect follows one that failed at once.
const PAUSE: Duration = Duration::from_millis(50);

/// What a pool allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections there are at most.
    pub connections: u32,
    /// How long a caller waits for one.
    pub acquire: Duration,
    /// How long a statement may take.
    pub statement: Duration,
}

/// Connections to the database. Cheap to clone; all clones share the connections.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: PgPool,
    /// As many as connections. A caller waits here, and not in `connections`, so that dialling has a limit of its own.
    permits: Arc<Semaphore>,
    limits: Limits,
    sessions: Sessions,
}

impl Pool {
    /// A pool that connects when it is first used.
    pub fn new(sessions: Sessions, limits: Limits) -> Self {
        let (opening, liveness) = (sessions.clone(), sessions.liveness().clone());
        let connections = PgPoolOptions::new()
            .max_connections(limits.connections)
            .acquire_timeout(DIAL)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let sessions = opening.clone();
                Box::pin(async move { sessions.set_up(connection).await.map(drop) })
            })
            .before_acquire(move |connection, meta| {
                let liveness = liveness.clone();
                Box::pin(async move {
                    if liveness.has_lost(meta.age) {
                        return Err(liveness::lost());
                    }
                    if meta.idle_for > TESTED_AFTER || liveness.doubts(meta.idle_for) {
                        timeout(TEST, connection.ping()).await.map_err(|_| liveness::late(TEST))??;
                    }
                    // An error is answered with another connection, within the same acquire.
                    Ok(true)
                })
            })
            .connect_lazy_with(sessions.options().clone());
        Self::of(connections, limits, sessions)
    }

    fn of(connections: PgPool, limits: Limits, sessions: Sessions) -> Self {
        let permits = usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS);
        Self { connections, permits: Arc::new(Semaphore::new(permits)), limits, sessions }
    }

    /// Takes a connection out, for several statements. It goes back when it is dropped.
    ///
    /// # Errors
    /// [`Error::PoolTimedOut`] where others have all connections for too long; an I/O error where the database cannot
    /// be reached.
    pub async fn acquire(&self) -> Result<Connection, Error> {
        let until = Instant::now() + self.limits.acquire;
        let permit = timeout_at(until, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| Error::PoolTimedOut)?.map_err(|_| Error::PoolClosed)?;
        loop {
            let bound = self.bound();
            let attempt = until.min(Instant::now() + DIAL);
            match timeout_at(attempt, self.connections.acquire()).await {
                Ok(Ok(connection)) if bound.holds() => {
                    return Ok(Connection::new(connection, permit, bound, self.limits.statement));
                }
                // It was taken out just before it was known to be lost.
                Ok(Ok(connection)) => drop(connection.detach()),
                Ok(Err(Error::PoolTimedOut)) | Err(_) if Instant::now() >= until => {
                    return Err(liveness::late(self.limits.acquire));
                }
                // Dialling hung, or was refused for so long. A new attempt may get through.
                Ok(Err(Error::PoolTimedOut)) | Err(_) => {}
                // A server that is restarting closes connections that are being made.
                Ok(Err(error)) if is_lost(&error) && Instant::now() + PAUSE < until => sleep(PAUSE).await,
                Ok(Err(error)) => return Err(error),
            }
        }
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        self.begin_with("BEGIN").await
    }

    /// Begins a transaction by this statement. A connection that turns out to be lost before anything was done on it is
    /// replaced by another.
    pub async fn begin_with(&self, statement: &'static str) -> Result<Transaction, Error> {
        for _ in 0..self.limits.connections {
            let mut connection = self.acquire().await?;
            match connection.begin(statement).await {
                Ok(()) => return Ok(Transaction::new(connection)),
                Err(error) if is_closed(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(liveness::lost())
    }

    /// Does something that waits on the database in another way than by a statement of this pool, with a limit, and
    /// until established connections are lost.
    pub async fn within<T, E: From<Error>>(&self, limit: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.bound().within(limit, work).await
    }

    /// What ends waits that begin now.
    pub fn bound(&self) -> Bound {
        self.sessions.liveness().bound()
    }

    /// What knows whether connections are lost.
    pub fn liveness(&self) -> &Liveness {
        self.sessions.liveness()
    }

    /// A connection beside the pool, for work that takes its time: its statements have no limit.
    pub async fn connect_beside(&self) -> Result<PgConnection, Error> {
        self.sessions.open_unlimited().await
    }

    /// The connections without limits, for a library that wants them.
    pub fn plain(&self) -> PgPool {
        self.connections.clone()
    }

    /// How further connections are made.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Closes all connections, and waits for it no longer than this.
    pub async fn close_within(&self, limit: Duration) {
        self.permits.close();
        drop(timeout(limit, self.connections.close()).await);
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.close_within(DIAL).await;
    }
}

/// For tests and programs that run once. The pool's own settings stay; limits are added.
impl From<PgPool> for Pool {
    fn from(connections: PgPool) -> Self {
        let options = connections.options();
        let limits = Limits {
            connections: options.get_max_connections(),
            acquire: options.get_acquire_timeout().min(Duration::from_secs(5)),
            statement: Duration::from_mins(1),
        };
        let sessions = Sessions::from(PgConnectOptions::clone(&connections.connect_options()));
        Self::of(connections, limits, sessions)
    }
}

impl From<&Pool> for Pool {
    fn from(pool: &Pool) -> Self {
        pool.clone()
    }
}

impl From<&PgPool> for Pool {
    fn from(connections: &PgPool) -> Self {
        connections.clone().into()
    }
}

/// Whether the connection is of no more use after this error, whatever was being done on it.
pub fn is_lost(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        // Connection failures, a server that shuts down or starts, a session that was idle for too long.
        Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            code.starts_with("08") || ["57P01", "57P02", "57P03", "57P05", "25P03"].contains(&code.as_ref())
        }
        _ => false,
    }
}

/// Whether the other side closed the connection, in contrast to one that only does not answer.
pub fn is_closed(error: &Error) -> bool {
    is_lost(error) && !matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}
