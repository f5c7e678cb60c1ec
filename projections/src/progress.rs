//! The progress of workers: which DNS updates and webhooks are due, and how far the log was verified. These tables are not derived from events.

pub mod delivery_problem;
pub mod dns_updates;
pub mod verification;
pub mod webhooks;
