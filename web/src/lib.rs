//! The only place of Bootledger that knows HTTP.

pub mod commands;
