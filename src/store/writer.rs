//! The group writer: one task appends everything that waits in one transaction.
//!
//! Each batch is checked against what the database, in one snapshot, and the batches before it say; one that fails is
//! answered alone, and the rest are written by a single statement. It moves the row of `log_head` from the position of
//! that snapshot on, or writes nothing: nothing of the log, the claims or the keys ever changes without that row. So the
//! order of positions is the order of commits, with any number of instances, and a reader never meets a gap that fills
//! later. A group that finds the log moved on by another instance takes the row's lock first, and then cannot be passed.

mod checks;
mod session;
mod sql;
mod used;

use super::append::{Appended, Batch, Rejection};
use super::chain::{self, Link};
use super::streams::Streams;
use crate::condition::Condition;
use bootledger_projections::cause::{Cause, Impediment};
use bootledger_projections::pool::Pool;
use bootledger_projections::pool::sessions::Sessions;
use bootledger_web::health::vitals::Pulse;
use checks::Known;
use session::{Limited, Writer};
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, debug_span};

/// How many batches, and about how many events, are written together at most.
const GROUP_BATCHES: usize = 512;
const GROUP_EVENTS: usize = 20_000;

/// How many events one statement carries: more go before it, in statements of their own of the same transaction.
const STATEMENT_EVENTS: usize = 10_000;

/// How many batches may wait; further callers wait before they may wait.
const QUEUE: usize = 4096;

/// Writer and reader ask the same few questions by key again and again, so that their plans are made once, and always those
/// that go through the keys, however small a table was when they were made.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // What a forbidden kind of plan seems to cost would have each statement compiled first.
    ("jit", "off"),
];

/// How long a caller waits for its answer, its place in the queue included; longer where it brings many events.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a group may take, with a second attempt and with finding out what became of the first; longer where it has
/// many events.
const GROUP: Duration = Duration::from_millis(3500);

/// What an event adds to these; it takes a twentieth of that.
const EVENT: Duration = Duration::from_millis(1);

/// After how long the database is asked for its time again.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// The log, for appending. Cheap to clone; all clones share one writer.
#[derive(Clone)]
pub struct EventLog {
    waiting: mpsc::Sender<Waiting>,
    condition: Condition,
    pub(super) pool: Pool,
    pulse: Pulse,
    pub(super) streams: Streams,
    /// For what is seldom asked.
    pub(super) repository: Arc<postgres_es::PostgresEventRepository>,
}

struct Waiting {
    batch: Batch,
    answer: oneshot::Sender<Result<Appended, Rejection>>,
}

impl EventLog {
    /// Starts the writer and the reader of streams on connections of their own. They end with the last clone of the log.
    pub fn start(pool: impl Into<Pool>, sessions: impl Into<Sessions>) -> Self {
        let (pool, sessions, pulse) = (pool.into(), sessions.into().with(PLANS), Pulse::default());
        let (waiting, receiver) = mpsc::channel(QUEUE);
        let streams = Streams::start(sessions.clone());
        tokio::spawn(run(Writer::new(sessions, pulse.clone()), receiver));
        let repository = Arc::new(postgres_es::PostgresEventRepository::new(pool.plain()));
        Self { waiting, condition: Condition::default(), pool, pulse, streams, repository }
    }

    /// Appends the batch, or says why not. Waits for its group's commit, but not without a limit.
    pub async fn append(&self, batch: Batch) -> Result<Appended, Rejection> {
        self.condition.admit()?;
        let result = self.queue(batch).await;
        self.condition.saw(&result);
        result
    }

    /// What limits appending.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    async fn queue(&self, batch: Batch) -> Result<Appended, Rejection> {
        let stopped = || Rejection::Unavailable("the service is stopping".to_owned());
        let limit = lengthened(PATIENCE, batch.events.len());
        let (answer, answered) = oneshot::channel();
        let appended = async {
            self.waiting.send(Waiting { batch, answer }).await.map_err(|_| stopped())?;
            answered.await.map_err(|_| stopped())?
        };
        let late = |_| Rejection::Unavailable(format!("it did not answer within {} s", limit.as_secs()));
        tokio::time::timeout(limit, appended).await.map_err(late)?
    }

    /// When the writer last wrote, or found that it could.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// The pool that reads go through.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

/// A limit for so many events.
fn lengthened(limit: Duration, events: usize) -> Duration {
    limit + EVENT * u32::try_from(events).unwrap_or(u32::MAX)
}

