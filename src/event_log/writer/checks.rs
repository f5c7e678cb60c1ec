//! The known state of streams, claims and keys while a group is decided: the database's state, changed by the batches of the
//! group that were accepted before.

use super::super::append::{Appended, Batch, Precondition, Rejection};
use super::sql;
use super::state::{ClaimKey, LogState};
use super::used::{MOST, Used};
use bootledger_aggregates::claims::{Claim, ClaimChange};
use bootledger_aggregates::placement::Use;
use sqlx::postgres::PgConnection;
use std::collections::{BTreeSet, HashMap};
use time::OffsetDateTime;

/// The changes of claims by one batch: the new holder of each, or none.
type Changes = HashMap<ClaimKey, Option<String>>;

impl LogState {
    /// Reads everything that the batches use, and the end of the log, in one round trip.
    pub(super) async fn look_up(
        connection: &mut PgConnection,
        batches: &[Batch],
    ) -> Result<(sql::Head, OffsetDateTime, Self), sqlx::Error> {
        let mut streams = BTreeSet::new();
        let mut claims = BTreeSet::new();
        let mut holders = BTreeSet::new();
        let mut keys = BTreeSet::new();
        let mut since = None::<i64>;
        let mut types: &[&str] = &Use::OF_INFRASTRUCTURE;
        for batch in batches {
            for event in &batch.events {
                streams.insert((event.aggregate_type.clone(), event.aggregate_id.clone()));
                for change in &event.claims {
                    match change {
                        ClaimChange::Take(claim, _) | ClaimChange::Release(claim, _) => drop(claims.insert(claim.parts())),
                        ClaimChange::ReleaseAll(holder) => drop(holders.insert(holder.to_string())),
                    }
                }
            }
            for precondition in &batch.preconditions {
                match precondition {
                    Precondition::Sequence { aggregate_type, aggregate_id, .. } => {
                        streams.insert(((*aggregate_type).to_owned(), aggregate_id.clone()));
                    }
                    Precondition::Unclaimed(claim) => drop(claims.insert(claim.parts())),
                    Precondition::Unused { after, scope } => {
                        since = Some(since.map_or(*after, |since| since.min(*after)));
                        if !scope.is_of_infrastructure() {
                            types = &Use::EVENTS;
                        }
                    }
                }
            }
            keys.extend(batch.idempotency.iter().map(|idempotency| idempotency.key.clone()));
        }
        let (head, now, mut known) = sql::look_up(connection, &streams, &claims, &holders, &keys).await?;
        // This is read after the end of the log. Events after that end cause one more decision, and no event is missed.
        if let Some(since) = since {
            known.used = Some(Used::of(sql::events_after(connection, since, types, MOST + 1).await?));
        }
        Ok((head, now, known))
    }

    /// The state that the batches themselves assume for their streams, if nothing else is needed; the statement that writes
    /// them verifies it.
    pub(super) fn assume(batches: &[Batch]) -> Option<Self> {
        let mut known = Self::default();
        for batch in batches {
            let more = batch.idempotency.is_some() || !batch.preconditions.is_empty() || batch.events.is_empty();
            if more || batch.events.iter().any(|event| !event.claims.is_empty()) {
                return None;
            }
            for event in &batch.events {
                let stream = (event.aggregate_type.clone(), event.aggregate_id.clone());
                known.sequences.entry(stream).or_insert(event.sequence - 1);
            }
        }
        Some(known)
    }

