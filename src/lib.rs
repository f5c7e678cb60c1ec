//! Bootledger deploys physical servers and remembers everything.
//!
//! This crate is wiring: configuration, the event store, the feed, the reactor and its plugins, and
//! one file a subcommand. The rules are in `aggregates`, the read models in `projections`, HTTP in `web`.

pub mod store;
