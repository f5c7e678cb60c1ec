//! Reserves the addresses and names that this instance has chosen and that its views do not show yet.
//!
//! The log decides who holds what. Without this table, every command without an address would choose the same next free one.
//! All but one of them would lose, and the work would grow with the square of the number of commands. A reservation is a hint
//! within one instance: other instances do not see it, and it does not affect an address that a caller names.

use bootledger_aggregates::claims::Claim;
use bootledger_aggregates::values::hostname::Hostname;
use ipnet::Ipv4Net;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The maximum number of reservations: those of two imports of the maximum size. Beyond that, only the log decides.
const MOST: usize = 400_000;
/// How long a reservation lasts if its command neither ends nor is abandoned.
const LONGEST: Duration = Duration::from_mins(2);
/// How long a reservation lasts after a command was abandoned whose events may have been appended.
const UNCERTAIN: Duration = Duration::from_secs(10);

/// The table of reservations. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reservations(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: Mutex<HashMap<Claim, Held>>,
    /// Counts how often reservations were released.
    released: watch::Sender<u64>,
}

impl Default for Inner {
    fn default() -> Self {
        Self { table: Mutex::default(), released: watch::Sender::new(0) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Held {
    until: Instant,
    /// The position at which the views show the holder; `None` while the command is in progress.
    shown_at: Option<i64>,
}

/// The reservations of a command. When dropped, it releases those that the log did not accept.
#[derive(Debug)]
pub(super) struct Reservation {
    table: Reservations,
    claims: Vec<Claim>,
    appending: bool,
}

impl Reservations {
    fn table(&self) -> MutexGuard<'_, HashMap<Claim, Held>> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often reservations were released so far. Read this before searching for free values.
    pub(super) fn generation(&self) -> u64 {
        *self.0.released.borrow()
    }

    /// Removes reservations that the views show at this position, and expired ones. Call this before the views are read.
    pub(super) fn forget(&self, shown: i64) {
        let now = Instant::now();
        self.table().retain(|_, held| held.until > now && held.shown_at.is_none_or(|position| position > shown));
    }

    /// The reserved addresses of a network, and whether any of them may be released.
    pub(super) fn addresses(&self, network: Ipv4Net) -> (BTreeSet<Ipv4Addr>, bool) {
        self.reserved(|claim| if let Claim::Ip(ip) = claim { Some(*ip).filter(|ip| network.contains(ip)) } else { None })
    }

    /// The reserved names, and whether any of them may be released.
    pub(super) fn hostnames(&self) -> (BTreeSet<Hostname>, bool) {
        self.reserved(|claim| if let Claim::Hostname(name) = claim { Some(name.clone()) } else { None })
    }

    /// Both results are from the same moment. Otherwise, a value released in between would seem to be taken permanently.
    fn reserved<T: Ord>(&self, which: impl Fn(&Claim) -> Option<T>) -> (BTreeSet<T>, bool) {
        let (now, table) = (Instant::now(), self.table());
        let mut undecided = false;
        let found = table.iter().filter(|(_, held)| held.until > now).filter_map(|(claim, held)| {
            let found = which(claim)?;
            undecided |= held.shown_at.is_none();
            Some(found)
        });
        (found.collect(), undecided)
    }

    /// Waits until something is released after `generation`, or until `limit` has passed.
    pub(super) async fn wait(&self, generation: u64, limit: Duration) {
        let mut released = self.0.released.subscribe();
        // A sender lives as long as `self`, so neither result is an error.
        drop(tokio::time::timeout(limit, released.wait_for(|now| *now > generation)).await);
    }

    /// An empty reservation, to which values can be added.
    pub(super) fn nothing(&self) -> Reservation {
        Reservation { table: self.clone(), claims: vec![], appending: false }
    }

    /// Records that a value is held by another aggregate, as the views show from a position on.
    pub(super) fn taken(&self, claim: Claim, shown_at: i64) {
        let mut table = self.table();
        if table.len() < MOST {
            table.insert(claim, Held { until: Instant::now() + LONGEST, shown_at: Some(shown_at) });
        }
    }
}

impl Reservation {
    /// Reserves all of these values, or none if one is already reserved.
    pub(super) fn add(&mut self, claims: impl IntoIterator<Item = Claim>) -> bool {
        let claims: Vec<Claim> = claims.into_iter().collect();
        let (now, mut table) = (Instant::now(), self.table.table());
        if claims.iter().any(|claim| table.get(claim).is_some_and(|held| held.until > now)) {
            return false;
        }
        if table.len() + claims.len() <= MOST {
            let held = Held { until: now + LONGEST, shown_at: None };
            table.extend(claims.iter().map(|claim| (claim.clone(), held)));
            self.claims.extend(claims);
        }
        true
    }

    /// Whether this reservation contains the value.
    pub(super) fn has(&self, claim: &Claim) -> bool {
        self.claims.contains(claim)
    }

    /// Records that the events are being sent to the log. From now on they may be in it, even if the caller stops waiting.
    pub(super) fn appending(&mut self) {
        self.appending = true;
    }

    /// Releases everything, because the log refused the events.
    pub(super) fn refused(&mut self) {
        self.appending = false;
    }

    /// Keeps everything until the views show it at this position, because the log accepted the events.
    pub(super) fn appended(mut self, position: i64) {
        let claims = std::mem::take(&mut self.claims);
        let mut table = self.table.table();
        for claim in claims {
            table.entry(claim).and_modify(|held| held.shown_at = Some(position));
        }
        drop(table);
        // Commands that wait for a release search again.
        self.table.0.released.send_modify(|count| *count += 1);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let until = Instant::now() + UNCERTAIN;
        let mut table = self.table.table();
        for claim in &self.claims {
            // A value that proved to be held by another aggregate stays reserved until the views show it.
            if self.appending {
                table.entry(claim.clone()).and_modify(|held| held.until = held.until.min(until));
            } else if table.get(claim).is_some_and(|held| held.shown_at.is_none()) {
                table.remove(claim);
            }
        }
        drop(table);
        self.table.0.released.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> Claim {
        Claim::Ip(Ipv4Addr::new(10, 0, 0, last))
    }

    fn network() -> Ipv4Net {
        "10.0.0.0/24".parse().expect("a network")
    }

    fn reserved(table: &Reservations) -> Vec<u8> {
        table.addresses(network()).0.iter().map(|ip| ip.octets()[3]).collect()
    }

    #[test]
    fn a_value_that_one_command_reserved_is_free_for_others_only_after_its_release() {
        let table = Reservations::default();
        let (mut one, mut other) = (table.nothing(), table.nothing());
        assert!(one.add([ip(1), ip(2)]) && !other.add([ip(2), ip(3)]), "all or none");
        assert_eq!(reserved(&table), [1, 2]);
        assert!(table.addresses(network()).1 && !table.hostnames().1);
        let before = table.generation();
        drop(one);
        assert!(table.generation() > before && other.add([ip(2), ip(3)]));
        assert_eq!(reserved(&table), [2, 3]);
    }

    #[test]
    fn an_appended_value_stays_reserved_until_the_views_show_it() {
        let table = Reservations::default();
        let mut one = table.nothing();
        assert!(one.add([ip(1)]));
        one.appending();
        one.appended(7);
        assert!(!table.addresses(network()).1, "it is not given back any more");
        table.forget(6);
        assert_eq!(reserved(&table), [1]);
        table.forget(7);
        assert_eq!(reserved(&table), [0u8; 0]);
    }

    #[test]
    fn a_value_that_another_instance_holds_is_not_chosen_again_before_the_views_show_it() {
        let table = Reservations::default();
        let mut one = table.nothing();
        assert!(one.add([ip(1), ip(2)]));
        one.appending();
        one.refused();
        table.taken(ip(1), 9);
        drop(one);
        assert_eq!(reserved(&table), [1]);
        table.forget(9);
        assert_eq!(reserved(&table), [0u8; 0]);
    }

    #[test]
    fn a_command_that_is_dropped_while_it_appends_keeps_its_reservations_briefly() {
        let table = Reservations::default();
        let mut one = table.nothing();
        assert!(one.add([ip(1)]));
        one.appending();
        drop(one);
        assert_eq!(reserved(&table), [1], "its events may be in the log");
        assert!(table.addresses(network()).1);
        let longest = table.table().values().map(|held| held.until).max().expect("one");
        assert!(longest <= Instant::now() + UNCERTAIN);
    }
}
