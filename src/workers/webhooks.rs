//! Delivers events to webhook receivers: each matching event is signed and sent with POST, until the receiver accepts it.
//!
//! This module makes no decisions and records no domain events: webhooks are created, paused and moved by events like all other
//! entries, and the progress of their deliveries is stored outside the views. Only the order of events within an aggregate is
//! preserved.

mod courier;
mod dispatcher;
mod lanes;
mod measurements;

pub use dispatcher::Dispatcher;
