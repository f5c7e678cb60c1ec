//! Reads the streams of aggregates in groups: what is asked for while one question is under way is asked together next.
//!
//! Every command begins with its aggregate's stream. Many commands at once would otherwise be as many round trips, which
//! cost more than the rows. The rows are those that postgres-es would read.

use super::append::Rejection;
use super::writer::refused;
use cqrs_es::persist::SerializedEvent;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Error};
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, debug_span};

/// How many streams are read together at most.
const GROUP: usize = 256;

/// How many may wait; further callers wait before they may wait.
const QUEUE: usize = 4096;

/// The reader. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub(super) struct Streams {
    waiting: mpsc::Sender<Waiting>,
}

struct Waiting {
    aggregate_type: &'static str,
    aggregate_id: String,
    answer: oneshot::Sender<Result<Vec<SerializedEvent>, Rejection>>,
}

impl Streams {
    /// Starts the reader on a connection of its own. It ends with the last clone.
    pub(super) fn start(options: PgConnectOptions) -> Self {
        let (waiting, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(options, receiver));
        Self { waiting }
    }

    /// All events of an aggregate in their order; none where it is unknown.
    pub(super) async fn read(&self, aggregate_type: &'static str, id: &str) -> Result<Vec<SerializedEvent>, Rejection> {
        let stopped = || Rejection::Unavailable("the service is stopping".to_owned());
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { aggregate_type, aggregate_id: id.to_owned(), answer };
        self.waiting.send(waiting).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

async fn run(options: PgConnectOptions, mut receiver: mpsc::Receiver<Waiting>) {
    let mut connection = None;
    let mut group = Vec::new();
    while receiver.recv_many(&mut group, GROUP).await > 0 {
        let span = debug_span!("read", streams = group.len());
        let group = std::mem::take(&mut group);
        async {
            match read(&options, &mut connection, &group).await {
                Ok(mut streams) => {
                    for (place, waiting) in (1_i64..).zip(group) {
                        // Whoever asked may have gone away.
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

/// A group's streams by their place in it, from 1. A connection that was lost while nobody asked is replaced once.
async fn read(
    options: &PgConnectOptions,
    slot: &mut Option<PgConnection>,
    group: &[Waiting],
) -> Result<HashMap<i64, Vec<SerializedEvent>>, Error> {
    if let Some(mut connection) = slot.take() {
        match ask(&mut connection, group).await {
            Ok(streams) => {
                *slot = Some(connection);
                return Ok(streams);
            }
            Err(error) => tracing::warn!(%error, "streams could not be read; asking again on a new connection"),
        }
    }
    let mut connection = PgConnection::connect_with(options).await?;
    let streams = ask(&mut connection, group).await?;
    *slot = Some(connection);
    Ok(streams)
}

async fn ask(connection: &mut PgConnection, group: &[Waiting]) -> Result<HashMap<i64, Vec<SerializedEvent>>, Error> {
    let types: Vec<String> = group.iter().map(|waiting| waiting.aggregate_type.to_owned()).collect();
    let ids: Vec<String> = group.iter().map(|waiting| waiting.aggregate_id.clone()).collect();
    let rows = sqlx::query!(
        r#"SELECT w.place AS "place!", e.sequence, e.event_type, e.event_version, e.payload AS "payload: Value",
                  e.metadata AS "metadata: Value"
             FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY AS w (type, id, place)
             JOIN events e ON e.aggregate_type = w.type AND e.aggregate_id = w.id
            ORDER BY w.place, e.sequence"#,
        &types,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    let mut streams: HashMap<i64, Vec<SerializedEvent>> = HashMap::with_capacity(group.len());
    for row in rows {
        let Some(waiting) = usize::try_from(row.place - 1).ok().and_then(|place| group.get(place)) else { continue };
        streams.entry(row.place).or_default().push(SerializedEvent {
            aggregate_id: waiting.aggregate_id.clone(),
            sequence: usize::try_from(row.sequence).unwrap_or(usize::MAX),
            aggregate_type: waiting.aggregate_type.to_owned(),
            event_type: row.event_type,
            event_version: row.event_version,
            payload: row.payload,
            metadata: row.metadata,
        });
    }
    Ok(streams)
}
