//! Publishes pending record sets to the DNS primaries.

use super::primary::{AT_ONCE, Primary, Trouble};
use super::records::{Kind, Records, Step, Update, place};
use crate::commands::CommandService;
use crate::event_log::dns::{self, Failed, Work};
use crate::workers::heartbeat::Worker;
use crate::workers::{BackgroundWork, Next};
use bootledger_aggregates::problem::{DriftProblem, PublishProblem};
use bootledger_aggregates::site::DnsUpdates;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::zone::Zone;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_web::wording::dns::problem as words;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;
use tracing::warn;

/// The number of workers.
const WORKERS: usize = 4;
/// How many record sets are taken at a time.
const BATCH: i64 = 1_000;
/// How long other instances do not touch taken work: longer than the timeout for a primary that does not respond.
const LEASE: time::Duration = time::Duration::seconds(60);
/// The maximum number of record sets in one message.
const MESSAGE: usize = 100;
/// How often a record set is queried again if others change it at the same time.
const TRIES: u32 = 3;
/// The longest time between two attempts, in seconds.
const LONGEST_SECONDS: i64 = 15;
/// The maximum number of values of a record set in a problem.
const SHOWN: usize = 20;

/// The result of publishing a record set.
enum Outcome {
    Done,
    Conflict(PublishProblem),
    Trouble(PublishProblem),
    /// The connection can no longer be used.
    Gone(PublishProblem),
}

impl From<Trouble> for Outcome {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Gone(problem) => Self::Gone(problem.into()),
            Trouble::Other(problem) => Self::Trouble(problem.into()),
            Trouble::HoldsElse => {
                let detail = Text::fitted("the primary has other records than expected");
                Self::Trouble(DriftProblem::Internal { detail }.into())
            }
        }
    }
}

/// The pending work for one zone at one primary.
struct Job<'a> {
    updates: &'a DnsUpdates,
    zone: &'a Zone,
    all: Vec<(&'a Work, Records)>,
}

/// Keeps the primaries consistent with the views. Any number of instances may run.
pub struct Publisher {
    commands: CommandService,
    worker: Worker,
    /// The record sets that are being processed.
    held: Mutex<BTreeSet<dns::Key>>,
    /// Whether a pass has failed since work was last returned. The lock is held while work is returned or taken, so that no
    /// work is returned while it is still being taken.
    failed: tokio::sync::Mutex<bool>,
}

impl Publisher {
    /// Creates a publisher of the records in the views. The work that it takes is leased to this worker.
    pub fn new(commands: CommandService, worker: Worker) -> Self {
        Self { commands, worker, held: Mutex::default(), failed: tokio::sync::Mutex::default() }
    }

    /// The workers of this publisher. A primary that does not respond blocks one of them, while others continue.
    pub fn workers(self) -> impl Iterator<Item = PublisherWorker> {
        let publisher = Arc::new(self);
        (0..WORKERS).map(move |_| PublisherWorker {
            projected: publisher.commands.feed.projected(),
            news: publisher.worker.news(),
            publisher: Arc::clone(&publisher),
        })
    }

    /// Records new changes and processes the work that is due, once. Returns the amount of work.
    ///
    /// # Errors
    /// Returns an error if the database fails. The next pass then releases the work that this one has taken. An update that a
    /// primary refuses is not an error: it is recorded and retried.
    pub async fn pass(&self) -> anyhow::Result<usize> {
        let passed = self.take_and_work().await;
        if passed.is_err() {
            *self.failed.lock().await = true;
        }
        passed
    }

