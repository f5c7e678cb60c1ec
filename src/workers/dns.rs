//! Keeps the DNS primaries of sites consistent with the views, using dynamic updates (RFC 2136) signed with their keys (TSIG).
//!
//! Records that others created are never overwritten or removed. Each update carries, as a prerequisite, what the primary is
//! known to hold, and the primary itself refuses the update if that has changed.

mod connection;
pub(crate) mod drift;
mod primary;
mod publisher;
mod records;

pub use publisher::Publisher;
pub(crate) use publisher::address;
pub(crate) use records::{Kind, place};
