//! The delivery status of webhooks. This is not a view: the courier that delivers events maintains it, and a rebuild does not
//! change it.

use super::delivery_problem::DeliveryProblem;
use crate::database::log::{self, Wanted};
use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::catalogue::WebhookView;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whether events are delivered, failing or paused.
    pub status: DeliveryStatus,
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
    /// The problem that prevents all deliveries. Only administrators may see it: others could use it to find out what is at the
    /// address.
    pub problem: Option<DeliveryProblem>,
    /// How many aggregates have events that were read and not delivered.
    pub waiting_aggregates: i64,
    /// How many aggregates have an event whose delivery fails; their later events wait.
    pub failing_aggregates: i64,
    /// Up to 100 aggregates whose delivery fails, the oldest first.
    pub failing: Vec<FailingAggregate>,
}

/// An aggregate with an event whose delivery fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingAggregate {
    /// The type and key of the aggregate, such as `deployment/0192f0c0-…`.
    pub aggregate: String,
    /// The event's position in the log.
    pub position: i64,
    /// How many attempts have failed.
    pub attempts: u32,
    /// Since when delivery has failed.
    pub since: Timestamp,
    /// Why the last attempt failed. Only administrators may see it: others could use it to find out what is at the address.
    pub problem: DeliveryProblem,
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

/// The delivery status of a webhook, when the views show the position `shown`.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::DamagedJson` if a problem cannot be parsed.
pub async fn delivery(
    connection: &mut Connection,
    name: &Name,
    view: &WebhookView,
    shown: i64,
    now: Timestamp,
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
        position,
        oldest_undelivered: first,
        lag_events: first.map_or(0, |first| (shown - first + 1).max(0)),
        lag_seconds: since.map_or(0, |since| (now.0 - since.0).whole_seconds().max(0)),
        taken_at: progress.as_ref().and_then(|progress| progress.taken_at).map(Timestamp),
        problem: progress.and_then(|progress| progress.problem).map(serde_json::from_value).transpose()?,
        waiting_aggregates: lanes.all,
        failing_aggregates: lanes.failing,
        failing: failing(connection, name, begun).await?,
    };
    delivery.status = if view.paused.is_some() {
        DeliveryStatus::Paused
    } else if delivery.problem.is_some() || !delivery.failing.is_empty() {
        DeliveryStatus::Failing
    } else if delivery.oldest_undelivered.is_some() {
        DeliveryStatus::Delivering
    } else {
        DeliveryStatus::UpToDate
    };
    Ok(delivery)
}

async fn failing(connection: &mut Connection, name: &Name, begun: i64) -> Result<Vec<FailingAggregate>> {
    let rows = sqlx::query!(
        "SELECT aggregate_type, aggregate_id, position, attempts, since, next_try, problem FROM webhook_lanes
          WHERE webhook = $1 AND begun = $2 AND attempts > 0 ORDER BY position LIMIT $3",
        name.as_str(),
        begun,
        LISTED
    );
    let failing = rows.fetch_all(connection).await?.into_iter().map(|row| {
        let problem = row.problem.map(serde_json::from_value).transpose()?;
        Ok(FailingAggregate {
            aggregate: format!("{}/{}", row.aggregate_type, row.aggregate_id),
            position: row.position,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            since: Timestamp(row.since),
            problem: problem.unwrap_or(DeliveryProblem::Text { text: Text::default() }),
            next_try: Timestamp(row.next_try),
        })
    });
    failing.collect()
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

/// A webhook with an event that has waited for a long time although no delivery has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StalledWebhook {
    /// The webhook's name.
    pub name: Name,
    /// How many aggregates have an event that was read and not delivered.
    pub waiting_aggregates: i64,
    /// Since when the oldest of these events has waited.
    pub since: Timestamp,
}

/// The webhooks in use with an event that was read before `limit` and that nothing tried to deliver, by name, without paused
/// ones. Such an event waits for a courier that does not run, or that sends nothing.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn all_stalled(connection: &mut Connection, limit: Timestamp) -> Result<Vec<StalledWebhook>> {
    let rows = sqlx::query!(
        r#"SELECT c.key, count(*) AS "waiting!", min(l.since) AS "since!"
             FROM catalogue c
             JOIN webhook_lanes l ON l.webhook = c.key AND l.begun = (c.spec #>> '{begins,set_at}')::bigint AND l.attempts = 0
            WHERE c.kind = 'webhook' AND c.valid_to IS NULL AND NOT c.retired AND c.spec ->> 'paused' IS NULL
            GROUP BY c.key HAVING min(l.since) < $1 ORDER BY c.key"#,
        limit.0
    );
    let stalled = rows.fetch_all(connection).await?.into_iter();
    stalled
        .map(|row| Ok(StalledWebhook { name: row.key.parse()?, waiting_aggregates: row.waiting, since: Timestamp(row.since) }))
        .collect()
}