    async fn take_and_work(&self) -> anyhow::Result<usize> {
        let views = &self.commands.views;
        dns::take_in(views, self.now()).await?;
        let Some(worker) = self.worker.name() else { return Ok(0) };
        let mut failed = self.failed.lock().await;
        if *failed {
            let still: Vec<dns::Key> = self.held().iter().cloned().collect();
            dns::give_back(views, worker, &still, self.now()).await?;
            *failed = false;
        }
        let work = dns::take(views, worker, self.now(), self.now() + LEASE, BATCH).await?;
        if work.is_empty() {
            return Ok(0);
        }
        let keys: BTreeSet<dns::Key> = work.iter().map(|work| work.key.clone()).collect();
        self.held().extend(keys.iter().cloned());
        drop(failed);
        let done = self.work_on(&work).await;
        self.held().retain(|key| !keys.contains(key));
        done.map(|()| work.len())
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<dns::Key>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work_on(&self, work: &[Work]) -> anyhow::Result<()> {
        let views = &self.commands.views;
        let sites = catalogue::sites(views, At::Now).await?;
        let mut jobs: BTreeMap<(String, &str), Job<'_>> = BTreeMap::new();
        let mut nowhere = vec![];
        for piece in work {
            let kind = Kind::of(&piece.key.1);
            let placed = kind.and_then(|kind| Some((kind, place(&sites, &piece.key.0, kind)?)));
            let Some((kind, (site, zone, name))) = placed else {
                nowhere.push(piece);
                continue;
            };
            let Some(updates) = &site.spec.dns_updates else { continue };
            let job = jobs.entry((address(updates).to_string(), zone.name.as_str())).or_insert_with(|| Job {
                updates,
                zone,
                all: vec![],
            });
            let records = Records { name, kind, sent: BTreeSet::new(), answered: BTreeSet::new(), wanted: piece.wanted.clone() };
            job.all.push((piece, records));
        }
        dns::done(views, None, &nowhere, self.now()).await?;
        let mut under_way = FuturesUnordered::new();
        for ((primary, _), job) in jobs {
            under_way.push(self.work(primary, job));
        }
        let mut ended = Ok(());
        while let Some(one) = under_way.next().await {
            ended = ended.and(one);
        }
        ended
    }

    fn now(&self) -> OffsetDateTime {
        (self.commands.now)().0
    }

    async fn work(&self, primary: String, mut job: Job<'_>) -> anyhow::Result<()> {
        let views = &self.commands.views;
        let keys: Vec<dns::Key> = job.all.iter().map(|(work, _)| work.key.clone()).collect();
        let mut published = dns::published(views, &primary, &keys).await?;
        for (work, records) in &mut job.all {
            let dns::PublishedSet { sent, answered } = published.remove(&work.key).unwrap_or_default();
            (records.sent, records.answered) = (sent, answered);
        }
        let (secrets, guard) = (&self.commands.secrets, &self.commands.outbound.guard);
        let outcomes = match Primary::connect(job.updates, secrets, guard).await {
            Ok(connection) => {
                let all: Vec<&Work> = job.all.iter().map(|(work, _)| *work).collect();
                dns::record_before_publishing(views, &primary, &all).await?;
                publish(&connection, job.zone, &job.all).await
            }
            Err(problem) => job.all.iter().map(|_| Outcome::Trouble(problem.clone().into())).collect(),
        };
        let (mut done, mut failed) = (vec![], vec![]);
        for ((work, _), outcome) in job.all.iter().zip(outcomes) {
            let (problem, conflict) = match outcome {
                Outcome::Done => {
                    done.push(*work);
                    continue;
                }
                Outcome::Conflict(problem) => (problem, true),
                Outcome::Trouble(problem) | Outcome::Gone(problem) => (problem, false),
            };
            let seconds = 1_i64.checked_shl(work.attempts.min(16)).unwrap_or(LONGEST_SECONDS).min(LONGEST_SECONDS);
            let next_try = self.now() + time::Duration::seconds(seconds);
            failed.push(Failed { work, problem, conflict, next_try });
        }
        if let Some(first) = failed.first() {
            warn!(
                primary, zone = %job.zone, sets = failed.len(), problem = words(&first.problem),
                "cannot publish records to their primary; retrying"
            );
        }
        dns::done(views, Some(&primary), &done, self.now()).await?;
        dns::failed(views, &failed, self.now()).await?;
        dns::wake(views, &names(done.into_iter()), true, self.now()).await?;
        dns::wake(views, &names(failed.iter().map(|failed| failed.work)), false, self.now()).await?;
        Ok(())
    }
}

/// One of the workers of a publisher.
pub struct PublisherWorker {
    publisher: Arc<Publisher>,
    projected: watch::Receiver<i64>,
    news: watch::Receiver<u64>,
}

impl BackgroundWork for PublisherWorker {
    const NAME: &'static str = "dns_publisher";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn pass(&mut self) -> anyhow::Result<Next> {
        self.projected.mark_unchanged();
        self.news.mark_unchanged();
        Ok(if self.publisher.pass().await? > 0 { Next::Now } else { Next::Later })
    }

    async fn wake(&mut self) {
        tokio::select! {
            _ = self.projected.changed() => {}
            Ok(()) = self.news.changed() => {}
        }
    }
}

