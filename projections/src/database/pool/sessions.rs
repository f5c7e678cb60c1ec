//! Opens database sessions with their settings, and remembers which are open.
//!
//! Settings are made with `SET` after connecting. The startup parameter `options` would save the round trip, but `PgBouncer`
//! rejects that parameter.

use super::liveness::{self, Liveness};
use super::{DIAL, is_lost};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions, PgRow};
use sqlx::{Executor, Row};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

type Result<T> = sqlx::Result<T>;

/// How many sessions are remembered: more than one instance opens.
const REMEMBERED: usize = 256;

/// How long to wait after an attempt that was refused at once.
const PAUSE: Duration = Duration::from_millis(50);

/// The identity of a session at the server, which is unique there. A process id alone is not, since it is reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The process id of the server's backend.
    pid: i32,
    /// When the backend started, in microseconds since 1970.
    started: i64,
}

/// The query for a session's own identity. The function is many times cheaper than the view that uses it.
const WHO: &str = "SELECT pid::text AS pid, (extract(epoch FROM backend_start) * 1000000)::bigint::text AS started
                     FROM pg_stat_get_activity(pg_backend_pid())";

/// Opens sessions. Cheap to clone; all clones share the remembered sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    options: PgConnectOptions,
    settings: Arc<str>,
    liveness: Liveness,
    opened: Arc<Mutex<VecDeque<Backend>>>,
}

/// A session outside a pool.
#[derive(Debug)]
pub struct Session {
    /// The connection of the session.
    pub connection: PgConnection,
    /// The session's identity at the server.
    pub backend: Backend,
    /// The bound that ends waits on the session.
    pub bound: liveness::Bound,
}

impl From<PgConnectOptions> for Sessions {
    fn from(options: PgConnectOptions) -> Self {
        Self { options, settings: "".into(), liveness: Liveness::default(), opened: Arc::default() }
    }
}

