//! The delivery status of a webhook as the API returns it. The sentence is written when it is read; it is not stored.

use crate::wording::webhooks::{message, problem};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::progress::delivery_problem::DeliveryProblem;
use bootledger_projections::progress::webhooks::{Delivery, DeliveryStatus, FailingAggregate};
use bootledger_projections::rows::catalogue::Paused;
use serde::Serialize;
use utoipa::ToSchema;

/// Whether to show why a delivery failed. A receiver's response, or why it cannot be reached, is shown only to administrators:
/// others could use it to find out what is at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Details {
    /// Show details, to administrators.
    Shown,
    /// Hide details, from all other users.
    Hidden,
}

/// The delivery status of a webhook, with its progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct DeliveryItem {
    /// Whether events are delivered, failing or paused.
    status: DeliveryStatus,
    /// The status as a sentence, with the reason. The sentence may change between versions.
    message: String,
    /// The position up to which the log was read for the webhook; undelivered events before it are listed below.
    position: i64,
    /// The position of the oldest event that was not delivered.
    oldest_undelivered: Option<i64>,
    /// How many events the log has from the oldest undelivered event on, including events that the webhook does not receive.
    lag_events: i64,
    /// The age of the oldest undelivered event, in seconds.
    lag_seconds: i64,
    /// When the receiver last accepted an event.
    taken_at: Option<Timestamp>,
    /// The problem that prevents all deliveries, as a sentence.
    problem: Option<String>,
    /// The problem that prevents all deliveries, as a code with its values.
    cause: Option<DeliveryProblem>,
    /// How many aggregates have events that were read and not delivered.
    waiting_aggregates: i64,
    /// How many aggregates have an event whose delivery fails; their later events wait.
    failing_aggregates: i64,
    /// Up to 100 aggregates whose delivery fails, the oldest first.
    failing: Vec<FailingItem>,
}

/// An aggregate with an event whose delivery fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FailingItem {
    /// The type and key of the aggregate, such as `deployment/0192f0c0-…`.
    aggregate: String,
    /// The event's position in the log.
    position: i64,
    /// How many attempts have failed.
    attempts: u32,
    /// Since when delivery has failed.
    since: Timestamp,
    /// Why the last attempt failed, as a sentence.
    problem: String,
    /// Why the last attempt failed, as a code with its values.
    cause: DeliveryProblem,
    /// When the next attempt starts.
    next_try: Timestamp,
}

impl From<FailingAggregate> for FailingItem {
    fn from(failing: FailingAggregate) -> Self {
        let FailingAggregate { aggregate, position, attempts, since, problem: cause, next_try } = failing;
        Self { aggregate, position, attempts, since, problem: problem(&cause), cause, next_try }
    }
}

impl DeliveryItem {
    /// The delivery status of a webhook that is `paused` or not.
    pub(super) fn of(mut delivery: Delivery, paused: Option<&Paused>, details: Details) -> Self {
        if details == Details::Hidden {
            let hidden = delivery.problem.iter_mut().chain(delivery.failing.iter_mut().map(|failing| &mut failing.problem));
            hidden.for_each(|problem| *problem = DeliveryProblem::Hidden {});
        }
        let message = message(&delivery, paused);
        let Delivery {
            status,
            position,
            oldest_undelivered,
            lag_events,
            lag_seconds,
            taken_at,
            problem: cause,
            waiting_aggregates,
            failing_aggregates,
            failing,
        } = delivery;
        Self {
            status,
            message,
            position,
            oldest_undelivered,
            lag_events,
            lag_seconds,
            taken_at,
            problem: cause.as_ref().map(problem),
            cause,
            waiting_aggregates,
            failing_aggregates,
            failing: failing.into_iter().map(FailingItem::from).collect(),
        }
    }
}
