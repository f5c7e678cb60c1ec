//! The event log in PostgreSQL. Only this code appends events, takes claims and answers idempotency keys. It knows no rules of
//! the domain except the claims that each event names.

pub mod accounts;
pub mod answers;
pub mod append;
pub mod catch_up;
pub mod chain;
pub mod condition;
pub mod dns;
pub mod draft;
pub mod drift;
pub mod feed;
pub mod image_downloads;
pub mod leases;
pub mod secrets;
pub mod store;
mod streams;
pub mod verification;
pub mod verify;
pub mod webhooks;
pub mod workers;
mod writer;

pub use writer::EventLog;
