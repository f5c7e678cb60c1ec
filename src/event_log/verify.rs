//! Reads the whole log, or an export of it, and proves that no event was altered.

use super::chain::{self, Link};
use anyhow::{Context, Result};
use bootledger_projections::database::log::{self, Stored};
use bootledger_projections::database::pool::Pool;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// How many events are read at a time.
const PAGE: i64 = 5_000;

/// An event as `bootledger export` writes it: one JSON object per line. Payload and metadata are the exact stored texts, since
/// the chain covers them.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExportedEvent {
    /// The event's position in the log.
    pub position: i64,
    /// The type of the aggregate, such as `device`.
    pub aggregate_type: String,
    /// The key of the aggregate.
    pub aggregate_id: String,
    /// The event's sequence number in its stream.
    pub sequence: i64,
    /// The type of the event, such as `DeviceVerified`.
    pub event_type: String,
    /// The version of the payload's form.
    pub event_version: String,
    /// When the event was appended.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// The content of the event.
    pub payload: Box<RawValue>,
    /// The event's metadata, such as its actor.
    pub metadata: Box<RawValue>,
    /// The chain value of this event, as 64 hexadecimal digits.
    pub chain: String,
}

/// How a log was altered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Tampered {
    /// The bytes of an event, or its chain value, were altered.
    #[error("the event at position {0} was altered: its hash does not follow from its bytes and the event before it")]
    Altered(i64),
    /// Events are missing or were inserted.
    #[error("position {after} is followed by position {found}: events are missing or were inserted")]
    Gap {
        /// The last position in order.
        after: i64,
        /// The position that follows it instead.
        found: i64,
    },
    /// The end of the log was cut off, or its head was altered.
    #[error("the log ends at position {ends}, but its head says {head}: events were cut off at the end, or the head was altered")]
    Cut {
        /// The position of the last event.
        ends: i64,
        /// The position in the head.
        head: i64,
    },
}

/// A verification in progress.
#[derive(Debug)]
pub struct Verification {
    position: i64,
    chain: [u8; 32],
}

impl Verification {
    /// Starts a verification at the first event.
    pub fn new() -> Self {
        Self { position: 0, chain: chain::START }
    }

    /// Continues a verification behind an event that was verified before, with this chain value.
    pub fn after(position: i64, chain: [u8; 32]) -> Self {
        Self { position, chain }
    }

    /// The chain value of the last verified event.
    pub fn chain(&self) -> [u8; 32] {
        self.chain
    }

    /// Verifies the next event.
    ///
    /// # Errors
    /// Returns [`Tampered::Gap`] if this is not the event at the next position, and [`Tampered::Altered`] if its chain value
    /// does not follow from its bytes and the event before it.
    pub fn next(&mut self, link: &Link<'_>, chain: &[u8]) -> Result<(), Tampered> {
        if link.position != self.position + 1 {
            return Err(Tampered::Gap { after: self.position, found: link.position });
        }
        self.chain = chain::next(&self.chain, link);
        self.position = link.position;
        if self.chain[..] == *chain { Ok(()) } else { Err(Tampered::Altered(link.position)) }
    }

    /// Compares the end of the log with its head.
    ///
    /// # Errors
    /// Returns [`Tampered::Cut`] if the head does not have the position and the chain value of the last verified event.
    pub fn end(&self, head: i64, chain: &[u8]) -> Result<i64, Tampered> {
        if head == self.position && self.chain[..] == *chain {
            return Ok(head);
        }
        Err(Tampered::Cut { ends: self.position, head })
    }

    /// The position of the last verified event.
    pub fn position(&self) -> i64 {
        self.position
    }
}

impl Default for Verification {
    fn default() -> Self {
        Self::new()
    }
}

/// Verifies the log in the database. `progress` is called with positions.
///
/// # Errors
/// The outer error means that the database failed. The inner error is the alteration that was found.
pub async fn database(pool: &Pool, mut progress: impl FnMut(i64)) -> Result<Result<i64, Tampered>> {
    let mut transaction = pool.begin().await?;
    sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *transaction).await?;
    let head = sqlx::query!("SELECT position, chain FROM log_head").fetch_one(&mut *transaction).await?;
    let mut verification = Verification::new();
    loop {
        let events = page(&mut *transaction, verification.position()).await?;
        if events.is_empty() {
            return Ok(verification.end(head.position, &head.chain));
        }
        for event in &events {
            if let Err(tampered) = verification.next(&Link::from(event), &event.chain) {
                return Ok(Err(tampered));
            }
        }
        progress(verification.position());
    }
}

/// Verifies an export that starts with the first event, line by line.
///
/// # Errors
/// The outer error means that a line cannot be read or is not an exported event. The inner error is the alteration that was
/// found.
pub fn file(reader: impl std::io::BufRead, mut progress: impl FnMut(i64)) -> Result<Result<i64, Tampered>> {
    let mut verification = Verification::new();
    for (number, line) in reader.lines().enumerate() {
        let line = line?;
        let event: ExportedEvent =
            serde_json::from_str(&line).with_context(|| format!("line {} is not an exported event", number + 1))?;
        let chain = hex::decode(&event.chain).with_context(|| format!("line {}: the chain is not hexadecimal", number + 1))?;
        if let Err(tampered) = verification.next(&event.link(), &chain) {
            return Ok(Err(tampered));
        }
        progress(event.position);
    }
    Ok(Ok(verification.position()))
}

/// Up to a page of events after a position, in the form of an export.
///
/// # Errors
/// Returns an error if the query fails, or if the payload or the metadata of an event is not JSON.
pub async fn export_after(pool: &Pool, position: i64) -> Result<Vec<ExportedEvent>> {
    page(pool, position).await?.into_iter().map(exported).collect()
}

/// Events in the order of their positions, so a row whose position was altered appears out of order.
async fn page(executor: impl PgExecutor<'_>, after: i64) -> Result<Vec<Stored>> {
    Ok(log::read_after(executor, after, PAGE, log::Filter::default()).await?)
}

fn exported(event: Stored) -> Result<ExportedEvent> {
    Ok(ExportedEvent {
        position: event.position,
        aggregate_type: event.aggregate_type,
        aggregate_id: event.aggregate_id,
        sequence: event.sequence,
        event_type: event.event_type,
        event_version: event.event_version,
        recorded_at: event.recorded_at,
        payload: RawValue::from_string(event.payload)?,
        metadata: RawValue::from_string(event.metadata)?,
        chain: hex::encode(event.chain),
    })
}

impl ExportedEvent {
    fn link(&self) -> Link<'_> {
        Link {
            position: self.position,
            sequence: self.sequence,
            recorded_at: self.recorded_at,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            event_type: &self.event_type,
            event_version: &self.event_version,
            payload: self.payload.get(),
            metadata: self.metadata.get(),
        }
    }
}
