//! The only place of Bootledger that knows HTTP.

pub mod api;
pub mod application;
pub mod auth;
pub mod boot;
pub mod commands;
pub mod dhcp;
pub mod dns;
pub mod edge;
pub mod error;
pub mod health;
pub mod openapi;
pub mod pages;
mod puppet;
pub mod request;
pub mod server;
pub mod settings;