/// Where the log ended when it was last looked at or written.
struct End {
    head: sql::Head,
    clock: Clock,
}

/// The database's clock, and ours when it was read.
#[derive(Clone, Copy)]
struct Clock {
    read: OffsetDateTime,
    at: Instant,
}

impl Clock {
    /// The database's time now to the microsecond, which is what it keeps; `None` where it is to be asked again.
    fn now(self) -> Option<OffsetDateTime> {
        let since = self.at.elapsed();
        let microseconds = u64::try_from(since.as_micros()).ok()?;
        (since < ASKED_AGAIN).then_some(self.read + Duration::from_micros(microseconds))
    }
}

async fn run(mut writer: Writer, mut receiver: mpsc::Receiver<Waiting>) {
    let mut group = Vec::new();
    loop {
        tokio::select! {
            biased;
            count = receiver.recv_many(&mut group, GROUP_BATCHES) => {
                if count == 0 {
                    return;
                }
            }
            // Nobody waits: a connection that was lost is replaced before somebody does.
            () = writer.idle() => {
                writer.test().await;
                continue;
            }
        }
        let mut rest = std::mem::take(&mut group).into_iter().peekable();
        while rest.peek().is_some() {
            let mut events = 0;
            let mut some = Vec::new();
            while let Some(next) = rest.next_if(|next| some.is_empty() || events + next.batch.events.len() <= GROUP_EVENTS) {
                // A caller that gave up was answered that nothing is known: what it wanted is better not done late.
                if next.answer.is_closed() {
                    continue;
                }
                events += next.batch.events.len();
                some.push(next);
            }
            let span = debug_span!("append", batches = some.len(), events);
            write(&mut writer, some).instrument(span).await;
        }
    }
}

/// Writes a group and answers each of its callers.
async fn write(writer: &mut Writer, group: Vec<Waiting>) {
    let (batches, answers): (Vec<_>, Vec<_>) = group.into_iter().map(|waiting| (waiting.batch, waiting.answer)).unzip();
    let results = match writer.attempt(&batches).await {
        Ok(results) => results,
        // One batch that the database itself refuses must not fail the others: each has its own try.
        Err(Rejection::Defect(_)) if batches.len() > 1 => {
            let mut results = Vec::with_capacity(batches.len());
            for batch in &batches {
                let alone = writer.attempt(std::slice::from_ref(batch)).await;
                results.push(alone.and_then(|mut one| one.pop().unwrap_or(Err(Rejection::Defect("no answer".to_owned())))));
            }
            results
        }
        Err(rejection) => batches.iter().map(|_| Err(rejection.clone())).collect(),
    };
    for (answer, result) in answers.into_iter().zip(results) {
        // A caller that went away does not want its answer; what was appended stays.
        drop(answer.send(result));
    }
}

/// What came of each batch of a group.
type Results = Vec<Result<Appended, Rejection>>;

enum Failed {
    /// Nothing is in the log.
    Before(sqlx::Error),
    /// The group may be in the log, up to this end, or not.
    Commit { error: sqlx::Error, results: Results, head: sql::Head },
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Before(error)
    }
}

