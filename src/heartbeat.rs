//! The heartbeat of this instance's workers: a tiny write to the database each second, on a connection of its own, by which
//! other instances know that what is leased here is being worked on.
//!
//! A worker that is silent for four seconds is dead to the others, which take its work over. So it must notice by itself, and
//! earlier: its name stops counting three seconds after the last heartbeat that went well, by a clock that goes on while the
//! machine sleeps. What was begun under a name that does not count any more is dropped. A worker that stood still between its
//! last look at the clock and an append is caught by the log: it appends to a stream that others have moved on.

use crate::instance::Instance;
use crate::store::workers;
use bootledger_projections::pool::is_lost;
use bootledger_projections::pool::sessions::{Session, Sessions};
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use uuid::Uuid;

/// How often a worker says that it lives.
const EVERY: Duration = Duration::from_secs(1);
/// How long a heartbeat may take, with a new connection if need be.
const LIMIT: Duration = Duration::from_secs(2);
/// How soon one that failed is tried again.
const AGAIN: Duration = Duration::from_millis(250);
/// How long a name counts after the beginning of the last heartbeat that went well. The others wait a second longer.
const COUNTS: Duration = Duration::from_secs(3);

/// The heartbeat, until it is ended.
pub struct Heartbeat {
    worker: Worker,
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The workers of this instance, which have one name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Worker {
    life: watch::Receiver<Option<Life>>,
    news: watch::Receiver<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    worker: Uuid,
    /// When the last heartbeat began that went well.
    beat: Duration,
}

impl Heartbeat {
    /// Begins. The database may be away: the workers have no name then, and take nothing.
    pub fn start(sessions: Sessions, instance: Instance) -> Self {
        let ((life, alive), (news, reader), (end, ended)) = (watch::channel(None), watch::channel(0), watch::channel(false));
        let heart = Heart { sessions, instance, session: None, worker: None, life, news };
        Self { worker: Worker { life: alive, news: reader }, end, task: tokio::spawn(heart.run(ended)) }
    }

    /// The workers that it is for.
    pub fn worker(&self) -> Worker {
        self.worker.clone()
    }

    /// Ends it, and frees what its workers have leased. They must have ended before.
    pub async fn end(self) {
        self.end.send_replace(true);
        drop(self.task.await);
    }
}

impl Worker {
    /// The name under which work may be taken now; `None` while others may take this instance for dead.
    pub fn name(&self) -> Option<Uuid> {
        self.life.borrow().filter(|life| !life.left().is_zero()).map(|life| life.worker)
    }

    /// Waits until there is such a name.
    pub async fn ready(&self) -> Option<Uuid> {
        let mut life = self.life.clone();
        while self.name().is_none() {
            life.changed().await.ok()?;
        }
        self.name()
    }

    /// Whether work that was taken under this name is still this instance's.
    pub fn holds(&self, name: Uuid) -> bool {
        self.name() == Some(name)
    }

    /// Waits until it is not any more.
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

    /// Changes when there may be work that was not there before: the workers have got a name, or others have died.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }
}

impl Life {
    /// How long the name counts from now on.
    fn left(self) -> Duration {
        (self.beat + COUNTS).saturating_sub(uptime())
    }
}

/// The time since the machine was started, also while it slept.
fn uptime() -> Duration {
    // Linux has had this clock since 2.6.39; without it, nothing would ever count.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from)
}

/// What beats.
struct Heart {
    sessions: Sessions,
    instance: Instance,
    session: Option<Session>,
    worker: Option<Uuid>,
    life: watch::Sender<Option<Life>>,
    news: watch::Sender<u64>,
}

impl Heart {
    async fn run(mut self, mut ended: watch::Receiver<bool>) {
        let mut failing = false;
        while !*ended.borrow() {
            let pause = match timeout(LIMIT, self.beat()).await {
                Ok(Ok(pause)) => {
                    failing = false;
                    pause
                }
                Ok(Err(error)) => {
                    // A database that refuses, as a read-only one does, has answered, and the session is as good as before.
                    // One that ended the session has answered too.
                    if is_lost(&error) || error.as_database_error().is_none() {
                        self.session = None;
                    }
                    failed(&mut failing, &error.to_string())
                }
                // An answer that comes late would be taken for that of the next heartbeat.
                Err(_) => {
                    self.session = None;
                    failed(&mut failing, "the database has not answered in time")
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        }
        if let (Some(session), Some(worker)) = (&mut self.session, self.worker) {
            // Where that fails, others find out by themselves.
            drop(timeout(LIMIT, workers::leave(&mut session.connection, worker)).await);
        }
    }

    /// Says that the workers live, under a new name where the old one was given up. Returns how long to wait.
    async fn beat(&mut self) -> Result<Duration, sqlx::Error> {
        // A session that was declared lost is silent, or began while the database was read-only, and stays so.
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
            // Other instances that have died are seen at once.
            return Ok(Duration::ZERO);
        };
        let beat = bound.within(LIMIT, workers::beat(connection, worker)).await?;
        if !beat.kept {
            warn!("the heartbeat of this instance was late; others may have taken over what it was doing");
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

/// Says once that the heartbeat fails, and how soon it is tried again.
fn failed(failing: &mut bool, error: &str) -> Duration {
    if *failing {
        return EVERY;
    }
    warn!(error, "the database does not take the heartbeat of this instance; trying again");
    *failing = true;
    AGAIN
}
