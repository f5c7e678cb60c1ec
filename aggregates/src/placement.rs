//! Checks that a change of the catalogue leaves everything that is in use with a valid place: addresses, host names,
//! deployments, and references between catalogue entries.
//!
//! One rule covers every change: a change is refused if something that has a valid place before it would have none after it.
//! `misfits` finds what lacks a valid place, and [`Weighing`] compares the catalogue before and after the change. What
//! already had no place, in a log from an earlier version, does not prevent operators from changing the rest or from repairing
//! it.
//!
//! The module looks nothing up: the caller passes in what is held.

mod catalogue;
mod change;
mod dangling;
mod given;
mod held;
mod misfit;
mod moves;
mod places;
#[cfg(test)]
mod tests;
mod uses;

pub use catalogue::Catalogue;
pub use change::{Change, ChangeScope};
pub use dangling::Dangling;
pub use held::{Held, Live};
pub use misfit::Misfit;
pub use moves::Move;
pub use uses::Use;

use crate::infrastructure;
use crate::rules::{BrokenRule, Refused, Rule};
use dangling::dangling;
use misfit::{misfits, reserved_as};
use moves::moves;
use places::Places;
use std::collections::BTreeSet;

/// The most items that a refused change lists of those it would invalidate.
pub const NAMED: usize = 20;

/// The effects of a change on what is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consequences {
    /// What would no longer have a valid place. The change is refused unless this is empty.
    pub invalidated: Vec<BrokenRule>,
    /// How many items would be invalidated. `invalidated` lists only the first [`NAMED`].
    pub count: usize,
    /// The items that the change moves, as text; the first [`NAMED`].
    pub moved: Vec<String>,
    /// How many items the change moves.
    pub moved_count: usize,
}

impl Consequences {
    /// Refuses the change if it would leave anything without a valid place.
    ///
    /// # Errors
    /// The rule of the change as a whole, then a rule for each item that it would invalidate, at most [`NAMED`] of them.
    pub fn refuse(&self) -> Result<(), Refused> {
        Refused::unless_empty(self.invalidated.clone())
    }
}

/// Checks a change against what is held, one part after the other.
#[derive(Debug)]
pub struct Weighing<'a> {
    change: &'a Change,
    before: &'a Catalogue,
    after: Catalogue,
    items: Vec<BrokenRule>,
    found: Consequences,
}

impl<'a> Weighing<'a> {
    /// Starts the check with the references within the catalogue itself.
    pub fn of(change: &'a Change, before: &'a Catalogue) -> Self {
        let after = change.applied(before);
        let mut weighing = Self { change, before, after, items: vec![], found: Consequences::default() };
        let known = dangling(before);
        let loose = dangling(&weighing.after);
        for loose in loose.difference(&known).filter(|loose| !change.is_of(loose)) {
            weighing.add(BrokenRule::new("", loose.rule(), loose.sentence()).held_by(loose.referrer()));
        }
        weighing
    }

    fn add(&mut self, broken: BrokenRule) {
        self.found.count += 1;
        if self.items.len() < NAMED {
            self.items.push(broken);
        }
    }

    /// Checks devices, each as it is before and as it would be after the change.
    pub fn weigh(&mut self, held: impl IntoIterator<Item = (Held, Held)>) {
        let before = self.before;
        let after = std::mem::take(&mut self.after);
        let (old, new) = (Places::of(before), Places::of(&after));
        for (now, then) in held {
            let known = misfits(&old, &now);
            let counts = |misfit: &Misfit| !misfit.is_known(&known) && self.change.weighs(misfit);
            let lost: Vec<Misfit> = misfits(&new, &then).into_iter().filter(counts).collect();
            for misfit in lost {
                let holder = match (&then.live, misfit.is_of_deployment()) {
                    (Some(live), true) => format!("deployment {}", live.id),
                    _ => format!("device {}", then.device),
                };
                let sentence = misfit.sentence(&then.called);
                self.add(BrokenRule::new(self.change.field(&misfit), misfit.rule(), sentence).held_by(holder));
            }
            self.weigh_live(&then);
            for one in moves(&old, &now, &new, &then) {
                self.found.moved_count += 1;
                if self.found.moved.len() < NAMED {
                    self.found.moved.push(one.sentence(&then.called));
                }
            }
        }
        drop(new);
        self.after = after;
    }

    /// Checks that a server that is being installed keeps the values that it was given.
    fn weigh_live(&mut self, held: &Held) {
        let Some(live) = &held.live else { return };
        let Change::Network(name, _) = self.change else { return };
        if !self.before.networks.get(name).is_some_and(|network| network.cidr.contains(&live.assignment.ip)) {
            return;
        }
        for (field, words) in self.change.taken(self.before) {
            let ip = live.assignment.ip;
            let message = format!("{} is being deployed at {ip}: it {words}; wait for the deployment or cancel it", held.called);
            self.add(BrokenRule::new(field, Rule::DeploymentLive, message).held_by(format!("deployment {}", live.id)));
        }
    }

    /// The effects of the change.
    pub fn consequences(self) -> Consequences {
        let Self { change, items, mut found, .. } = self;
        let count = found.count;
        if count == 0 {
            return found;
        }
        let things = if count == 1 { "1 item in use".to_owned() } else { format!("{count} items in use") };
        let message = format!("{} would invalidate {things}, so nothing was changed. {}", change.phrase(), change.advice());
        found.invalidated.push(BrokenRule::new("", change.rule(), message));
        found.invalidated.extend(items);
        if count > NAMED {
            found.invalidated.push(BrokenRule::new("", change.rule(), format!("{} more are not listed here", count - NAMED)));
        }
        found
    }
}

/// The DHCP entries of a device that no network of its site serves, or whose address is not for servers.
pub fn unserved(catalogue: &Catalogue, held: &Held) -> Vec<BrokenRule> {
    let found = misfits(&Places::of(catalogue), held);
    let unserved = found.iter().filter(|misfit| misfit.is_unserved() || misfit.is_of_no_server());
    let rule = |misfit: &Misfit| match misfit {
        Misfit::Reserved { ip, network, why } => infrastructure::entry_refused(
            "dhcp_entries",
            &format!("{ip} is {} network {network}", reserved_as(*why)),
            &format!("network {network}"),
        ),
        other => BrokenRule::new("dhcp_entries", other.rule(), other.sentence(&held.called)),
    };
    unserved.map(rule).collect()
}

/// Everything about a device that has no valid place in a catalogue.
pub fn without_place(catalogue: &Catalogue, held: &Held) -> BTreeSet<Misfit> {
    misfits(&Places::of(catalogue), held)
}
