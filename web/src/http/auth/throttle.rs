//! Slows down password guessing. Attempts are counted for a user name at an address, for an address, and, with a looser limit,
//! for a user name at any address. After a number of attempts in a row, each one makes the next one wait longer. An attempt
//! counts from its beginning, so that many attempts at the same time do not get around the limit.
//!
//! Anyone can use up a name's attempts. So an address that the user has signed in from before has its own attempts, which no
//! one else can use up (ADR 0027).
//!
//! Counts are in memory and bounded: an instance that restarts begins at zero, and if there are too many counts, those with the
//! fewest attempts are removed.

use super::address::network;
use super::failures::Failures;
use bootledger_aggregates::values::timestamp::Timestamp;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The number of free attempts in a row, and the longest wait for the next one.
#[derive(Clone, Copy, Debug)]
struct Limit {
    free: u32,
    longest: Duration,
}

/// For a name at an address: guessing is hopeless, and users who forgot their password do not wait for long.
const PAIR: Limit = Limit { free: 5, longest: Duration::from_mins(5) };
/// For a name at an address that the user has signed in from before.
const KNOWN_PAIR: Limit = Limit { longest: Duration::from_mins(1), ..PAIR };
/// For an address, which many users may share.
const CLIENT: Limit = Limit { free: 20, longest: Duration::from_mins(5) };
/// For a name, from addresses that the user has not signed in from before.
const NAME: Limit = Limit { free: 100, longest: Duration::from_mins(1) };

/// How long after the last attempt a count is removed.
const FORGOTTEN: Duration = Duration::from_hours(1);
/// The minimum time between two reported lock-outs of the same name.
const REPORTED: Duration = Duration::from_hours(1);
/// The maximum number of counts of each kind.
const MOST: usize = 10_000;

/// An attempt to sign in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempt<'a> {
    /// The user name as it was entered.
    pub(crate) name: &'a str,
    /// The client's address.
    pub(crate) client: Option<IpAddr>,
    /// Whether the user has signed in from this address before.
    pub(crate) known: bool,
    /// When an administrator last unlocked the user. Earlier counts do not apply.
    pub(crate) unlocked: Option<Timestamp>,
}

/// The next attempt has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slowed {
    /// The time to wait.
    pub(crate) wait: Duration,
    /// The lock-out to report, if it has not been reported yet.
    pub(crate) report: Option<LockOut>,
}

/// The scope of a lock-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockOut {
    /// The name at one address.
    Address,
    /// The name at all addresses that the user has not signed in from before.
    Name,
}

/// The counts of failed attempts.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Counts>, Failures);

#[derive(Debug, Default)]
struct Counts {
    pairs: HashMap<(String, Option<IpAddr>), Count>,
    names: HashMap<String, Count>,
    clients: HashMap<IpAddr, Count>,
}

