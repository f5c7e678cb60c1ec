//! One comparison of a site: the records at its DNS primary, and the confirmations of its DHCP servers.

use super::{Checker, LEASE};
use crate::event_log::dns::Key;
use crate::event_log::drift::{self, Checked, Wanted};
use crate::workers::dns::drift::{Comparison, Seen};
use anyhow::bail;
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::drift::{Difference, DriftCommand, DriftKey, DriftProblem, RecordType, Subject};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::Context;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::drift::{self as view, Drifted};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// How many record sets are compared and reported together.
const CHUNK: i64 = 1_000;

/// The known differences of a site, and the progress of its comparison.
pub(super) struct Look {
    pub(super) site: Name,
    /// The open differences.
    open: BTreeMap<DriftKey, Drifted>,
    /// The keys that were compared.
    visited: BTreeSet<DriftKey>,
    checked: Checked,
    problems: BTreeSet<DriftProblem>,
    /// Whether something could not be compared. Its differences remain as they were.
    unseen: bool,
    /// Whether something with a requested repair has to be compared again soon.
    again: bool,
}

impl Checker {
    /// Compares a site, or only what has a requested repair. Returns whether some of that has to be compared again soon. `None`
    /// if the site is no longer in use.
    pub(super) async fn site(&self, site: &Name, whole: bool, worker: Uuid) -> anyhow::Result<Option<(Checked, bool)>> {
        let views = &self.commands.views;
        let position = checkpoint::position(views).await?;
        let open = view::list(views, site, At::Now, None, i64::MAX).await?;
        let mut look = Look {
            site: site.clone(),
            open: open.into_iter().map(|drifted| (drifted.key.clone(), drifted)).collect(),
            visited: BTreeSet::new(),
            checked: Checked { position, ..Checked::default() },
            problems: BTreeSet::new(),
            unseen: false,
            again: false,
        };
        let sites = catalogue::sites(views, At::Now).await?;
        let entry = sites.iter().find(|entry| entry.key == *site);
        if let Some(entry) = entry {
            self.dns(&mut look, &sites, entry, (whole, worker)).await?;
            self.dhcp(&mut look, whole).await?;
        }
        if whole || entry.is_none() {
            self.gone(&look).await?;
        }
        look.checked.problems = look.problems.into_iter().collect();
        Ok(entry.map(|_| (look.checked, look.again)))
    }

    async fn dns(
        &self,
        look: &mut Look,
        sites: &[Entry<SiteSpec>],
        site: &Entry<SiteSpec>,
        (whole, worker): (bool, Uuid),
    ) -> anyhow::Result<()> {
        let Some(updates) = &site.spec.dns_updates else {
            if whole {
                look.problems.insert(DriftProblem::NoPrimary {});
                return Ok(());
            }
            let ordered = look.ordered().into_keys();
            return self.record_seen(look, ordered.map(|key| (key, Seen::Unseen(DriftProblem::NoPrimary {}))).collect()).await;
        };
        let views = &self.commands.views;
        let ordered = look.ordered();
        if !whole && ordered.is_empty() {
            return Ok(());
        }
        let comparison = match Comparison::begin(&self.commands, sites, &site.key, updates).await {
            Ok(comparison) => comparison,
            Err(problem) => {
                let unseen = ordered.into_keys().map(|key| (key, Seen::Unseen(problem.clone()))).collect();
                look.problems.insert(problem);
                look.unseen = true;
                return self.record_seen(look, unseen).await;
            }
        };
        let primary = crate::workers::dns::address(updates).to_string();
        let mut after = None;
        loop {
            let sets: Vec<Wanted> = if whole {
                drift::sets(views, &primary, after.as_ref(), CHUNK).await?
            } else {
                drift::wanted(views, &ordered.keys().cloned().collect::<Vec<_>>()).await?
            };
            let Some((last, _)) = sets.last() else { return Ok(()) };
            after = Some(last.clone());
            let seen = comparison.look(&sets, &ordered).await?;
            self.record_seen(look, seen).await?;
            if !whole {
                return Ok(());
            }
            if !drift::keep(views, look.site.as_str(), worker, self.now() + LEASE).await? {
                bail!("another instance is checking the site");
            }
        }
    }

    /// Records the results for record sets that have changed.
    async fn record_seen(&self, look: &mut Look, seen: Vec<(Key, Seen)>) -> anyhow::Result<()> {
        let mut seen_of = vec![];
        for ((name, kind), seen) in seen {
            let record = if kind == "A" { RecordType::A } else { RecordType::Ptr };
            seen_of.push((DriftKey { site: look.site.clone(), subject: Subject::Dns { name: name.parse()?, record } }, seen));
        }
        self.record(look, seen_of).await
    }

    /// Records results that have changed.
    pub(super) async fn record(&self, look: &mut Look, seen: Vec<(DriftKey, Seen)>) -> anyhow::Result<()> {
        let mut news = vec![];
        for (key, seen) in seen {
            let open = look.open.get(&key);
            let ordered = open.is_some_and(|open| open.drift.ordered.is_some());
            let known = open.map(|open| &open.drift.difference);
            look.visited.insert(key.clone());
            if !matches!(seen, Seen::Unseen(_)) {
                look.checked.compared += 1;
            }
            let command = match seen {
                Seen::Same if open.is_some() => DriftCommand::Report(None),
                Seen::Differs(found) if ordered && known == Some(&found) => {
                    DriftCommand::FailRepair { problem: DriftProblem::NoEffect {} }
                }
                Seen::Differs(found) if known != Some(&found) => DriftCommand::Report(Some(found)),
                Seen::Changing => {
                    look.again |= ordered;
                    continue;
                }
                Seen::Unseen(problem) => {
                    let failed = ordered.then(|| DriftCommand::FailRepair { problem: problem.clone() });
                    look.problems.insert(problem);
                    look.unseen = true;
                    let Some(failed) = failed else { continue };
                    failed
                }
                Seen::Same | Seen::Differs(_) => continue,
            };
            news.push((key, command));
        }
        self.report(news).await
    }

    /// Ends differences whose subject no longer exists, unless something could not be compared.
    async fn gone(&self, look: &Look) -> anyhow::Result<()> {
        let gone = look.open.keys().filter(|key| !look.visited.contains(*key));
        let gone = gone.filter(|key| !(look.unseen && matches!(key.subject, Subject::Dns { .. })));
        self.report(gone.map(|key| (key.clone(), DriftCommand::Report(None))).collect()).await
    }

    async fn report(&self, news: Vec<(DriftKey, DriftCommand)>) -> anyhow::Result<()> {
        let context = Context {
            actor: SystemActor::DriftCheck.code().to_owned(),
            correlation_id: Uuid::now_v7().to_string(),
            causation_id: None,
            idempotency_key: None,
            level: Role::Viewer,
        };
        self.commands.report_drift(news, &context).await
    }
}

impl Look {
    /// When the repair of a difference was requested.
    pub(super) fn ordered_at(&self, key: &DriftKey) -> Option<Timestamp> {
        Some(self.open.get(key)?.drift.ordered.as_ref()?.at)
    }

    /// The record sets to repair, each with the difference at the time of the request.
    fn ordered(&self) -> HashMap<Key, Difference> {
        let ordered = self.open.values().filter(|open| open.drift.ordered.is_some());
        ordered
            .filter_map(|open| match &open.key.subject {
                Subject::Dns { name, record } => {
                    let kind = if *record == RecordType::A { "A" } else { "PTR" };
                    Some(((name.to_string(), kind.to_owned()), open.drift.difference.clone()))
                }
                Subject::Dhcp { .. } => None,
            })
            .collect()
    }
}
