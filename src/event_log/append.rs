//! What can be appended to the log, under which conditions, and the result.

use bootledger_aggregates::claims::{Claim, ClaimChange};
use bootledger_aggregates::placement::ChangeScope;
use bootledger_projections::database::cause::{Cause, Impediment};
use std::collections::{BTreeMap, HashMap};

/// An event that has no position yet.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The type of the aggregate, such as `device`.
    pub aggregate_type: String,
    /// The key of the aggregate.
    pub aggregate_id: String,
    /// The event's sequence number in the aggregate's stream, from 1.
    pub sequence: i64,
    /// The type of the event, such as `DeviceVerified`.
    pub event_type: String,
    /// The version of the payload's form.
    pub event_version: String,
    /// The payload as JSON text, which is stored unchanged.
    pub payload: String,
    /// The metadata as JSON text: actor, correlation id, causation id.
    pub metadata: String,
    /// The claims that the event releases and takes.
    pub claims: Vec<ClaimChange>,
}

/// A condition that must hold when the events are appended.
#[derive(Clone, Debug)]
pub enum Precondition {
    /// The aggregate has had no event since its state was read.
    Sequence {
        /// The type of the aggregate, such as `device`.
        aggregate_type: &'static str,
        /// The key of the aggregate.
        aggregate_id: String,
        /// The sequence number of its last event that was read; 0 for none.
        sequence: i64,
    },
    /// The value is not claimed.
    Unclaimed(Claim),
    /// Nothing within the scope has come into use since the views were read.
    Unused {
        /// The minimum position that the views showed.
        after: i64,
        /// The scope that was read.
        scope: ChangeScope,
    },
}

/// How a repeated request is recognised.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The key that the caller chose.
    pub key: String,
    /// SHA-256 of the request, to detect a different request with the same key.
    pub fingerprint: [u8; 32],
    /// The answer to repeat, as JSON text.
    pub answer: String,
}

/// Events that are appended together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The events, in order; the sequence numbers of one aggregate are consecutive.
    pub events: Vec<NewEvent>,
    /// The conditions that must hold at the append.
    pub preconditions: Vec<Precondition>,
    /// How a repeated request is recognised.
    pub idempotency: Option<Idempotency>,
}

/// The result of an accepted batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The batch is in the log; its last event has this position (the log's last position for an empty batch).
    At(i64),
    /// The same request was answered before.
    Repeated {
        /// The position of the request's last event.
        position: i64,
        /// The earlier answer, as JSON text.
        answer: String,
    },
}

impl Appended {
    /// The position of the batch's last event.
    pub fn position(&self) -> i64 {
        match self {
            Self::At(position) | Self::Repeated { position, .. } => *position,
        }
    }
}

/// Why a batch is not in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The state on which the decision was based has changed. Load it and decide again.
    #[error("{aggregate_type} {aggregate_id} was changed by another request at the same time")]
    Conflict {
        /// The type of the aggregate, such as `device`.
        aggregate_type: String,
        /// The key of the aggregate.
        aggregate_id: String,
    },
    /// Another aggregate holds a value that the events claim.
    #[error("the {} {} is held by {holder}", claim.parts().0, claim.parts().1)]
    Claimed {
        /// The claimed value.
        claim: Claim,
        /// The aggregate that holds it, such as `device 0192…`.
        holder: String,
    },
    /// The idempotency key was used for a different request.
    #[error("the idempotency key was used before for another request")]
    KeyReused,
    /// The database cannot be reached, or did not respond in time. Nothing was appended, or the result is unknown; repeating
    /// the request with its idempotency key gives the result.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The database, or its disk, did not accept the events; nothing was appended.
    #[error(transparent)]
    Impeded(#[from] Impediment),
    /// The database rejected the statement, which is a defect.
    #[error("the database refused the events: {0}")]
    Defect(String),
}

/// The metadata of events as JSON text, with sorted keys.
pub(crate) fn metadata_text(metadata: &HashMap<String, String>) -> String {
    let sorted: BTreeMap<_, _> = metadata.iter().collect();
    serde_json::json!(sorted).to_string()
}

/// The rejection of a batch that the database did not accept.
pub(super) fn refused(error: &sqlx::Error) -> Rejection {
    let message = error.to_string();
    match Cause::of(error) {
        Cause::Defect => Rejection::Defect(message),
        cause => Rejection::Impeded(Impediment { cause, message }),
    }
}
