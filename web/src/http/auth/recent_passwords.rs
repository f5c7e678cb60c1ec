//! A cache of recently admitted callers, so that a busy caller does not cost a query for each request. An entry is valid only
//! while the views do not move: a revocation moves them, and the next request queries the database again.

use super::principal::Principal;
use bootledger_aggregates::values::sha256::Sha256;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long an entry is valid.
const REMEMBERED: Duration = Duration::from_secs(5);
/// The maximum number of entries.
const MOST: usize = 1_000;

/// The ID of the token or session, and the hash of the secret that was presented with it.
pub(super) type Key = (Uuid, Sha256);

/// The recently admitted callers.
#[derive(Debug, Default)]
pub(crate) struct RecentPasswords(Mutex<HashMap<Key, Entry>>, Mutex<HashMap<Uuid, Instant>>);

/// How often the use of a token is recorded.
const NOTED: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct Entry {
    principal: Principal,
    position: i64,
    checked: Instant,
}

impl RecentPasswords {
    pub(super) fn find(&self, key: Key, position: i64) -> Option<Principal> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(&key)?;
        (entry.position == position && entry.checked.elapsed() < REMEMBERED).then(|| entry.principal.clone())
    }

    /// Whether the use of a token is to be recorded now: for the first time, or a minute after the last time.
    pub(super) fn is_due(&self, token: Uuid) -> bool {
        let mut noted = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&token).is_some_and(|at| at.elapsed() < NOTED) {
            return false;
        }
        if noted.len() >= MOST {
            noted.clear();
        }
        noted.insert(token, Instant::now());
        true
    }

    pub(super) fn remember(&self, key: Key, principal: Principal, position: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, Entry { principal, position, checked: Instant::now() });
    }
}
