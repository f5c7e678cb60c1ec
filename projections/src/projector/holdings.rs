//! Applies claims to the view of holdings, event by event. The result is the same as the writer's, which works command by
//! command.

use super::state::State;
use crate::rows::parked::ParkedReason;
use bootledger_aggregates::claims::{Claim, ClaimChange, Holder};

/// Whether each value to be claimed is free or already held by its claimant.
pub(super) fn check(state: &State, changes: &[ClaimChange]) -> Result<(), ParkedReason> {
    for change in changes {
        let ClaimChange::Take(claim, taker) = change else { continue };
        let key = claim.parts();
        let Some(holder) = state.holdings.current(&key) else { continue };
        // Logs from before numbers were case-folded may have two devices whose numbers differ only in case: the first one keeps
        // the claim.
        if claim.is_folded() {
            continue;
        }
        if holder != taker && !changes.iter().any(|other| releases(other, claim, *holder)) {
            let (kind, value) = (key.0.to_owned(), key.1);
            return Err(ParkedReason::Claimed { kind, value, taker: taker.to_string(), holder: holder.to_string() });
        }
    }
    Ok(())
}

fn releases(change: &ClaimChange, claim: &Claim, holder: Holder) -> bool {
    match change {
        ClaimChange::Release(released, by) => released == claim && *by == holder,
        ClaimChange::ReleaseAll(by) => *by == holder,
        ClaimChange::Take(..) => false,
    }
}

/// Releases values, then claims values.
pub(super) fn apply(state: &mut State, changes: &[ClaimChange], position: i64) {
    for change in changes {
        match change {
            ClaimChange::Release(claim, holder) => {
                let key = claim.parts();
                if state.holdings.current(&key) == Some(holder) {
                    state.holdings.remove(&key, position);
                }
            }
            ClaimChange::ReleaseAll(holder) => {
                let held: Vec<_> = state.holdings.keys().filter(|(_, by)| *by == holder).map(|(key, _)| key.clone()).collect();
                for key in &held {
                    state.holdings.remove(key, position);
                }
            }
            ClaimChange::Take(..) => {}
        }
    }
    for change in changes {
        if let ClaimChange::Take(claim, holder) = change {
            let key = claim.parts();
            let held_by_other = state.holdings.current(&key).is_some_and(|held| held != holder);
            if !(claim.is_folded() && held_by_other) {
                state.holdings.set(key, *holder, position);
            }
        }
    }
}
