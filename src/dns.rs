//! Keeps the primaries of sites at what the views show, with dynamic updates (RFC 2136) signed with their keys (TSIG).
//!
//! Nothing of somebody else is ever overwritten or removed: each update carries, as a prerequisite, what the primary is
//! known to hold, and the primary itself refuses it where that is not so.

mod connection;
pub(crate) mod drift;
mod primary;
mod publisher;
mod records;

pub use publisher::Publisher;
pub(crate) use publisher::address;
pub(crate) use records::{Kind, place};
