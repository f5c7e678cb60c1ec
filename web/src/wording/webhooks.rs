//! Sentences about the delivery of events to webhooks.

#[cfg(test)]
mod tests;

use actix_web::http::StatusCode;
use bootledger_projections::progress::delivery_problem::DeliveryProblem;
use bootledger_projections::progress::webhooks::{Delivery, MOST_AGGREGATES};
use bootledger_projections::rows::catalogue::Paused;

/// Why a receiver did not get an event, without a full stop.
pub fn problem(problem: &DeliveryProblem) -> String {
    match problem {
        DeliveryProblem::Status { receiver, status, detail } => {
            let status = StatusCode::from_u16(*status).map_or_else(|_| status.to_string(), |status| status.to_string());
            let redirect = if status.starts_with('3') {
                ", and redirects are not followed; set the webhook's URL to the target of the redirect"
            } else {
                ""
            };
            let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            format!("{receiver} answered {status}{redirect}{detail}")
        }
        DeliveryProblem::Timeout { receiver, seconds } => format!("{receiver} did not answer within {seconds} s"),
        DeliveryProblem::Unreachable { receiver, detail } => format!("{receiver} cannot be reached: {detail}"),
        DeliveryProblem::AddressNotAllowed { address, host, option } => {
            let host = host.as_ref().map(|host| format!(", the address of {host},")).unwrap_or_default();
            format!(
                "{address}{host} is a loopback, link-local, multicast, metadata or otherwise special address, to which the \
                 service does not connect. Choose another address, or have the administrator of the machine allow its network \
                 with {option}"
            )
        }
        DeliveryProblem::SecretMissing { secret, variable } => {
            format!("there is no secret {secret}: put a file {secret} into the secrets folder (--secrets-dir), or set {variable}")
        }
        DeliveryProblem::SecretUnusable { secret, detail } => {
            format!("the file of secret {secret} cannot be used: {detail}")
        }
        DeliveryProblem::Internal { detail } => detail.to_string(),
        DeliveryProblem::Hidden {} => "the receiver did not accept the delivery; an administrator sees the reason".to_owned(),
        DeliveryProblem::Text { text } => text.to_string(),
    }
}

/// The status of a delivery with its reason, without a full stop.
pub fn message(delivery: &Delivery, paused: Option<&Paused>) -> String {
    let behind = format!("the oldest undelivered event is {} s old", delivery.lag_seconds);
    if let Some(paused) = paused {
        let reason = if paused.reason.is_empty() { String::new() } else { format!(": {}", paused.reason) };
        let behind = delivery.oldest_undelivered.map(|_| format!("; {behind}")).unwrap_or_default();
        return format!("paused since {}{reason}{behind}", paused.since);
    }
    if let Some(found) = &delivery.problem {
        return format!("cannot send: {}", problem(found));
    }
    if let Some(first) = delivery.failing.first() {
        let of = match delivery.failing_aggregates {
            1 => first.aggregate.clone(),
            more => format!("{more} aggregates, the oldest of {}", first.aggregate),
        };
        let waiting = delivery.waiting_aggregates;
        let full = if waiting >= MOST_AGGREGATES {
            format!("; {waiting} aggregates are waiting, so no further events are read until some are delivered or skipped")
        } else {
            String::new()
        };
        return format!(
            "delivery fails for events of {of} at position {} (attempts: {}, since {}): {}{full}",
            first.position,
            first.attempts,
            first.since,
            problem(&first.problem)
        );
    }
    match delivery.oldest_undelivered {
        None => "all events are delivered".to_owned(),
        Some(_) => format!("delivering; {behind}"),
    }
}