/// Decides and writes in one round trip where nothing but the streams matters and the end of the log is known, else in
/// two; where another instance was in between, or where one statement cannot carry it all, behind the lock.
async fn append(
    connection: &mut PgConnection,
    limited: &Limited,
    end: Option<End>,
    batches: &[Batch],
) -> Result<(Results, End), Failed> {
    let fits = batches.iter().map(|batch| batch.events.len()).sum::<usize>() <= STATEMENT_EVENTS;
    if let Some(end) = end
        && fits
        && let Some(now) = end.clock.now()
        && let Some(known) = Known::assume(batches)
    {
        let assumed = known.sequences.clone();
        let assumed = assumed.iter().map(|((kind, id), sequence)| ((kind.as_str(), id.as_str()), *sequence)).collect();
        let decided = decide(&end.head, now, end.clock, known, batches);
        if decided.is_nothing() {
            return Ok(decided.done());
        }
        match limited.run(decided.write(connection, &assumed)).await {
            Ok(true) => return Ok(decided.done()),
            Ok(false) => {}
            Err(error) => return Err(decided.failed(error)),
        }
    }
    if fits {
        let (head, now, known) = limited.run(Known::look_up(connection, batches)).await?;
        let decided = decide(&head, now, Clock { read: now, at: Instant::now() }, known, batches);
        if decided.is_nothing() {
            return Ok(decided.done());
        }
        match limited.run(decided.write(connection, &BTreeMap::new())).await {
            Ok(true) => return Ok(decided.done()),
            Ok(false) => {}
            Err(error) => return Err(decided.failed(error)),
        }
    }
    limited.run(sql::begin(connection)).await?;
    limited.run(sql::lock_head(connection)).await?;
    let (head, now, known) = limited.run(Known::look_up(connection, batches)).await?;
    let decided = decide(&head, now, Clock { read: now, at: Instant::now() }, known, batches);
    if decided.is_nothing() {
        limited.run(sql::rollback(connection)).await?;
        return Ok(decided.done());
    }
    for rows in &decided.before {
        limited.run(sql::write_part(connection, rows, now)).await?;
    }
    if !limited.run(decided.write(connection, &BTreeMap::new())).await? {
        return Err(Failed::Before(sqlx::Error::Protocol("the end of the log moved in spite of its lock".to_owned())));
    }
    match limited.run(sql::commit(connection)).await {
        Ok(()) => Ok(decided.done()),
        Err(error) => Err(decided.failed(error)),
    }
}

/// What a group comes to, from what the log was at one position.
struct Decided<'a> {
    known: Known,
    /// What one statement cannot carry beside `rows`.
    before: Vec<sql::Rows<'a>>,
    rows: sql::Rows<'a>,
    from: i64,
    head: sql::Head,
    now: OffsetDateTime,
    clock: Clock,
    results: Results,
}

impl Decided<'_> {
    fn is_nothing(&self) -> bool {
        self.head.position == self.from && self.known.answered.is_empty()
    }

    async fn write(&self, connection: &mut PgConnection, assumed: &BTreeMap<(&str, &str), i64>) -> Result<bool, sqlx::Error> {
        sql::write(connection, &self.rows, &self.known, assumed, self.from, &self.head, self.now).await
    }

    fn done(self) -> (Results, End) {
        (self.results, End { head: self.head, clock: self.clock })
    }

    /// An error of the statement that commits. The database's own word that it refused is an answer; that it is shutting
    /// down or has lost something is not.
    fn failed(self, error: sqlx::Error) -> Failed {
        let refused = error.as_database_error().is_some_and(|error| {
            error.code().is_some_and(|code| !["08", "57", "58", "XX"].iter().any(|class| code.starts_with(class)))
        });
        // Keys alone leave no event to look for; asked again, they answer the same.
        if refused || self.head.position == self.from {
            return Failed::Before(error);
        }
        Failed::Commit { error, results: self.results, head: self.head }
    }
}

fn decide<'a>(head: &sql::Head, now: OffsetDateTime, clock: Clock, mut known: Known, batches: &'a [Batch]) -> Decided<'a> {
    let (from, mut chain) = (head.position, head.chain);
    let (mut before, mut rows) = (vec![], sql::Rows::default());
    let mut position = from;
    let mut results = Vec::with_capacity(batches.len());
    for batch in batches {
        match known.check(batch) {
            Ok(None) => {
                for event in &batch.events {
                    if rows.len() == STATEMENT_EVENTS {
                        before.push(std::mem::take(&mut rows));
                    }
                    position += 1;
                    chain = chain::next(
                        &chain,
                        &Link {
                            position,
                            sequence: event.sequence,
                            recorded_at: now,
                            aggregate_type: &event.aggregate_type,
                            aggregate_id: &event.aggregate_id,
                            event_type: &event.event_type,
                            event_version: &event.event_version,
                            payload: &event.payload,
                            metadata: &event.metadata,
                        },
                    );
                    rows.push(event, position, chain);
                }
                known.accept(batch, position);
                results.push(Ok(Appended::At(position)));
            }
            Ok(Some(repeated)) => results.push(Ok(repeated)),
            Err(rejection) => results.push(Err(rejection)),
        }
    }
    Decided { known, before, rows, from, head: sql::Head { position, chain }, now, clock, results }
}

/// The rejection of a batch that the database did not take.
pub(super) fn refused(error: &sqlx::Error) -> Rejection {
    let message = error.to_string();
    match Cause::of(error) {
        Cause::Defect => Rejection::Defect(message),
        cause => Rejection::Impeded(Impediment { cause, message }),
    }
}
