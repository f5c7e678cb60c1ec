//! The lanes of a webhook, one for each aggregate with undelivered events: the events of a lane are sent one after the other,
//! and lanes do not wait for each other. Nothing here does I/O or reads a clock.
//!
//! The memory is limited: a lane that fails drops its events, which are later read again from its stream.

#[cfg(test)]
mod tests;

use crate::event_log::webhooks::{Key, Progress, Undelivered};
use bootledger_projections::database::log::Stored;
use bootledger_projections::progress::delivery_problem::DeliveryProblem;
use bootledger_projections::progress::webhooks::MOST_AGGREGATES;
use rand::RngExt;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};
use time::{Duration, OffsetDateTime};

/// How many events are sent at the same time.
pub(super) const AT_ONCE: usize = 8;

/// How many of these may have failed before, so that slow failures leave room for the others.
const FAILING_AT_ONCE: usize = AT_ONCE / 2;

/// The number of events in memory at which no more are read; also how many are read at a time.
const ENOUGH: usize = 100;

/// How many events of one aggregate are read at a time.
pub(super) const PAGE: i64 = 20;

/// The longest time between two attempts, in seconds.
const LONGEST_SECONDS: i64 = 300;

/// If the receiver accepted nothing for this long and then accepts an event, it is available again: all failed events are
/// retried at once.
const AWAY: Duration = Duration::seconds(10);

#[derive(Debug)]
struct Lane {
    state: Undelivered,
    /// Those events of the lane that are in memory, starting at the state's position.
    events: VecDeque<Stored>,
    /// Whether these are all events of the lane up to the position to which the log was read.
    whole: bool,
    /// Whether the first event is being sent.
    flying: bool,
}

impl Lane {
    fn failed_before(&self) -> bool {
        self.state.attempts > 0
    }
}

/// All lanes of a webhook.
#[derive(Debug)]
pub(super) struct Lanes {
    all: HashMap<Key, Lane>,
    /// The position up to which the log was read.
    pub(super) read: i64,
    /// Whether an event was accepted or failed since the last save.
    pub(super) moved: bool,
    in_memory: usize,
    changed: HashSet<Key>,
    ended: HashSet<Key>,
    /// When the first failure occurred after which nothing was accepted.
    failing_since: Option<OffsetDateTime>,
}

impl Lanes {
    /// Restores the lanes from their saved state. Failed events are retried at once, since the problem may have been fixed.
    pub(super) fn resume(progress: Progress, now: OffsetDateTime) -> Self {
        let mut lanes = Self {
            all: HashMap::new(),
            read: progress.position,
            moved: false,
            in_memory: 0,
            changed: HashSet::new(),
            ended: HashSet::new(),
            failing_since: None,
        };
        for mut state in progress.undelivered {
            state.next_try = now;
            let key = state.key.clone();
            let skipped = progress.skipped.contains(&state.position);
            lanes.all.insert(key.clone(), Lane { state, events: VecDeque::new(), whole: false, flying: false });
            if skipped {
                lanes.pass(&key, now);
            }
        }
        lanes
    }

    /// How many further events may be read: none while enough are in memory or too many lanes wait.
    pub(super) fn room(&self) -> usize {
        let most = usize::try_from(MOST_AGGREGATES).unwrap_or(usize::MAX);
        if self.in_memory < ENOUGH { ENOUGH.min(most.saturating_sub(self.all.len())) } else { 0 }
    }

    /// Adds the events that were read up to the position `read`.
    pub(super) fn take_in(&mut self, events: Vec<Stored>, read: i64, now: OffsetDateTime) {
        for event in events {
            let key = (event.aggregate_type.clone(), event.aggregate_id.clone());
            match self.all.get_mut(&key) {
                Some(lane) if lane.whole => {
                    lane.events.push_back(event);
                    self.in_memory += 1;
                }
                // The event is read from the stream when its turn comes.
                Some(_) => {}
                None => {
                    let state = begun(key.clone(), event.position, event.sequence, now);
                    let lane = Lane { state, events: VecDeque::from([event]), whole: true, flying: false };
                    self.all.insert(key.clone(), lane);
                    self.in_memory += 1;
                    self.ended.remove(&key);
                    self.changed.insert(key);
                }
            }
        }
        // An unsaved position is harmless: until an event was accepted or failed, the log can be read again.
        self.read = read;
    }

    /// How many events are being sent, and how many of them have failed before.
    fn flying(&self) -> (usize, usize) {
        let flying = self.all.values().filter(|lane| lane.flying);
        flying.fold((0, 0), |(all, failing), lane| (all + 1, failing + usize::from(lane.failed_before())))
    }

    /// The lanes whose events are to be sent now; they count as being sent from here on. Events that failed before always have
    /// a place, if one is due; otherwise new events come first, by position.
    pub(super) fn pick(&mut self, now: OffsetDateTime) -> Vec<Key> {
        let (flying, failing) = self.flying();
        let mut free = AT_ONCE.saturating_sub(flying);
        if free == 0 {
            return vec![];
        }
        let due = self.all.values().filter(|lane| !lane.flying && lane.state.next_try <= now).map(|lane| &lane.state);
        let (mut again, mut new): (Vec<_>, Vec<_>) = due.partition(|state| state.attempts > 0);
        again.sort_unstable_by_key(|state| Reverse((state.next_try, state.position)));
        new.sort_unstable_by_key(|state| state.position);
        let mut picked: Vec<Key> = vec![];
        let mut allowed = FAILING_AT_ONCE.saturating_sub(failing);
        if failing == 0
            && let Some(first) = again.pop()
        {
            picked.push(first.key.clone());
            (free, allowed) = (free - 1, allowed - 1);
        }
        picked.extend(new.iter().take(free).map(|state| state.key.clone()));
        free = free.saturating_sub(new.len());
        picked.extend(again.iter().rev().take(free.min(allowed)).map(|state| state.key.clone()));
        for key in &picked {
            if let Some(lane) = self.all.get_mut(key) {
                lane.flying = true;
            }
        }
        picked
    }

