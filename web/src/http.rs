//! What every request passes: its connection, caller, body, answer and errors. It knows no other folder of this crate: what the
//! others add to the state of handlers, they keep beside the [`application`].

pub(crate) mod access;
pub mod application;
pub mod auth;
pub mod client;
pub mod edge;
pub mod error;
pub(crate) mod fingerprint;
pub mod part;
pub mod ports;
pub mod provider;
pub(crate) mod range;
pub mod request;
pub(crate) mod share;
pub(crate) mod stream;
pub mod worker_status;
