//! The domain of Bootledger: the rules for deploying a server, and the state that they need. Nothing else belongs here.
//!
//! This crate does no I/O, reads no clock and generates no random numbers: identifiers, times and looked-up facts arrive in the
//! commands, so that replaying the events always gives the same state. The JSON of the events is stored permanently; the tests
//! of `event` record its form.

pub mod actor;
pub mod boot_image;
pub mod bulk;
pub mod claims;
pub mod controller;
pub mod deployment;
pub mod device;
pub mod dhcp_server;
pub mod drift;
#[cfg(test)]
mod enum_texts;
pub mod event;
pub mod infrastructure;
pub mod network;
pub mod placement;
pub mod problem;
pub mod rack;
pub mod reservation;
pub mod rules;
#[cfg(test)]
pub(crate) mod samples;
pub mod saved_view;
pub mod secret;
pub mod session;
pub mod settings;
pub mod site;
pub mod token;
pub mod upcast;
pub mod user;
pub mod values;
pub mod venture;
pub mod webhook;
pub mod zone;