impl Sessions {
    /// Adds settings to those that each session gets: names and values, as in `SET name = value`.
    #[must_use]
    pub fn with<'a>(mut self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let further = settings.into_iter().map(|(name, value)| format!("SET {name} = {value}; "));
        self.settings = std::iter::once(self.settings.to_string()).chain(further).collect::<String>().into();
        self
    }

    /// The options with which a connection is opened, without the settings.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The state of the connections: whether they are lost.
    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// Makes the settings on a new connection, and remembers the session.
    pub(super) async fn set_up(&self, connection: &mut PgConnection) -> Result<Backend> {
        let statements = format!("{}{WHO}", self.settings);
        let row: PgRow = connection.fetch_one(statements.as_str()).await?;
        let number = |column| row.try_get::<String, _>(column);
        let parsed = (number("pid")?.parse(), number("started")?.parse());
        let (Ok(pid), Ok(started)) = parsed else { return Err(sqlx::Error::Protocol("a process id is a number".to_owned())) };
        let backend = Backend { pid, started };
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.truncate(REMEMBERED - 1);
        opened.push_front(backend.clone());
        Ok(backend)
    }

    /// Opens a session, with one attempt.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached within the limit, or if it refuses the connection or a setting.
    pub async fn open(&self, limit: Duration) -> Result<Session> {
        let bound = self.liveness.bound();
        let opened = async {
            let mut connection = sqlx::Connection::connect_with(&self.options).await?;
            let backend = self.set_up(&mut connection).await?;
            Ok::<_, sqlx::Error>((connection, backend))
        };
        let (connection, backend) = timeout(limit, opened).await.map_err(|_| liveness::late(limit))??;
        Ok(Session { connection, backend, bound })
    }

    /// Opens a session, with as many attempts as the time allows. A server may be restarting, and an attempt that hangs may
    /// have started before the network recovered.
    ///
    /// # Errors
    /// Returns the error of the last attempt. Another attempt follows only if the connection was lost or timed out; any other
    /// error is returned at once.
    pub async fn open_until(&self, until: Instant) -> Result<Session> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.open(left.min(DIAL)).await {
                Err(error) if is_lost(&error) && left > PAUSE => sleep(PAUSE).await,
                opened => return opened,
            }
        }
    }

    /// Listens on these channels on a connection of its own. When the listener is dropped, a task of sqlx continues to wait for
    /// the connection without a limit; only the end of its runtime is certain to end that task.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached within twice [`DIAL`], or if it refuses the connection or a setting.
    pub async fn listen(&self, channels: &[&str]) -> Result<PgListener> {
        let sessions = self.clone();
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(DIAL).after_connect(move |connection, _| {
            let sessions = sessions.clone();
            Box::pin(async move { sessions.set_up(connection).await.map(drop) })
        });
        let listening = async {
            let mut listener = PgListener::connect_with(&pool.connect_lazy_with(self.options.clone())).await?;
            listener.eager_reconnect(false);
            listener.listen_all(channels.iter().copied()).await?;
            Ok(listener)
        };
        self.liveness.bound().within(DIAL * 2, listening).await
    }

    /// Opens a session whose statements have no limit, neither here nor at the server.
    pub(super) async fn open_unlimited(&self) -> Result<PgConnection> {
        let unlimited = [("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0")];
        Ok(self.clone().with(unlimited).open(DIAL * 2).await?.connection)
    }

    /// Marks all sessions except this one as lost, and terminates them at the server. That releases their locks, and statements
    /// that they have not completed are not executed.
    ///
    /// # Errors
    /// Returns an error if the statement that terminates the sessions fails or exceeds the limit, or if `fresh` is lost too.
    /// The sessions are marked as lost even then.
    pub async fn lose(&self, fresh: &mut Session, limit: Duration) -> Result<u64> {
        fresh.bound = self.liveness.bound();
        self.liveness.lose_before(fresh.bound.since());
        let started = fresh.backend.started;
        let older: Vec<Backend> = {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            let (older, newer): (Vec<_>, Vec<_>) = opened.drain(..).partition(|backend| backend.started < started);
            opened.extend(newer);
            older
        };
        let ended = end(&mut fresh.connection, older);
        fresh.bound.within(limit, ended).await
    }
}

/// Terminates a session at the server, and waits until it has ended. After that, nothing that it was sent can be committed.
///
/// # Errors
/// Returns an error if the session is still alive after the limit, or if `session` is lost or does not respond. If the server
/// refuses the termination for another reason, this function writes a warning to the log and succeeds.
pub async fn fence(session: &mut Session, lost: &Backend, limit: Duration) -> Result<()> {
    let milliseconds = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    let ended = sqlx::query_scalar::<_, bool>(
        "SELECT pg_terminate_backend(pid, $3) FROM pg_stat_get_activity($1)
          WHERE (extract(epoch FROM backend_start) * 1000000)::bigint = $2",
    );
    let ended = ended.bind(lost.pid).bind(lost.started).bind(milliseconds).fetch_optional(&mut session.connection);
    match session.bound.within(limit * 2, ended).await {
        Ok(Some(false)) => Err(liveness::late(limit)),
        Ok(Some(true) | None) => Ok(()),
        Err(error) if is_lost(&error) => Err(error),
        // The server may not permit the termination. Locks are still waited for.
        Err(error) => {
            tracing::warn!(%error, "a lost session could not be ended at the server");
            Ok(())
        }
    }
}

async fn end(connection: &mut PgConnection, backends: Vec<Backend>) -> Result<u64> {
    let (pids, starts): (Vec<i32>, Vec<i64>) = backends.into_iter().map(|backend| (backend.pid, backend.started)).unzip();
    let ended = sqlx::query(
        "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN UNNEST($1::integer[], $2::bigint[]) AS o (pid, started)
             ON a.pid = o.pid AND (extract(epoch FROM a.backend_start) * 1000000)::bigint = o.started",
    );
    Ok(ended.bind(pids).bind(starts).execute(connection).await?.rows_affected())
}
