//! Which addresses the service may connect to: one guard for management controllers, webhook receivers, DNS primaries, the
//! `OpenID` Connect provider and mirrors of boot images.
//!
//! An address that arrives over the API must not make the service connect to itself, to its neighbours on the link, or to a
//! cloud's metadata service. A program that connects checks the numeric address that it connects to, so that a name which
//! resolves to another address a moment later changes nothing.

pub mod address;
mod guard;

pub use guard::{Guard, Refused};