/// The host names that the record sets belong to.
fn names<'a>(work: impl Iterator<Item = &'a Work>) -> Vec<String> {
    let mut names: Vec<String> = work
        .flat_map(|work| if work.key.1 == "A" { vec![work.key.0.clone()] } else { work.wanted.iter().cloned().collect() })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// A primary's address and port, as shown in messages and stored with the published records.
pub(crate) fn address(updates: &DnsUpdates) -> SocketAddr {
    SocketAddr::new(updates.primary, updates.port.get())
}

/// Publishes record sets to the primary, and verifies each with a query. Returns the results in the same order.
async fn publish(primary: &Primary, zone: &Zone, all: &[(&Work, Records)]) -> Vec<Outcome> {
    // Record sets that change are sent in as few messages as possible. If one set in a message is not as expected, the primary
    // changes nothing, and each set of the message is then processed by itself.
    let changing: Vec<Update<'_>> = all
        .iter()
        .map(|(_, records)| records.expected())
        .filter(|update| !(update.removed.is_empty() && update.added.is_empty()))
        .collect();
    let mut refused: HashMap<(&str, &str), PublishProblem> = HashMap::new();
    for some in changing.chunks(MESSAGE) {
        match primary.update(zone, some).await {
            Ok(()) | Err(Trouble::HoldsElse) => {}
            Err(Trouble::Gone(problem)) => return all.iter().map(|_| Outcome::Gone(problem.clone().into())).collect(),
            Err(Trouble::Other(problem)) => {
                refused.extend(some.iter().map(|update| (key(update.records), PublishProblem::from(problem.clone()))));
            }
        }
    }
    let mut outcomes = vec![];
    for some in all.chunks(AT_ONCE) {
        if let Some(Outcome::Gone(problem)) = outcomes.last() {
            let problem = problem.clone();
            outcomes.extend(some.iter().map(|_| Outcome::Gone(problem.clone())));
            continue;
        }
        let each = some.iter().map(|(_, records)| settle(primary, zone, records, refused.get(&key(records))));
        outcomes.extend(join_all(each.collect::<Vec<_>>()).await);
    }
    outcomes
}

fn key(records: &Records) -> (&str, &'static str) {
    (&records.name, records.kind.name())
}

/// Queries the primary for a record set, and updates it until the primary holds the expected records.
async fn settle(primary: &Primary, zone: &Zone, records: &Records, refused: Option<&PublishProblem>) -> Outcome {
    if let Some(problem) = refused {
        return Outcome::Trouble(problem.clone());
    }
    let (name, kind) = (Text::fitted(&records.name), Text::fitted(records.kind.name()));
    let mut taken = None;
    for attempt in 0..=TRIES {
        let found = match primary.look(zone, records).await {
            Ok(found) => found,
            Err(trouble) => return trouble.into(),
        };
        if let (Some(alias), false) = (&found.alias, records.wanted.is_empty()) {
            return Outcome::Conflict(PublishProblem::Alias { name, target: Text::fitted(alias), zone: zone.name.clone() });
        }
        let update = match records.from(&found.values) {
            Step::Nothing => return Outcome::Done,
            Step::Conflict(foreign) => {
                let values = shown(&foreign);
                return Outcome::Conflict(PublishProblem::Foreign { name, r#type: kind, values, zone: zone.name.clone() });
            }
            Step::Update(update) => update,
        };
        if let (Some(taken), true) = (taken, attempt == TRIES) {
            return Outcome::Trouble(differing(primary, records, &found.values, taken));
        }
        taken = match primary.update(zone, &[update]).await {
            Ok(()) => Some(true),
            Err(Trouble::HoldsElse) => Some(false),
            Err(trouble) => return trouble.into(),
        };
    }
    Outcome::Trouble(PublishProblem::Unstable { primary: primary.address(), name, r#type: kind })
}

/// The problem of a primary that repeatedly returns other records than expected; `accepted` is whether it accepted the update.
fn differing(primary: &Primary, records: &Records, found: &BTreeSet<String>, accepted: bool) -> PublishProblem {
    PublishProblem::OtherRecords {
        primary: primary.address(),
        key: primary.key().clone(),
        name: Text::fitted(&records.name),
        r#type: Text::fitted(records.kind.name()),
        found: shown(found),
        expected: shown(&records.wanted),
        accepted,
    }
}

/// The first values of a record set. A problem is stored with every attempt, and a primary may return thousands of values.
fn shown(values: &BTreeSet<String>) -> Vec<Text> {
    values.iter().take(SHOWN).map(|value| Text::fitted(value)).collect()
}
