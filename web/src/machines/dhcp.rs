//! The configuration of DHCP servers, and the confirmations that their agents send.
//!
//! A configuration is a pure function of the views at one position: the same position gives the same bytes, so that their
//! SHA-256, the *revision*, identifies exactly what a server runs. Nothing here reads a clock while it renders.

pub mod boot_file;
pub mod configuration;
pub mod dnsmasq;
pub mod format;
pub mod held;
pub mod isc;
pub mod kea;
pub mod last_good;
pub(crate) mod revision;
pub mod routes;

#[cfg(test)]
mod tests;
