//! What can be appended, under which conditions, and what comes of it.

use bootledger_aggregates::claims::{Claim, ClaimChange};
use bootledger_aggregates::placement::Scope;
use bootledger_projections::cause::Impediment;

/// An event that has no position yet.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Such as `device`.
    pub aggregate_type: String,
    /// The aggregate's key.
    pub aggregate_id: String,
    /// Its place in the aggregate's stream, from 1.
    pub sequence: i64,
    /// Such as `DeviceVerified`.
    pub event_type: String,
    /// Of the payload's shape.
    pub event_version: String,
    /// JSON text, stored to the letter.
    pub payload: String,
    /// JSON text: actor, correlation id, causation id.
    pub metadata: String,
    /// What the event releases and takes.
    pub claims: Vec<ClaimChange>,
}

/// Something that must still hold when the events are appended.
#[derive(Clone, Debug)]
pub enum Precondition {
    /// An aggregate whose state was looked up has had no event since.
    Sequence {
        /// Such as `device`.
        aggregate_type: &'static str,
        /// Its key.
        aggregate_id: String,
        /// The sequence of its last event that was seen; 0 for none.
        sequence: i64,
    },
    /// Nobody holds this.
    Unclaimed(Claim),
    /// Nothing that this concerns has come into use: it was looked up in the views at a position.
    Unused {
        /// The position that the views showed, at least.
        after: i64,
        /// What was looked up.
        scope: Scope,
    },
}

/// How a repeated request is recognised.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The key that the caller chose.
    pub key: String,
    /// SHA-256 of the request, to tell another request with the same key.
    pub fingerprint: [u8; 32],
    /// What to answer again, JSON text.
    pub answer: String,
}

/// Events that are appended together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In order; sequences of one aggregate follow each other.
    pub events: Vec<NewEvent>,
    /// What must still hold.
    pub preconditions: Vec<Precondition>,
    /// How a repeat is recognised.
    pub idempotency: Option<Idempotency>,
}

/// What came of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log; its last event has this position (the log's last position for an empty batch).
    At(i64),
    /// The same request was answered before, with this.
    Repeated {
        /// The position of its last event.
        position: i64,
        /// What was answered, JSON text.
        answer: String,
    },
}

/// Why a batch is not in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The state that was decided on is no longer the last; load it again and decide again.
    #[error("{aggregate_type} {aggregate_id} was changed by somebody else at the same time")]
    Conflict {
        /// Such as `device`.
        aggregate_type: String,
        /// Its key.
        aggregate_id: String,
    },
    /// Somebody else holds what the events take.
    #[error("the {} {} is held by {holder}", claim.parts().0, claim.parts().1)]
    Claimed {
        /// What is held.
        claim: Claim,
        /// By whom, such as `device 0192…`.
        holder: String,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used before for another request")]
    KeyReused,
    /// The database cannot be reached, or did not answer in time. Nothing was appended, or nobody could find out in time:
    /// the same request with its idempotency key says.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The database, or its disk, did not take the events; nothing was appended.
    #[error(transparent)]
    Impeded(#[from] Impediment),
    /// The database refused the statement: a defect.
    #[error("the database refused the events: {0}")]
    Defect(String),
}
