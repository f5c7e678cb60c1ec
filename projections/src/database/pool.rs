//! The pool of database connections. Every wait for the database has a limit.
//!
//! `sqlx::PgPool` waits as long as a connection is silent: for the response to a statement, and for the response to the ping
//! with which a connection returns to the pool. A firewall that has lost its state therefore blocks one slot after another. In
//! this pool, each statement ends after a limit, or as soon as established connections are known to be lost ([`liveness`]). A
//! connection that did not respond is dropped, and its slot is free at once. A connection that was idle is tested, with a limit
//! of its own, before it is used.

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

/// How long a connection may be idle before it is tested on its next use. The test costs a round trip, which a busy connection
/// does not need.
const TESTED_AFTER: Duration = Duration::from_millis(250);

/// How long the test may take.
const TEST: Duration = Duration::from_millis(500);

/// How long one attempt to connect may take. Another attempt may succeed where this one is lost.
pub const DIAL: Duration = Duration::from_secs(2);

/// How long to wait after an attempt to connect that failed at once.
const PAUSE: Duration = Duration::from_millis(50);

/// The limits of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The maximum number of connections.
    pub connections: u32,
    /// How long a caller waits for a connection.
    pub acquire: Duration,
    /// How long a statement may take.
    pub statement: Duration,
}

/// A pool of database connections. Cheap to clone; all clones share the connections.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: PgPool,
    /// One permit for each connection. A caller waits here, and not in `connections`, so that connecting has a limit of its
    /// own.
    permits: Arc<Semaphore>,
    limits: Limits,
    sessions: Sessions,
}

impl Pool {
    /// Creates a pool that connects when it is first used.
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
                    // If the connection has an error, the caller gets another one within the same acquire.
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

    /// Takes a connection from the pool, for several statements. It returns to the pool when it is dropped.
    ///
    /// # Errors
    /// Returns [`Error::PoolTimedOut`] if other callers hold all connections for too long, and an I/O error if the database
    /// cannot be reached.
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
                // The connection was taken just before it was known to be lost.
                Ok(Ok(connection)) => drop(connection.detach()),
                Ok(Err(Error::PoolTimedOut)) | Err(_) if Instant::now() >= until => {
                    return Err(liveness::late(self.limits.acquire));
                }
                // Connecting hung, or was refused until the limit. A new attempt may succeed.
                Ok(Err(Error::PoolTimedOut)) | Err(_) => {}
                // A server that is restarting closes connections that are being established.
                Ok(Err(error)) if is_lost(&error) && Instant::now() + PAUSE < until => sleep(PAUSE).await,
                Ok(Err(error)) => return Err(error),
            }
        }
    }

    /// The maximum number of connections.
    pub fn connections(&self) -> u32 {
        self.limits.connections
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// Returns the same errors as [`Pool::begin_with`].
    pub async fn begin(&self) -> Result<Transaction, Error> {
        self.begin_with("BEGIN").await
    }

    /// Begins a transaction with this statement. If the connection proves to be lost before anything was done on it, another
    /// connection replaces it.
    ///
    /// # Errors
    /// Returns the same errors as [`Pool::acquire`], and an error if the statement fails or exceeds its limit, or if every
    /// connection proves to be lost.
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

    /// Runs work that waits for the database other than through a statement of this pool. It ends after the limit, or when
    /// established connections are lost.
    ///
    /// # Errors
    /// Returns the error of the work, and an I/O error if the limit passes or established connections are lost.
    pub async fn within<T, E: From<Error>>(&self, limit: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.bound().within(limit, work).await
    }

    /// A bound that ends waits that begin now.
    pub fn bound(&self) -> Bound {
        self.sessions.liveness().bound()
    }

    /// The state of the pool's connections: whether they are lost.
    pub fn liveness(&self) -> &Liveness {
        self.sessions.liveness()
    }

    /// Opens a connection outside the pool for long-running work. Its statements have no limit.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached within twice [`DIAL`], or if it refuses the connection or a setting.
    pub async fn connect_beside(&self) -> Result<PgConnection, Error> {
        self.sessions.open_unlimited().await
    }

    /// The pool of connections without limits, for a library that needs one.
    pub fn plain(&self) -> PgPool {
        self.connections.clone()
    }

    /// How new connections are opened.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Closes all connections, and waits for that at most this long.
    pub async fn close_within(&self, limit: Duration) {
        self.permits.close();
        drop(timeout(limit, self.connections.close()).await);
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.close_within(DIAL).await;
    }
}

/// For tests and programs that run once. The pool keeps its own settings and gets limits.
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

/// Whether the connection can no longer be used after this error, regardless of the operation.
pub fn is_lost(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        // Connection failures, a server that is shutting down or starting, and a session that was idle for too long.
        Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            code.starts_with("08") || ["57P01", "57P02", "57P03", "57P05", "25P03"].contains(&code.as_ref())
        }
        _ => false,
    }
}

/// Whether the other side closed the connection, as opposed to not responding.
pub fn is_closed(error: &Error) -> bool {
    is_lost(error) && !matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}
