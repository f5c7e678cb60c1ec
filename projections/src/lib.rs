//! The read models (views) and every query on them.
//!
//! Each table has one file: its row, its queries, and how events change it. [`project`] moves all tables together to a later
//! position of the log; nothing else writes to them. Queries that support the past take an [`at::At`].

pub mod accounts;
pub mod at;
pub mod boot_targets;
pub mod catalogue;
pub mod cause;
pub mod checkpoint;
mod convert;
pub mod deployments;
pub mod devices;
pub mod dhcp_entries;
pub mod dhcp_sites;
pub mod dns_records;
pub mod dns_updates;
pub mod drift;
pub mod error;
pub mod free;
pub mod held;
pub mod holdings;
pub mod imports;
pub mod infrastructure;
pub mod installations;
pub mod log;
pub mod parked;
pub mod plugin_runs;
pub mod pool;
pub mod power_orders;
pub mod project;
pub mod rebuild;
pub mod repeats;
pub mod role_uses;
pub mod secrets;
pub mod settings;
pub mod site_uses;
pub mod statistics;
pub mod strays;
pub mod tallies;
pub mod timeline;
pub mod tokens;
pub mod webhooks;
pub mod zone_serials;

pub use error::{Error, Result};
