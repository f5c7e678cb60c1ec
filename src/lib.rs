//! Bootledger deploys physical servers and remembers everything.
//!
//! This crate is wiring: configuration, the event store, the feed, the reactor and its plugins, and
//! one file a subcommand. It is a library so that tests start what production starts. The rules are
//! in `aggregates`, the read models in `projections`, HTTP in `web`.

pub mod feed;
pub mod ledger;
pub mod plugins;
pub mod postgres;
pub mod projector;
pub mod reactor;
pub mod store;