    /// Checks whether the batch may be appended. Returns `Some` if it was answered before.
    pub(super) fn check(&self, batch: &Batch) -> Result<Option<Appended>, Rejection> {
        if let Some(idempotency) = &batch.idempotency
            && let Some((position, fingerprint, answer)) = self.keys.get(&idempotency.key)
        {
            return if *fingerprint == idempotency.fingerprint {
                Ok(Some(Appended::Repeated { position: *position, answer: answer.clone() }))
            } else {
                Err(Rejection::KeyReused)
            };
        }
        for precondition in &batch.preconditions {
            match precondition {
                Precondition::Sequence { aggregate_type, aggregate_id, sequence } => {
                    self.check_sequence(aggregate_type, aggregate_id, *sequence)?;
                }
                Precondition::Unclaimed(claim) => self.check_holder(claim, None)?,
                Precondition::Unused { after, scope } => {
                    if self.used.as_ref().is_none_or(|used| used.concerns(*after, scope)) {
                        let (aggregate_type, aggregate_id) = batch
                            .events
                            .first()
                            .map_or_else(Default::default, |event| (event.aggregate_type.clone(), event.aggregate_id.clone()));
                        return Err(Rejection::Conflict { aggregate_type, aggregate_id });
                    }
                }
            }
        }
        let mut next: HashMap<(&str, &str), i64> = HashMap::new();
        for event in &batch.events {
            let stream = (event.aggregate_type.as_str(), event.aggregate_id.as_str());
            match next.get(&stream) {
                None => self.check_sequence(stream.0, stream.1, event.sequence - 1)?,
                Some(expected) if *expected == event.sequence => {}
                Some(_) => return Err(Rejection::Defect(format!("the sequences of {} {} have a gap", stream.0, stream.1))),
            }
            next.insert(stream, event.sequence + 1);
        }
        self.changes(batch).map(|_| None)
    }

    fn check_sequence(&self, aggregate_type: &str, aggregate_id: &str, expected: i64) -> Result<(), Rejection> {
        let key = (aggregate_type.to_owned(), aggregate_id.to_owned());
        if self.sequences.get(&key).copied().unwrap_or(0) == expected {
            return Ok(());
        }
        let (aggregate_type, aggregate_id) = key;
        Err(Rejection::Conflict { aggregate_type, aggregate_id })
    }

    fn check_holder(&self, claim: &Claim, allowed: Option<&str>) -> Result<(), Rejection> {
        match self.holders.get(&claim.parts()) {
            Some(holder) if allowed != Some(holder) => Err(Rejection::Claimed { claim: claim.clone(), holder: holder.clone() }),
            _ => Ok(()),
        }
    }

    /// The batch's changes of claims: all releases first, then all new claims.
    fn changes(&self, batch: &Batch) -> Result<Changes, Rejection> {
        let mut changes = Changes::new();
        let all = || batch.events.iter().flat_map(|event| &event.claims);
        for change in all() {
            match change {
                ClaimChange::Release(claim, holder) => {
                    let key = claim.parts();
                    if self.holders.get(&key).is_some_and(|held| *held == holder.to_string()) {
                        changes.insert(key, None);
                    }
                }
                ClaimChange::ReleaseAll(holder) => {
                    let holder = holder.to_string();
                    let held = self.holders.iter().filter(|(_, held)| **held == holder);
                    changes.extend(held.map(|(key, _)| (key.clone(), None)));
                }
                ClaimChange::Take(..) => {}
            }
        }
        for change in all() {
            let ClaimChange::Take(claim, holder) = change else { continue };
            let (key, taker) = (claim.parts(), holder.to_string());
            let held = changes.get(&key).map_or_else(|| self.holders.get(&key), Option::as_ref);
            match held {
                Some(held) if *held == taker => {}
                Some(held) => return Err(Rejection::Claimed { claim: claim.clone(), holder: held.clone() }),
                None => drop(changes.insert(key, Some(taker))),
            }
        }
        Ok(changes)
    }

    /// Adds an accepted batch to the state; `position` is that of its last event.
    pub(super) fn accept(&mut self, batch: &Batch, position: i64) {
        let changes = self.changes(batch).unwrap_or_default();
        for (key, holder) in changes {
            self.changed.insert(key.clone(), position);
            match holder {
                Some(holder) => drop(self.holders.insert(key, holder)),
                None => drop(self.holders.remove(&key)),
            }
        }
        if let Some(used) = &mut self.used {
            used.add(batch, position);
        }
        for event in &batch.events {
            self.sequences.insert((event.aggregate_type.clone(), event.aggregate_id.clone()), event.sequence);
        }
        if let Some(idempotency) = &batch.idempotency {
            let answer = (position, idempotency.fingerprint.to_vec(), idempotency.answer.clone());
            self.keys.insert(idempotency.key.clone(), answer);
            self.answered.push(idempotency.key.clone());
        }
    }
}
