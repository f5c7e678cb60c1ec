//! Restricts the addresses that the service connects to: one guard for management controllers, webhook receivers, DNS
//! primaries, the OpenID Connect provider and mirrors of boot images.
//!
//! A URL or address from an API request must not make the service connect to itself, to its neighbours on the link, or to a
//! cloud's metadata service. The guard checks the numeric address of each connection, so a host name that resolves to another
//! address a moment later cannot bypass it.

pub mod address;
mod guard;

pub use guard::{Guard, Refused};
