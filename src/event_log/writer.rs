//! The group writer: a single task appends all waiting batches in one transaction.
//!
//! Each batch is checked against one snapshot of the database and against the batches before it. A batch that fails is answered
//! alone, and the rest are written by a single statement. That statement moves the row of `log_head` on from the position of
//! the snapshot, or writes nothing: the log, the claims and the keys never change without that row. So the order of positions
//! is the order of commits, with any number of instances, and a reader never finds a gap that is filled later. If another
//! instance has moved the log on, the group is repeated after locking that row, and then no other instance can be faster.

mod checks;
mod session;
mod sql;
mod state;
mod used;

use super::append::{Appended, Batch, Rejection};
use super::chain::{self, Link};
use super::feed::Feed;
use super::streams::Streams;
use crate::event_log::condition::Condition;
use bootledger_projections::database::pool::Pool;
use bootledger_projections::database::pool::sessions::Sessions;
use bootledger_web::http::worker_status::WorkerStatus;
use session::{Limited, Writer};
use sqlx::postgres::PgConnection;
use state::LogState;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, debug_span};

/// The maximum number of batches, and approximately of events, that are written together.
const GROUP_BATCHES: usize = 512;
const GROUP_EVENTS: usize = 20_000;

/// How many events one statement writes. If there are more, they are written first, by separate statements of the same
/// transaction.
const STATEMENT_EVENTS: usize = 10_000;

/// The maximum number of batches in the queue; further callers wait to be queued.
const QUEUE: usize = 4096;

/// Writer and reader repeat the same few queries by key, so their plans are made once. The plans always use the keys, however
/// small a table was when they were made.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // The estimated cost of a disabled plan type would otherwise make PostgreSQL compile each statement first.
    ("jit", "off"),
];

/// How long a caller waits for its answer, including its time in the queue; longer if it appends many events.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a group may take, including a second attempt and determining the result of the first; longer if it has many events.
const GROUP: Duration = Duration::from_millis(3500);

/// How much an event adds to these limits; it takes a twentieth of that.
const EVENT: Duration = Duration::from_millis(1);

/// After how long the database's time is queried again.
const QUERIED_AGAIN: Duration = Duration::from_secs(1);

/// The log, for appending. Cheap to clone; all clones share one writer.
#[derive(Clone)]
pub struct EventLog {
    waiting: mpsc::Sender<Waiting>,
    condition: Condition,
    feed: Option<Feed>,
    dry: bool,
    pool: Pool,
    status: WorkerStatus,
    pub(super) streams: Streams,
}

struct Waiting {
    batch: Batch,
    answer: oneshot::Sender<Result<Appended, Rejection>>,
}

impl EventLog {
    /// Starts the writer and the stream reader on connections of their own. They end with the last clone of the log.
    pub fn start(pool: impl Into<Pool>, sessions: impl Into<Sessions>) -> Self {
        let (pool, sessions, status) = (pool.into(), sessions.into().with(PLANS), WorkerStatus::default());
        let (waiting, receiver) = mpsc::channel(QUEUE);
        let streams = Streams::start(sessions.clone());
        tokio::spawn(run(Writer::new(sessions, status.clone()), receiver));
        Self { waiting, condition: Condition::default(), feed: None, dry: false, pool, status, streams }
    }

    /// The same log, which notifies this feed of each append. Without it, a feed notices an append when the database's
    /// notification arrives.
    #[must_use]
    pub fn notifying(self, feed: Feed) -> Self {
        Self { feed: Some(feed), ..self }
    }

    /// The same log, to which nothing is appended: each append succeeds at position 0 and does nothing.
    pub(crate) fn dry(&self) -> Self {
        Self { dry: true, ..self.clone() }
    }

    /// Appends the batch. Waits for its group's commit, with a time limit, and notifies the feed.
    ///
    /// # Errors
    /// Returns the reason why the batch is not in the log. After [`Rejection::Unavailable`], the batch may be in the log
    /// nevertheless.
    pub async fn append(&self, batch: Batch) -> Result<Appended, Rejection> {
        if self.dry {
            return Ok(Appended::At(0));
        }
        self.condition.admit()?;
        let result = self.queue(batch).await;
        self.condition.saw(&result);
        if let (Some(feed), Ok(appended)) = (&self.feed, &result) {
            feed.saw_appended(appended.position());
        }
        result
    }