    /// When there is an event to pick, if nothing else happens.
    pub(super) fn next_try(&self) -> Option<OffsetDateTime> {
        let (flying, failing) = self.flying();
        if flying >= AT_ONCE {
            return None;
        }
        let may_fail = failing < FAILING_AT_ONCE;
        let waiting = self.all.values().filter(|lane| !lane.flying && (may_fail || !lane.failed_before()));
        waiting.map(|lane| lane.state.next_try).min()
    }

    /// The event that a lane sends next; `None` if it has to be read from its stream.
    pub(super) fn first(&self, key: &Key) -> Option<&Stored> {
        self.all.get(key)?.events.front()
    }

    /// The sequence number from which a lane has to be read.
    pub(super) fn sequence(&self, key: &Key) -> i64 {
        self.all.get(key).map_or(1, |lane| lane.state.sequence)
    }

    /// Adds what was read from a lane's stream, up to [`PAGE`] events. A lane without events ends here.
    pub(super) fn load(&mut self, key: &Key, events: Vec<Stored>) {
        let Some(lane) = self.all.get_mut(key) else { return };
        let Some(first) = events.first() else { return self.end(key) };
        if lane.state.sequence != first.sequence {
            (lane.state.position, lane.state.sequence) = (first.position, first.sequence);
            self.changed.insert(key.clone());
            self.moved = true;
        }
        self.in_memory += events.len();
        lane.whole = i64::try_from(events.len()).is_ok_and(|read| read < PAGE);
        lane.events = events.into();
    }

    /// Records that the first event of a lane was accepted, and moves on to the next one.
    pub(super) fn taken(&mut self, key: &Key, now: OffsetDateTime) {
        let back = self.failing_since.take().is_some_and(|since| now - since >= AWAY);
        self.pass(key, now);
        if back {
            for lane in self.all.values_mut().filter(|lane| lane.failed_before()) {
                lane.state.next_try = now;
            }
        }
    }

    /// Removes the first event of a lane, which was accepted or skipped.
    fn pass(&mut self, key: &Key, now: OffsetDateTime) {
        let Some(lane) = self.all.get_mut(key) else { return };
        self.moved = true;
        lane.flying = false;
        if lane.events.pop_front().is_some() {
            self.in_memory -= 1;
        }
        let (position, sequence) = match lane.events.front() {
            Some(next) => (next.position, next.sequence),
            None if lane.whole => return self.end(key),
            None => (lane.state.position + 1, lane.state.sequence + 1),
        };
        lane.state = begun(key.clone(), position, sequence, now);
        self.changed.insert(key.clone());
    }

    fn end(&mut self, key: &Key) {
        if let Some(lane) = self.all.remove(key) {
            self.in_memory -= lane.events.len();
        }
        self.changed.remove(key);
        self.ended.insert(key.clone());
        self.moved = true;
    }

    /// Records that the first event of a lane was not accepted. It is retried later, and not before `rest` has passed. Returns
    /// whether this is the first failure since an event was accepted.
    pub(super) fn failed(
        &mut self,
        key: &Key,
        problem: DeliveryProblem,
        rest: Option<std::time::Duration>,
        now: OffsetDateTime,
    ) -> bool {
        let Some(lane) = self.all.get_mut(key) else { return false };
        lane.flying = false;
        lane.state.attempts = lane.state.attempts.saturating_add(1);
        lane.state.problem = Some(problem);
        let rest = rest.and_then(|rest| Duration::try_from(rest).ok()).unwrap_or_default();
        lane.state.next_try = now + back_off(lane.state.attempts).max(rest);
        self.in_memory -= lane.events.len();
        lane.events.clear();
        lane.whole = false;
        self.changed.insert(key.clone());
        self.moved = true;
        let first = self.failing_since.is_none();
        self.failing_since.get_or_insert(now);
        first
    }

    /// Returns a picked lane whose event is not sent after all.
    pub(super) fn put_back(&mut self, key: &Key) {
        if let Some(lane) = self.all.get_mut(key) {
            lane.flying = false;
        }
    }

    /// How many lanes have an event with failed attempts.
    pub(super) fn failing(&self) -> usize {
        self.all.values().filter(|lane| lane.failed_before()).count()
    }

    /// The lanes that have changed since [`Self::saved`], and those that have ended.
    pub(super) fn changes(&self) -> (Vec<&Undelivered>, Vec<&Key>) {
        let kept = self.changed.iter().filter_map(|key| self.all.get(key)).map(|lane| &lane.state);
        (kept.collect(), self.ended.iter().collect())
    }

    /// Records that all changes were saved.
    pub(super) fn saved(&mut self) {
        self.changed.clear();
        self.ended.clear();
        self.moved = false;
    }
}

fn begun(key: Key, position: i64, sequence: i64, now: OffsetDateTime) -> Undelivered {
    Undelivered { key, position, sequence, attempts: 0, since: now, next_try: now, problem: None }
}

/// How long to wait after this many failures: 1 s, doubled with each, up to 5 min, with a random fifth more or less.
fn back_off(attempts: u32) -> Duration {
    let seconds = 1_i64.checked_shl(attempts.saturating_sub(1).min(16)).unwrap_or(LONGEST_SECONDS).min(LONGEST_SECONDS);
    Duration::milliseconds(seconds * rand::rng().random_range(800..=1_200))
}
