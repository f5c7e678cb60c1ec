//! The status of the background workers: `/readyz` names those that have made no progress recently, and `/metrics` and the
//! settings page show the last result of each.

use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::cause::Cause;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// The results of one worker's passes. Cheap to clone; all clones are of the same worker.
#[derive(Clone, Debug)]
pub struct WorkerStatus(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    made: Instant,
    /// When the last pass succeeded, in milliseconds after `made`.
    last_success: AtomicU64,
    passes: Mutex<Passes>,
}

/// The passes of a worker since the service started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passes {
    /// How many passes succeeded.
    pub succeeded: u64,
    /// How many passes failed.
    pub failed: u64,
    /// When the last pass ended; `None` before the first.
    pub last: Option<Timestamp>,
    /// Why the last pass failed; `None` if it succeeded.
    pub error: Option<String>,
}

impl Default for WorkerStatus {
    fn default() -> Self {
        Self(Arc::new(Shared { made: Instant::now(), last_success: AtomicU64::new(0), passes: Mutex::default() }))
    }
}

impl WorkerStatus {
    /// Begins the time of a worker that could not work before.
    pub fn begin(&self) {
        let now = u64::try_from(self.0.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_success.store(now, Ordering::Relaxed);
    }

    /// Records that a pass succeeded just now.
    pub fn succeeded(&self) {
        self.begin();
        self.record(|passes| {
            passes.succeeded += 1;
            passes.error = None;
        });
    }

    /// Records that a pass failed just now. Every viewer can read the error, and, as everywhere, an error contains no secret.
    pub fn failed(&self, error: &(dyn Error + 'static)) {
        let chain = std::iter::successors(Some(error), |&error| error.source());
        let text = chain.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        self.failed_because(match Cause::in_error(error).filter(|cause| cause.passes()) {
            Some(cause) => format!("{}: {text}", cause.sentence()),
            None => text,
        });
    }

    /// Records that a pass failed just now, for this reason.
    pub fn failed_because(&self, reason: impl Into<String>) {
        self.record(|passes| {
            passes.failed += 1;
            passes.error = Some(reason.into());
        });
    }

    fn record(&self, change: impl FnOnce(&mut Passes)) {
        let mut passes = self.0.passes.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut passes);
        passes.last = Some(Timestamp(OffsetDateTime::now_utc()));
    }

    /// The passes so far.
    pub fn passes(&self) -> Passes {
        self.0.passes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The time since the last success; before the first, the time since the worker was created.
    pub fn age(&self) -> Duration {
        self.0.made.elapsed().saturating_sub(Duration::from_millis(self.0.last_success.load(Ordering::Relaxed)))
    }
}

/// The workers of an instance; empty until they are added. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Vitals(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    workers: Vec<(&'static str, WorkerStatus)>,
    required: Vec<Required>,
}

/// A worker without which the instance is not ready.
#[derive(Debug)]
struct Required {
    problem: &'static str,
    limit: Duration,
    status: WorkerStatus,
}

impl Vitals {
    /// The status of the worker of this name, which is added if it is new. Tasks that share a name share a status.
    pub fn worker(&self, name: &'static str) -> WorkerStatus {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, status)) = parts.workers.iter().find(|(known, _)| *known == name) {
            return status.clone();
        }
        let status = WorkerStatus::default();
        parts.workers.push((name, status.clone()));
        status
    }

    /// Adds a worker that has a status already.
    pub fn add(&self, name: &'static str, status: WorkerStatus) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).workers.push((name, status));
    }

    /// Requires a worker for readiness. If it has no success for this long, `problem`, such as "no event can be appended", is a
    /// reason why the instance is not ready.
    pub fn require(&self, problem: &'static str, limit: Duration, status: WorkerStatus) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).required.push(Required { problem, limit, status });
    }

    /// A sentence for each required worker that has had no success for too long.
    pub fn problems(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let still = parts.required.iter().filter(|part| part.status.age() > part.limit);
        still.map(|part| format!("{} (no success for {} seconds)", part.problem, part.status.age().as_secs())).collect()
    }

    /// The workers and their passes, by name.
    pub fn workers(&self) -> Vec<(&'static str, Passes)> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workers: Vec<_> = parts.workers.iter().map(|(name, status)| (*name, status.passes())).collect();
        workers.sort_by_key(|(name, _)| *name);
        workers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_worker_without_a_success_for_too_long_is_a_problem_until_its_next_success() {
        let (vitals, status) = (Vitals::default(), WorkerStatus::default());
        vitals.require("the feed does not advance", Duration::ZERO, status.clone());
        vitals.require("the writer does not advance", Duration::from_mins(1), WorkerStatus::default());
        std::thread::sleep(Duration::from_millis(2));
        status.failed_because("a failure is no progress");
        assert_eq!(vitals.problems(), ["the feed does not advance (no success for 0 seconds)"]);
        status.succeeded();
        assert!(status.age() < Duration::from_secs(1));
    }

    #[test]
    fn a_worker_shows_its_last_error_until_it_recovers() {
        let vitals = Vitals::default();
        vitals.worker("projector").failed(&std::io::Error::other("no connection"));
        let shown = |vitals: &Vitals| vitals.workers().into_iter().map(|(name, passes)| (name, passes.error)).collect::<Vec<_>>();
        assert_eq!(shown(&vitals), [("projector", Some("no connection".to_owned()))]);
        vitals.worker("projector").succeeded();
        assert_eq!(shown(&vitals), [("projector", None)]);
        let passes = vitals.worker("projector").passes();
        assert!((passes.succeeded, passes.failed) == (1, 1) && passes.last.is_some(), "{passes:?}");
    }
}
