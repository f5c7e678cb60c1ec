//! Changes the catalogue to what the files say, entry by entry, and reports the result of each.
//!
//! An entry is compared with the catalogue before and after its commands: before, so that an equal entry needs no command and
//! writes no event; after, so that every field that was not applied is reported. A change that is not allowed is refused for
//! that entry only.

mod devices;
mod images;

use super::kinds::Kind;
use super::read::{Entries, Entry, What};
use super::report::{Outcome, Refusal, Report, Status, differences};
use super::yaml::Place;
use crate::commands::CommandService;
use crate::commands::administrator::{by, shown};
use crate::event_log::catch_up::catch_up;
use anyhow::{Context as _, Result};
use bootledger_aggregates::actor::SystemActor;
use bootledger_port::{Command, CommandError, Commands, Context, Receipt};
use bootledger_projections::database::pool::Pool;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_web::images::store::Contents;
use futures::StreamExt;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many commands run concurrently, for kinds whose entries do not depend on each other.
const AT_ONCE: usize = 32;

/// How often refused entries are retried while others succeed: two entries may exchange values.
const ROUNDS: usize = 3;

/// What an import changes: the log and views of the service, or a copy of them.
pub(super) struct Target {
    pub(super) views: Pool,
    pub(super) commands: CommandService,
}

/// A running import.
pub(super) struct Import<'a> {
    pub(super) target: &'a Target,
    pub(super) contents: Contents,
    /// Whether existing entries are left unchanged.
    pub(super) only_new: bool,
    pub(super) dry_run: bool,
    pub(super) names: Vec<String>,
    context: Context,
}

/// The result of an entry, before its place in the report is known.
#[derive(Debug, Default)]
pub(super) struct AppliedChange {
    pub(super) changes: Vec<super::report::Change>,
    pub(super) refusals: Vec<Refusal>,
    /// Whether the entry did not exist before.
    pub(super) created: bool,
    /// Whether a command was accepted.
    pub(super) applied: bool,
}

impl AppliedChange {
    fn status(&self) -> Status {
        match self {
            Self { refusals, .. } if !refusals.is_empty() => Status::Refused,
            Self { created: true, .. } => Status::Created,
            Self { changes, .. } if changes.is_empty() => Status::Unchanged,
            _ => Status::Changed,
        }
    }
}

impl<'a> Import<'a> {
    pub(super) fn new(target: &'a Target, contents: Contents, names: Vec<String>, (only_new, dry_run): (bool, bool)) -> Self {
        Self { target, contents, only_new, dry_run, names, context: by(SystemActor::CatalogueFile) }
    }

    /// Imports all entries, kind by kind.
    pub(super) async fn run(&self, entries: &Entries) -> Result<Report> {
        let mut report = Report { outcomes: vec![], dry_run: self.dry_run };
        let done = self.all(entries, &mut report).await;
        done.with_context(|| {
            let (created, changed) = (report.count(Status::Created), report.count(Status::Changed));
            match (self.dry_run, created + changed) {
                (true, _) => "the dry run failed; nothing was changed".to_owned(),
                (false, 0) => "the import failed; nothing was changed".to_owned(),
                (false, _) => format!(
                    "the import failed after it had created {created} entries and changed {changed}. Import the files again: entries that are already correct are skipped"
                ),
            }
        })?;
        Ok(report)
    }