impl Counts {
    /// Subtracts an attempt from the counts of its name alone and its address alone.
    fn take_back_others(&mut self, attempt: Attempt<'_>, name: &str, client: Option<IpAddr>) {
        if !attempt.known {
            take_back(&mut self.names, name);
            if let Some(client) = client {
                take_back(&mut self.clients, &client);
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Count {
    attempts: u32,
    last: Instant,
    reported: Option<Instant>,
    unlocked: Option<Timestamp>,
}

impl Count {
    /// When the next attempt may be made.
    fn next(&self, limit: Limit) -> Instant {
        let doublings = self.attempts.checked_sub(limit.free);
        self.last + doublings.map_or(Duration::ZERO, |n| Duration::from_secs(1 << n.min(16)).min(limit.longest))
    }

    /// Whether to report a lock-out now. If so, it counts as reported.
    fn report(&mut self, now: Instant) -> bool {
        let due = self.reported.is_none_or(|reported| now.saturating_duration_since(reported) >= REPORTED);
        if due {
            self.reported = Some(now);
        }
        due
    }
}

/// The name by which attempts are counted: a shortened form, because users may enter any text.
fn counted(name: &str) -> String {
    name.trim().to_lowercase().chars().take(64).collect()
}

impl Throttle {
    /// Counts an attempt that begins, or returns how long to wait before the next one.
    pub(crate) fn begin(&self, attempt: Attempt<'_>, now: Instant) -> Result<(), Slowed> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { pairs, names, clients } = &mut *counts;
        let (name, client) = (counted(attempt.name), attempt.client.map(network));
        let pair = (name.clone(), client);
        if pairs.get(&pair).is_some_and(|count| count.unlocked != attempt.unlocked) {
            pairs.remove(&pair);
        }
        if names.get(&name).is_some_and(|count| count.unlocked != attempt.unlocked) {
            names.remove(&name);
        }
        let wait = |next: Option<Instant>| next.and_then(|next| next.checked_duration_since(now)).unwrap_or_default();
        let of_pair = wait(pairs.get(&pair).map(|count| count.next(if attempt.known { KNOWN_PAIR } else { PAIR })));
        let of_name = wait(names.get(&name).filter(|_| !attempt.known).map(|count| count.next(NAME)));
        let of_client = wait(client.filter(|_| !attempt.known).and_then(|client| Some(clients.get(&client)?.next(CLIENT))));
        let longest = of_pair.max(of_name).max(of_client);
        if !longest.is_zero() {
            let report = if !of_name.is_zero() {
                names.get_mut(&name).is_some_and(|count| count.report(now)).then_some(LockOut::Name)
            } else if !of_pair.is_zero() {
                pairs.get_mut(&pair).is_some_and(|count| count.report(now)).then_some(LockOut::Address)
            } else {
                None
            };
            return Err(Slowed { wait: longest, report });
        }
        count(pairs, pair, attempt.unlocked, now);
        if !attempt.known {
            count(names, name, attempt.unlocked, now);
            if let Some(client) = client {
                count(clients, client, None, now);
            }
        }
        Ok(())
    }

    /// The failed sign-ins to record.
    pub(super) fn failures(&self) -> &Failures {
        &self.1
    }

    /// The attempt succeeded: the count of the name at the address is removed, and the attempt is subtracted from the others.
    pub(crate) fn succeeded(&self, attempt: Attempt<'_>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, client) = (counted(attempt.name), attempt.client.map(network));
        counts.pairs.remove(&(name.clone(), client));
        counts.take_back_others(attempt, &name, client);
    }

    /// The attempt ended before its password was checked: it does not count.
    pub(crate) fn given_up(&self, attempt: Attempt<'_>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, client) = (counted(attempt.name), attempt.client.map(network));
        take_back(&mut counts.pairs, &(name.clone(), client));
        counts.take_back_others(attempt, &name, client);
    }
}

/// Subtracts one attempt from a count.
fn take_back<K: Hash + Eq + Borrow<Q>, Q: Hash + Eq + ?Sized>(counts: &mut HashMap<K, Count>, key: &Q) {
    if let Some(count) = counts.get_mut(key) {
        count.attempts = count.attempts.saturating_sub(1);
    }
}

fn count<K: Hash + Eq + Clone>(counts: &mut HashMap<K, Count>, key: K, unlocked: Option<Timestamp>, now: Instant) {
    let forgotten = |count: &Count| now.saturating_duration_since(count.last) >= FORGOTTEN;
    if counts.len() >= MOST && !counts.contains_key(&key) {
        counts.retain(|_, count| !forgotten(count));
        while counts.len() >= MOST {
            let oldest = counts.iter().min_by_key(|(_, count)| (count.attempts, count.last)).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            counts.remove(&oldest);
        }
    }
    let entry = counts.entry(key).or_insert(Count { attempts: 0, last: now, reported: None, unlocked });
    if forgotten(entry) {
        entry.attempts = 0;
    }
    *entry = Count { attempts: entry.attempts.saturating_add(1), last: now, ..*entry };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn from<'a>(name: &'a str, client: &str) -> Attempt<'a> {
        Attempt { name, client: Some(address(client)), ..Attempt::default() }
    }

    fn known<'a>(name: &'a str, client: &str) -> Attempt<'a> {
        Attempt { known: true, ..from(name, client) }
    }

    /// The wait before the next attempt, if it has to wait.
    fn wait(throttle: &Throttle, attempt: Attempt<'_>, now: Instant) -> Option<Duration> {
        throttle.begin(attempt, now).err().map(|slowed| slowed.wait)
    }

