//! Signs of life of the background workers. `/readyz` names each worker that has not moved recently.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time at which a worker last did its work. Cheap to clone; all clones are of the same worker.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    made: Instant,
    /// Milliseconds after `made`.
    last: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(Beats { made: Instant::now(), last: AtomicU64::new(0) }))
    }
}

impl Pulse {
    /// Records that the work was done just now.
    pub fn beat(&self) {
        let now = u64::try_from(self.0.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(now, Ordering::Relaxed);
    }

    /// How long ago the work was last done; before the first time, the time since the worker was created.
    pub fn age(&self) -> Duration {
        self.0.made.elapsed().saturating_sub(Duration::from_millis(self.0.last.load(Ordering::Relaxed)))
    }
}

/// The workers of an instance that readiness watches; empty until they are added. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Vitals(Arc<Mutex<Vec<Vital>>>);

#[derive(Debug)]
struct Vital {
    problem: &'static str,
    limit: Duration,
    pulse: Pulse,
}

impl Vitals {
    /// Watches a worker. If it sends no beat for this long, `problem`, such as "no event can be appended", is a reason why the
    /// instance is not ready.
    pub fn watch(&self, problem: &'static str, limit: Duration, pulse: Pulse) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Vital { problem, limit, pulse });
    }

    /// A sentence for each worker that has not moved for too long.
    pub fn problems(&self) -> Vec<String> {
        let vitals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let still = vitals.iter().filter(|vital| vital.pulse.age() > vital.limit);
        still.map(|vital| format!("{} (no success for {} seconds)", vital.problem, vital.pulse.age().as_secs())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_without_a_beat_for_too_long_is_a_problem_until_its_next_beat() {
        let (vitals, pulse) = (Vitals::default(), Pulse::default());
        vitals.watch("the feed stands still", Duration::ZERO, pulse.clone());
        vitals.watch("the writer stands still", Duration::from_mins(1), Pulse::default());
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(vitals.problems(), ["the feed stands still (no success for 0 seconds)"]);
        pulse.beat();
        assert!(pulse.age() < Duration::from_secs(1));
    }
}
