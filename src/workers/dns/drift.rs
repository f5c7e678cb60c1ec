//! Compares what a primary holds with the expected state, and repairs differences if an operator has requested that.

use super::primary::{AT_ONCE, Primary, PrimaryRecords, Trouble};
use super::publisher::address;
use super::records::{Kind, Records, Update, place};
use crate::commands::CommandService;
use crate::event_log::dns::{self, Key, PublishedSet, Work};
use crate::event_log::drift::Wanted;
use bootledger_aggregates::drift::{Difference, DifferenceKind, DriftProblem, Nature};
use bootledger_aggregates::site::{DnsUpdates, SiteSpec};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::zone::Zone;
use bootledger_projections::rows::catalogue::Entry;
use futures::future::join_all;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The result of checking a record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The record set is as expected.
    Same,
    /// The record set differs.
    Differs(Difference),
    /// The record set is changing at the moment, so the comparison has no result.
    Changing,
    /// The record set could not be checked, for this reason.
    Unseen(DriftProblem),
}

/// A site's primary, which is compared with the views.
pub(crate) struct Comparison<'a> {
    commands: &'a CommandService,
    sites: &'a [Entry<SiteSpec>],
    site: &'a Name,
    updates: &'a DnsUpdates,
    primary: Primary,
}

impl<'a> Comparison<'a> {
    /// Connects to the primary of a site.
    pub(crate) async fn begin(
        commands: &'a CommandService,
        sites: &'a [Entry<SiteSpec>],
        site: &'a Name,
        updates: &'a DnsUpdates,
    ) -> Result<Self, DriftProblem> {
        let primary = Primary::connect(updates, &commands.secrets, &commands.outbound.guard).await?;
        Ok(Self { commands, sites, site, updates, primary })
    }

    /// Checks those of the record sets that belong to the site. A set whose repair is `ordered` is repaired, if it still is as
    /// it was when the repair was requested, and is then checked again.
    pub(crate) async fn look(&self, sets: &[Wanted], ordered: &HashMap<Key, Difference>) -> anyhow::Result<Vec<(Key, Seen)>> {
        let placed = |(name, kind): &Key| {
            let kind = Kind::of(kind)?;
            let (site, zone, name) = place(self.sites, name, kind)?;
            (site.key == *self.site).then_some((kind, zone, name))
        };
        let mut all: Vec<(&Key, &Zone, Records)> = vec![];
        for (key, wanted) in sets {
            if let Some((kind, zone, name)) = placed(key) {
                let (sent, answered) = Default::default();
                all.push((key, zone, Records { name, kind, sent, answered, wanted: wanted.clone() }));
            }
        }
        let keys: Vec<Key> = all.iter().map(|(key, ..)| (*key).clone()).collect();
        let mut changing = self.changing(&keys).await?;
        let mut published = dns::published(&self.commands.views, &address(self.updates).to_string(), &keys).await?;
        for (key, _, records) in &mut all {
            PublishedSet { sent: records.sent, answered: records.answered } = published.remove(*key).unwrap_or_default();
        }
        let mut seen: Vec<(Key, Seen)> = vec![];
        for some in all.chunks(AT_ONCE) {
            // A primary that does not respond is not queried a thousand times.
            if let Some((_, Seen::Unseen(problem))) = seen.last() {
                let problem = problem.clone();
                seen.extend(some.iter().map(|(key, ..)| ((*key).clone(), Seen::Unseen(problem.clone()))));
                continue;
            }
            let each = some.iter().map(async |(key, zone, records)| match ordered.get(*key) {
                _ if changing.contains(*key) => Ok(Seen::Changing),
                Some(difference) => self.repair(key, zone, records, difference).await,
                None => Ok(seen_of(self.see(zone, records).await)),
            });
            for ((key, ..), found) in some.iter().zip(join_all(each.collect::<Vec<_>>()).await) {
                seen.push(((*key).clone(), found?));
            }
        }
        // The expected records must be the same as when the primary was queried, and no update may have been made in the
        // meantime.
        let differing: Vec<Key> =
            seen.iter().filter(|(_, seen)| matches!(seen, Seen::Differs(_))).map(|(key, _)| key.clone()).collect();
        changing.extend(self.changing(&differing).await?);
        let before: HashMap<&Key, &BTreeSet<String>> = sets.iter().map(|(key, wanted)| (key, wanted)).collect();
        let now = crate::event_log::drift::wanted(&self.commands.views, &differing).await?;
        changing.extend(now.into_iter().filter(|(key, wanted)| before.get(key) != Some(&wanted)).map(|(key, _)| key));
        for (key, seen) in &mut seen {
            if changing.contains(key) {
                *seen = Seen::Changing;
            }
        }
        Ok(seen)
    }

    /// Those of the sets that the publisher still has to process. A set whose update is blocked does not count as changing.
    async fn changing(&self, keys: &[Key]) -> anyhow::Result<HashSet<Key>> {
        let shown = bootledger_projections::projector::checkpoint::position(&self.commands.views).await?;
        Ok(match dns::pending(&self.commands.views, keys, shown).await? {
            Some(pending) => pending.into_iter().filter(|pending| !pending.conflict).map(|pending| pending.key).collect(),
            None => keys.iter().cloned().collect(),
        })
    }

    async fn see(&self, zone: &Zone, records: &Records) -> Result<Option<Difference>, Trouble> {
        let found = self.primary.look(zone, records).await?;
        Ok(difference(&address(self.updates).to_string(), zone, records, &found))
    }

