//! The tasks that run beside the requests: starting them, and waiting for their end.

use super::VITAL;
use crate::event_log::condition::Condition;
use crate::workers::{self, BackgroundWork};
use bootledger_web::http::worker_status::Vitals;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The tasks of a service, which end when it stops.
pub(super) struct Background {
    tasks: JoinSet<()>,
    vitals: Vitals,
    condition: Condition,
    stop: watch::Receiver<bool>,
}

impl Background {
    /// No tasks yet. `condition` is the database's, and `stop` becomes true when the service stops.
    pub(super) fn new(vitals: Vitals, condition: Condition, stop: watch::Receiver<bool>) -> Self {
        Self { tasks: JoinSet::new(), vitals, condition, stop }
    }

    /// Starts a task that ends when the service stops.
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Starts a worker that writes nothing to the database.
    pub(super) fn start<W: BackgroundWork + 'static>(&mut self, work: W) {
        let status = self.vitals.worker(W::NAME);
        self.tasks.spawn(workers::run(work, status, self.stop.clone()));
    }

    /// Starts a worker that writes to the database, once the database accepts writes.
    pub(super) fn start_when_writable<W: BackgroundWork + 'static>(&mut self, work: W) {
        let status = self.vitals.worker(W::NAME);
        let (vitals, condition, mut stop) = (self.vitals.clone(), self.condition.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let writable = tokio::select! {
                () = condition.writable() => true,
                _ = stop.wait_for(|stop| *stop) => false,
            };
            if writable {
                if let Some(problem) = W::VITAL {
                    // The worker's time begins now: it could not work before.
                    status.begin();
                    vitals.require(problem, VITAL, status.clone());
                }
                workers::run(work, status, stop).await;
            }
        });
    }

    /// Waits until all tasks have ended. Returns false if some have not by this moment.
    pub(super) async fn ended_by(&mut self, until: Instant) -> bool {
        timeout_at(until, async { while self.tasks.join_next().await.is_some() {} }).await.is_ok()
    }

    /// Aborts the tasks that are left.
    pub(super) fn abort(&mut self) {
        self.tasks.abort_all();
    }
}