    /// The conditions that limit appending.
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

    /// Whether the writer writes, or has verified that it could.
    pub fn status(&self) -> WorkerStatus {
        self.status.clone()
    }

    /// The connection pool for reads.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

/// A time limit extended for this many events.
fn lengthened(limit: Duration, events: usize) -> Duration {
    limit + EVENT * u32::try_from(events).unwrap_or(u32::MAX)
}

/// The end of the log when it was last read or written.
struct End {
    head: sql::Head,
    clock: Clock,
}

/// The database's clock, and ours at the same moment.
#[derive(Clone, Copy)]
struct Clock {
    read: OffsetDateTime,
    at: Instant,
}

impl Clock {
    /// The database's current time to the microsecond, which is its precision; `None` if it has to be queried again.
    fn now(self) -> Option<OffsetDateTime> {
        let since = self.at.elapsed();
        let microseconds = u64::try_from(since.as_micros()).ok()?;
        (since < QUERIED_AGAIN).then_some(self.read + Duration::from_micros(microseconds))
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
            // No batch is waiting: a lost connection is replaced before one does.
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
                // A caller that gave up got the answer that the result is unknown, so its batch must not be appended late.
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
        // A batch that the database itself rejects must not make the others fail, so each is tried alone.
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
        // The caller may have stopped waiting; what was appended remains.
        drop(answer.send(result));
    }
}

/// The result of each batch of a group.
type Results = Vec<Result<Appended, Rejection>>;

enum Failed {
    /// Nothing is in the log.
    Before(sqlx::Error),
    /// It is unknown whether the group is in the log, up to this end.
    Commit { error: sqlx::Error, results: Results, head: sql::Head },
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Before(error)
    }
}

/// Decides and writes in one round trip if only the streams matter and the end of the log is known, otherwise in two. If
/// another instance wrote in between, or if one statement cannot hold everything, the group is written behind the lock.
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
        && let Some(known) = LogState::assume(batches)
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
        let (head, now, known) = limited.run(LogState::look_up(connection, batches)).await?;
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
    let (head, now, known) = limited.run(LogState::look_up(connection, batches)).await?;
    let decided = decide(&head, now, Clock { read: now, at: Instant::now() }, known, batches);
    if decided.is_nothing() {
        limited.run(sql::rollback(connection)).await?;
        return Ok(decided.done());
    }
    for rows in &decided.before {
        limited.run(sql::write_part(connection, rows, now)).await?;
    }
    if !limited.run(decided.write(connection, &BTreeMap::new())).await? {
        return Err(Failed::Before(sqlx::Error::Protocol("the end of the log moved although it was locked".to_owned())));
    }
    match limited.run(sql::commit(connection)).await {
        Ok(()) => Ok(decided.done()),
        Err(error) => Err(decided.failed(error)),
    }
}

/// The result of a group, decided on the state of the log at one position.
struct Decided<'a> {
    known: LogState,
    /// The rows that do not fit in the last statement with `rows`.
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

    /// Classifies an error of the statement that commits. If the database itself rejects the statement, the result is known; if
    /// it is shutting down or has lost something, the result is unknown.
    fn failed(self, error: sqlx::Error) -> Failed {
        let refused = error.as_database_error().is_some_and(|error| {
            error.code().is_some_and(|code| !["08", "57", "58", "XX"].iter().any(|class| code.starts_with(class)))
        });
        // A group with only keys has no event to look for; repeating it gives the same answer.
        if refused || self.head.position == self.from {
            return Failed::Before(error);
        }
        Failed::Commit { error, results: self.results, head: self.head }
    }
}

fn decide<'a>(head: &sql::Head, now: OffsetDateTime, clock: Clock, mut known: LogState, batches: &'a [Batch]) -> Decided<'a> {
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
