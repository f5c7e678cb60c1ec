//! Connections to PostgreSQL with bounded waits, the event log as the projector reads it, and why a query failed.

pub mod cause;
pub mod log;
pub mod pool;
