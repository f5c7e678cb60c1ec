//! The database's notices, received on a thread of their own.
//!
//! A listener of sqlx that is dropped says goodbye to the server first, and waits for the answer without a limit, in a
//! task that nobody can end. Where a connection is silent, each such task would keep it for good. A runtime that ends
//! ends its tasks: so each listener has its own.

use super::Feed;
use bootledger_projections::pool::sessions::Sessions;
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tracing::warn;

const APPENDED: &str = "bootledger_appended";
const PROJECTED: &str = "bootledger_projected";

/// How soon another listener follows one that was lost.
const PAUSE: Duration = Duration::from_millis(200);

/// Receives notices until `stopping`. Without the thread, the timer finds every change.
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

/// Listens on one connection for as long as it lasts.
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
