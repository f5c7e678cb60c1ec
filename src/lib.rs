//! Bootledger deploys physical servers and records every step in an event log.
//!
//! This crate wires the service together: configuration, the event store, the feed, the reactor and its plugins, and one file
//! per subcommand. It is a library so that tests start the same code as production. The rules are in `aggregates`, the read
//! models in `projections`, HTTP in `web`.

pub mod accounts;
pub mod administrator;
pub mod catalogue_file;
pub mod checkers;
pub mod clock;
pub mod condition;
pub mod config;
pub mod data_directory;
pub mod database;
pub mod demo;
pub mod deploy;
pub mod dhcp_agent;
pub mod dns;
pub mod drift;
pub mod export;
pub mod feed;
pub mod files;
pub mod heartbeat;
pub mod image;
pub mod import;
pub mod instance;
pub mod key;
pub mod ledger;
pub mod openid;
pub mod outbound;
pub mod plugins;
pub mod postgres;
pub mod power;
pub mod progress;
pub mod projector;
pub mod reactor;
pub mod rebuild;
pub mod secrets;
pub mod serve;
pub mod service;
pub mod store;
pub mod table;
pub mod telemetry;
pub mod tftp;
pub mod token;
pub mod tool;
pub mod trial;
pub mod verify;
pub mod webhooks;
