//! What runs beside the requests. Each worker finds its work in the views and reports it as commands; none decides a rule.
//!
//! [`run`] is the one loop of all workers that implement [`BackgroundWork`]: it runs a pass, records the result, and waits until the
//! next pass is due. A pass must find out by itself what there is to do, so that nothing is lost with a notification.
//!
//! Parts with latency limits of their own have their own loops, and report to the same status: the event writer, the feed, the
//! heartbeat, the canary, the watch over disks, and the boot table's follower.

pub mod bulk;
pub mod dns;
pub mod drift;
pub mod file_sweep;
pub mod heartbeat;
pub mod images;
pub mod projector;
pub mod reactor;
pub mod reservation_expiry;
pub mod session_expiry;
#[cfg(test)]
mod tests;
pub mod webhooks;

use anyhow::Result;
use bootledger_web::http::worker_status::WorkerStatus;
use std::future::{pending, ready};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{Instrument, error, info, info_span};

/// When the next pass begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once, because there may be more to do.
    Now,
    /// When the worker is woken, or after its period.
    Later,
}

/// Work that is done in passes.
pub trait BackgroundWork: Send {
    /// The name in metrics, logs and the table of workers.
    const NAME: &'static str;

    /// The reason why the instance is not ready while no pass succeeds; `None` if readiness does not depend on the worker.
    const VITAL: Option<&'static str> = None;

    /// The longest time between two passes.
    const PERIOD: Duration;

    /// Does what is due. If it fails, what it had begun is found again by a later pass.
    fn pass(&mut self) -> impl Future<Output = Result<Next>> + Send;

    /// Returns when there may be something to do before the period has passed. It may be dropped and called again at any time.
    fn wake(&mut self) -> impl Future<Output = ()> + Send {
        pending()
    }

    /// Finishes what is in progress when the service stops.
    fn stop(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        ready(())
    }
}

/// Runs passes until `stopping` holds true, then finishes what is in progress.
pub async fn run<W: BackgroundWork>(mut work: W, status: WorkerStatus, mut stopping: watch::Receiver<bool>) {
    let mut failing = false;
    while !*stopping.borrow() {
        match work.pass().instrument(info_span!("pass", worker = W::NAME)).await {
            Ok(next) => {
                status.succeeded();
                if std::mem::take(&mut failing) {
                    info!(worker = W::NAME, "background work succeeds again");
                }
                if next == Next::Now {
                    continue;
                }
            }
            Err(error) => {
                error!(worker = W::NAME, error = %format!("{error:#}"), "background work failed; retrying");
                status.failed(&*error);
                // The first failure is usually a lost connection. A new connection works at once.
                if !std::mem::replace(&mut failing, true) {
                    continue;
                }
            }
        }
        tokio::select! {
            () = work.wake() => {}
            () = tokio::time::sleep(W::PERIOD) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
    work.stop().await;
}
