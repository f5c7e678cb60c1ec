//! Receives the database's notifications on a separate thread.
//!
//! When a listener of sqlx is dropped, a task sends a goodbye to the server and waits for the response without a limit. That
//! task cannot be cancelled, so on a silent connection each one would keep the connection permanently. A runtime that shuts
//! down ends its tasks, so each listener has a runtime of its own.

use super::Feed;
use bootledger_projections::database::pool::sessions::Sessions;
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tracing::warn;

const APPENDED: &str = "bootledger_appended";
const PROJECTED: &str = "bootledger_projected";

/// How long to wait before a lost listener is replaced.
const PAUSE: Duration = Duration::from_millis(200);

/// Receives notifications until `stopping` holds true. If the thread cannot be started, the timer finds every change.
pub(super) fn start(feed: Feed, sessions: Sessions, mut stopping: watch::Receiver<bool>) {
    let listening = move || {
        while !*stopping.borrow() && stopping.has_changed().is_ok() {
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    runtime.block_on(listen(&feed, &sessions, &mut stopping));
                    runtime.shutdown_background();
                }
                Err(error) => {
                    warn!(%error, "the database's notices cannot be received; the timer still finds changes");
                    return;
                }
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("notices".to_owned()).spawn(listening) {
        warn!(%error, "the database's notices cannot be received; the timer still finds changes");
    }
}

/// Listens on one connection until it is lost.
async fn listen(feed: &Feed, sessions: &Sessions, stopping: &mut watch::Receiver<bool>) {
    let bound = sessions.liveness().bound();
    let received = async {
        if let Ok(mut listener) = sessions.listen(&[APPENDED, PROJECTED]).await {
            while let Ok(Some(notice)) = listener.try_recv().await {
                if let Ok(position) = notice.payload().parse() {
                    match notice.channel() {
                        APPENDED => feed.saw_appended(position),
                        _ => feed.saw_projected(position),
                    }
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    };
    tokio::select! {
        () = received => {}
        () = bound.broken() => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}
