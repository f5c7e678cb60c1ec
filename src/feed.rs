//! What moves: the end of the log and the position of the views, as watchable numbers.
//!
//! Woken by `LISTEN` and, since a notice can be lost with its connection, by a timer regardless.

use bootledger_projections::{checkpoint, log};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::time::Duration;
use tokio::sync::watch;
use tracing::warn;

/// How long a change may go unnoticed when its notice is lost.
const POLL: Duration = Duration::from_millis(500);

/// Positions to wait for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed {
    appended: watch::Sender<i64>,
    projected: watch::Sender<i64>,
}

impl Feed {
    /// Starts following; ends when `stopping` becomes true.
    pub async fn start(pool: PgPool, stopping: watch::Receiver<bool>) -> anyhow::Result<Self> {
        let feed = Self {
            appended: watch::Sender::new(log::last_position(&pool).await?),
            projected: watch::Sender::new(checkpoint::position(&pool).await?),
        };
        tokio::spawn(feed.clone().follow(pool, stopping));
        Ok(feed)
    }

    /// The end of the log.
    pub fn appended(&self) -> watch::Receiver<i64> {
        self.appended.subscribe()
    }

    /// The position that the views show.
    pub fn projected(&self) -> watch::Receiver<i64> {
        self.projected.subscribe()
    }

    /// Says that the log has grown, without waiting for the notice to come back.
    pub fn saw_appended(&self, position: i64) {
        raise(&self.appended, position);
    }

    /// Says that the views have moved, without waiting for the notice to come back.
    pub fn saw_projected(&self, position: i64) {
        raise(&self.projected, position);
    }

    /// Waits until the views show a position. `false` when that takes too long.
    pub async fn wait_for(&self, position: i64, limit: Duration) -> bool {
        let mut projected = self.projected();
        let reached = projected.wait_for(|shown| *shown >= position);
        tokio::time::timeout(limit, reached).await.is_ok_and(|waited| waited.is_ok())
    }

    async fn follow(self, pool: PgPool, mut stopping: watch::Receiver<bool>) {
        let stopped = stopping.clone();
        let mut listener = None;
        loop {
            if listener.is_none() {
                listener = listen(&pool).await;
            }
            let notice = async {
                match &mut listener {
                    Some(listener) => listener.try_recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                notice = notice => match notice {
                    Ok(Some(notice)) => {
                        if let Ok(position) = notice.payload().parse() {
                            match notice.channel() {
                                "bootledger_appended" => self.saw_appended(position),
                                _ => self.saw_projected(position),
                            }
                        }
                        continue;
                    }
                    Ok(None) => {}
                    Err(_) if *stopped.borrow() => return,
                    Err(error) => {
                        warn!(%error, "the connection for notices was lost; the timer still finds changes");
                        listener = None;
                    }
                },
                () = tokio::time::sleep(POLL) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
            // Failures are told by whoever needs the database; here the next round tries again.
            if let Ok(position) = log::last_position(&pool).await {
                self.saw_appended(position);
            }
            if let Ok(position) = checkpoint::position(&pool).await {
                self.saw_projected(position);
            }
        }
    }
}

async fn listen(pool: &PgPool) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(pool).await.ok()?;
    listener.listen_all(["bootledger_appended", "bootledger_projected"]).await.ok()?;
    Some(listener)
}

fn raise(sender: &watch::Sender<i64>, position: i64) {
    sender.send_if_modified(|known| {
        let newer = position > *known;
        *known = position.max(*known);
        newer
    });
}