    #[test]
    fn each_failure_in_a_row_makes_the_next_attempt_wait_longer() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..PAIR.free {
            assert_eq!(wait(&throttle, from("ada", "10.0.0.1"), now), None);
        }
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let seconds = Duration::from_secs(seconds);
            assert_eq!(wait(&throttle, from(" ADA", "10.0.0.1"), now), Some(seconds));
            now += seconds;
            assert_eq!(wait(&throttle, from("ada", "10.0.0.1"), now), None);
        }
        assert_eq!(wait(&throttle, from("grace", "10.0.0.2"), now), None, "another user is not held up");
        assert_eq!(wait(&throttle, from("ada", "10.0.0.2"), now), None, "nor the same one elsewhere");
    }

    #[test]
    fn many_names_from_one_address_are_slowed_down_too() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..CLIENT.free {
            assert_eq!(wait(&throttle, from(&format!("user{number}"), "2001:db8::1"), now), None);
        }
        assert!(wait(&throttle, from("another", "2001:db8::2"), now).is_some(), "the same network");
        assert_eq!(wait(&throttle, from("another", "2001:db8:1::2"), now), None);
    }

    #[test]
    fn a_name_that_is_guessed_from_many_addresses_is_slowed_down_but_not_where_its_user_signed_in_before() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..NAME.free {
            assert_eq!(wait(&throttle, from("ada", &format!("10.0.{}.{}", number / 200, number % 200)), now), None);
        }
        let slowed = throttle.begin(from("ada", "10.9.9.9"), now).expect_err("it is locked");
        assert_eq!(slowed, Slowed { wait: Duration::from_secs(1), report: Some(LockOut::Name) });
        let again = throttle.begin(from("ada", "10.9.9.8"), now).expect_err("it is locked");
        assert_eq!(again.report, None, "a lock-out is reported once");
        for _ in 0..PAIR.free {
            assert_eq!(wait(&throttle, known("ada", "10.1.1.1"), now), None);
        }
        let slowed = throttle.begin(known("ada", "10.1.1.1"), now).expect_err("its own attempts are used up");
        assert_eq!(slowed.report, Some(LockOut::Address));
    }

    #[test]
    fn an_unlock_voids_what_was_counted_before_it() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..=NAME.free {
            let _ = throttle.begin(from("ada", &format!("10.0.{}.{}", number / 200, number % 200)), now);
        }
        for _ in 0..PAIR.free {
            let _ = throttle.begin(known("ada", "10.1.1.1"), now);
        }
        let unlocked = |attempt| Attempt { unlocked: Some(Timestamp::default()), ..attempt };
        assert!(
            wait(&throttle, from("ada", "10.9.9.9"), now).is_some() && wait(&throttle, known("ada", "10.1.1.1"), now).is_some()
        );
        assert_eq!(wait(&throttle, unlocked(from("ada", "10.9.9.9")), now), None);
        assert_eq!(wait(&throttle, unlocked(known("ada", "10.1.1.1")), now), None);
    }

    #[test]
    fn a_success_and_an_hour_without_failures_reset_the_count() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let ada = Attempt { name: "ada", ..Attempt::default() };
        let fail = |at| (0..PAIR.free).for_each(|_| assert_eq!(wait(&throttle, ada, at), None));
        fail(now);
        throttle.succeeded(Attempt { name: "Ada", ..Attempt::default() });
        fail(now);
        assert!(wait(&throttle, ada, now).is_some());
        fail(now + FORGOTTEN);
    }

    #[test]
    fn an_abandoned_attempt_does_not_count() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..500 {
            assert_eq!(wait(&throttle, from("ada", "10.0.0.1"), now), None);
            throttle.given_up(from("ada", "10.0.0.1"));
        }
    }

    #[test]
    fn correct_sign_ins_from_many_new_addresses_lock_no_user_out() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..500 {
            let attempt = from("ada", &format!("10.0.{}.{}", number / 200, number % 200));
            assert_eq!(wait(&throttle, attempt, now), None);
            throttle.succeeded(attempt);
        }
    }

    #[test]
    fn memory_is_bounded_and_who_guesses_most_is_forgotten_last() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..PAIR.free {
            assert_eq!(wait(&throttle, from("ada", "192.0.2.1"), now), None);
        }
        for number in 0..u32::try_from(MOST).expect("small") + 50 {
            let client = std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string();
            assert_eq!(wait(&throttle, from(&format!("user{number}"), &client), now), None);
        }
        let counts = throttle.0.lock().expect("no panic");
        assert_eq!([counts.pairs.len(), counts.names.len(), counts.clients.len()], [MOST; 3]);
        drop(counts);
        assert!(wait(&throttle, from("ada", "192.0.2.1"), now).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// No matter what others do at other addresses and with any names, the first attempt at an address that the user has
        /// signed in from before begins immediately.
        #[test]
        fn failures_elsewhere_do_not_lock_a_user_out_of_a_known_address(
            attempts in proptest::collection::vec((0_u8..4, 0_u16..1_000, 0_u64..400), 0..2_000)
        ) {
            let (throttle, mut now) = (Throttle::default(), Instant::now());
            for (name, client, seconds) in attempts {
                now += Duration::from_secs(seconds / 100);
                let name = ["admin", "ADMIN ", "ada", "nobody"][usize::from(name)];
                let _ = throttle.begin(from(name, &format!("10.7.{}.{}", client / 250, client % 250)), now);
            }
            prop_assert_eq!(throttle.begin(known("admin", "192.0.2.9"), now), Ok(()));
        }
    }
}
