//! Configuration of DHCP servers, and their confirmations.
//!
//! A configuration is a pure function of the views at one position: the same position gives the same bytes, so that
//! their SHA-256, the *revision*, says exactly what a server runs. Nothing here reads a clock while it renders.

pub mod boot_file;
pub mod configuration;
pub mod dnsmasq;
pub mod held;
pub mod isc;
pub mod kea;
pub(crate) mod revision;
pub mod routes;

#[cfg(test)]
mod tests;
