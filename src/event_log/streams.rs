//! Reads the streams of aggregates in groups: requests that arrive during one query are combined in the next one.
//!
//! Every command starts with its aggregate's stream. Without groups, many simultaneous commands would need as many round trips,
//! which cost more than the rows. The rows are those that postgres-es would read. The callers parse them, so that the reader,
//! which all commands share, does not.

use super::append::{Rejection, refused};
use bootledger_aggregates::upcast::{is_old, upcast};
use bootledger_projections::database::pool::DIAL;
use bootledger_projections::database::pool::sessions::{Session, Sessions};
use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Error};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{Instrument, debug_span};

/// The maximum number of streams that are read together.
const GROUP: usize = 256;

/// The maximum number of requests in the queue; further callers wait to be queued.
const QUEUE: usize = 4096;

/// How long a caller waits for its stream, including its time in the queue.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a group may take, including a second attempt.
const LIMIT: Duration = Duration::from_secs(4);

/// How long the connection may be idle before it is tested, and how long the test may take.
const TESTED_AFTER: Duration = Duration::from_millis(500);
const TEST: Duration = Duration::from_millis(700);

/// An event of a stream, before its payload is parsed.
pub(super) struct StreamEvent {
    pub(super) sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
}

impl StreamEvent {
    /// The event in the current form. It may be stored in any earlier version.
    pub(super) fn read<E: DeserializeOwned>(&self) -> serde_json::Result<E> {
        if !is_old(&self.event_type, &self.event_version) {
            return serde_json::from_str(&self.payload);
        }
        serde_json::from_value(upcast(&self.event_type, &self.event_version, serde_json::from_str(&self.payload)?))
    }
}

/// The stream reader. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub(super) struct Streams {
    waiting: mpsc::Sender<Waiting>,
}

struct Waiting {
    aggregate_type: &'static str,
    aggregate_id: String,
    answer: oneshot::Sender<Result<Vec<StreamEvent>, Rejection>>,
}

impl Streams {
    /// Starts the reader on a connection of its own. It ends with the last clone.
    pub(super) fn start(sessions: Sessions) -> Self {
        let (waiting, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(Reader { sessions, session: None, used: Instant::now() }, receiver));
        Self { waiting }
    }

    /// All events of an aggregate, in order; empty if it is unknown.
    pub(super) async fn read(&self, aggregate_type: &'static str, id: &str) -> Result<Vec<StreamEvent>, Rejection> {
        let stopped = || Rejection::Unavailable("the service is stopping".to_owned());
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { aggregate_type, aggregate_id: id.to_owned(), answer };
        let read = async {
            self.waiting.send(waiting).await.map_err(|_| stopped())?;
            answered.await.map_err(|_| stopped())?
        };
        let late = |_| Rejection::Unavailable(format!("it did not answer within {} s", PATIENCE.as_secs()));
        timeout(PATIENCE, read).await.map_err(late)?
    }
}

async fn run(mut reader: Reader, mut receiver: mpsc::Receiver<Waiting>) {
    let mut group = Vec::new();
    loop {
        tokio::select! {
            biased;
            count = receiver.recv_many(&mut group, GROUP) => {
                if count == 0 {
                    return;
                }
            }
            // No request is waiting: a lost connection is replaced before one does.
            () = sleep_until(reader.used + TESTED_AFTER) => {
                reader.test().await;
                continue;
            }
        }
        let mut group = std::mem::take(&mut group);
        group.retain(|waiting| !waiting.answer.is_closed());
        let span = debug_span!("read", streams = group.len());
        async {
            match reader.read(&group).await {
                Ok(mut streams) => {
                    for (place, waiting) in (1_i64..).zip(group) {
                        // The caller may have stopped waiting.
                        drop(waiting.answer.send(Ok(streams.remove(&place).unwrap_or_default())));
                    }
                }
                Err(error) => {
                    let rejection = refused(&error);
                    for waiting in group {
                        drop(waiting.answer.send(Err(rejection.clone())));
                    }
                }
            }
        }
        .instrument(span)
        .await;
    }
}

/// The state of the reader's task.
struct Reader {
    sessions: Sessions,
    session: Option<Session>,
    used: Instant,
}

impl Reader {
    /// Tests the connection, and replaces it if it was lost.
    async fn test(&mut self) {
        let tested = match self.session.as_mut().filter(|session| session.bound.holds()) {
            Some(session) => timeout(TEST, session.connection.ping()).await.is_ok_and(|answer| answer.is_ok()),
            None => false,
        };
        if !tested {
            self.session = self.sessions.open(DIAL / 2).await.ok();
        }
        self.used = Instant::now();
    }

    /// The streams of a group by their place in it, from 1. A lost connection is replaced once.
    async fn read(&mut self, group: &[Waiting]) -> Result<HashMap<i64, Vec<StreamEvent>>, Error> {
        let until = Instant::now() + LIMIT;
        if let Some(session) = self.session.take().filter(|session| session.bound.holds()) {
            // The first attempt gets half of the time; the other half is for a new connection.
            match self.read_on(session, until - LIMIT / 2, group).await {
                Ok(streams) => return Ok(streams),
                Err(error) => tracing::warn!(%error, "streams could not be read; retrying on a new connection"),
            }
        }
        let session = self.sessions.open_until(until).await?;
        self.read_on(session, until, group).await
    }

    async fn read_on(
        &mut self,
        mut session: Session,
        until: Instant,
        group: &[Waiting],
    ) -> Result<HashMap<i64, Vec<StreamEvent>>, Error> {
        let left = until.saturating_duration_since(Instant::now());
        let streams = session.bound.within(left, fetch(&mut session.connection, group)).await?;
        self.session = Some(session);
        self.used = Instant::now();
        Ok(streams)
    }
}

async fn fetch(connection: &mut PgConnection, group: &[Waiting]) -> Result<HashMap<i64, Vec<StreamEvent>>, Error> {
    let types: Vec<String> = group.iter().map(|waiting| waiting.aggregate_type.to_owned()).collect();
    let ids: Vec<String> = group.iter().map(|waiting| waiting.aggregate_id.clone()).collect();
    let rows = sqlx::query!(
        r#"SELECT w.place AS "place!", e.sequence, e.event_type, e.event_version, e.payload::text AS "payload!"
             FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY AS w (type, id, place)
             JOIN events e ON e.aggregate_type = w.type AND e.aggregate_id = w.id
            ORDER BY w.place, e.sequence"#,
        &types,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    let mut streams: HashMap<i64, Vec<StreamEvent>> = HashMap::with_capacity(group.len());
    for row in rows {
        streams.entry(row.place).or_default().push(StreamEvent {
            sequence: row.sequence,
            event_type: row.event_type,
            event_version: row.event_version,
            payload: row.payload,
        });
    }
    Ok(streams)
}