    /// Changes a record set to the expected state, but only from the state that was found when the repair was requested.
    async fn repair(&self, key: &Key, zone: &Zone, records: &Records, ordered: &Difference) -> anyhow::Result<Seen> {
        let views = &self.commands.views;
        match self.see(zone, records).await {
            Ok(Some(now)) if now == *ordered => {}
            other => return Ok(seen_of(other)),
        }
        let primary = address(self.updates).to_string();
        let work = Work { key: key.clone(), wanted: records.wanted.clone(), generation: 0, attempts: 0 };
        dns::record_before_publishing(views, &primary, &[&work]).await?;
        let found: BTreeSet<String> = ordered.found.iter().map(ToString::to_string).collect();
        let gone = if ordered.nature() == Nature::Foreign {
            &found - &records.wanted
        } else {
            &(&records.sent - &records.wanted) & &found
        };
        let update = Update { records, held: Some(found.clone()), removed: gone, added: &records.wanted - &found };
        // If the primary holds something else by now, the update changes nothing, and the next check shows that.
        if let Err(Trouble::Gone(problem) | Trouble::Other(problem)) = self.primary.update(zone, &[update]).await {
            return Ok(Seen::Unseen(problem));
        }
        let seen = seen_of(self.see(zone, records).await);
        if seen == Seen::Same {
            dns::done(views, Some(&primary), &[&work], (self.commands.now)().0).await?;
        }
        Ok(seen)
    }
}

fn seen_of(seen: Result<Option<Difference>, Trouble>) -> Seen {
    match seen {
        Ok(None) => Seen::Same,
        Ok(Some(difference)) => Seen::Differs(difference),
        Err(Trouble::Gone(problem) | Trouble::Other(problem)) => Seen::Unseen(problem),
        Err(Trouble::HoldsElse) => Seen::Changing,
    }
}

/// How a primary's records differ from the expected ones, if they do.
fn difference(server: &str, zone: &Zone, records: &Records, found: &PrimaryRecords) -> Option<Difference> {
    let Records { name, sent, wanted, .. } = records;
    let values = |set: &BTreeSet<String>| set.iter().map(|value| Text::fitted(value)).collect();
    let differs = |kind| {
        let (expected, found) = (values(wanted), values(&found.values));
        Some(Difference { kind, server: Text::fitted(server), expected, found })
    };
    if let (Some(alias), false) = (&found.alias, wanted.is_empty()) {
        let (name, target) = (Text::fitted(name), Text::fitted(alias));
        return differs(DifferenceKind::Alias { name, target, zone: zone.name.clone() });
    }
    let foreign = &found.values - &(sent | wanted);
    // A record set with no expected record, and none of ours left, is not ours to judge.
    if !wanted.is_empty() && !foreign.is_empty() {
        return differs(DifferenceKind::Foreign {});
    }
    if !wanted.is_subset(&found.values) {
        return differs(DifferenceKind::Missing {});
    }
    let left = &(sent - wanted) & &found.values;
    if left.is_empty() { None } else { differs(DifferenceKind::LeftOver {}) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(ToString::to_string).collect()
    }

    fn nature(sent: &[&str], wanted: &[&str], found: &[&str]) -> Option<Nature> {
        let (sent, wanted, answered) = (set(sent), set(wanted), set(sent));
        let records = Records { name: "h1.dc1.example".to_owned(), kind: Kind::A, sent, answered, wanted };
        let zone: Zone = "dc1.example".parse().expect("a zone");
        difference("10.0.0.53:53", &zone, &records, &PrimaryRecords { values: set(found), alias: None })
            .map(|found| found.nature())
    }

    #[test]
    fn a_primary_differs_where_it_lacks_expected_records_or_has_records_published_before() {
        assert_eq!(nature(&["1"], &["1"], &["1"]), None);
        assert_eq!(nature(&[], &["1"], &["1"]), None, "the record is correct, whichever program made it");
        assert_eq!(nature(&["1"], &["1"], &[]), Some(Nature::Missing));
        assert_eq!(nature(&["1"], &[], &["1"]), Some(Nature::LeftOver));
        assert_eq!(nature(&["1", "2"], &["2"], &["1", "2"]), Some(Nature::LeftOver));
    }

    #[test]
    fn foreign_records_are_marked_and_count_only_under_our_own_names() {
        assert_eq!(nature(&["1"], &["1"], &["9"]), Some(Nature::Foreign));
        assert_eq!(nature(&["1"], &["1"], &["1", "9"]), Some(Nature::Foreign));
        assert_eq!(nature(&["1"], &[], &["9"]), None);
        assert_eq!(nature(&["1"], &[], &["1", "9"]), Some(Nature::LeftOver));
    }

    #[test]
    fn an_alias_counts_only_where_records_are_expected() {
        let alias = PrimaryRecords { values: set(&[]), alias: Some("www.example".to_owned()) };
        let mut records =
            Records { name: "h1.dc1.example".to_owned(), kind: Kind::A, sent: set(&[]), answered: set(&[]), wanted: set(&["1"]) };
        let zone: Zone = "dc1.example".parse().expect("a zone");
        let text = |text: &str| text.parse().expect("a text");
        let kind = DifferenceKind::Alias { name: text("h1.dc1.example"), target: text("www.example"), zone: zone.name.clone() };
        let found = difference("10.0.0.53:53", &zone, &records, &alias).expect("a difference");
        assert_eq!((found.kind, found.expected), (kind, vec![text("1")]));
        records.wanted.clear();
        assert_eq!(difference("10.0.0.53:53", &zone, &records, &alias), None);
    }
}
