//! Which fault occurs, where, and for how long: drawn from the seed.

use super::fixture::Fixture;
use anyhow::Result;
use bootledger_test_cluster::proxy::{Mode, Proxy};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A fault of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// Each piece of data arrives late.
    Delays,
    /// Established connections fall silent and are never closed, while new connections work: a failover, or a firewall that
    /// lost its state.
    Forgets,
    /// Nothing gets through, and then everything does.
    Pauses,
    /// Established connections are reset.
    Resets,
    /// Requests arrive but answers do not, until the connection is reset.
    LosesAnswers,
    /// Requests do not arrive, until the connection is reset.
    LosesRequests,
    /// PostgreSQL is restarted.
    Restarts,
}

/// The connections that a fault affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Database,
    Controller,
    Primary,
    Hook,
}

/// The faults that occurred.
pub(super) struct Schedule {
    seed: u64,
    had: Mutex<BTreeMap<(Place, Fault), usize>>,
}

impl Schedule {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, had: Mutex::default() }
    }

    /// Injects faults into each place independently until the work is done or the time has passed. Afterwards everything relays
    /// again.
    pub(super) async fn run(&self, fixture: &Fixture, last: Instant, done: &watch::Receiver<bool>) -> Result<()> {
        let places = [
            (Place::Database, &fixture.database),
            (Place::Controller, &fixture.controller),
            (Place::Primary, &fixture.primary),
            (Place::Hook, &fixture.hook),
        ];
        let each = places.map(|(place, proxy)| self.at(place, proxy, last, done.clone()));
        let ((), restarted) = tokio::join!(async { drop(join_all(each).await) }, self.restart(fixture, last, done.clone()));
        restarted?;
        // The last fault is one that only the service itself can recover from: no other fault ends these connections.
        self.note(Place::Database, Fault::Forgets);
        begin(&fixture.database, Fault::Forgets, Duration::ZERO);
        tokio::time::sleep(Duration::from_secs(1)).await;
        end(&fixture.database, Fault::Forgets);
        Ok(())
    }

    fn random(&self, place: Place) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_add(place as u64))
    }

    async fn restart(&self, fixture: &Fixture, last: Instant, mut done: watch::Receiver<bool>) -> Result<()> {
        let wait = Duration::from_millis(self.random(Place::Database).random_range(5_000..15_000));
        if tokio::time::timeout(wait, done.wait_for(|done| *done)).await.is_err() && Instant::now() < last {
            self.note(Place::Database, Fault::Restarts);
            fixture.restart_postgres().await?;
        }
        Ok(())
    }

    async fn at(&self, place: Place, proxy: &Proxy, last: Instant, mut done: watch::Receiver<bool>) {
        let mut random = self.random(place);
        while Instant::now() < last && !*done.borrow() {
            let fault = match random.random_range(0..6) {
                0 => Fault::Delays,
                1 => Fault::Forgets,
                2 => Fault::Pauses,
                3 => Fault::Resets,
                4 => Fault::LosesAnswers,
                _ => Fault::LosesRequests,
            };
            // Long faults are rare, so that there are many.
            let longest = if random.random_range(0..4) == 0 { 5_000 } else { 1_200 };
            let time = Duration::from_millis(random.random_range(100..longest));
            let delay = Duration::from_millis(random.random_range(5..100));
            let calm = Duration::from_millis(random.random_range(300..2_000));
            self.note(place, fault);
            begin(proxy, fault, delay);
            drop(tokio::time::timeout(time, done.wait_for(|done| *done)).await);
            end(proxy, fault);
            drop(tokio::time::timeout(calm, done.wait_for(|done| *done)).await);
        }
    }

    fn had(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Place, Fault), usize>> {
        self.had.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, place: Place, fault: Fault) {
        *self.had().entry((place, fault)).or_default() += 1;
    }

    /// The number of faults by place and kind.
    pub(super) fn report(&self) -> String {
        let had = self.had();
        let words = had.iter().map(|((place, fault), count)| format!("{place:?} {fault:?} {count}"));
        format!("{} faults: {}", had.values().sum::<usize>(), words.collect::<Vec<_>>().join(", "))
    }
}

fn begin(proxy: &Proxy, fault: Fault, delay: Duration) {
    match fault {
        Fault::Delays => proxy.set_all(Mode::Delay(delay)),
        Fault::Forgets => proxy.set_established(Mode::Silent),
        Fault::Pauses => proxy.set_all(Mode::Silent),
        Fault::Resets => proxy.set_established(Mode::Reset),
        Fault::LosesAnswers => proxy.set_all(Mode::LosesAnswers),
        Fault::LosesRequests => proxy.set_all(Mode::LosesRequests),
        Fault::Restarts => {}
    }
}

/// TCP loses nothing in the middle of a connection: after a loss, the connection must end.
fn end(proxy: &Proxy, fault: Fault) {
    proxy.set_new(Mode::Relay);
    match fault {
        Fault::Delays | Fault::Pauses => proxy.set_established(Mode::Relay),
        Fault::LosesAnswers | Fault::LosesRequests => proxy.set_established(Mode::Reset),
        Fault::Forgets | Fault::Resets | Fault::Restarts => {}
    }
}
