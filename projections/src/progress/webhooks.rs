//! The delivery status of webhooks. This is not a view: the courier that delivers events maintains it, and a rebuild does not
//! change it.

use crate::database::log::{self, Wanted};
use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::catalogue::WebhookView;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The number of aggregates with undelivered events at which no further events are read for a webhook.
pub const MOST_AGGREGATES: i64 = 500;

/// The maximum number of failing aggregates that are listed.
const LISTED: i64 = 100;

/// The delivery status of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// All events were delivered.
    UpToDate,
    /// Events are being delivered.
    Delivering,
    /// The delivery of an event fails, or nothing can be sent; delivery is retried.
    Failing,
    /// Nothing is delivered until the webhook is resumed.
    Paused,
}

/// The delivery status of a webhook, with its progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Delivery {
    /// Whether events are delivered, failing or paused.
    pub status: DeliveryStatus,
    /// The status as a sentence, with the reason.
    pub message: String,
    /// The position up to which the log was read for the webhook; undelivered events before it are listed below.
    pub position: i64,
    /// The position of the oldest event that was not delivered.
    pub oldest_undelivered: Option<i64>,
    /// How many events the log has from the oldest undelivered event on, including events that the webhook does not receive.
    pub lag_events: i64,
    /// The age of the oldest undelivered event, in seconds.
    pub lag_seconds: i64,
    /// When the receiver last accepted an event.
    pub taken_at: Option<Timestamp>,
    /// The problem that prevents all deliveries.
    pub problem: Option<String>,
    /// How many aggregates have an event whose delivery fails; their later events wait.
    pub failing_aggregates: i64,
    /// Up to 100 aggregates whose delivery fails, the oldest first.
    pub failing: Vec<FailingAggregate>,
}

/// An aggregate with an event whose delivery fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FailingAggregate {
    /// The type and key of the aggregate, such as `deployment/0192f0c0-…`.
    pub aggregate: String,
    /// The event's position in the log.
    pub position: i64,
    /// How many attempts have failed.
    pub attempts: u32,
    /// Since when delivery has failed.
    pub since: Timestamp,
    /// Why the last attempt failed.
    pub problem: String,
    /// When the next attempt starts.
    pub next_try: Timestamp,
}

/// A webhook whose deliveries fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FailingWebhook {
    /// The webhook's name.
    #[schema(value_type = String)]
    pub name: Name,
    /// How many aggregates have an event whose delivery fails.
    pub failing_aggregates: i64,
    /// Since when the delivery that has failed longest has failed; null if nothing can be sent at all.
    pub since: Option<Timestamp>,
}

/// Whether to show why a delivery failed. A receiver's response, or why it cannot be reached, is shown only to administrators:
/// others could use it to find out what is at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details {
    /// Show details, to administrators.
    Shown,
    /// Hide details, from all other users.
    Hidden,
}

/// The text that replaces hidden details.
const HIDDEN: &str = "the receiver did not accept the delivery; an administrator sees the reason";

/// The delivery status of a webhook, when the views show the position `shown`.
///
/// # Errors
/// Returns `Error::Database` if a query fails.
pub async fn delivery(
    connection: &mut Connection,
    name: &Name,
    view: &WebhookView,
    shown: i64,
    now: Timestamp,
    details: Details,
) -> Result<Delivery> {
    let begun = view.begins.set_at;
    let progress = sqlx::query!(
        "SELECT position, taken_at, problem FROM webhook_progress WHERE webhook = $1 AND begun = $2",
        name.as_str(),
        begun
    );
    let progress = progress.fetch_optional(&mut *connection).await?;
    let position = progress.as_ref().map_or(view.begins.after, |progress| progress.position);
    let lanes = sqlx::query!(
        r#"SELECT count(*) AS "all!", count(*) FILTER (WHERE attempts > 0) AS "failing!", min(position) AS first
             FROM webhook_lanes WHERE webhook = $1 AND begun = $2"#,
        name.as_str(),
        begun
    );
    let lanes = lanes.fetch_one(&mut *connection).await?;
    let first = if lanes.first.is_some() {
        lanes.first
    } else {
        let wanted = Wanted::of(&view.spec.events);
        log::read_wanted(&mut *connection, &wanted, position, shown, 1).await?.first().map(|stored| stored.position)
    };
    let since = match first {
        Some(first) => log::recorded_at(&mut *connection, first).await?,
        None => None,
    };
    let mut delivery = Delivery {
        status: DeliveryStatus::UpToDate,
        message: String::new(),
        position,
        oldest_undelivered: first,
        lag_events: first.map_or(0, |first| (shown - first + 1).max(0)),
        lag_seconds: since.map_or(0, |since| (now.0 - since.0).whole_seconds().max(0)),
        taken_at: progress.as_ref().and_then(|progress| progress.taken_at).map(Timestamp),
        problem: progress.and_then(|progress| progress.problem),
        failing_aggregates: lanes.failing,
        failing: failing(connection, name, begun).await?,
    };
    if details == Details::Hidden {
        let hidden = delivery.problem.iter_mut().chain(delivery.failing.iter_mut().map(|failing| &mut failing.problem));
        hidden.for_each(|problem| HIDDEN.clone_into(problem));
    }
    (delivery.status, delivery.message) = status_of(&delivery, view, lanes.all);
    Ok(delivery)
}

