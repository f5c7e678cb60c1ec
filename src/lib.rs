//! Bootledger deploys physical servers and records every step in an event log.
//!
//! This crate wires the service together: configuration, the event store, the feed, the reactor and its plugins, and one file
//! per subcommand. It is a library so that tests start the same code as production. The rules are in `aggregates`, the read
//! models in `projections`, HTTP in `web`.

pub mod catalogue_file;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod database;
pub mod event_log;
pub mod file_checks;
pub mod files;
mod nearest;
pub mod openid;
pub mod outbound;
pub mod service;
pub mod table;
pub mod workers;
