//! The heartbeat of this instance's workers: a small write to the database each second, on a connection of its own. It shows
//! other instances that this instance still works on what it has leased.
//!
//! A worker that is silent for four seconds is dead to the others, which take over its work. So a worker must notice that by
//! itself, and earlier: its name expires three seconds after the last successful heartbeat, by a clock that continues while the
//! machine sleeps. Work that was begun under an expired name is dropped. A worker that was paused between its last check of the
//! clock and an append is caught by the log: it appends to a stream that others have moved on.

use crate::database::instance::Instance;
use crate::event_log::workers;
use bootledger_projections::database::pool::is_lost;
use bootledger_projections::database::pool::sessions::{Session, Sessions};
use bootledger_web::http::worker_status::WorkerStatus;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use uuid::Uuid;

/// How often a worker sends a heartbeat.
const EVERY: Duration = Duration::from_secs(1);
/// How long a heartbeat may take, including a new connection if needed.
const LIMIT: Duration = Duration::from_secs(2);
/// How long to wait before a failed heartbeat is retried.
const AGAIN: Duration = Duration::from_millis(250);
/// How long a name is valid after the start of the last successful heartbeat. Other instances wait one second longer.
const COUNTS: Duration = Duration::from_secs(3);

/// The heartbeat, until it is ended.
pub struct Heartbeat {
    worker: Worker,
    status: WorkerStatus,
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The workers of this instance, which share one name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Worker {
    life: watch::Receiver<Option<Life>>,
    news: watch::Receiver<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    worker: Uuid,
    /// When the last successful heartbeat started.
    beat: Duration,
}

impl Heartbeat {
    /// Starts the heartbeat. If the database is unavailable, the workers have no name and take no work.
    pub fn start(sessions: Sessions, instance: Instance) -> Self {
        let ((life, alive), (news, reader), (end, ended)) = (watch::channel(None), watch::channel(0), watch::channel(false));
        let status = WorkerStatus::default();
        let heart = Heart { sessions, instance, session: None, worker: None, life, news, status: status.clone() };
        Self { worker: Worker { life: alive, news: reader }, status, end, task: tokio::spawn(heart.run(ended)) }
    }

    /// The workers whose heartbeat this is.
    pub fn worker(&self) -> Worker {
        self.worker.clone()
    }

    /// Whether the database accepts the heartbeat.
    pub fn status(&self) -> WorkerStatus {
        self.status.clone()
    }

    /// Ends the heartbeat, and releases the leases of its workers. The workers must have ended before.
    pub async fn end(self) {
        self.end.send_replace(true);
        drop(self.task.await);
    }
}

impl Worker {
    /// The name under which work may be taken now; `None` while others may consider this instance dead.
    pub fn name(&self) -> Option<Uuid> {
        self.life.borrow().filter(|life| !life.left().is_zero()).map(|life| life.worker)
    }

    /// Waits until there is a valid name.
    pub async fn ready(&self) -> Option<Uuid> {
        let mut life = self.life.clone();
        while self.name().is_none() {
            life.changed().await.ok()?;
        }
        self.name()
    }

    /// Whether work that was taken under this name still belongs to this instance.
    pub fn holds(&self, name: Uuid) -> bool {
        self.name() == Some(name)
    }

    /// Waits until work under this name no longer belongs to this instance.
    pub async fn lost(&self, name: Uuid) {
        let mut life = self.life.clone();
        loop {
            let left = life.borrow_and_update().filter(|life| life.worker == name).map(Life::left).unwrap_or_default();
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = sleep(left) => {}
                Ok(()) = life.changed() => {}
            }
        }
    }

    /// Changes when new work may be available: the workers have received a name, or others have died.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }
}

impl Life {
    /// How long the name remains valid.
    fn left(self) -> Duration {
        (self.beat + COUNTS).saturating_sub(uptime())
    }
}

/// The time since the machine was started, including time in sleep.
fn uptime() -> Duration {
    // Linux has had this clock since 2.6.39. Without it, no name would ever be valid.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from)
}

/// The task that sends heartbeats.
struct Heart {
    sessions: Sessions,
    instance: Instance,
    session: Option<Session>,
    worker: Option<Uuid>,
    life: watch::Sender<Option<Life>>,
    news: watch::Sender<u64>,
    status: WorkerStatus,
}

impl Heart {
    async fn run(mut self, mut ended: watch::Receiver<bool>) {
        let mut failing = false;
        while !*ended.borrow() {
            let pause = match timeout(LIMIT, self.beat()).await {
                Ok(Ok(pause)) => {
                    failing = false;
                    self.status.succeeded();
                    pause
                }
                Ok(Err(error)) => {
                    // A database that refuses the statement, as a read-only one does, has responded, and the session still
                    // works. A database that ended the session has responded too.
                    if is_lost(&error) || error.as_database_error().is_none() {
                        self.session = None;
                    }
                    self.status.failed(&error);
                    failed(&mut failing, &error.to_string())
                }
                // A late response would be mistaken for that of the next heartbeat.
                Err(_) => {
                    self.session = None;
                    self.status.failed_because("the database did not answer in time");
                    failed(&mut failing, "the database did not answer in time")
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        }
        if let (Some(session), Some(worker)) = (&mut self.session, self.worker) {
            // If this fails, other instances notice by themselves.
            drop(timeout(LIMIT, workers::leave(&mut session.connection, worker)).await);
        }
    }

    /// Sends a heartbeat, under a new name if the old one has expired. Returns how long to wait.
    async fn beat(&mut self) -> Result<Duration, sqlx::Error> {
        // A session that was declared lost is silent, or began while the database was read-only and remains so.
        let session = match self.session.take().filter(|session| session.bound.holds()) {
            Some(session) => session,
            None => self.sessions.open(LIMIT).await?,
        };
        let Session { connection, bound, .. } = self.session.insert(session);
        let begun = uptime();
        let Some(worker) = self.worker else {
            let worker = Uuid::now_v7();
            bound.within(LIMIT, workers::register(connection, worker, self.instance.id)).await?;
            self.worker = Some(worker);
            self.life.send_replace(Some(Life { worker, beat: begun }));
            self.news.send_modify(|news| *news += 1);
            // Other instances that have died are detected at once.
            return Ok(Duration::ZERO);
        };
        let beat = bound.within(LIMIT, workers::beat(connection, worker)).await?;
        if !beat.kept {
            warn!("the heartbeat of this instance was late; other instances may have taken over its work");
            self.worker = None;
            self.life.send_replace(None);
            return Ok(Duration::ZERO);
        }
        self.life.send_replace(Some(Life { worker, beat: begun }));
        if beat.lost > 0 {
            info!(instances = beat.lost, "other instances stopped sending heartbeats; taking over their work");
            self.news.send_modify(|news| *news += 1);
        }
        Ok(beat.next.map_or(EVERY, |next| EVERY.min(next + Duration::from_millis(10))))
    }
}

/// Logs once that the heartbeat fails. Returns when to retry.
fn failed(failing: &mut bool, error: &str) -> Duration {
    if *failing {
        return EVERY;
    }
    warn!(error, "the database does not accept the heartbeat of this instance; retrying");
    *failing = true;
    AGAIN
}
