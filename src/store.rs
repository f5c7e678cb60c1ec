//! The event log in PostgreSQL. Only this code appends events, takes claims and answers idempotency keys. It knows no rules of
//! the domain except the claims that each event names.

pub mod accounts;
pub mod answers;
pub mod append;
pub mod chain;
pub mod dns;
pub mod draft;
pub mod drift;
pub mod image_downloads;
pub mod leases;
pub mod repository;
pub mod secrets;
mod streams;
pub mod verify;
pub mod webhooks;
pub mod workers;
mod writer;

pub use writer::EventLog;
