//! The feed: the end of the log and the position of the views, as numbers that can be watched.
//!
//! `LISTEN` notifications update the feed. A timer also does, since a notification can be lost with its connection.

mod listener;

use bootledger_projections::database::log;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::projector::checkpoint;
use bootledger_web::http::worker_status::WorkerStatus;
use std::time::Duration;
use tokio::sync::watch;

/// How long a change may remain unnoticed if its notification is lost.
const POLL: Duration = Duration::from_millis(500);

/// Positions that callers can wait for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed {
    appended: watch::Sender<i64>,
    projected: watch::Sender<i64>,
    status: WorkerStatus,
}

impl Feed {
    /// Starts following the database. Ends when `stopping` becomes true.
    ///
    /// # Errors
    /// Returns an error if the positions of the log and of the views cannot be read.
    pub async fn start(pool: impl Into<Pool>, stopping: watch::Receiver<bool>) -> anyhow::Result<Self> {
        let pool = pool.into();
        let feed = Self::of_copy(pool.clone(), stopping.clone()).await?;
        listener::start(feed.clone(), pool.sessions().clone(), stopping);
        Ok(feed)
    }

    /// The same without the database's notifications: those are about the service's log and views, and a copy has positions of
    /// its own.
    pub(crate) async fn of_copy(pool: Pool, stopping: watch::Receiver<bool>) -> anyhow::Result<Self> {
        let feed = Self {
            appended: watch::Sender::new(log::last_position(&pool).await?),
            projected: watch::Sender::new(checkpoint::position(&pool).await?),
            status: WorkerStatus::default(),
        };
        tokio::spawn(feed.clone().follow(pool, stopping));
        Ok(feed)
    }

    /// Whether the database reports the positions of log and views.
    pub fn status(&self) -> WorkerStatus {
        self.status.clone()
    }

    /// The position at the end of the log.
    pub fn appended(&self) -> watch::Receiver<i64> {
        self.appended.subscribe()
    }

    /// The position that the views show.
    pub fn projected(&self) -> watch::Receiver<i64> {
        self.projected.subscribe()
    }

    /// Records that the log has grown, without waiting for the notification.
    pub(crate) fn saw_appended(&self, position: i64) {
        raise(&self.appended, position);
    }

    /// Records that the views have moved, without waiting for the notification.
    pub fn saw_projected(&self, position: i64) {
        raise(&self.projected, position);
    }

    /// Waits until the views show a position. Returns `false` if that takes too long.
    pub async fn wait_for(&self, position: i64, limit: Duration) -> bool {
        let mut projected = self.projected();
        let reached = projected.wait_for(|shown| *shown >= position);
        tokio::time::timeout(limit, reached).await.is_ok_and(|waited| waited.is_ok())
    }

    /// Reads the positions regularly, regardless of notifications. A failure is not logged here, since every user of the
    /// database logs it; the next round tries again.
    async fn follow(self, pool: Pool, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
            match look(&pool).await {
                Ok((appended, projected)) => {
                    self.saw_appended(appended);
                    self.saw_projected(projected);
                    self.status.succeeded();
                }
                Err(error) => self.status.failed(&error),
            }
        }
    }
}

async fn look(pool: &Pool) -> bootledger_projections::Result<(i64, i64)> {
    let mut connection = pool.acquire().await?;
    Ok((log::last_position(&mut connection).await?, checkpoint::position(&mut connection).await?))
}

fn raise(sender: &watch::Sender<i64>, position: i64) {
    sender.send_if_modified(|known| {
        let newer = position > *known;
        *known = position.max(*known);
        newer
    });
}
