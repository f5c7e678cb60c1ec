//! A connection that was taken from the pool. Each of its statements has a limit, and so has its return to the pool.

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

/// How long the return of a connection to the pool may take: the end of an abandoned statement, the rollback of a transaction,
/// and a ping.
const RETURN: Duration = Duration::from_secs(1);

/// A connection of the pool, for several statements. `&mut Connection` is an executor.
#[derive(Debug)]
pub struct Connection {
    /// `None` once the connection is lost; its slot is then free.
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

    /// Sets the limit of all further statements, instead of the pool's limit.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// The connection itself, and the bound that ends waits on it, for work of several statements. The work must run within the
    /// bound.
    ///
    /// # Errors
    /// Returns an error if the connection is already lost.
    pub fn raw(&mut self) -> Result<(&mut PgConnection, Bound), Error> {
        let held = self.held.as_mut().ok_or_else(liveness::lost)?;
        Ok((&mut *held.connection, self.bound.clone()))
    }

    /// The connection, the bound that ends a wait on it, and the limit of a statement.
    pub(super) fn parts(&mut self) -> Result<(&mut PgConnection, &Bound, Duration), Error> {
        let held = self.held.as_mut().ok_or_else(liveness::lost)?;
        Ok((&mut *held.connection, &self.bound, self.limit))
    }

    /// Drops the connection if it is lost, and passes the outcome on.
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
        // The rollback is sent with the ping that follows; outside a transaction it does nothing.
        Manager::start_rollback(&mut connection);
        // Without this limit, sqlx would wait for that ping as long as the connection is silent.
        let returned = connection.return_to_pool();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                drop(tokio::time::timeout(RETURN, returned).await);
                drop(permit);
            });
        }
    }
}

/// A transaction. It is rolled back if it is dropped without [`commit`](Self::commit).
#[derive(Debug)]
pub struct Transaction(Connection);

impl Transaction {
    pub(super) fn new(begun: Connection) -> Self {
        Self(begun)
    }

    /// Commits the transaction. After an error, it is unknown whether the transaction was committed.
    ///
    /// # Errors
    /// Returns an error if the commit fails or exceeds the limit of a statement, or if the connection is lost.
    pub async fn commit(mut self) -> Result<(), Error> {
        let (connection, bound, limit) = self.0.parts()?;
        let done = bound.within(limit, Manager::commit(connection)).await;
        self.0.checked(done)
    }

    /// Rolls the transaction back, and waits for that.
    ///
    /// # Errors
    /// Returns an error if the rollback fails or exceeds the limit of a statement, or if the connection is lost. The
    /// transaction is not committed even then.
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
