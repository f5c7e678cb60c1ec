//! Delivers events to webhook receivers: each matching event is signed and sent with POST, until the receiver accepts it.
//!
//! This module makes no decisions and records no domain events: webhooks are created, paused and moved by events like all other
//! entries, and the progress of their deliveries is stored outside the views. Only the order of events within an aggregate is
//! preserved.

pub mod command;
mod courier;
mod dispatcher;
mod lanes;
mod measurements;
mod message;
mod receiver;

pub use dispatcher::Dispatcher;
pub(crate) use message::Signer;

use crate::ledger::Ledger;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::webhook::WebhookSpec;
use bootledger_web::commands::Ping;
use message::Message;
use receiver::Receiver;
use std::time::Instant;

/// Sends a receiver a signed test message once, and returns its response.
///
/// # Errors
/// Returns a message if nothing can be sent.
pub(crate) async fn ping(name: &Name, spec: &WebhookSpec, ledger: &Ledger) -> Result<Ping, String> {
    let signer = Signer::read(&ledger.secrets, &spec.secret).map_err(|problem| problem.to_string())?;
    let receiver =
        Receiver::new(&spec.url, 1, &ledger.outbound.guard).map_err(|error| format!("no HTTP client can be made: {error}"))?;
    let now = (ledger.now)();
    let message = Message::ping(name, now);
    let begun = Instant::now();
    let tried = receiver.send(&message, &signer, now.0).await;
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = tried.status.map(|status| status.as_u16());
    Ok(Ping { webhook_id: message.id, taken: tried.taken, status, message: tried.words, milliseconds })
}
