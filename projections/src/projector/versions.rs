//! The versions of the rows of one temporal table that a batch of events creates.
//!
//! Events are applied in memory: a version that begins and ends within the batch is written once, as an ended one. What is
//! written depends only on the events, never on how the log was divided into batches.

use std::collections::HashMap;
use std::hash::Hash;

/// The rows that a batch affects.
#[derive(Debug)]
pub(crate) struct Versions<K, R> {
    slots: HashMap<K, Slot<R>>,
}

#[derive(Debug)]
struct Slot<R> {
    /// The current version in the table.
    stored: Option<R>,
    /// The position at which that version ends.
    stored_ends: Option<i64>,
    /// New versions, oldest first.
    new: Vec<Version<R>>,
}

#[derive(Debug)]
struct Version<R> {
    from: i64,
    to: Option<i64>,
    row: R,
}

/// The changes to write to a table.
#[derive(Debug)]
pub(crate) struct Written<K, R> {
    /// Keys of stored rows that end, with the position.
    pub(crate) ended: Vec<(K, i64)>,
    /// New rows, with their first position and the position at which they end.
    pub(crate) begun: Vec<(K, R, i64, Option<i64>)>,
}

impl<K, R> Default for Versions<K, R> {
    fn default() -> Self {
        Self { slots: HashMap::new() }
    }
}

impl<R> Slot<R> {
    fn current(&self) -> Option<&R> {
        match self.new.last() {
            Some(version) => version.to.is_none().then_some(&version.row),
            None if self.stored_ends.is_none() => self.stored.as_ref(),
            None => None,
        }
    }

    fn end(&mut self, position: i64) {
        match self.new.last_mut() {
            Some(version) if version.to.is_some() => {}
            Some(version) if version.from == position => drop(self.new.pop()),
            Some(version) => version.to = Some(position),
            None if self.stored.is_some() && self.stored_ends.is_none() => self.stored_ends = Some(position),
            None => {}
        }
    }
}

impl<K: Hash + Eq + Clone, R: PartialEq> Versions<K, R> {
    /// Sets the row that the table holds before any event.
    pub(crate) fn seed(&mut self, key: K, row: R) {
        self.slots.insert(key, Slot { stored: Some(row), stored_ends: None, new: vec![] });
    }

    /// The row as it is after the events so far.
    pub(crate) fn current(&self, key: &K) -> Option<&R> {
        self.slots.get(key).and_then(Slot::current)
    }

    /// The keys and rows that exist after the events so far.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&K, &R)> {
        self.slots.iter().filter_map(|(key, slot)| slot.current().map(|row| (key, row)))
    }

    /// Sets the row from `position` on.
    pub(crate) fn set(&mut self, key: K, row: R, position: i64) {
        let slot = self.slots.entry(key).or_insert_with(|| Slot { stored: None, stored_ends: None, new: vec![] });
        if slot.current() == Some(&row) {
            return;
        }
        slot.end(position);
        // One event may remove a row and add the same one again. Then nothing has changed.
        match slot.new.last_mut() {
            Some(version) if version.to == Some(position) && version.row == row => version.to = None,
            None if slot.stored_ends == Some(position) && slot.stored.as_ref() == Some(&row) => slot.stored_ends = None,
            _ => slot.new.push(Version { from: position, to: None, row }),
        }
    }

    /// Removes the row from `position` on.
    pub(crate) fn remove(&mut self, key: &K, position: i64) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.end(position);
        }
    }

    /// Each row before and after the events.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (&K, Option<&R>, Option<&R>)> {
        self.slots.iter().map(|(key, slot)| (key, slot.stored.as_ref(), slot.current()))
    }

    /// The changes to write to the table.
    pub(crate) fn written(self) -> Written<K, R> {
        let mut written = Written { ended: vec![], begun: vec![] };
        for (key, slot) in self.slots {
            if let Some(position) = slot.stored_ends {
                written.ended.push((key.clone(), position));
            }
            for version in slot.new {
                written.begun.push((key.clone(), version.row, version.from, version.to));
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Begun = Vec<(u8, char, i64, Option<i64>)>;

    fn written(versions: Versions<u8, char>) -> (Vec<(u8, i64)>, Begun) {
        let written = versions.written();
        (written.ended, written.begun)
    }

    #[test]
    fn a_stored_row_that_changes_twice_ends_once_and_leaves_two_versions() {
        let mut versions = Versions::default();
        versions.seed(1, 'a');
        versions.set(1, 'b', 5);
        versions.set(1, 'c', 7);
        assert_eq!(written(versions), (vec![(1, 5)], vec![(1, 'b', 5, Some(7)), (1, 'c', 7, None)]));
    }

    #[test]
    fn a_row_that_stays_the_same_is_not_written() {
        let mut versions = Versions::default();
        versions.seed(1, 'a');
        versions.set(1, 'a', 5);
        versions.remove(&1, 6);
        versions.set(1, 'a', 6);
        assert_eq!(written(versions), (vec![], vec![]));
    }

    #[test]
    fn an_event_that_makes_and_unmakes_a_row_leaves_nothing() {
        let mut versions = Versions::default();
        versions.set(1, 'a', 5);
        versions.set(1, 'b', 6);
        versions.set(1, 'a', 6);
        versions.remove(&2, 6);
        assert_eq!(written(versions), (vec![], vec![(1, 'a', 5, None)]));
    }

    #[test]
    fn a_row_may_end_and_come_back_later() {
        let mut versions = Versions::default();
        versions.seed(1, 'a');
        versions.remove(&1, 5);
        assert_eq!(versions.current(&1), None);
        versions.set(1, 'a', 8);
        assert_eq!(written(versions), (vec![(1, 5)], vec![(1, 'a', 8, None)]));
    }
}
