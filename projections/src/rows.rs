//! The rows of the views: for each table its struct and the queries that return it, for now or for a position of the past.

pub mod accounts;
pub mod at;
pub mod boot_targets;
pub mod bulk;
pub mod catalogue;
pub mod convert;
pub mod deployments;
pub mod devices;
pub mod dhcp_entries;
pub mod dhcp_sites;
pub mod dns_records;
pub mod drift;
pub mod durations;
pub mod holders;
pub mod holdings;
pub mod imports;
pub mod installations;
pub mod parked;
pub mod plugin_runs;
pub mod power_orders;
pub mod reservations;
pub mod secrets;
pub mod statistics;
pub mod tallies;
pub mod timeline;
pub mod tokens;
