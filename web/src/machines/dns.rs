//! Zone files (RFC 1035) of the zones that sites manage: `GET /dns/zones/{zone}`, for anyone.
//!
//! A file is a pure function of the views at one position, for DNS servers that read files. This module sends no
//! updates to servers.

pub mod routes;
pub mod zone;
