//! A connection that was taken out of the pool. Each of its statements has a limit, and it goes back with one.

use super::is_lost;
use super::liveness::{self, Bound};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{Database, Error, TransactionManager};
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

type Manager = <Postgres as Database>::TransactionManager;

/// How long a connection may take to go back into the pool: the end of a statement that nobody waits for any more, the
/// rollback of a transaction, a ping.
const RETURN: Duration = Duration::from_secs(1);

/// A connection of the pool, for several statements: `&mut` of it is an executor.
#[derive(Debug)]
pub struct Connection {
    /// `None` once it is lost: its slot is free then.
    held: Option<Held>,
    bound: Bound,
    limit: Duration,
}

#[derive(Debug)]
struct Held {
    connection: PoolConnection<Postgres>,
    permit: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(connection: PoolConnection<Postgres>, permit: OwnedSemaphorePermit, bound: Bound, limit: Duration) -> Self {
        Self { held: Some(Held { connection, permit }), bound, limit }
    }

    /// Gives each further statement this limit, in place of the pool's.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// The connection itself, and what ends waits on it, for work that takes several statements: it has to run within
    /// the bound.
    ///
    /// # Errors
    /// Where the connection is lost already.
    pub fn raw(&mut self) -> Result<(&mut PgConnection, Bound), Error> {
        let held = self.held.as_mut().ok_or_else(liveness::lost)?;
        Ok((&mut *held.connection, self.bound.clone()))
    }

    /// The connection, what ends a wait on it, and after how long.
    pub(super) fn parts(&mut self) -> Result<(&mut PgConnection, &Bound, Duration), Error> {
        let held = self.held.as_mut().ok_or_else(liveness::lost)?;
        Ok((&mut *held.connection, &self.bound, self.limit))
    }

    /// Lets a connection go that is lost, and passes the outcome on.
    pub(super) fn checked<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &outcome
            && is_lost(error)
            && let Some(Held { connection, permit }) = self.held.take()
        {
            drop(connection.detach());
            drop(permit);
        }
        outcome
    }

    pub(super) async fn begin(&mut self, statement: &'static str) -> Result<(), Error> {
        let (connection, bound, limit) = self.parts()?;
        let begun = bound.within(limit, Manager::begin(connection, Some(statement.into()))).await;
        self.checked(begun)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(Held { mut connection, permit }) = self.held.take() else { return };
        // Sent with the ping that follows; nothing outside of a transaction.
        Manager::start_rollback(&mut connection);
        // By itself, sqlx would wait for that ping as long as the connection is silent.
        let returned = connection.return_to_pool();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                drop(tokio::time::timeout(RETURN, returned).await);
                drop(permit);
            });
        }
    }
}

/// A transaction; rolled back where it is dropped without [`commit`](Self::commit).
#[derive(Debug)]
pub struct Transaction(Connection);

impl Transaction {
    pub(super) fn new(begun: Connection) -> Self {
        Self(begun)
    }

    /// Commits. With an error, it is unknown whether it was done.
    pub async fn commit(mut self) -> Result<(), Error> {
        let (connection, bound, limit) = self.0.parts()?;
        let done = bound.within(limit, Manager::commit(connection)).await;
        self.0.checked(done)
    }

    /// Takes everything back, and waits for that.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let (connection, bound, limit) = self.0.parts()?;
        let done = bound.within(limit, Manager::rollback(connection)).await;
        self.0.checked(done)
    }
}

impl Deref for Transaction {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}