    async fn all(&self, entries: &Entries, report: &mut Report) -> Result<()> {
        self.target.catch_up().await?;
        let mut refused: Vec<(usize, &Entry)> = vec![];
        for kind in Kind::ALL {
            let of_kind: Vec<&Entry> = entries.entries.iter().filter(|entry| entry.kind == kind).collect();
            for (entry, came) in self.kind(kind, of_kind).await? {
                if came.status() == Status::Refused {
                    refused.push((report.outcomes.len(), entry));
                }
                report.outcomes.push(self.outcome(entry, came));
            }
        }
        for _ in 1..ROUNDS {
            let before = refused.len();
            let mut still = vec![];
            for kind in Kind::ALL {
                let again: Vec<&(usize, &Entry)> = refused.iter().filter(|(_, entry)| entry.kind == kind).collect();
                let places: BTreeMap<Place, usize> = again.iter().map(|(place, entry)| (entry.place, *place)).collect();
                for (entry, came) in self.kind(kind, again.iter().map(|(_, entry)| *entry).collect()).await? {
                    let Some(place) = places.get(&entry.place).copied() else { continue };
                    if came.status() == Status::Refused {
                        still.push((place, entry));
                    }
                    let first = &report.outcomes[place];
                    let mut outcome = self.outcome(entry, came);
                    // Changes made by the first attempt belong to the result.
                    let done =
                        first.changes.iter().filter(|change| outcome.changes.iter().all(|other| other.field != change.field));
                    outcome.changes = done.cloned().chain(outcome.changes.clone()).collect();
                    if outcome.status == Status::Unchanged {
                        outcome.status = Status::Changed;
                    }
                    report.outcomes[place] = outcome;
                }
            }
            refused = still;
            if refused.len() == before || refused.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn outcome(&self, entry: &Entry, came: AppliedChange) -> Outcome {
        let status = came.status();
        let place = format!("{}, {}", self.names.get(entry.place.file).map_or("", String::as_str), entry.place);
        // The fields of new entries are not listed as changes.
        let changes = if came.created { vec![] } else { came.changes };
        Outcome { kind: entry.kind, name: entry.name.clone(), place, status, changes, refusals: came.refusals }
    }

    async fn kind<'e>(&self, kind: Kind, entries: Vec<&'e Entry>) -> Result<Vec<(&'e Entry, AppliedChange)>> {
        match kind {
            _ if entries.is_empty() => Ok(vec![]),
            Kind::Device => self.devices(entries).await,
            Kind::BootImage => self.images(entries).await,
            _ => self.defined(kind, entries).await,
        }
    }

    /// Imports entries that one command each defines.
    async fn defined<'e>(&self, kind: Kind, entries: Vec<&'e Entry>) -> Result<Vec<(&'e Entry, AppliedChange)>> {
        let held = self.target.held(kind, At::Now).await?;
        let mut came: Vec<(&Entry, AppliedChange)> = vec![];
        let mut due: Vec<(usize, &Command)> = vec![];
        for entry in parents_first(entries) {
            let What::Defined { command, json, .. } = &entry.what else { continue };
            let old = held.get(&entry.name);
            if old != Some(json) && !(self.only_new && old.is_some()) {
                due.push((came.len(), command));
                let changes = differences(old, Some(json));
                came.push((entry, AppliedChange { changes, created: old.is_none(), ..AppliedChange::default() }));
            } else {
                came.push((entry, AppliedChange::default()));
            }
        }
        // Racks and DHCP servers depend only on their site. Networks depend on each other, ventures on their parents, and roles
        // are parts of their ventures.
        let at_once = if matches!(kind, Kind::Rack | Kind::DhcpServer) { AT_ONCE } else { 1 };
        let shows_each = matches!(kind, Kind::Network | Kind::Venture);
        let executed = futures::stream::iter(due.iter().map(async |(place, command)| {
            let done = self.execute((*command).clone()).await?;
            if shows_each && done.is_ok() {
                self.target.catch_up().await?;
            }
            anyhow::Ok((*place, done))
        }));
        let mut executed = std::pin::pin!(executed.buffer_unordered(at_once));
        while let Some(done) = executed.next().await {
            let (place, done) = done?;
            match done {
                Ok(_) => came[place].1.applied = true,
                Err(refusals) => came[place].1.refusals = refusals,
            }
        }
        if came.iter().any(|(_, came)| came.applied) {
            self.target.catch_up().await?;
            let held = self.target.held(kind, At::Now).await?;
            for (entry, came) in came.iter_mut().filter(|(_, came)| came.applied) {
                let What::Defined { json, .. } = &entry.what else { continue };
                came.refusals.extend(left(held.get(&entry.name), Some(json)));
            }
        }
        Ok(came)
    }

    /// Runs a command. Refusals belong to the entry; any other error ends the import.
    async fn execute(&self, command: Command) -> Result<Result<Receipt, Vec<Refusal>>> {
        match self.target.commands.execute(command, self.context.clone()).await {
            Ok(receipt) => Ok(Ok(receipt)),
            Err(CommandError::Refused(broken)) => {
                Ok(Err(broken.into_iter().map(|broken| Refusal { field: broken.field, message: broken.message }).collect()))
            }
            Err(error @ (CommandError::NotFound(_) | CommandError::Conflict(_))) => Ok(Err(vec![refused(error.to_string())])),
            Err(error) => Err(shown(error)),
        }
    }
}

/// A refusal of a whole entry.
pub(super) fn refused(message: impl Into<String>) -> Refusal {
    Refusal { field: String::new(), message: message.into() }
}

/// The differences that remain after a command was accepted. There should be none.
pub(super) fn left(held: Option<&Value>, wanted: Option<&Value>) -> Vec<Refusal> {
    let message = "the catalogue still has another value after the change";
    differences(held, wanted).into_iter().map(|change| Refusal { field: change.field, message: message.to_owned() }).collect()
}

/// Sorts ventures after their parents, regardless of names; ventures in a cycle come last. Other entries keep their order.
fn parents_first(entries: Vec<&Entry>) -> Vec<&Entry> {
    let parent = |entry: &Entry| match &entry.what {
        What::Defined { parent, .. } if entry.kind == Kind::Venture => parent.as_ref().map(ToString::to_string),
        _ => None,
    };
    let mut waiting = entries;
    let mut sorted = vec![];
    while !waiting.is_empty() {
        let names: std::collections::HashSet<&str> = waiting.iter().map(|entry| entry.name.as_str()).collect();
        let (ready, rest): (Vec<_>, Vec<_>) =
            waiting.iter().copied().partition(|entry| parent(entry).is_none_or(|parent| !names.contains(parent.as_str())));
        if ready.is_empty() {
            sorted.extend(rest);
            break;
        }
        sorted.extend(ready);
        waiting = rest;
    }
    sorted
}

impl Target {
    /// Updates the views to the end of the log.
    pub(super) async fn catch_up(&self) -> Result<()> {
        catch_up(&self.views, &self.commands.feed).await.map(drop)
    }

    /// The catalogue's entries of a kind, by name.
    pub(super) async fn held(&self, kind: Kind, at: At) -> Result<BTreeMap<String, Value>> {
        held(&self.views, kind, at).await
    }
}

/// The catalogue's entries of a kind, by name, in the form that is compared, without retired entries.
pub(super) async fn held(views: &Pool, kind: Kind, at: At) -> Result<BTreeMap<String, Value>> {
    let mut held = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = catalogue::list(views, kind.view(), at, after.as_deref(), 1000, None).await?;
        let Some(last) = page.last() else { return Ok(held) };
        after = Some(last.key.clone());
        for item in page.into_iter().filter(|item| !item.retired) {
            held.extend(kind.held(&item.key, item.spec)?);
        }
    }
}
