//! The only place of Bootledger that knows HTTP.

pub mod application;
pub mod boot;
pub mod commands;
pub mod dhcp;
pub mod dns;
