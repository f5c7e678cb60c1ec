//! Slows down whoever guesses passwords: for a user name and for a client address, each failure in a row makes the next
//! attempt wait longer. An attempt counts when it begins, so that many at once are no way around it.
//!
//! It is in memory, and bounded: an instance that starts again begins anew, and of too many those are forgotten that guessed
//! least.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many attempts in a row a user name has before they are slowed down.
const FREE_OF_NAME: u32 = 5;
/// The same of an address, behind which many people may be.
const FREE_OF_CLIENT: u32 = 20;
/// The longest wait: guessing is hopeless, and whoever forgot a password need not wait for long.
const LONGEST: Duration = Duration::from_mins(5);
/// After how long without an attempt the count begins anew.
const FORGOTTEN: Duration = Duration::from_hours(1);
/// How many names, and how many addresses, are remembered.
const MOST: usize = 10_000;

/// Who attempted to sign in, and in vain.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    names: HashMap<String, Count>,
    clients: HashMap<IpAddr, Count>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    attempts: u32,
    last: Instant,
}

impl Count {
    /// When the next attempt may be made.
    fn next(self, free: u32) -> Instant {
        let doublings = self.attempts.checked_sub(free);
        self.last + doublings.map_or(Duration::ZERO, |n| Duration::from_secs(1 << n.min(16)).min(LONGEST))
    }
}

impl Throttle {
    /// Counts an attempt that begins, or says how long to wait before the next one.
    pub(crate) fn begin(&self, name: &str, client: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever is typed, little of it is kept.
        let name: String = name.trim().to_lowercase().chars().take(64).collect();
        let client = client.map(network);
        let waits = [
            counts.names.get(&name).map(|count| count.next(FREE_OF_NAME)),
            client.and_then(|client| counts.clients.get(&client)).map(|count| count.next(FREE_OF_CLIENT)),
        ];
        if let Some(next) = waits.into_iter().flatten().max().filter(|next| *next > now) {
            return Err(next - now);
        }
        count(&mut counts.names, name, now);
        if let Some(client) = client {
            count(&mut counts.clients, client, now);
        }
        Ok(())
    }

    /// The attempt succeeded: the name's count begins anew, and the address's is what it was.
    pub(crate) fn succeeded(&self, name: &str, client: Option<IpAddr>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.names.remove(&name.trim().to_lowercase());
        if let Some(count) = client.and_then(|client| counts.clients.get_mut(&network(client))) {
            count.attempts = count.attempts.saturating_sub(1);
        }
    }
}

/// Whoever has an IPv6 address has the whole network of it.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

fn count<K: Hash + Eq + Clone>(counts: &mut HashMap<K, Count>, key: K, now: Instant) {
    let forgotten = |count: &Count| now.saturating_duration_since(count.last) >= FORGOTTEN;
    if counts.len() >= MOST && !counts.contains_key(&key) {
        counts.retain(|_, count| !forgotten(count));
        while counts.len() >= MOST {
            let oldest = counts.iter().min_by_key(|(_, count)| (count.attempts, count.last)).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            counts.remove(&oldest);
        }
    }
    let entry = counts.entry(key).or_insert(Count { attempts: 0, last: now });
    if forgotten(entry) {
        entry.attempts = 0;
    }
    *entry = Count { attempts: entry.attempts.saturating_add(1), last: now };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_failure_in_a_row_makes_the_next_attempt_wait_longer() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..FREE_OF_NAME {
            assert_eq!(throttle.begin("ada", Some(address("10.0.0.1")), now), Ok(()));
        }
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(throttle.begin(" ADA", Some(address("10.0.0.2")), now), Err(wait), "from wherever");
            now += wait;
            assert_eq!(throttle.begin("ada", Some(address("10.0.0.2")), now), Ok(()));
        }
        assert_eq!(throttle.begin("grace", Some(address("10.0.0.1")), now), Ok(()), "somebody else is not held up");
    }

    #[test]
    fn many_names_from_one_address_are_slowed_down_too() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..FREE_OF_CLIENT {
            assert_eq!(throttle.begin(&format!("user{number}"), Some(address("2001:db8::1")), now), Ok(()));
        }
        assert!(throttle.begin("another", Some(address("2001:db8::2")), now).is_err(), "the same network");
        assert_eq!(throttle.begin("another", Some(address("2001:db8:1::2")), now), Ok(()));
    }

    #[test]
    fn a_success_and_an_hour_of_peace_begin_anew() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let fail = |at| (0..FREE_OF_NAME).for_each(|_| assert_eq!(throttle.begin("ada", None, at), Ok(())));
        fail(now);
        throttle.succeeded("Ada", None);
        fail(now);
        assert!(throttle.begin("ada", None, now).is_err());
        fail(now + FORGOTTEN);
    }

    #[test]
    fn memory_is_bounded_and_who_guesses_most_is_forgotten_last() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..FREE_OF_NAME {
            assert_eq!(throttle.begin("ada", None, now), Ok(()));
        }
        for number in 0..MOST + 50 {
            assert_eq!(throttle.begin(&format!("user{number}"), None, now), Ok(()));
        }
        assert_eq!(throttle.0.lock().expect("no panic").names.len(), MOST);
        assert!(throttle.begin("ada", None, now).is_err());
    }
}
