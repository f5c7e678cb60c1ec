//! Rate limits for servers' reports: a bucket for each deployment, and a bounded number of logs that are received at once.

use bootledger_aggregates::values::ids::DeploymentId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many reports may arrive at once, and the time until one more may.
const REPORTS: Bucket = Bucket { most: 30, each: Duration::from_millis(200) };

/// How many logs may arrive at once, and the time until one more may.
const LOGS: Bucket = Bucket { most: 5, each: Duration::from_secs(10) };

/// How many deployments are remembered before those with a full bucket are forgotten.
const REMEMBERED: usize = 20_000;

/// How many logs are received at the same time; each holds up to 128 KiB.
const LOGS_AT_ONCE: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    most: u32,
    each: Duration,
}

/// The recent rate of servers' reports.
#[derive(Debug)]
pub(super) struct Paces {
    reports: Mutex<HashMap<DeploymentId, Instant>>,
    logs: Mutex<HashMap<DeploymentId, Instant>>,
    receiving: Semaphore,
}

impl Default for Paces {
    fn default() -> Self {
        Self { reports: Mutex::default(), logs: Mutex::default(), receiving: Semaphore::new(LOGS_AT_ONCE) }
    }
}

impl Paces {
    /// Whether a deployment may report now. If so, the report is counted.
    pub(super) fn allow_report(&self, deployment: DeploymentId) -> bool {
        allow(&self.reports, deployment, REPORTS, Instant::now())
    }

    /// Whether a deployment may send a log now. If so, the log is counted.
    pub(super) fn allow_log(&self, deployment: DeploymentId) -> bool {
        allow(&self.logs, deployment, LOGS, Instant::now())
    }

    /// A place for receiving a log, if one is free.
    pub(super) fn receive(&self) -> Option<SemaphorePermit<'_>> {
        self.receiving.try_acquire().ok()
    }
}

/// A bucket is stored as the time at which it is full again; a full one need not be stored.
fn allow(full: &Mutex<HashMap<DeploymentId, Instant>>, deployment: DeploymentId, bucket: Bucket, now: Instant) -> bool {
    let mut full = full.lock().unwrap_or_else(PoisonError::into_inner);
    if full.len() >= REMEMBERED && !full.contains_key(&deployment) {
        full.retain(|_, at| *at > now);
        // Few were full: searching all of them again for the next one would take longer than the report.
        if full.len() > REMEMBERED / 2 {
            full.clear();
        }
    }
    let at = full.get(&deployment).copied().unwrap_or(now).max(now) + bucket.each;
    if at > now + bucket.each * bucket.most {
        return false;
    }
    full.insert(deployment, at);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(number: u128) -> DeploymentId {
        DeploymentId(Uuid::from_u128(number))
    }

    #[test]
    fn a_deployment_that_reports_in_a_loop_is_slowed_down_and_others_are_not() {
        let (full, start) = (Mutex::default(), Instant::now());
        let allowed = (0..10_000).filter(|_| allow(&full, id(1), REPORTS, start)).count();
        assert_eq!(allowed, 30);
        assert!(allow(&full, id(2), REPORTS, start));
        let later = start + Duration::from_secs(2);
        assert_eq!((0..100).filter(|_| allow(&full, id(1), REPORTS, later)).count(), 10);
        let long_after = start + Duration::from_hours(1);
        assert_eq!((0..100).filter(|_| allow(&full, id(1), REPORTS, long_after)).count(), 30);
    }

    #[test]
    fn a_million_deployments_do_not_grow_the_memory() {
        let (full, mut now) = (Mutex::default(), Instant::now());
        for number in 0..1_000_000 {
            now += Duration::from_micros(10);
            assert!(allow(&full, id(number), REPORTS, now));
        }
        assert!(full.lock().expect("the map").len() <= REMEMBERED);
    }
}