/// The status, and a sentence that describes it.
fn status_of(delivery: &Delivery, view: &WebhookView, lanes: i64) -> (DeliveryStatus, String) {
    let behind = format!("the oldest undelivered event is {} s old", delivery.lag_seconds);
    if let Some(paused) = &view.paused {
        let reason = if paused.reason.is_empty() { String::new() } else { format!(": {}", paused.reason) };
        let behind = delivery.oldest_undelivered.map(|_| format!("; {behind}")).unwrap_or_default();
        return (DeliveryStatus::Paused, format!("paused since {}{reason}{behind}", paused.since));
    }
    if let Some(problem) = &delivery.problem {
        return (DeliveryStatus::Failing, format!("cannot send: {problem}"));
    }
    if let Some(first) = delivery.failing.first() {
        let of = match delivery.failing_aggregates {
            1 => first.aggregate.clone(),
            more => format!("{more} aggregates, the oldest of {}", first.aggregate),
        };
        let full = if lanes >= MOST_AGGREGATES {
            format!("; {lanes} aggregates are waiting, so no further events are read until some are delivered or skipped")
        } else {
            String::new()
        };
        let message = format!(
            "delivery fails for events of {of} at position {} (attempts: {}, since {}): {}{full}",
            first.position, first.attempts, first.since, first.problem
        );
        return (DeliveryStatus::Failing, message);
    }
    match delivery.oldest_undelivered {
        None => (DeliveryStatus::UpToDate, "all events are delivered".to_owned()),
        Some(_) => (DeliveryStatus::Delivering, format!("delivering; {behind}")),
    }
}

async fn failing(connection: &mut Connection, name: &Name, begun: i64) -> Result<Vec<FailingAggregate>> {
    let rows = sqlx::query!(
        "SELECT aggregate_type, aggregate_id, position, attempts, since, next_try, problem FROM webhook_lanes
          WHERE webhook = $1 AND begun = $2 AND attempts > 0 ORDER BY position LIMIT $3",
        name.as_str(),
        begun,
        LISTED
    );
    let failing = rows.fetch_all(connection).await?.into_iter().map(|row| FailingAggregate {
        aggregate: format!("{}/{}", row.aggregate_type, row.aggregate_id),
        position: row.position,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        since: Timestamp(row.since),
        problem: row.problem.unwrap_or_default(),
        next_try: Timestamp(row.next_try),
    });
    Ok(failing.collect())
}

/// The webhooks in use whose deliveries fail, by name, without paused ones.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn all_failing(connection: &mut Connection) -> Result<Vec<FailingWebhook>> {
    let rows = sqlx::query!(
        r#"SELECT c.key, count(l.webhook) AS "failing!", min(l.since) AS since
             FROM catalogue c
             JOIN webhook_progress p ON p.webhook = c.key AND p.begun = (c.spec #>> '{begins,set_at}')::bigint
             LEFT JOIN webhook_lanes l ON l.webhook = p.webhook AND l.begun = p.begun AND l.attempts > 0
            WHERE c.kind = 'webhook' AND c.valid_to IS NULL AND NOT c.retired AND c.spec ->> 'paused' IS NULL
            GROUP BY c.key, p.problem
           HAVING count(l.webhook) > 0 OR p.problem IS NOT NULL
            ORDER BY c.key"#
    );
    let failing = rows.fetch_all(connection).await?.into_iter().map(|row| {
        Ok(FailingWebhook { name: row.key.parse()?, failing_aggregates: row.failing, since: row.since.map(Timestamp) })
    });
    failing.collect()
}
